import type { BenchEnvironment, BenchTenant } from './bench-environment.ts';

const SLICE = 50_000;

/** Inserts deliveries directly into the tables, in batches: due at `dueAt`, or already sent through `accountId` if that is null. */
export async function fillDeliveries(
  product: BenchEnvironment,
  tenant: BenchTenant,
  count: number,
  {
    dueAt,
    tenants = 1,
    recipients = 10_000,
    address = null,
    accountId = null,
  }: { dueAt: Date | null; tenants?: number; recipients?: number; address?: string | null; accountId?: string | null },
): Promise<void> {
  // Ordered by tenant: ten million rows in random order would take longer than the measurement.
  await product.sql.query('set synchronous_commit = off');
  for (let done = 0; done < count; done += SLICE) {
    await product.sql.query(
      `with one as (
         insert into notifications (tenant_id, id, recipient_id, category, channels, template_id, payload, priority, total, succeeded)
         select case when $5::int = 1 then $1::uuid else ('00000000-0000-7000-8000-' || lpad(to_hex(((n::bigint + $6::bigint) * $5::int / $7::bigint)::int), 12, '0'))::uuid end, uuidv7(),
                'user-' || (n % $4::int), 'default', '{email}', 'welcome', '{"name": "Alice"}', 5, 1, case when $3::timestamptz is null then 1 else 0 end
         from generate_series(1, $2::int) n returning tenant_id, id, recipient_id
       ), two as (
         insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, address, state, sent_at, provider_account_id)
         select tenant_id, uuidv7(), id, recipient_id, 'email', $8::text, case when $3::timestamptz is null then 'sent' else 'waiting' end, case when $3::timestamptz is null then now() end, $9::uuid
         from one returning tenant_id, id
       )
       insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at, reason)
       select tenant_id, id, 'email', 2, $3, 'scheduled' from two where $3::timestamptz is not null`,
      [tenant.id, Math.min(SLICE, count - done), dueAt, recipients, tenants, done - 1, count, address, accountId],
    );
  }
  await product.sql.query('reset synchronous_commit');
}
