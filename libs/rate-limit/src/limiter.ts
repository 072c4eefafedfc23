import type { SendLimit } from '#domain';

export interface LimitRequest {
  tenantId: string;
  /** What is limited, within the tenant: `email:user-123`. */
  key: string;
  limit: SendLimit;
  /** Whose hit it is: the same delivery takes one hit or one turn, however often it asks. */
  deliveryId: string;
}

export type LimitAnswer =
  | { granted: true }
  /** Seconds until its turn: the moment at which enough earlier hits and turns have left the window. Asked again then, it is granted. */
  | { granted: false; retryAfterSeconds: number };

/**
 * A sliding window per key, shared by all workers. One contract, tested against every store.
 *
 * A key has a log of hits. A refused delivery gets a hit in the future, its turn: the k-th refused that of the moment at which the k-th
 * hit leaves the window, and so on. Those who are refused thus come back in order, and only as many as pass. A turn lasts as long as the
 * window; whoever misses it (all workers were stopped) asks anew.
 * Throws what its store throws: the caller's delivery then stays claimed and comes back at the end of its lease.
 */
export interface Limiter {
  take(request: LimitRequest): Promise<LimitAnswer>;
}

/**
 * A key may have this many turns outstanding for each hit of its limit, and {@link MAX_TURNS} in all. Those refused beyond are told to ask again
 * at the last turn. So the log stays small, and the turns of deliveries that are cancelled meanwhile, which pass unused, hold up
 * later ones for ten windows at most.
 */
export const TURNS_PER_HIT = 10;
export const MAX_TURNS = 1_000;
