import { LRUCache } from 'lru-cache';
import type { ChannelId } from '#domain';
import type { Breaker } from './breaker.js';
import type { ConcurrencyLimiter } from './concurrency-limiter.js';

/** While it is tried again: one is the probe, the others are put back and tell that it is still down. */
const PROBE_PLACES = 8;
/** An account that works again gets twice as many every so long, until it has all of its places. */
const DOUBLES_EVERY_SECONDS = 1;
/** Tenants remembered for each channel. More than that are taken up and put back, which only costs more. */
const MAX_NOTED = 500;
/** How long a tenant is remembered whose accounts have all of their places again. */
const NOTED_MS = 60_000;

/** What can be seen of an account's condition from here. */
export interface Condition {
  slots: Pick<ConcurrencyLimiter, 'places' | 'free' | 'busy'>;
  breaker: Pick<Breaker, 'state' | 'waitSeconds' | 'probing' | 'worksSinceSeconds'>;
  /** Until when the vendor wants to be left alone, on this process's monotonic clock. */
  pausedUntil: number;
}

/** How many deliveries of a tenant this process may have in hand at once, and how many of those places nobody has taken. */
export interface Capacity {
  total: number;
  free: number;
}

/** Seconds until this account may be asked; 0 for now. */
export function waitOf({ breaker, pausedUntil }: Pick<Condition, 'breaker' | 'pausedUntil'>): number {
  return Math.max(0, breaker.waitSeconds, (pausedUntil - performance.now()) / 1_000);
}

/**
 * How many deliveries it is worth to take up for the tenants whose accounts are down or have their hands full. What is not
 * taken up stays in the queue in its order and costs nothing; what is taken up in vain costs everybody a load, a render and a record.
 */
export class TenantCapacity {
  /** By channel: until when a tenant is remembered, on this process's monotonic clock. */
  private readonly noted = new Map<ChannelId, LRUCache<string, number>>();

  /** `conditions`: of the accounts a tenant sends through on a channel; undefined where they are not known just now. */
  constructor(
    private readonly conditions: (tenantId: string, channel: ChannelId) => readonly Condition[] | undefined,
  ) {}

  /** An account of the tenant is down, or all of its places are taken. */
  note(tenantId: string, channel: ChannelId): void {
    let tenants = this.noted.get(channel);
    if (!tenants) {
      tenants = new LRUCache({ max: MAX_NOTED });
      this.noted.set(channel, tenants);
    }
    tenants.set(tenantId, performance.now() + NOTED_MS);
  }

  /** The places of each tenant to whom that applies; all others are free. */
  of(channel: ChannelId): ReadonlyMap<string, Capacity> {
    const found = new Map<string, Capacity>();
    const tenants = this.noted.get(channel);
    if (!tenants) return found;
    const now = performance.now();
    for (const [tenantId, until] of [...tenants.entries()]) {
      if (until < now) {
        tenants.delete(tenantId);
        continue;
      }
      const conditions = this.conditions(tenantId, channel);
      // Nobody to send through: that is for the pipeline to say.
      if (conditions?.length === 0) continue;
      const places = conditions ? sum(conditions.map(placesOf)) : FEW;
      if (places.total === Number.POSITIVE_INFINITY) continue;
      found.set(tenantId, places);
      // What is down, or has somebody waiting, stays noted for as long as it is.
      if (places.total === 0 || conditions?.some(({ slots }) => slots.busy)) tenants.set(tenantId, now + NOTED_MS);
    }
    return found;
  }
}

const FEW: Capacity = { total: PROBE_PLACES, free: PROBE_PLACES };
const NONE: Capacity = { total: 0, free: 0 };

function placesOf(condition: Condition): Capacity {
  if (waitOf(condition) > 0) return NONE;
  const { breaker, slots } = condition;
  if (breaker.state !== 'closed') return breaker.probing ? NONE : FEW;
  const ramp = Math.floor(PROBE_PLACES * 2 ** (breaker.worksSinceSeconds / DOUBLES_EVERY_SECONDS));
  const total = Math.min(slots.places, ramp);
  return { total, free: Math.min(slots.free, total) };
}

function sum(places: readonly Capacity[]): Capacity {
  return places.reduce((all, one) => ({ total: all.total + one.total, free: all.free + one.free }), NONE);
}
