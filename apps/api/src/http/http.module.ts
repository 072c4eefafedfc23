import { Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { RequestLimit, SharedRequestLimit } from '#rate-limit';
import type { Redis } from '#redis';
import type { Logger } from '#telemetry';
import { AccessGuard } from '../access/access.guard.js';
import { Authenticator } from '../access/authenticator.js';
import { AuthorizeRequest } from '../access/authorize-request.js';
import { InboxTokens } from '../access/inbox-tokens.js';
import { KnownTenants } from '../access/known-tenants.js';
import { RecipientAccess } from '../access/recipient-access.js';
import { TokenRevocations } from '../access/token-revocations.js';
import { LOGGER, REDIS, REQUEST_ALLOWANCES } from '../tokens.js';
import { HttpListeners } from './http-listeners.js';
import { ProblemFilter } from './problem.filter.js';
import { RequestSchemaPipe } from './request-schema.pipe.js';

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
