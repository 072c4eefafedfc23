import type { SendLimit } from '#domain';

export interface LimitRequest {
  tenantId: string;
  /** What is limited, within the tenant: `email:user-123`. */
  key: string;
  limit: SendLimit;
  /** Whose hit it is: the same delivery takes one token, however often it asks. */
  deliveryId: string;
}

export type LimitAnswer =
  | { granted: true }
  /** Seconds until a hit falls out of the window. A refused try leaves no trace: it does not extend the block. */
  | { granted: false; retryAfterSeconds: number };

/**
 * A sliding window per key, shared by all workers. One contract, tested against every store.
 * Throws what its store throws: the caller's delivery then stays claimed and comes back at the end of its lease.
 */
export interface Limiter {
  take(request: LimitRequest): Promise<LimitAnswer>;
}
