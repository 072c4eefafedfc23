import { Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { RequestLimit, SharedRequestLimit } from '#rate-limit';
import type { Redis } from '#redis';
import type { Logger } from '#telemetry';
import { LOGGER, REDIS, REQUEST_ALLOWANCES } from '../tokens.js';
import { AccessGuard } from './access.guard.js';
import { Authenticator } from './authenticator.js';
import { AuthorizeRequest } from './authorize-request.js';
import { HttpListeners } from './http-listeners.js';
import { InboxTokens } from './inbox-tokens.js';
import { KnownTenants } from './known-tenants.js';
import { ProblemFilter } from './problem.filter.js';
import { RecipientAccess } from './recipient-access.js';
import { RequestSchemaPipe } from './request-schema.pipe.js';
import { TokenRevocations } from './token-revocations.js';

/** Authentication, validation and error answers of all routes. */
@Module({
  providers: [
    { provide: APP_GUARD, useClass: AccessGuard },
    { provide: APP_PIPE, useClass: RequestSchemaPipe },
    { provide: APP_FILTER, useClass: ProblemFilter },
    AuthorizeRequest,
    Authenticator,
    InboxTokens,
    KnownTenants,
    TokenRevocations,
    RecipientAccess,
    HttpListeners,
    {
      provide: REQUEST_ALLOWANCES,
      inject: [REDIS, LOGGER],
      useFactory: (redis: Redis | undefined, logger: Logger) =>
        redis
          ? new SharedRequestLimit(redis, (error) =>
              logger.warn({ err: error }, 'Redis did not answer; this process limits requests by itself'),
            )
          : new RequestLimit(),
    },
  ],
  exports: [Authenticator, AuthorizeRequest, RecipientAccess, TokenRevocations],
})
export class HttpModule {}
