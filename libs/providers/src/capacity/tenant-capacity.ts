import { LRUCache } from 'lru-cache';
import type { ChannelId } from '#domain';
import type { Breaker } from './breaker.js';
import type { ConcurrencyLimiter } from './concurrency-limiter.js';

/**
 * Capacity while an account is probed: one delivery is the probe, the others find it in flight and go back to the
 * queue.
 */
const PROBE_CAPACITY = 8;
/** After a successful probe the capacity doubles in this time, up to that of the limiter. */
const DOUBLES_EVERY_SECONDS = 1;
/** Tenants tracked for each channel. Beyond that, deliveries are claimed and put back, which only costs more. */
const MAX_TRACKED = 500;
/** How long a tenant stays tracked after its accounts last lacked capacity. */
const TRACKED_MS = 60_000;

/** The part of an account's state that decides its capacity. */
export interface AccountState {
  limiter: Pick<ConcurrencyLimiter, 'capacity' | 'available' | 'hasWaiting'>;
  breaker: Pick<Breaker, 'state' | 'secondsUntilProbe' | 'isProbing' | 'secondsSinceClosed'>;
  /** End of the pause that the vendor asked for, on this process's monotonic clock. */
  pausedUntil: number;
}

/** How many deliveries of a tenant this process may have claimed at once. */
export interface Capacity {
  total: number;
  /** The part of `total` that no delivery uses now. */
  available: number;
}

/** Seconds until the account may be used; 0 if it may be used now. */
export function secondsUntilAvailable({ breaker, pausedUntil }: Pick<AccountState, 'breaker' | 'pausedUntil'>): number {
  return Math.max(0, breaker.secondsUntilProbe, (pausedUntil - performance.now()) / 1_000);
}

/**
 * Decides how many deliveries to claim for tenants whose accounts are down or busy. A delivery that is not claimed
 * keeps its position in the queue and costs nothing; one that is claimed in vain costs a load, a render and a record.
 */
export class TenantCapacity {
  /** For each channel: when tracking of a tenant ends, on this process's monotonic clock. */
  private readonly tracked = new Map<ChannelId, LRUCache<string, number>>();

  /** `accountsOf` returns the tenant's accounts on a channel; undefined if they are not loaded. */
  constructor(
    private readonly accountsOf: (tenantId: string, channel: ChannelId) => readonly AccountState[] | undefined,
  ) {}

  /** Called when an account of the tenant is down, paused or has no free slot. */
  track(tenantId: string, channel: ChannelId): void {
    let tenants = this.tracked.get(channel);
    if (!tenants) {
      tenants = new LRUCache({ max: MAX_TRACKED });
      this.tracked.set(channel, tenants);
    }
    tenants.set(tenantId, performance.now() + TRACKED_MS);
  }

  /** The capacity of each tracked tenant. A tenant that is not in the map has no limit. */
  limitsOf(channel: ChannelId): ReadonlyMap<string, Capacity> {
    const limits = new Map<string, Capacity>();
    const tenants = this.tracked.get(channel);
    if (!tenants) return limits;
    const now = performance.now();
    for (const [tenantId, until] of [...tenants.entries()]) {
      if (until < now) {
        tenants.delete(tenantId);
        continue;
      }
      const accounts = this.accountsOf(tenantId, channel);
      // Without an account the deliveries fail as `no_provider`, so they must be claimed.
      if (accounts?.length === 0) continue;
      const capacity = accounts ? sum(accounts.map(capacityOf)) : PROBE;
      if (capacity.total === Number.POSITIVE_INFINITY) continue;
      limits.set(tenantId, capacity);
      if (capacity.total === 0 || accounts?.some(({ limiter }) => limiter.hasWaiting))
        tenants.set(tenantId, now + TRACKED_MS);
    }
    return limits;
  }
}

const PROBE: Capacity = { total: PROBE_CAPACITY, available: PROBE_CAPACITY };
const NONE: Capacity = { total: 0, available: 0 };

function capacityOf(account: AccountState): Capacity {
  if (secondsUntilAvailable(account) > 0) return NONE;
  const { breaker, limiter } = account;
  if (breaker.state !== 'closed') return breaker.isProbing ? NONE : PROBE;
  const ramp = Math.floor(PROBE_CAPACITY * 2 ** (breaker.secondsSinceClosed / DOUBLES_EVERY_SECONDS));
  const total = Math.min(limiter.capacity, ramp);
  return { total, available: Math.min(limiter.available, total) };
}

function sum(capacities: readonly Capacity[]): Capacity {
  return capacities.reduce(
    (all, { total, available }) => ({ total: all.total + total, available: all.available + available }),
    NONE,
  );
}
