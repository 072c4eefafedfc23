import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { type AuditNote, revocationKey, TokenRevocationsStore } from '#database';
import { atMost } from '#domain';
import type { RealtimeBus } from '#realtime';
import type { Logger } from '#telemetry';
import { BUS, LOGGER } from '../tokens.js';
import { MAX_AGE_MS, REFRESH_MS } from './fresh-cache.js';
import type { InboxIdentity } from './inbox-tokens.js';

export type KnownRevocation = Pick<InboxIdentity, 'recipientKey' | 'revocation'>;

/**
 * The recipients whose tokens are revoked. The data is at most 4 s old, also when a hint is lost. Not a FreshCache,
 * which would read all recipients in use every 2 s: revocations are few, so a poll reads only the new ones.
 */
@Injectable()
export class TokenRevocations implements OnApplicationBootstrap, OnApplicationShutdown {
  /** The time of the last revocation by recipient, 0 for none. */
  private readonly known = new LRUCache<string, number>(atMost(100_000));
  private since: string | null = null;
  /** When the last complete poll began. */
  private polledAt = Number.NEGATIVE_INFINITY;
  private polling: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly store: TokenRevocationsStore,
    @Inject(BUS) private readonly bus: RealtimeBus,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    bus.subscribe((hint) => {
      if (hint.kind === 'stale' && hint.what === 'tokens') void this.pollAgain();
    });
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.pollAgain(), REFRESH_MS).unref();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  /** Revokes all tokens of the recipient that were minted until now. */
  async revoke(tenantId: string, recipientId: string, audit: AuditNote | null): Promise<void> {
    await this.store.add(tenantId, recipientId, audit);
    this.bus.publish([{ kind: 'stale', tenantId, what: 'tokens' }]);
  }

  /** The last revocation, for a new token. Always read from the database, so that the token is valid everywhere. */
  async read(tenantId: string, recipientId: string): Promise<number> {
    return await this.store.latest(tenantId, recipientId);
  }

  /** Whether the token was minted before the last revocation, by data that is at most 4 s old. */
  async isRevoked({ tenantId, recipientId, recipientKey, revocation }: InboxIdentity): Promise<boolean> {
    if (performance.now() - this.polledAt >= MAX_AGE_MS) await this.poll();
    const known = this.known.get(recipientKey);
    const last = known ?? this.note(recipientKey, await this.store.latest(tenantId, recipientId));
    return last > revocation;
  }

  /** The same without waiting, for a token that was accepted before, or the result of an earlier {@link lastKnown}. */
  isKnownAsRevoked({ recipientKey, revocation }: KnownRevocation): boolean {
    return (this.known.get(recipientKey) ?? 0) > revocation;
  }

  /** The last revocation of the recipient that this process knows. A poll may still find an earlier one. */
  lastKnown(tenantId: string, recipientId: string): KnownRevocation {
    const recipientKey = revocationKey(tenantId, recipientId);
    return { recipientKey, revocation: this.known.get(recipientKey) ?? 0 };
  }

  /** A poll may have seen a later revocation than a read that began before it. */
  private note(key: string, revokedAt: number): number {
    const latest = Math.max(revokedAt, this.known.get(key) ?? 0);
    this.known.set(key, latest);
    return latest;
  }

  /** A poll that has begun may miss the revocation of a hint. */
  private async pollAgain(): Promise<void> {
    try {
      await this.polling;
      await this.poll();
    } catch (error) {
      this.logger.warn({ err: error }, 'revoked tokens could not be read');
    }
  }

  private poll(): Promise<void> {
    this.polling ??= this.pollOnce().finally(() => {
      this.polling = undefined;
    });
    return this.polling;
  }

  private async pollOnce(): Promise<void> {
    const beganAt = performance.now();
    const { revocations, next } = await this.store.since(this.since);
    for (const { key, revokedAt } of revocations) this.note(key, revokedAt);
    this.since = next;
    this.polledAt = beganAt;
  }
}
