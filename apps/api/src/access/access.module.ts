import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { RequestLimit, SharedRequestLimit } from '#rate-limit';
import type { Redis } from '#redis';
import type { Logger } from '#telemetry';
import { LOGGER, REDIS, REQUEST_ALLOWANCES } from '../tokens.js';
import { AccessGuard } from './access.guard.js';
import { Authenticator } from './authenticator.js';
import { AuthorizeRequest } from './authorize-request.js';
import { ConsoleSessions } from './console-sessions.js';
import { InboxTokens } from './inbox-tokens.js';
import { KnownTenants } from './known-tenants.js';
import { OperatorAccess } from './operator-access.js';
import { RecipientAccess } from './recipient-access.js';
import { SessionAccess } from './session-access.js';
import { TokenRevocations } from './token-revocations.js';

/** Authenticates callers and decides what they may do. */
@Module({
  providers: [
    { provide: APP_GUARD, useClass: AccessGuard },
    AuthorizeRequest,
    Authenticator,
    OperatorAccess,
    ConsoleSessions,
    SessionAccess,
    InboxTokens,
    KnownTenants,
    TokenRevocations,
    RecipientAccess,
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
  exports: [Authenticator, AuthorizeRequest, ConsoleSessions, OperatorAccess, RecipientAccess, TokenRevocations],
})
export class AccessModule {}
