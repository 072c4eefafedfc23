import { Module } from '@nestjs/common';
import { APP_FILTER, APP_PIPE } from '@nestjs/core';
import { HttpListeners } from './http-listeners.js';
import { ProblemFilter } from './problem.filter.js';
import { RequestSchemaPipe } from './request-schema.pipe.js';

/** Listeners, validation and error answers of all routes. */
@Module({
  providers: [
    { provide: APP_PIPE, useClass: RequestSchemaPipe },
    { provide: APP_FILTER, useClass: ProblemFilter },
    HttpListeners,
  ],
})
export class HttpModule {}
