// The statements of apply-receipts.ts.

import { newId } from '#domain';
import { columnList } from '../../../column-list.js';
import { COMPARABLE_ADDRESS } from '../../comparable-address.js';
import {
  CONFIRM_MOVES,
  guard,
  NOT_FINAL,
  RECEIPT_MOVES,
  sourcesOf,
  stateList,
  targetsOf,
  updateCounters,
} from '../delivery-moves.js';
import { DIGEST_LOCK_ORDER, REQUIRE_LOCKED_DIGEST } from '../digests/digest-record.js';
import { changedDeliveries, emit, FINISHED_NOTIFICATIONS, SUPPRESSION_EVENT } from '../emit-events.js';
import type { DeliveryReceipt } from './delivery-receipt.js';

export const receiptColumns = columnList<DeliveryReceipt>({
  tenant_id: ['uuid', (receipt) => receipt.tenantId],
  account_id: ['uuid', (receipt) => receipt.accountId],
  id: ['uuid', (receipt) => receipt.deliveryId],
  kind: ['text', (receipt) => receipt.kind],
  detail: ['text', (receipt) => receipt.detail],
  suppress: ['text', (receipt) => receipt.suppress ?? null],
  row_id: ['uuid', () => newId()],
});

/**
 * Whether the reporting account has sent the delivery `b`, or made one of its attempts: a delivery may have failed over
 * to another account. Attempts are read only if the account of the delivery is another one. The attempt of a worker
 * that was lost under a release before 2026-11-30 has no provider: every account may report on it. The limit keeps
 * PostgreSQL from reading all attempts into a hash table. Index: attempts_pkey.
 */
const IS_OWN = `coalesce(
    b.account_id is null
    or b.provider_account_id = b.account_id
    or (select true from attempts a
        where a.tenant_id = b.tenant_id and a.delivery_id = b.id
          and (a.provider_account_id = b.account_id or (a.outcome = 'unknown' and a.provider is null))
        limit 1),
    false)`;

/**
 * A complaint or an opened message changes no state. It is noted on every delivery that a receipt may still change or
 * has changed.
 */
const NOTABLE = stateList([...new Set([...sourcesOf(RECEIPT_MOVES), ...targetsOf(RECEIPT_MOVES)])]);

/**
 * Suppresses the address of each delivery in `reports`, which has the columns of `deliveries`, row_id, suppress and
 * detail, and writes the events. Indexes: recipients_pkey, suppressions_tenant_id_channel_address_key.
 */
const suppressAddresses = (reports: string): string => `suppression_rows as (
  insert into suppressions (tenant_id, id, channel, address, reason, detail, delivery_id)
  select d.tenant_id, d.row_id, d.channel, a.address, d.suppress, d.detail, d.id
  from ${reports} d
  left join recipients r on r.tenant_id = d.tenant_id and r.id = d.recipient_id
  cross join lateral (select ${COMPARABLE_ADDRESS}) a(address)
  where d.suppress is not null and a.address is not null
  order by d.tenant_id, d.channel, a.address
  on conflict do nothing
  returning *
), suppression_events as (
  ${emit(`select tenant_id, 'suppression.created', null, id::text, ${SUPPRESSION_EVENT} from suppression_rows`)}
)`;

/**
 * Compare-and-set along the table of states; a receipt changes a delivery at most once, and only one that was sent
 * through the reporting account. Only a receipt that changes its delivery suppresses the address: a repeat must not
 * suppress it again after the tenant has removed the entry. The vendor's text, which may quote the address, is not
 * written for an erased recipient. Indexes: the primary keys of deliveries, attempts, recipients and notifications.
 *
 * Lock order: deliveries by (tenant_id, id), then notifications by (tenant_id, id). A waiting delivery is not locked:
 * its worker may be about to record it, and the two statements would deadlock.
 */
export const APPLY_RECEIPTS = `
with input as materialized (
  select * from ${receiptColumns.numberedTable('i')}
), locked_deliveries as materialized (
  select i.ord, i.kind, case when d.recipient_id <> 'erased' then i.detail end as detail, i.suppress, i.row_id,
         i.account_id, d.tenant_id, d.id, d.state, d.provider_account_id
  from input i join deliveries d on d.tenant_id = i.tenant_id and d.id = i.id
  where d.state not in ${NOT_FINAL}
  order by d.tenant_id, d.id
  for update of d
), reported_deliveries as materialized (
  select b.*, ${IS_OWN} as is_own from locked_deliveries b
), changed_deliveries as (
  update deliveries d set
    state = case when b.kind in ${stateList(targetsOf(RECEIPT_MOVES))} then b.kind else d.state end,
    delivered_at = case when b.kind = 'delivered' then now() else d.delivered_at end,
    complained_at = case when b.kind = 'complained' then now() else d.complained_at end,
    opened_at = case when b.kind = 'opened' then now() else d.opened_at end
  from reported_deliveries b
  where d.tenant_id = b.tenant_id and d.id = b.id and b.is_own and (
    ${guard(RECEIPT_MOVES, 'b.state', 'b.kind')}
    or (b.kind = 'complained' and d.complained_at is null and b.state in ${NOTABLE})
    or (b.kind = 'opened' and d.opened_at is null and b.state in ${NOTABLE}))
  returning d.*, b.ord, b.row_id, b.kind, b.detail, b.suppress, b.state as state_before
), updated_notifications as (${updateCounters(RECEIPT_MOVES)}
), ${suppressAddresses('changed_deliveries')}, delivery_events as (
  ${emit(`${changedDeliveries('x.kind', 'c.detail')} where x.kind <> 'opened'`)}
), log_entries as (
  insert into delivery_log (tenant_id, delivery_id, id, code, detail)
  select tenant_id, id, gen_random_uuid(), kind, detail from changed_deliveries
)
select i.ord::integer as ord, c.ord is not null as changed, b.is_own,
       case
         when b.ord is null then (select d.state from deliveries d where d.tenant_id = i.tenant_id and d.id = i.id)
         else b.state
       end as state
from input i left join reported_deliveries b on b.ord = i.ord left join changed_deliveries c on c.ord = i.ord`;

/**
 * Receipts that contradict the provider's own refusals change no state, but still suppress the address. Each kind does
 * so once for each delivery; the log of the delivery remembers it. Indexes: deliveries_pkey, attempts_pkey,
 * delivery_log_pkey.
 */
export const SUPPRESS_REFUSED = `
with input as materialized (
  select * from ${receiptColumns.numberedTable('i')}
), first_reports as materialized (
  select d.tenant_id, d.id, d.channel, d.address, d.recipient_id, i.row_id, i.kind, i.suppress,
         case when d.recipient_id <> 'erased' then i.detail end as detail
  from input i join deliveries d on d.tenant_id = i.tenant_id and d.id = i.id
  cross join lateral (select i.tenant_id, i.id, i.account_id, d.provider_account_id) b
  where ${IS_OWN} and not exists (
    select from delivery_log l where l.tenant_id = i.tenant_id and l.delivery_id = i.id and l.code = i.kind)
), ${suppressAddresses('first_reports')}
insert into delivery_log (tenant_id, delivery_id, id, code, detail)
select tenant_id, id, gen_random_uuid(), kind, detail from first_reports`;

export const confirmColumns = columnList<DeliveryReceipt>({
  tenant_id: ['uuid', (receipt) => receipt.tenantId],
  account_id: ['uuid', (receipt) => receipt.accountId],
  id: ['uuid', (receipt) => receipt.deliveryId],
  row_id: ['uuid', () => newId()],
});

/**
 * Confirms the reporting account's attempt whose outcome was unknown: the delivery becomes `sent`, and its dead letter
 * is settled. Deleting the due row of a waiting delivery prevents the retry, because a later intent or record finds no
 * row. A delivery whose send is in progress is left unchanged. The items of a digest become `sent` with their leader.
 * Indexes: the primary keys, and dead_letters_tenant_id_delivery_id_idx.
 *
 * Lock order: ordering keys, digests, due_deliveries, deliveries by (tenant_id, id), then notifications by (tenant_id,
 * id) and dead letters. Only the statement that holds a delivery locks more than its dead letter, so the order of these
 * two does not matter.
 */
export const CONFIRM_UNKNOWN_SENDS = `
with input as materialized (
  select * from ${confirmColumns.numberedTable('i')}
), unknown_attempts as materialized (
  select i.*, a.provider, a.provider_account_id, a.ended_at
  from input i cross join lateral (
    select provider, provider_account_id, ended_at from attempts a
    where a.tenant_id = i.tenant_id and a.delivery_id = i.id and a.outcome = 'unknown'
      and (i.account_id is null or a.provider_account_id = i.account_id or a.provider is null)
    order by a.number desc limit 1
  ) a
), locked_digests as materialized (
  select g.id from unknown_attempts p
  join due_deliveries l on l.tenant_id = p.tenant_id and l.delivery_id = p.id
  join digests g on g.tenant_id = l.tenant_id and g.id = l.digest_id
  order by ${DIGEST_LOCK_ORDER} for update of g
), deleted_due_rows as (
  delete from due_deliveries q using unknown_attempts p
  where q.tenant_id = p.tenant_id and q.delivery_id = p.id and not q.sending
    and (select count(*) from locked_digests) >= 0
    and (select carillon_lock_ordering_keys(array(
      select carillon_ordering_lock(o.tenant_id, o.ordering_key)
      from unknown_attempts p join due_deliveries o on o.tenant_id = p.tenant_id and o.delivery_id = p.id
      where o.ordering_key is not null)))
  returning q.tenant_id, q.delivery_id as id, q.attempt, q.digest_id, ${REQUIRE_LOCKED_DIGEST}
), deleted_members as (
  delete from due_deliveries m using deleted_due_rows q
  where m.tenant_id = q.tenant_id and m.digest_id = q.digest_id and m.delivery_id <> q.id
  returning m.tenant_id, m.delivery_id as id, m.attempt, q.id as leader_id
), locked_deliveries as materialized (
  select p.ord, p.row_id, p.provider, p.provider_account_id, p.ended_at, s.attempt, d.tenant_id, d.id, d.state
  from unknown_attempts p join deliveries d on d.tenant_id = p.tenant_id and d.id = p.id
  left join deleted_due_rows s on s.tenant_id = p.tenant_id and s.id = p.id
  where ${guard(CONFIRM_MOVES, 'd.state', "'sent'")} and (d.state not in ${NOT_FINAL} or s.id is not null)
  order by d.tenant_id, d.id
  for update of d
), changed_deliveries as (
  update deliveries d set
    state = 'sent', reason = null, attempts = coalesce(b.attempt, d.attempts),
    provider = b.provider, provider_account_id = b.provider_account_id, sent_at = b.ended_at
  from (
    select * from locked_deliveries
    union all
    select null, gen_random_uuid(), b.provider, b.provider_account_id, b.ended_at, m.attempt, m.tenant_id, m.id,
           'waiting'
    from deleted_members m join locked_deliveries b on b.tenant_id = m.tenant_id and b.id = m.leader_id
  ) b
  where d.tenant_id = b.tenant_id and d.id = b.id
  returning d.*, b.ord, b.row_id, b.state as state_before
), updated_notifications as (${updateCounters(CONFIRM_MOVES)}
), delivery_events as (
  ${emit(`
    ${changedDeliveries("'sent'", "'settled'")} where endpoint_id is null
    union all
    ${FINISHED_NOTIFICATIONS}`)}
), log_entries as (
  insert into delivery_log (tenant_id, delivery_id, id, code, reason, detail)
  select tenant_id, id, row_id, 'settled', 'sent', 'a receipt came for a send whose outcome was unknown'
  from changed_deliveries
), settled_dead_letters as (
  update dead_letters l set settled_at = now() from changed_deliveries c
  where l.tenant_id = c.tenant_id and l.delivery_id = c.id and l.replayed_at is null and l.settled_at is null
)
select i.ord::integer as ord,
       case
         when c.ord is not null then 'confirmed'
         when p.ord is not null then 'busy'
         else 'no_unknown_attempt'
       end as result
from input i left join unknown_attempts p on p.ord = i.ord left join changed_deliveries c on c.ord = i.ord`;
