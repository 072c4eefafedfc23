import { hash, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { ApiKeysStore, type KnownKey } from '#database';
import { DEFAULT_REQUESTS_PER_MINUTE, DomainError, hashSecret, parseApiKey } from '#domain';
import { type Allowance, type RequestAllowances, RequestLimit } from '#rate-limit';
import type { RealtimeBus } from '#realtime';
import type { Logger } from '#telemetry';
import { API_KEY_PEPPER, BUS, LOGGER, REQUEST_ALLOWANCES } from '../tokens.js';

/** How long a revoked key may still be accepted when its revocation hint is lost. */
const KEY_TTL_MS = 30_000;
/** How often `last_used_at` of the used keys is written. */
const TOUCH_MS = 60_000;
/** Wrong keys from one address in a minute. Further ones get `rate_limited`; correct keys still work. */
const FAILURES_PER_MINUTE = 60;

/** Finds the tenant of an API key, and limits the requests of each key. */
@Injectable()
export class Authenticator implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly known = new LRUCache<string, Promise<KnownKey | null>>({ max: 50_000, ttl: KEY_TTL_MS });
  /** Verified keys by digest of the whole key. Checking the HMAC would take a tenth of the time of a request. */
  private readonly verified = new LRUCache<string, KnownKey>({ max: 50_000, ttl: KEY_TTL_MS });
  private readonly used = new Set<string>();
  private readonly failures = new RequestLimit();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly keys: ApiKeysStore,
    @Inject(API_KEY_PEPPER) private readonly pepper: Buffer,
    @Inject(BUS) bus: RealtimeBus,
    @Inject(REQUEST_ALLOWANCES) private readonly requests: RequestAllowances,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    bus.subscribe((hint) => {
      if (hint.kind === 'stale' && hint.what === 'tenant') this.forget(hint.tenantId);
    });
    bus.onGap(() => this.forget());
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => {
      this.noteUse().catch((error: unknown) =>
        this.logger.warn({ err: error }, 'the use of API keys could not be recorded'),
      );
    }, TOUCH_MS).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.noteUse().catch(() => undefined);
  }

  /** Throws `unauthenticated`, with one message for every wrong key, and `rate_limited` after too many wrong keys. */
  async authenticate(text: string | undefined, address: string): Promise<KnownKey> {
    const digest = text === undefined ? '' : hash('sha256', text, 'base64');
    const verified = this.verified.get(digest);
    if (verified && isCurrent(verified)) {
      this.used.add(verified.keyId);
      return verified;
    }
    const parsed = text ? parseApiKey(text) : null;
    const known = parsed && (await this.find(parsed.keyId));
    // An unknown id takes the same path as a wrong secret.
    const given = hashSecret(this.pepper, parsed?.secret ?? '');
    const isRight = known !== null && timingSafeEqual(given, known.secretHash) && isCurrent(known);
    if (!isRight) throw this.refusal(text, address);
    this.used.add(known.keyId);
    this.verified.set(digest, known);
    return known;
  }

  private refusal(text: string | undefined, address: string): DomainError {
    const allowance = this.failures.take(address, FAILURES_PER_MINUTE);
    if (!allowance.granted)
      return new DomainError('rate_limited', 'Too many wrong keys from this address.', {
        retryAfterSeconds: allowance.resetSeconds,
      });
    return new DomainError(
      'unauthenticated',
      text ? 'The API key is not valid.' : 'Send your API key in the X-API-Key header.',
    );
  }

  /** Takes one request from the key's allowance. */
  async allowance(key: KnownKey): Promise<Allowance> {
    return await this.requests.take(key.keyId, key.settings.requests_per_minute ?? DEFAULT_REQUESTS_PER_MINUTE);
  }

  /** Drops cached keys of a tenant (of all tenants without an id) after a revocation or a change of settings. */
  private forget(tenantId?: string): void {
    if (tenantId === undefined) {
      this.verified.clear();
      this.known.clear();
      return;
    }
    for (const [digest, key] of this.verified.entries()) if (key.tenantId === tenantId) this.verified.delete(digest);
    for (const [keyId, found] of this.known.entries()) {
      void found.then(
        (key) => key?.tenantId === tenantId && this.known.delete(keyId),
        () => undefined,
      );
    }
  }

  private find(keyId: string): Promise<KnownKey | null> {
    let found = this.known.get(keyId);
    if (!found) {
      found = this.keys.find(keyId);
      this.known.set(keyId, found);
      found.catch(() => this.known.delete(keyId));
    }
    return found;
  }

  private async noteUse(): Promise<void> {
    const used = [...this.used];
    this.used.clear();
    await this.keys.touch(used);
  }
}

function isCurrent(key: KnownKey): boolean {
  return key.expiresAt === null || key.expiresAt.getTime() > Date.now();
}
