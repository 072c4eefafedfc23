import type { SendLimit } from '#domain';

export interface LimitRequest {
  tenantId: string;
  /** The limited recipient and channel, within the tenant: `email:user-123`. */
  key: string;
  limit: SendLimit;
  /** A delivery has one hit or one turn, however often it asks. */
  deliveryId: string;
}

export type LimitAnswer =
  | { granted: true }
  /**
   * Seconds until its turn, when enough earlier hits and turns have left the window. A request at that time is granted.
   */
  | { granted: false; retryAfterSeconds: number };

/**
 * A sliding window per key, shared by all workers. Both implementations pass the same tests.
 *
 * A key has a log of hits. A rejected delivery reserves a hit in the future, its turn: the k-th rejected one at the
 * moment the k-th hit leaves the window. Rejected deliveries therefore return in order, and only as many as the limit
 * allows. A turn is valid for one window; a delivery that misses it (all workers were stopped) asks again. Throws the
 * errors of its store. After an outage the caller releases its claim.
 */
export interface Limiter {
  take(request: LimitRequest): Promise<LimitAnswer>;
}

/**
 * A key may have this many reserved turns per hit of its limit, and {@link MAX_TURNS} in all. Further deliveries have
 * to ask again at the last turn. So the log stays small, and unused turns of deliveries that were cancelled delay
 * others for ten windows at most.
 */
export const TURNS_PER_HIT = 10;
export const MAX_TURNS = 1_000;
