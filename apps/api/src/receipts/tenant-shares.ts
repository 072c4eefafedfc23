import pLimit, { type LimitFunction } from 'p-limit';
import { DomainError } from '#domain';

/** Half of what one statement writes: while one tenant's receipts fill its share, the next statement has room for the others'. */
const SHARE = 250;
/** Several of the largest calls that a vendor makes. */
const MAX_WAITING = 20_000;

/** Limits how many receipts of one tenant are written at once, and how many may wait, so that one tenant's flood does not delay the others. */
export class TenantShares {
  private readonly limits = new Map<string, LimitFunction>();

  /** Runs `write` for each receipt, in order. Throws `unavailable`, before anything is written, when too many of the tenant wait already. */
  async write<Receipt, Result>(
    tenantId: string,
    receipts: readonly Receipt[],
    write: (receipt: Receipt) => Promise<Result>,
  ): Promise<PromiseSettledResult<Result>[]> {
    const limit = this.limits.get(tenantId) ?? pLimit(SHARE);
    if (limit.pendingCount > 0 && limit.pendingCount + receipts.length > MAX_WAITING)
      throw new DomainError('unavailable', 'Too many receipts are waiting; none of these was taken. Try again.', {
        retryAfterSeconds: 1,
      });
    this.limits.set(tenantId, limit);
    const results = await Promise.allSettled(receipts.map((receipt) => limit(write, receipt)));
    if (limit.activeCount === 0 && limit.pendingCount === 0) this.limits.delete(tenantId);
    return results;
  }
}
