import { createHash, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Config } from '#config';
import { PlatformKeys } from '#database';
import { DomainError, hashSecret } from '#domain';
import { RequestLimit } from '#rate-limit';
import { instruments, type Logger, traceIdOf } from '#telemetry';
import { CONFIG, LOGGER } from '../tokens.js';
import type { CarillonRequest } from './access.js';
import { FailureLimit, sourceOf } from './failure-limit.js';

const OPERATOR_REQUESTS_PER_MINUTE = 6_000;

/** Checks the operator's token, and limits the requests of the operator and of each session of one. */
@Injectable()
export class OperatorAccess {
  /** The current token, and the previous one during a rotation. */
  private readonly tokens: readonly string[];
  private readonly digests: readonly Buffer[];
  private readonly requests = new RequestLimit();
  private readonly failures = new FailureLimit('wrong tokens');

  constructor(
    private readonly platformKeys: PlatformKeys,
    @Inject(CONFIG) { adminToken, previousAdminToken }: Config,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.tokens = [adminToken, ...(previousAdminToken ? [previousAdminToken] : [])];
    this.digests = this.tokens.map(digest);
  }

  /** Throws `unauthenticated` for a wrong token, and `rate_limited` after too many from the address. */
  checkToken(request: CarillonRequest, given: unknown): void {
    if (typeof given === 'string' && this.isToken(given)) return;
    const refusal = new DomainError(
      'unauthenticated',
      given ? 'The admin token is not valid.' : "Send the operator's token in the X-Admin-Token header.",
    );
    const error = this.failures.count(sourceOf(request.ip), refusal);
    this.noteRefusal(request, error === refusal ? 'unauthenticated' : 'rate_limited');
    throw error;
  }

  /** Takes one request from the allowance of the token, or of a session. Throws `rate_limited`. */
  takeRequest(of: string): void {
    const { granted, resetSeconds } = this.requests.take(of, OPERATOR_REQUESTS_PER_MINUTE);
    if (!granted)
      throw new DomainError('rate_limited', 'Too many operator requests.', { retryAfterSeconds: resetSeconds });
  }

  /** The hash that a session stores of its token. */
  hashOf(token: string): Buffer {
    return hashSecret(this.platformKeys.apiKeyPepper, token);
  }

  /** Whether a session with this hash began with a token that is still valid. */
  isHashOfToken(hash: Buffer): boolean {
    return this.tokens.some((token) => timingSafeEqual(hash, this.hashOf(token)));
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
  private isToken(given: string): boolean {
    const asked = digest(given);
    return this.digests.some((token) => timingSafeEqual(asked, token));
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
