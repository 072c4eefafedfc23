import { hash, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { ApiKeysStore, type KnownKey, PlatformKeys } from '#database';
import { atMost, DEFAULT_REQUESTS_PER_MINUTE, DomainError, hashSecret, parseApiKey } from '#domain';
import type { Allowance, RequestAllowances } from '#rate-limit';
import type { RealtimeBus } from '#realtime';
import type { Logger } from '#telemetry';
import { BUS, LOGGER, REQUEST_ALLOWANCES } from '../tokens.js';
import { FailureLimit, sourceOf } from './failure-limit.js';
import { FreshCache } from './fresh-cache.js';

/** How often `last_used_at` of the used keys is written. */
const TOUCH_MS = 60_000;
const MAX_KEYS = 50_000;

/** Finds the tenant of an API key, and limits the requests of each key. */
@Injectable()
export class Authenticator implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly known: FreshCache<KnownKey>;
  /** Key ids by digest of the whole key. Checking the HMAC would take a tenth of the time of a request. */
  private readonly verified = new LRUCache<string, string>(atMost(MAX_KEYS));
  private readonly used = new Set<string>();
  private readonly failures = new FailureLimit('wrong keys');
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly keys: ApiKeysStore,
    private readonly platformKeys: PlatformKeys,
    @Inject(BUS) bus: RealtimeBus,
    @Inject(REQUEST_ALLOWANCES) private readonly requests: RequestAllowances,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.known = new FreshCache({
      read: (keyIds) => keys.find(keyIds),
      tenantOf: ({ tenantId }) => tenantId,
      max: MAX_KEYS,
      bus,
      onFault: (error) => logger.warn({ err: error }, 'API keys could not be read again'),
    });
  }

  onApplicationBootstrap(): void {
    this.known.start();
    this.timer = setInterval(() => {
      this.noteUse().catch((error: unknown) =>
        this.logger.warn({ err: error }, 'the use of API keys could not be recorded'),
      );
    }, TOUCH_MS).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    this.known.stop();
    clearInterval(this.timer);
    await this.noteUse().catch(() => undefined);
  }

  /**
   * Throws `unauthenticated`, with one message for every wrong key, and `rate_limited` after too many wrong keys from
   * the address. Null for a caller without an address, which has no such limit.
   */
  async authenticate(text: string | undefined, address: string | null): Promise<KnownKey> {
    const digest = text === undefined ? '' : hash('sha256', text, 'base64');
    const verified = this.verified.get(digest);
    const key = verified === undefined ? await this.verify(text, digest, address) : await this.known.get(verified);
    if (!key || !isCurrent(key)) {
      this.verified.delete(digest);
      throw this.refusal(text, address);
    }
    this.used.add(key.keyId);
    return key;
  }

  /** The key that was used to open a stream or to mint a token: null if it is revoked or has expired. */
  async current(keyId: string): Promise<KnownKey | null> {
    const key = await this.known.get(keyId);
    return key && isCurrent(key) ? key : null;
  }

  /** The key of a request with a session of the console: null if it is revoked or has expired. */
  async ofSession(keyId: string): Promise<KnownKey | null> {
    const key = await this.current(keyId);
    if (key) this.used.add(keyId);
    return key;
  }

  /** {@link current} without waiting: undefined if it is not known yet. At most 4 s old unless the database is down. */
  latest(keyId: string): KnownKey | null | undefined {
    const key = this.known.latest(keyId);
    return key && !isCurrent(key) ? null : key;
  }

  private async verify(text: string | undefined, digest: string, address: string | null): Promise<KnownKey | null> {
    const parsed = text ? parseApiKey(text) : null;
    if (parsed && address !== null && !this.known.has(parsed.keyId)) this.failures.takeLookup(sourceOf(address));
    const known = parsed && (await this.known.get(parsed.keyId));
    // An unknown id takes the same path as a wrong secret.
    const given = hashSecret(this.platformKeys.apiKeyPepper, parsed?.secret ?? '');
    if (!known || !timingSafeEqual(given, known.secretHash)) return null;
    this.verified.set(digest, known.keyId);
    return known;
  }

  private refusal(text: string | undefined, address: string | null): DomainError {
    const error = new DomainError(
      'unauthenticated',
      text ? 'The API key is not valid.' : 'Send your API key in the X-API-Key header.',
    );
    return address === null ? error : this.failures.count(sourceOf(address), error);
  }

  /** Takes one request from the key's allowance. */
  async allowance(key: KnownKey): Promise<Allowance> {
    return await this.requests.take(key.keyId, key.settings.requests_per_minute ?? DEFAULT_REQUESTS_PER_MINUTE);
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
