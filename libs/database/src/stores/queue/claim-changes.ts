// The statements on claims that a worker holds. Index of all of them: due_deliveries_pkey. They lock no row of a claim
// that was lost.

import { columnList } from '../../column-list.js';
import type { Sql } from '../../statement.js';
import { CLAIM_ROW, type ClaimedDelivery, type ClaimRow, type ClaimTicket, ofClaimRow } from './claimed-delivery.js';

export interface Intent {
  delivery: ClaimedDelivery;
  /** The delivery has its places in the limits of its recipient and the quotas of its tenant. */
  rateLimitConsumed: boolean;
  provider: string;
  /** Null for a provider without accounts. */
  accountId: string | null;
}

/** A claim that goes back to the queue without an attempt. */
export interface Release {
  delivery: ClaimedDelivery;
  /** The time until the delivery is due again. */
  delaySeconds: number;
  /** The intent may have been committed, but nothing was sent: takes the intent back. */
  intentUnsure: boolean;
}

interface ConfirmedRow extends ClaimRow {
  ord: number;
  seconds_left: number;
  counted_claims: number;
}

const ticketColumns = columnList<ClaimTicket>({
  tenant_id: ['uuid', ({ tenantId }) => tenantId],
  delivery_id: ['uuid', ({ deliveryId }) => deliveryId],
  claim_id: ['uuid', ({ claimId }) => claimId],
  attempt: ['integer', ({ attempt }) => attempt],
  sending: ['boolean', ({ sending }) => sending],
  counted_later: ['boolean', ({ countedLater }) => countedLater],
});

const intentColumns = columnList<Intent>({
  tenant_id: ['uuid', ({ delivery }) => delivery.tenantId],
  delivery_id: ['uuid', ({ delivery }) => delivery.deliveryId],
  claim_id: ['uuid', ({ delivery }) => delivery.claimId],
  was_sending: ['boolean', ({ delivery }) => delivery.sending],
  rate_limit_consumed: ['boolean', ({ rateLimitConsumed }) => rateLimitConsumed],
  provider: ['text', ({ provider }) => provider],
  account_id: ['uuid', ({ accountId }) => accountId],
  lost_provider: ['text', ({ delivery }) => delivery.sendingProvider],
  lost_account_id: ['uuid', ({ delivery }) => delivery.sendingAccountId],
});

const releaseColumns = columnList<Release>({
  tenant_id: ['uuid', ({ delivery }) => delivery.tenantId],
  delivery_id: ['uuid', ({ delivery }) => delivery.deliveryId],
  claim_id: ['uuid', ({ delivery }) => delivery.claimId],
  attempt: ['smallint', ({ delivery }) => delivery.attempt],
  sending: ['boolean', ({ delivery }) => delivery.sending],
  delay_seconds: ['double precision', ({ delaySeconds }) => delaySeconds],
  intent_unsure: ['boolean', ({ intentUnsure }) => intentUnsure],
});

/** See {@link DueDeliveriesStore.confirm}. */
export async function confirmClaims(
  sql: Sql,
  tickets: readonly ClaimTicket[],
  leaseSeconds: number,
): Promise<(ClaimedDelivery | null)[]> {
  const startedAt = performance.now();
  const rows = await sql.query<ConfirmedRow>({
    name: 'confirm',
    text: CONFIRM,
    values: [...ticketColumns.values(tickets), leaseSeconds],
  });
  const deliveries: (ClaimedDelivery | null)[] = tickets.map(() => null);
  for (const row of rows) {
    deliveries[row.ord - 1] = {
      ...tickets[row.ord - 1]!,
      ...ofClaimRow(row),
      claims: row.counted_claims,
      leaseEndsAt: startedAt + row.seconds_left * 1_000,
    };
  }
  return deliveries;
}

/** The number of the attempt that begins for each intent; null if the claim was lost. */
export async function commitIntents(sql: Sql, batch: readonly Intent[]): Promise<(number | null)[]> {
  const rows = await sql.query<{ delivery_id: string; attempt: number }>({
    name: 'intent',
    text: INTENT,
    values: intentColumns.values(batch),
  });
  const attempts = new Map(rows.map((row) => [row.delivery_id, row.attempt]));
  return batch.map((row) => attempts.get(row.delivery.deliveryId) ?? null);
}

export async function releaseClaims(sql: Sql, batch: readonly Release[]): Promise<void[]> {
  await sql.query({ name: 'release', text: RELEASE, values: releaseColumns.values(batch) });
  return batch.map(() => undefined);
}

const LEASE_SECONDS = `$${ticketColumns.length + 1}::double precision`;

/**
 * If another worker claims a row at the same moment, that worker wins: the renewal then finds another claim, and a
 * claim near its end is not confirmed without a renewal. A claim that CLAIM did not count is renewed too, and counted.
 */
const CONFIRM = `
with tickets as materialized (
  select * from ${ticketColumns.numberedTable('t')}
), renewed as materialized (
  update due_deliveries d
  set due_at = now() + make_interval(secs => ${LEASE_SECONDS}), claims = d.claims + t.counted_later::integer
  from tickets t
  where d.tenant_id = t.tenant_id and d.delivery_id = t.delivery_id and d.claim_id = t.claim_id
    and d.attempt = t.attempt and d.sending = t.sending
    and (t.counted_later or d.due_at < now() + make_interval(secs => ${LEASE_SECONDS} / 2))
  returning t.ord, d.due_at, d.claims
)
select t.ord::integer as ord, extract(epoch from coalesce(r.due_at, d.due_at) - now())::float8 as seconds_left,
       coalesce(r.claims, d.claims) as counted_claims, ${CLAIM_ROW}
from tickets t
join due_deliveries d on d.tenant_id = t.tenant_id and d.delivery_id = t.delivery_id and d.claim_id = t.claim_id
                     and d.attempt = t.attempt and d.sending = t.sending
left join renewed r on r.ord = t.ord
where r.ord is not null
   or (not t.counted_later and d.due_at >= now() + make_interval(secs => ${LEASE_SECONDS} / 2))`;

/**
 * If an earlier claim sent and left no outcome, records that attempt as unknown in the same commit: every extra send is
 * on record.
 */
const INTENT = `
with begun as (
  update due_deliveries d
  set sending = true, attempt = d.attempt + 1, claims = 0, unrecorded = d.unrecorded + i.was_sending::integer,
      rate_limit_consumed = d.rate_limit_consumed or i.rate_limit_consumed,
      sending_provider = i.provider, sending_account_id = i.account_id
  from ${intentColumns.table('i')}
  where d.tenant_id = i.tenant_id and d.delivery_id = i.delivery_id and d.claim_id = i.claim_id
    and d.sending = i.was_sending
  returning d.tenant_id, d.delivery_id, d.attempt, i.was_sending, i.lost_provider, i.lost_account_id
), inserted_attempts as (
  insert into attempts (tenant_id, delivery_id, number, provider, provider_account_id, outcome, code, detail)
  select tenant_id, delivery_id, attempt - 1, lost_provider, lost_account_id, 'unknown', 'worker_lost',
         'the worker was lost between the send and its record'
  from begun where was_sending
  on conflict do nothing
)
select delivery_id, attempt from begun`;

/**
 * An unconfirmed intent was committed if the row has one attempt more than the claim: it is taken back, because the
 * caller has sent nothing. An intent whose commit is still running either locks the row before this statement or finds
 * no claim after it.
 */
const RELEASE = `
update due_deliveries d
set due_at = now() + make_interval(secs => r.delay_seconds), claim_id = null, claims = greatest(0, d.claims - 1),
    attempt = r.attempt, sending = r.sending,
    unrecorded = d.unrecorded - case when r.sending then d.attempt - r.attempt else 0 end
from ${releaseColumns.table('r')}
where d.tenant_id = r.tenant_id and d.delivery_id = r.delivery_id and d.claim_id = r.claim_id
  and (d.attempt = r.attempt or (r.intent_unsure and d.attempt = r.attempt + 1))`;
