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
 * A key has a log of hits. A rejected delivery reserves a hit in the future, its turn: the k-th rejected one at the moment the k-th
 * hit leaves the window. Rejected deliveries therefore return in order, and only as many as the limit allows. A turn is valid for
 * one window; a delivery that misses it (all workers were stopped) asks again.
 * Throws what its store throws. After an outage the caller gives its claim back (GiveClaimBack).
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
