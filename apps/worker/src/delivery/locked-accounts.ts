import { LRUCache } from 'lru-cache';
import type { ChannelId } from '#domain';
import type { Capacity } from '#providers';

/** How long a tenant's deliveries are left to other workers before this one tries to open the accounts again. */
const LEFT_ALONE_MS = 30_000;
/** An entry expires after this long without a new failure; the worker is ready again when none is left. */
const REPORTED_MS = 600_000;
/** Pairs of tenant and channel. */
const MAX_NOTED = 10_000;

const NONE: Capacity = { total: 0, available: 0 };

/** The tenants and channels whose provider accounts the master key of this process does not open. Other workers serve them. */
export class LockedAccounts {
  /** Until when a pair is left alone, on this process's monotonic clock. */
  private readonly noted = new LRUCache<string, number>({ max: MAX_NOTED, ttl: REPORTED_MS });

  /** Returns whether that is news. */
  note(tenantId: string, channel: ChannelId): boolean {
    const key = `${channel} ${tenantId}`;
    const isNew = !this.noted.has(key);
    this.noted.set(key, performance.now() + LEFT_ALONE_MS);
    return isNew;
  }

  /** The accounts were opened after all: they were sealed anew. */
  opened(tenantId: string, channel: ChannelId): void {
    if (this.noted.size > 0) this.noted.delete(`${channel} ${tenantId}`);
  }

  /** How many pairs are noted. */
  get size(): number {
    this.noted.purgeStale();
    return this.noted.size;
  }

  /** The tenants of whom nothing is to be claimed now. */
  of(channel: ChannelId): ReadonlyMap<string, Capacity> {
    const found = new Map<string, Capacity>();
    if (this.noted.size === 0) return found;
    const now = performance.now();
    for (const [key, until] of this.noted.entries()) {
      const [noted, tenantId] = key.split(' ') as [ChannelId, string];
      if (noted === channel && until > now) found.set(tenantId, NONE);
    }
    return found;
  }
}
