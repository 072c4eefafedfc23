import type { ProviderAccount } from '#database';

/** `receiptsUrl`: the URL that the vendor sends receipts to, or null. */
export function toAccountView(account: ProviderAccount, receiptsUrl: string | null) {
  const { createdAt, updatedAt, pacePerSecond, allowed: _allowed, health, ...fields } = account;
  return {
    ...fields,
    pace_per_second: pacePerSecond,
    health: health
      ? { ...health, since: health.since.toISOString() }
      : { breaker: 'closed' as const, code: null, detail: null, since: null },
    receipts_url: receiptsUrl,
    created_at: createdAt.toISOString(),
    updated_at: updatedAt.toISOString(),
  };
}
