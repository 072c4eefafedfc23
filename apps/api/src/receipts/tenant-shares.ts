import pLimit, { type LimitFunction } from 'p-limit';
import { DomainError } from '#domain';

/** Half of the receipts that one statement writes, so that every statement has capacity for other tenants. */
const SHARE = 250;
/** Receipts of one tenant. Enough for several calls of the largest size that vendors make. */
const MAX_WAITING = 20_000;

/** Limits how many receipts of a tenant are written at once and how many may wait: one tenant must not delay others. */
export class TenantShares {
  private readonly limits = new Map<string, LimitFunction>();

  /**
   * Runs `write` for each receipt, those of a tenant in order. Throws `unavailable`, before it writes anything, when
   * too many receipts of a tenant are waiting.
   */
  async write<Receipt, Result>(
    receipts: readonly Receipt[],
    tenantOf: (receipt: Receipt) => string,
    write: (receipt: Receipt) => Promise<Result>,
  ): Promise<PromiseSettledResult<Result>[]> {
    const tenants = Map.groupBy(receipts, tenantOf);
    for (const [tenantId, { length }] of tenants) this.check(tenantId, length);
    const results = await Promise.allSettled(
      receipts.map((receipt) => this.limitOf(tenantOf(receipt))(write, receipt)),
    );
    for (const tenantId of tenants.keys()) this.forget(tenantId);
    return results;
  }

  private check(tenantId: string, more: number): void {
    const waiting = this.limits.get(tenantId)?.pendingCount ?? 0;
    if (waiting > 0 && waiting + more > MAX_WAITING)
      throw new DomainError(
        'unavailable',
        'Too many receipts are waiting, and none of these was processed. Try again.',
        {
          retryAfterSeconds: 1,
        },
      );
  }

  private limitOf(tenantId: string): LimitFunction {
    let limit = this.limits.get(tenantId);
    if (!limit) {
      limit = pLimit(SHARE);
      this.limits.set(tenantId, limit);
    }
    return limit;
  }

  private forget(tenantId: string): void {
    const limit = this.limits.get(tenantId);
    if (limit?.activeCount === 0 && limit.pendingCount === 0) this.limits.delete(tenantId);
  }
}
