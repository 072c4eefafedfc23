// Applies many receipts in a few statements. Lock order: ordering keys, due_deliveries, deliveries by (tenant_id, id), notifications,
// dead_letters.

import {
  type DeliveryState,
  deliveryStates,
  newId,
  type ReceiptKind,
  type SuppressionReason,
  statesBefore,
  type Tally,
  tallyOf,
} from '#domain';
import { columns } from '../../columns.js';
import type { Sql } from '../../statement.js';
import { changedDeliveries, emit, FINISHED_NOTIFICATIONS, SUPPRESSION_EVENT } from './events.store.js';

/** What a vendor reports of one delivery. */
export interface DeliveryReceipt {
  tenantId: string;
  deliveryId: string;
  kind: ReceiptKind;
  detail: string | null;
  /** Puts the address of an e-mail or SMS on the suppression list. */
  suppress?: SuppressionReason | undefined;
}

/**
 * `early`: the record of the send is not committed yet. `refused`: the provider refused every attempt of this delivery, so
 * the receipt contradicts it. `gone`: the delivery does not exist (any more).
 */
export type ReceiptResult = 'applied' | 'repeated' | 'early' | 'refused' | 'gone';

/** States that a receipt changes only after it has proved that the delivery was sent. */
const PROVABLE: ReadonlySet<DeliveryState> = new Set(
  statesBefore('sent', 'receipt').filter((state) => state !== 'unknown'),
);

/** Results in the order of the receipts; those of one delivery are applied in their order. */
export async function applyReceipts(sql: Sql, receipts: readonly DeliveryReceipt[]): Promise<ReceiptResult[]> {
  const results: ReceiptResult[] = new Array(receipts.length);
  const { rounds, repeats } = inRounds(receipts);
  for (const round of rounds) {
    const found = await applyRound(
      sql,
      round.map((index) => receipts[index]!),
    );
    round.forEach((index, at) => {
      results[index] = found[at]!;
    });
  }
  for (const [index, first] of repeats) results[index] = results[first] === 'applied' ? 'repeated' : results[first]!;
  return results;
}

/**
 * A statement changes a row once: the second receipt of a delivery goes into the second round. A repeat within the batch
 * takes no round of its own, so there are at most as many rounds as different receipts of one delivery.
 */
function inRounds(receipts: readonly DeliveryReceipt[]): { rounds: number[][]; repeats: [number, number][] } {
  const rounds: number[][] = [];
  const repeats: [number, number][] = [];
  const seen = new Map<string, Map<string, number>>();
  receipts.forEach(({ tenantId, deliveryId, kind, suppress }, index) => {
    const delivery = `${tenantId} ${deliveryId}`;
    const earlier = seen.get(delivery) ?? new Map<string, number>();
    seen.set(delivery, earlier);
    const same = `${kind} ${suppress}`;
    const first = earlier.get(same);
    if (first === undefined) {
      rounds[earlier.size] ??= [];
      rounds[earlier.size]!.push(index);
      earlier.set(same, index);
    } else repeats.push([index, first]);
  });
  return { rounds, repeats };
}

async function applyRound(sql: Sql, receipts: readonly DeliveryReceipt[]): Promise<ReceiptResult[]> {
  const found = await change(sql, receipts);
  const results = found.map(resultOf);
  const open = found.flatMap(({ state, changed }, at) => (!changed && state && PROVABLE.has(state) ? [at] : []));
  if (open.length === 0) return results;
  const proofs = await prove(
    sql,
    open.map((at) => receipts[at]!),
  );
  const again: number[] = [];
  open.forEach((at, index) => {
    const [proof, isWaiting] = [proofs[index]!, found[at]!.state === 'waiting'];
    // `busy` in a final state: an operator's replay was quicker, so now it waits and is looked at as such.
    if (proof === 'proven' || (proof === 'busy' && !isWaiting)) again.push(at);
    else results[at] = isWaiting ? 'early' : 'refused';
  });
  if (again.length === 0) return results;
  const later = await applyRound(
    sql,
    again.map((at) => receipts[at]!),
  );
  again.forEach((at, index) => {
    results[at] = later[index]!;
  });
  return results;
}

interface Changed {
  /** Before the receipt; null when there is no such delivery. */
  state: DeliveryState | null;
  changed: boolean;
}

function resultOf({ state, changed }: Changed): ReceiptResult {
  if (state === null) return 'gone';
  return changed ? 'applied' : 'repeated';
}

async function change(sql: Sql, receipts: readonly DeliveryReceipt[]): Promise<Changed[]> {
  const rows = await sql.query<Changed & { ord: number }>({
    name: 'apply_receipts',
    text: APPLY,
    values: columns(receipts, [
      (receipt) => receipt.tenantId,
      (receipt) => receipt.deliveryId,
      (receipt) => receipt.kind,
      (receipt) => receipt.detail,
      (receipt) => receipt.suppress ?? null,
      () => newId(),
    ]),
  });
  return inOrder(receipts, rows);
}

/** `proven`: it is `sent` now. `busy`: its unknown attempt is the proof, but somebody else has the delivery just now. */
type Proof = 'proven' | 'busy' | 'none';

async function prove(sql: Sql, receipts: readonly DeliveryReceipt[]): Promise<Proof[]> {
  const rows = await sql.query<{ ord: number; proof: Proof }>({
    name: 'prove_sends',
    text: PROVE,
    values: columns(receipts, [(receipt) => receipt.tenantId, (receipt) => receipt.deliveryId, () => newId()]),
  });
  return inOrder(receipts, rows).map(({ proof }) => proof);
}

function inOrder<Row extends { ord: number }>(receipts: readonly unknown[], rows: readonly Row[]): Row[] {
  const found = new Map(rows.map((row) => [row.ord - 1, row]));
  return receipts.map((_, index) => found.get(index)!);
}

const among = (states: readonly string[]): string => `(${states.map((state) => `'${state}'`).join(', ')})`;
const counted = (state: string, tally: Tally): string =>
  `(${state} in ${among(deliveryStates.filter((one) => tallyOf(one) === tally))})::integer`;
/** How much `changed` adds to a counter of its notification. */
const added = (tally: Tally): string =>
  `sum(${counted('state', tally)} - ${counted('state_before', tally)}) as ${tally}`;
const TALLIES: readonly Tally[] = ['succeeded', 'failed', 'suppressed', 'cancelled'];

/** The counters of the notifications in `changed`. In order, so that two batches queue up instead of deadlocking. Index: notifications_pkey. */
const COUNTED = `
  update notifications n set ${TALLIES.map((tally) => `${tally} = n.${tally} + c.${tally}`).join(', ')}
  from (
    select tenant_id, notification_id, ${TALLIES.map(added).join(', ')}
    from changed where state <> state_before group by tenant_id, notification_id order by tenant_id, notification_id
  ) c
  where n.tenant_id = c.tenant_id and n.id = c.notification_id and (${TALLIES.map((tally) => `c.${tally} <> 0`).join(' or ')})
  returning n.*`;

/** A complaint and an opened mail are marks on a delivery, not states. */
const MARKED = among(['sent', 'delivered', 'bounced', 'unknown']);

/**
 * Compare-and-set along the table of states, a delivery at most once. `before` is locked, in order; what still waits is not:
 * its worker may be about to record it, and the two would wait for each other. Whatever else the receipt changes, the address is
 * what it is. Indexes: the primary keys of deliveries, recipients and notifications.
 */
const APPLY = `
with input as materialized (
  select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::uuid[])
    with ordinality as i(tenant_id, id, kind, detail, suppress, row_id, ord)
), before as materialized (
  select i.ord, i.kind, i.detail, i.suppress, i.row_id, d.tenant_id, d.id, d.state
  from input i join deliveries d on d.tenant_id = i.tenant_id and d.id = i.id
  where d.state <> 'waiting'
  order by d.tenant_id, d.id
  for update of d
), changed as (
  update deliveries d set
    state = case when b.kind in ('delivered', 'bounced') then b.kind else d.state end,
    delivered_at = case when b.kind = 'delivered' then now() else d.delivered_at end,
    complained_at = case when b.kind = 'complained' then now() else d.complained_at end,
    opened_at = case when b.kind = 'opened' then now() else d.opened_at end
  from before b
  where d.tenant_id = b.tenant_id and d.id = b.id and (
    (b.kind = 'delivered' and b.state in ${among(statesBefore('delivered', 'receipt'))})
    or (b.kind = 'bounced' and b.state in ${among(statesBefore('bounced', 'receipt'))})
    or (b.kind = 'complained' and d.complained_at is null and b.state in ${MARKED})
    or (b.kind = 'opened' and d.opened_at is null and b.state in ${MARKED}))
  returning d.*, b.ord, b.kind, b.detail, b.state as state_before
), counted as (${COUNTED}
), listed as (
  insert into suppressions (tenant_id, id, channel, address, reason, detail, delivery_id)
  select d.tenant_id, b.row_id, d.channel, a.address, b.suppress, b.detail, d.id
  from before b join deliveries d on d.tenant_id = b.tenant_id and d.id = b.id
  left join recipients r on r.tenant_id = d.tenant_id and r.id = d.recipient_id
  cross join lateral (select case d.channel when 'email' then lower(coalesce(d.address, r.email)) when 'sms' then coalesce(d.address, r.phone) end) a(address)
  where b.suppress is not null and a.address is not null
  order by d.tenant_id, d.channel, a.address
  on conflict do nothing
  returning *
), announced as (
  ${emit(`select tenant_id, 'suppression.created', null, id::text, ${SUPPRESSION_EVENT} from listed`)}
), emitted as (
  ${emit(`${changedDeliveries('x.kind', 'c.detail')} where x.kind <> 'opened'`)}
), told as (
  insert into delivery_log (tenant_id, delivery_id, id, code, detail) select tenant_id, id, gen_random_uuid(), kind, detail from changed
)
select i.ord::integer as ord, c.ord is not null as changed,
       case when b.ord is null then (select d.state from deliveries d where d.tenant_id = i.tenant_id and d.id = i.id) else b.state end as state
from input i left join before b on b.ord = i.ord left join changed c on c.ord = i.ord`;

/**
 * Confirms the attempt whose outcome was unknown. A delivery that waits for a retry is not retried: deleting its due row decides,
 * because a later intent or record finds no row. A send that is in progress is left alone. A delivery that ended without a send
 * becomes `sent`, and its dead letter is settled.
 * Indexes: the primary keys, and dead_letters_tenant_id_delivery_id_idx.
 */
const PROVE = `
with input as materialized (
  select * from unnest($1::uuid[], $2::uuid[], $3::uuid[]) with ordinality as i(tenant_id, id, row_id, ord)
), proof as materialized (
  select i.*, a.provider, a.provider_account_id, a.ended_at
  from input i cross join lateral (
    select provider, provider_account_id, ended_at from attempts a
    where a.tenant_id = i.tenant_id and a.delivery_id = i.id and a.outcome = 'unknown' order by a.number desc limit 1
  ) a
), spared as (
  delete from due_deliveries q using proof p where q.tenant_id = p.tenant_id and q.delivery_id = p.id and not q.sending
    and (select carillon_lock_ordering_keys(array(
      select carillon_ordering_lock(o.tenant_id, o.ordering_key) from proof p join due_deliveries o on o.tenant_id = p.tenant_id and o.delivery_id = p.id
      where o.ordering_key is not null)))
  returning q.tenant_id, q.delivery_id as id, q.attempt
), before as materialized (
  select p.ord, p.row_id, p.provider, p.provider_account_id, p.ended_at, s.attempt, d.tenant_id, d.id, d.state
  from proof p join deliveries d on d.tenant_id = p.tenant_id and d.id = p.id
  left join spared s on s.tenant_id = p.tenant_id and s.id = p.id
  where case d.state when 'waiting' then s.id is not null else d.state in ${among([...PROVABLE])} end
  order by d.tenant_id, d.id
  for update of d
), changed as (
  update deliveries d set
    state = 'sent', reason = null, attempts = coalesce(b.attempt, d.attempts), provider = b.provider, provider_account_id = b.provider_account_id, sent_at = b.ended_at
  from before b
  where d.tenant_id = b.tenant_id and d.id = b.id
  returning d.*, b.ord, b.row_id, b.state as state_before
), counted as (${COUNTED}
), emitted as (
  ${emit(`
    ${changedDeliveries("'sent'", "'settled'")} where endpoint_id is null
    union all
    ${FINISHED_NOTIFICATIONS}`)}
), told as (
  insert into delivery_log (tenant_id, delivery_id, id, code, reason, detail)
  select tenant_id, id, row_id, 'settled', 'sent', 'a receipt came for a send whose outcome was unknown' from changed
), closed as (
  update dead_letters l set settled_at = now() from changed c
  where l.tenant_id = c.tenant_id and l.delivery_id = c.id and l.replayed_at is null and l.settled_at is null
)
select i.ord::integer as ord, case when c.ord is not null then 'proven' when p.ord is not null then 'busy' else 'none' end as proof
from input i left join proof p on p.ord = i.ord left join changed c on c.ord = i.ord`;
