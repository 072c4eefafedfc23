import type { IncomingHttpHeaders } from 'node:http';
import { Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { KnownKey } from '#database';
import { DomainError, type Role, validationFailed } from '#domain';
import type { Allowance } from '#rate-limit';
import { allowOrigin, denyOrigins } from '../http/browser/cors.js';
import { validate } from '../http/request-schema.pipe.js';
import type { Access } from '../http/route-config.js';
import { recipientId as recipientIdSchema } from '../http/schemas.js';
import type { CarillonRequest } from './access.js';
import { Authenticator } from './authenticator.js';
import type { ConsoleSession } from './console-session.js';
import { ConsoleSessions } from './console-sessions.js';
import { OperatorAccess } from './operator-access.js';
import { RecipientAccess } from './recipient-access.js';
import { checkNoTenant, SessionAccess } from './session-access.js';
import { isFromConsole } from './session-cookie.js';

/**
 * Authenticates a request from its headers and checks the scope and the request limit of its route. Runs before the
 * body is read, so that callers without credentials cause no parsing.
 */
@Injectable()
export class AuthorizeRequest {
  constructor(
    private readonly authenticator: Authenticator,
    private readonly recipientAccess: RecipientAccess,
    private readonly operators: OperatorAccess,
    private readonly sessions: ConsoleSessions,
    private readonly sessionAccess: SessionAccess,
  ) {}

  /** Throws `unauthenticated`, `forbidden`, `rate_limited`, `unavailable`. */
  async run(request: CarillonRequest, reply: FastifyReply, access: Access): Promise<void> {
    switch (access.kind) {
      case 'public':
        break;
      case 'console':
        request.consoleSession = await this.sessions.of(request);
        break;
      case 'operator':
        await this.operator(request, access.role ?? (isRead(request) ? 'viewer' : 'admin'));
        break;
      case 'tenant':
        await this.tenant(request, reply, access.scope, null);
        break;
      case 'recipient':
        await this.recipient(request, reply, access.scope);
        break;
    }
    request.authorized = access;
  }

  private async tenant(
    request: CarillonRequest,
    reply: FastifyReply,
    scope: string | null,
    recipientId: string | null,
  ): Promise<void> {
    const session = this.sessionAccess.decides(request) ? await this.sessionAccess.requireSession(request) : null;
    if (session && !session.key) return await this.operatorForTenant(request, session, scope, recipientId);
    if (session) checkNoTenant(request);
    const key = session?.key ?? (await this.authenticator.authenticate(apiKeyOf(request), request.ip));
    // Before the allowance, so that requests from other addresses do not use it up.
    checkAddress(key, request.ip);
    const allowance = await this.authenticator.allowance(key);
    showAllowance(reply, allowance);
    checkAllowance('API key', allowance);
    checkKey(key, scope);
    request.caller = {
      tenantId: key.tenantId,
      keyId: key.keyId,
      settings: key.settings,
      scopes: key.scopes,
      recipientId,
      token: null,
      traceparent: request.traceparent ?? null,
    };
  }

  private async operatorForTenant(
    request: CarillonRequest,
    session: ConsoleSession,
    scope: string | null,
    recipientId: string | null,
  ): Promise<void> {
    const caller = await this.sessionAccess.callerOf(request, session, scope);
    request.caller = { ...caller, keyId: null, recipientId, token: null, traceparent: request.traceparent ?? null };
  }

  private async recipient(request: CarillonRequest, reply: FastifyReply, scope: string): Promise<void> {
    reply.header('Vary', 'Origin');
    const bearer = bearerOf(request);
    const hasKey = request.headers['x-api-key'] !== undefined || bearer?.startsWith('car_');
    if (hasKey || this.sessionAccess.decides(request)) {
      await this.tenant(request, reply, scope, namedRecipient(request));
      if (!request.caller!.recipientId) {
        throw validationFailed([
          {
            pointer: 'X-Recipient-ID',
            code: 'required',
            message: 'must name the recipient whose inbox is requested',
          },
        ]);
      }
      return;
    }
    if (!bearer)
      throw new DomainError(
        'unauthenticated',
        'Send a recipient token as Authorization: Bearer, or an API key and X-Recipient-ID.',
      );
    const { origin } = request.headers;
    // Every page may read that its token is not valid: no tenant is known then, and the answer says nothing of one.
    if (origin) allowOrigin(reply, '*');
    const identity = await this.recipientAccess.identify(bearer);
    if (origin) denyOrigins(reply);
    // First, so that the page can read why it is refused.
    if (origin && (await this.recipientAccess.listsOrigin(identity.tenantId, origin))) allowOrigin(reply, origin);
    await this.recipientAccess.permit(identity, scope, origin);
    const allowance = await this.recipientAccess.allowance(identity);
    showAllowance(reply, allowance);
    checkAllowance('recipient', allowance);
    request.caller = {
      tenantId: identity.tenantId,
      keyId: null,
      settings: {},
      scopes: identity.scopes,
      recipientId: identity.recipientId,
      token: identity,
      traceparent: request.traceparent ?? null,
    };
  }

  private async operator(request: CarillonRequest, needed: Role): Promise<void> {
    const given = request.headers['x-admin-token'];
    if (given === undefined && isFromConsole(request)) return await this.sessionAccess.requireRole(request, needed);
    this.operators.checkToken(request, given);
    this.operators.takeRequest('operator');
  }
}

/**
 * Throws `forbidden` if the key may not be used from this address. Null: an address is not known, so only a key for all
 * addresses is allowed.
 */
export function checkAddress({ allowedIps }: KnownKey, address: string | null): void {
  if (allowedIps === null || (address !== null && allowedIps.includes(address))) return;
  throw new DomainError(
    'forbidden',
    address === null
      ? 'This API key has allowed_ips, so it can only be used over HTTP, where the address is known.'
      : `This API key may not be used from the address ${address}.`,
  );
}

/** Throws `forbidden` for a suspended tenant. */
export function checkTenant({ tenantStatus }: KnownKey): void {
  if (tenantStatus === 'suspended') throw new DomainError('forbidden', 'This tenant is suspended.');
}

/** Throws `forbidden` for a suspended tenant or a missing scope. */
export function checkKey(key: KnownKey, scope: string | null): void {
  checkTenant(key);
  if (scope !== null && !key.scopes.has(scope))
    throw new DomainError('forbidden', `This API key lacks the scope ${scope}.`);
}

function isRead({ method }: CarillonRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** Throws `rate_limited` if the request was not granted. */
export function checkAllowance(whose: 'API key' | 'recipient', { granted, limit, resetSeconds }: Allowance): void {
  if (granted) return;
  throw new DomainError('rate_limited', `This ${whose} may make ${limit} requests a minute.`, {
    retryAfterSeconds: resetSeconds,
  });
}

/** The headers of draft-ietf-httpapi-ratelimit-headers. */
function showAllowance(reply: FastifyReply, { limit, remaining, resetSeconds }: Allowance): void {
  reply.header('RateLimit-Policy', `"requests";q=${limit};w=60`);
  reply.header('RateLimit', `"requests";r=${remaining};t=${resetSeconds}`);
}

export function apiKeyOf(request: CarillonRequest): string | undefined {
  const header = request.headers['x-api-key'];
  return typeof header === 'string' ? header : bearerOf(request);
}

export function bearerOf({ headers }: { headers: IncomingHttpHeaders }): string | undefined {
  return /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];
}

/** The recipient in X-Recipient-ID, or null. Throws `validation_failed` when it is not a valid recipient id. */
function namedRecipient(request: CarillonRequest): string | null {
  const given = request.headers['x-recipient-id'];
  if (typeof given !== 'string' || given === '') return null;
  const { errors } = validate(recipientIdSchema, given);
  if (!errors) return given;
  throw validationFailed([{ pointer: 'X-Recipient-ID', code: 'invalid', message: errors[0]!.message }]);
}
