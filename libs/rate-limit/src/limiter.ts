import type { KeyedLimit } from '#domain';

export interface LimitRequest {
  tenantId: string;
  /** A delivery has one place in each log, however often it asks. */
  deliveryId: string;
  /** In order of precedence, with distinct keys. */
  limits: readonly KeyedLimit[];
}

export type LimitAnswer =
  | { granted: true }
  /**
   * `refusedBy`: the index of the limit that decided, as in `refusingLimit` (libs/domain). Absent if the store cannot
   * tell now and the delivery has to ask again. `retryAfterSeconds`: until the delivery's turn, when enough earlier
   * hits and turns have left the window of that limit; a request at that time is granted by it.
   */
  | { granted: false; retryAfterSeconds: number; refusedBy?: number };

/** A delivery whose turn has become earlier. */
export interface EarlierTurn {
  deliveryId: string;
  /** 0 if it is its turn now. */
  waitSeconds: number;
}

/** The places of a limit for a delivery that has none yet. */
export interface LimitPlaces {
  remaining: number;
  /** Until the next place; 0 if there is one now. */
  waitSeconds: number;
}

/**
 * Limits with a log of hits each, shared by all workers. Both implementations pass the same tests.
 *
 * A delivery takes a place in the logs of all its limits or of none. If a limit refuses it and it returns, it reserves
 * a hit in the future, its turn, in the log of the limit with the longest wait only, so that it does not delay
 * deliveries that this limit does not count. In a rolling window, the k-th rejected one gets its turn at the moment the
 * k-th hit leaves the window; in a limit per day, on the first day with a free place. Rejected deliveries therefore
 * return in order, and only as many as the limit allows. When a delivery asks before its turn, or a place or turn is
 * given back, all turns of that log become as early as they can be. A turn is valid for one window; a delivery that
 * misses it (all workers were stopped) asks again.
 *
 * Methods throw the errors of their store. After an outage the caller releases its claim.
 */
export interface Limiter {
  take(request: LimitRequest): Promise<LimitAnswer>;
  /** Gives back the delivery's places and turns. Returns the deliveries that have an earlier turn now. */
  release(request: LimitRequest): Promise<EarlierTurn[]>;
  /** The places of each limit, in order. Takes and reserves nothing. */
  peek(request: Pick<LimitRequest, 'tenantId' | 'limits'>): Promise<LimitPlaces[]>;
}

/**
 * A key may have this many reserved turns per hit of its limit, and {@link MAX_TURNS} in all. Further deliveries have
 * to ask again at the last turn. So the log stays small, and unused turns of deliveries that were cancelled delay
 * others for ten windows at most.
 */
export const TURNS_PER_HIT = 10;
export const MAX_TURNS = 1_000;

export const maxTurns = (limit: number): number => Math.min(TURNS_PER_HIT * limit, MAX_TURNS);
