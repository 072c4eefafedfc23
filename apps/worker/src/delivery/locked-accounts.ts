import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { ChannelId } from '#domain';
import { atMost } from '#domain';
import type { Capacity } from '#providers';

/** After a failure, this worker claims nothing for the tenant and channel for so long; then it tries again. */
const SKIPPED_MS = 30_000;
/** An entry expires after this long without a new failure. The worker is ready again when no entry is left. */
const REPORTED_MS = 600_000;
/** Pairs of tenant and channel. */
const MAX_ENTRIES = 10_000;

const NONE: Capacity = { total: 0, available: 0 };

/**
 * Tenants and channels whose provider accounts this worker's master key does not open. Other workers send their
 * deliveries.
 */
@Injectable()
export class LockedAccounts {
  /** When this worker tries a pair again, on this process's monotonic clock. */
  private readonly entries = new LRUCache<string, number>({ ...atMost(MAX_ENTRIES), ttl: REPORTED_MS });

  /** Returns whether the pair was not locked before. */
  lock(tenantId: string, channel: ChannelId): boolean {
    const key = `${channel} ${tenantId}`;
    const isNew = !this.entries.has(key);
    this.entries.set(key, performance.now() + SKIPPED_MS);
    return isNew;
  }

  /** The accounts could be opened: they were sealed again with this worker's key. */
  unlock(tenantId: string, channel: ChannelId): void {
    if (this.entries.size > 0) this.entries.delete(`${channel} ${tenantId}`);
  }

  /** The number of locked pairs. */
  get size(): number {
    this.entries.purgeStale();
    return this.entries.size;
  }

  /** A capacity of none for each tenant for which nothing should be claimed now. */
  capacitiesOf(channel: ChannelId): ReadonlyMap<string, Capacity> {
    const found = new Map<string, Capacity>();
    if (this.entries.size === 0) return found;
    const now = performance.now();
    for (const [key, retryAt] of this.entries.entries()) {
      const [entryChannel, tenantId] = key.split(' ') as [ChannelId, string];
      if (entryChannel === channel && retryAt > now) found.set(tenantId, NONE);
    }
    return found;
  }
}
