import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { Config } from '#config';
import type { KnownKey } from '#database';
import { DomainError } from '#domain';
import { type Allowance, RequestLimit } from '#rate-limit';
import { instruments, type Logger, traceIdOf } from '#telemetry';
import { allowOrigin, denyOrigins } from '../http/browser/cors.js';
import { validationFailed } from '../http/request-schema.pipe.js';
import type { Access } from '../http/route-config.js';
import { recipientId as recipientIdSchema } from '../http/schemas.js';
import { CONFIG, LOGGER } from '../tokens.js';
import type { CarillonRequest } from './access.js';
import { Authenticator } from './authenticator.js';
import { FailureLimit, sourceOf } from './failure-limit.js';
import { RecipientAccess } from './recipient-access.js';

const OPERATOR_REQUESTS_PER_MINUTE = 6_000;

/**
 * Authenticates a request from its headers and checks the scope and the request limit of its route. Runs before the
 * body is read, so that callers without credentials cause no parsing.
 */
@Injectable()
export class AuthorizeRequest {
  /** The current token, and the previous one during a rotation. */
  private readonly adminTokens: readonly Buffer[];
  private readonly operatorRequests = new RequestLimit();
  private readonly operatorFailures = new FailureLimit('wrong tokens');

  constructor(
    private readonly authenticator: Authenticator,
    private readonly recipientAccess: RecipientAccess,
    @Inject(CONFIG) { adminToken, previousAdminToken }: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.adminTokens = [adminToken, ...(previousAdminToken ? [previousAdminToken] : [])].map(digest);
  }

  /** Throws `unauthenticated`, `forbidden`, `rate_limited`, `unavailable`. */
  async run(request: CarillonRequest, reply: FastifyReply, access: Access): Promise<void> {
    switch (access.kind) {
      case 'public':
        break;
      case 'operator':
        this.operator(request);
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
    const key = await this.authenticator.authenticate(apiKeyOf(request), request.ip);
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

  private async recipient(request: CarillonRequest, reply: FastifyReply, scope: string): Promise<void> {
    reply.header('Vary', 'Origin');
    const bearer = bearerOf(request);
    if (request.headers['x-api-key'] !== undefined || bearer?.startsWith('car_')) {
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

  private operator(request: CarillonRequest): void {
    const given = request.headers['x-admin-token'];
    if (typeof given === 'string' && this.isAdminToken(given)) {
      const allowance = this.operatorRequests.take('operator', OPERATOR_REQUESTS_PER_MINUTE);
      if (allowance.granted) return;
      throw new DomainError('rate_limited', 'Too many operator requests.', {
        retryAfterSeconds: allowance.resetSeconds,
      });
    }
    const refusal = new DomainError(
      'unauthenticated',
      given ? 'The admin token is not valid.' : "Send the operator's token in the X-Admin-Token header.",
    );
    const error = this.operatorFailures.count(sourceOf(request.ip), refusal);
    this.noteRefusal(request, error === refusal ? 'unauthenticated' : 'rate_limited');
    throw error;
  }

  /** Not in the audit log, which anonymous callers could fill. */
  private noteRefusal(request: CarillonRequest, result: 'unauthenticated' | 'rate_limited'): void {
    instruments().operatorRefused.add(1, { result });
    if (result === 'rate_limited') return;
    const fields = {
      request_id: request.id,
      trace_id: traceIdOf(request.traceparent),
      source_address: request.ip,
      route: request.routeOptions.url,
    };
    this.logger.warn(fields, 'an operator request had no valid token');
  }

  /** Compares fixed-length digests, so timing does not leak the token's length. */
  private isAdminToken(given: string): boolean {
    const asked = digest(given);
    return this.adminTokens.some((token) => timingSafeEqual(asked, token));
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

/** Throws `forbidden` for a suspended tenant or a missing scope. */
export function checkKey(key: KnownKey, scope: string | null): void {
  if (key.tenantStatus === 'suspended') throw new DomainError('forbidden', 'This tenant is suspended.');
  if (scope !== null && !key.scopes.has(scope))
    throw new DomainError('forbidden', `This API key lacks the scope ${scope}.`);
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
  const parsed = recipientIdSchema.safeParse(given);
  if (parsed.success) return given;
  throw validationFailed([{ pointer: 'X-Recipient-ID', code: 'invalid', message: parsed.error.issues[0]!.message }]);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
