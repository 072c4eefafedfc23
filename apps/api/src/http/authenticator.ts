import { hash, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { ApiKeysStore, KnownKey } from '#database';
import { DEFAULT_REQUESTS_PER_MINUTE, DomainError, hashSecret, parseApiKey } from '#domain';
import { type Allowance, type RequestAllowances, RequestLimit } from '#rate-limit';
import type { RealtimeBus } from '#realtime';

/** The worst case for a revoked key where the announcement is lost. */
const KEY_TTL_MS = 30_000;
const TOUCH_MS = 60_000;
/** Wrong keys from one address in a minute, before even the right one is made to wait. */
const FAILURES_PER_MINUTE = 60;

/** Tells whose key it is. */
export class Authenticator {
  private readonly known = new LRUCache<string, Promise<KnownKey | null>>({ max: 50_000, ttl: KEY_TTL_MS });
  /** Keys that were right, by the digest of the whole key: an HMAC a request is a tenth of what a request costs. */
  private readonly verified = new LRUCache<string, KnownKey>({ max: 50_000, ttl: KEY_TTL_MS });
  private readonly used = new Set<string>();
  private readonly failures = new RequestLimit();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly keys: ApiKeysStore,
    private readonly pepper: Buffer,
    bus: RealtimeBus,
    private readonly requests: RequestAllowances,
  ) {
    bus.subscribe((hint) => {
      if (hint.kind === 'stale' && hint.what === 'tenant') this.forget(hint.tenantId);
    });
    bus.onGap(() => this.forget());
  }

  start(onFault: (error: unknown) => void): void {
    this.timer = setInterval(() => this.noteUse().catch(onFault), TOUCH_MS);
    this.timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.noteUse().catch(() => undefined);
  }

  /** Throws `unauthenticated`, always with the same words, and `rate_limited` for an address that keeps guessing. */
  async authenticate(text: string | undefined, address: string): Promise<KnownKey> {
    const digest = text === undefined ? '' : hash('sha256', text, 'base64');
    const before = this.verified.get(digest);
    if (before && isCurrent(before)) {
      this.used.add(before.keyId);
      return before;
    }
    const parsed = text ? parseApiKey(text) : null;
    const known = parsed && (await this.find(parsed.keyId));
    // An unknown id takes the same path as a wrong secret.
    const given = hashSecret(this.pepper, parsed?.secret ?? '');
    const right = known !== null && timingSafeEqual(given, known.secretHash) && isCurrent(known);
    if (!right) {
      const allowance = this.failures.take(address, FAILURES_PER_MINUTE);
      if (!allowance.granted) {
        throw new DomainError('rate_limited', 'Too many wrong keys from this address.', {
          retryAfterSeconds: allowance.resetSeconds,
        });
      }
      throw new DomainError(
        'unauthenticated',
        text ? 'The API key is not valid.' : 'Send your API key in the X-API-Key header.',
      );
    }
    this.used.add(known.keyId);
    this.verified.set(digest, known);
    return known;
  }

  /** Takes one request from the key's allowance. */
  async allowance(key: KnownKey): Promise<Allowance> {
    return await this.requests.take(key.keyId, key.settings.requests_per_minute ?? DEFAULT_REQUESTS_PER_MINUTE);
  }

  /** Forgets a tenant's keys: one was revoked, or its settings changed. */
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
