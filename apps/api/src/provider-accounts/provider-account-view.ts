import { z } from 'zod';
import type { ProviderAccount } from '#database';
import { providers } from '#providers';

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

/** Every provider with the JSON Schema of its credentials. */
export function providersView() {
  const rows = Object.values(providers).map(({ id, name, channels, credentials }) => ({
    id,
    name,
    channels,
    credentials: z.toJSONSchema(credentials, { io: 'input' }),
  }));
  return { data: rows, next_cursor: null };
}
