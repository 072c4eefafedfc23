// The statements that fill and close digests (docs/adr/0030).

import { type Collected, newId } from '#domain';
import { columnList } from '../../../column-list.js';
import type { Sql } from '../../../statement.js';
import type { ClaimedDelivery } from '../../queue/claimed-delivery.js';
import { DIGEST_LOCK_ORDER } from './digest-record.js';

/** A claimed delivery that becomes an item of a digest. */
export interface NewItem {
  delivery: ClaimedDelivery;
  collected: Collected;
}

/** A digest whose leader is claimed and may be sent. */
export interface ClosedDigest {
  combined: boolean;
  /** The deliveries whose items the message has, the leader's included, oldest first. */
  deliveryIds: string[];
}

/** Items beyond this are collected into another digest. Ending so many in one commit takes some 0.1 s. */
const MAX_DIGEST_ITEMS = 1_000;

const itemColumns = columnList<NewItem>({
  tenant_id: ['uuid', ({ delivery }) => delivery.tenantId],
  delivery_id: ['uuid', ({ delivery }) => delivery.deliveryId],
  claim_id: ['uuid', ({ delivery }) => delivery.claimId],
  reason: ['text', ({ collected }) => collected.reason],
  rule: ['text', ({ collected }) => collected.rule],
  detail: ['text', ({ collected }) => collected.detail],
  due_at: ['timestamptz', ({ collected: { due } }) => ('at' in due ? due.at : null)],
  seconds: ['double precision', ({ collected: { due } }) => ('seconds' in due ? due.seconds : null)],
  combined: ['boolean', ({ collected }) => collected.combined],
  decided_at: ['timestamptz', ({ collected }) => collected.decidedAt ?? null],
  /** The id of the digest, if this delivery is its first item. */
  new_digest_id: ['uuid', () => newId()],
  row_id: ['uuid', () => newId()],
});

/**
 * Only deliveries whose claim is still this worker's are collected. The first item of a new digest becomes its leader,
 * due when the digest is, or when the item expires if that is before. The others wait at infinity. A digest that
 * another transaction is closing is locked: this statement waits, and then opens a new one.
 *
 * Lock order: digests by key, then due_deliveries by id. So the claim of an item can be lost after its digest was
 * opened: the function gives that digest another leader, or deletes it. Indexes: due_deliveries_pkey, deliveries_pkey,
 * notifications_pkey, digests_open_idx.
 */
const COLLECT = `
with items as materialized (
  select i.*, d.recipient_id, d.channel, n.category,
         row_number() over (partition by d.tenant_id, d.recipient_id, d.channel, n.category order by i.delivery_id)
           as place
  from ${itemColumns.table('i')}
  join lateral (
    select from due_deliveries q
    where q.tenant_id = i.tenant_id and q.delivery_id = i.delivery_id and q.claim_id = i.claim_id
  ) q on true
  cross join lateral (select * from deliveries x where x.tenant_id = i.tenant_id and x.id = i.delivery_id offset 0) d
  cross join lateral (
    select * from notifications x where x.tenant_id = i.tenant_id and x.id = d.notification_id offset 0
  ) n
), open_digests as materialized (
  insert into digests as g (tenant_id, id, recipient_id, channel, category, due_at, combined, items)
  select f.tenant_id, f.new_digest_id, f.recipient_id, f.channel, f.category,
         greatest(now(), coalesce(f.due_at, now() + make_interval(secs => f.seconds))), f.combined, c.items
  from items f
  join (
    select tenant_id, recipient_id, channel, category, count(*) as items from items group by 1, 2, 3, 4
  ) c using (tenant_id, recipient_id, channel, category)
  where f.place = 1
  order by f.tenant_id, f.recipient_id, f.channel, f.category
  on conflict (tenant_id, recipient_id, channel, category) where closed_at is null do update set
    items = g.items + excluded.items,
    closed_at = case when g.items + excluded.items >= ${MAX_DIGEST_ITEMS} then now() end
  returning g.*
), locked_due_rows as materialized (
  select q.tenant_id, q.delivery_id
  from items i join due_deliveries q on q.tenant_id = i.tenant_id and q.delivery_id = i.delivery_id
  where q.claim_id = i.claim_id and (select count(*) from open_digests) >= 0
  order by q.tenant_id, q.delivery_id for update of q
), collected as (
  update due_deliveries q set
    digest_id = g.id, reason = i.reason, claim_id = null, claims = 0,
    policy_recipient_id = case when i.decided_at is not null then i.recipient_id end, policy_decided_at = i.decided_at,
    due_at = case
      when i.new_digest_id = g.id then greatest(now(), least(g.due_at, q.expires_at))
      else 'infinity'
    end
  from items i
  join locked_due_rows l using (tenant_id, delivery_id)
  join open_digests g using (tenant_id, recipient_id, channel, category)
  where q.tenant_id = i.tenant_id and q.delivery_id = i.delivery_id
  returning i.tenant_id, i.delivery_id, i.row_id, i.reason, i.rule, i.detail, g.due_at
), log_entries as (
  insert into delivery_log (tenant_id, delivery_id, id, code, reason, rule, detail, until)
  select tenant_id, delivery_id, row_id, 'held', reason, rule, detail, due_at from collected
), leaderless as materialized (
  select i.tenant_id, g.id from items i join open_digests g on g.id = i.new_digest_id
  where not exists (select from collected c where c.tenant_id = i.tenant_id and c.delivery_id = i.delivery_id)
)
select delivery_id from collected
union all
select null from leaderless l cross join lateral carillon_lead_digest(l.tenant_id, l.id)`;

/** Returns, for each item, whether it was collected; false if its claim was lost. */
export async function collectItems(sql: Sql, batch: readonly NewItem[]): Promise<boolean[]> {
  const rows = await sql.query<{ delivery_id: string | null }>({
    name: 'collect',
    text: COLLECT,
    values: itemColumns.values(batch),
  });
  const collected = new Set(rows.map((row) => row.delivery_id));
  return batch.map(({ delivery }) => collected.has(delivery.deliveryId));
}

const leaderColumns = columnList<ClaimedDelivery>({
  tenant_id: ['uuid', ({ tenantId }) => tenantId],
  delivery_id: ['uuid', ({ deliveryId }) => deliveryId],
  claim_id: ['uuid', ({ claimId }) => claimId],
  digest_id: ['uuid', ({ digestId }) => digestId],
});

/** A digest that a retry has closed before stays as it is. Indexes: due_deliveries_pkey, digests_pkey. */
const CLOSE = `
with leaders as materialized (
  select l.tenant_id, l.digest_id from ${leaderColumns.table('l')}
  where exists (
    select from due_deliveries q
    where q.tenant_id = l.tenant_id and q.delivery_id = l.delivery_id and q.claim_id = l.claim_id)
), locked_digests as materialized (
  select g.tenant_id, g.id from leaders l join digests g on g.tenant_id = l.tenant_id and g.id = l.digest_id
  order by ${DIGEST_LOCK_ORDER} for update of g
)
update digests g set closed_at = coalesce(g.closed_at, now())
from locked_digests l where g.tenant_id = l.tenant_id and g.id = l.id
returning g.id, g.combined`;

/**
 * A statement of its own, after the commit of CLOSE: it sees every item that was collected before. Gives the items the
 * claim of their leader, which keeps them from being cancelled while the message is under way. Items that have expired
 * leave the digest, and end by themselves.
 *
 * Lock order: digests, their leaders, then their items. Indexes: digests_pkey, due_deliveries_pkey,
 * due_deliveries_digest_idx.
 */
const TAKE_ITEMS = `
with input as materialized (
  select * from ${leaderColumns.table('l')}
), locked_digests as materialized (
  select g.id from input l join digests g on g.tenant_id = l.tenant_id and g.id = l.digest_id
  order by ${DIGEST_LOCK_ORDER} for update of g
), leaders as materialized (
  select l.* from input l
  join due_deliveries q on q.tenant_id = l.tenant_id and q.delivery_id = l.delivery_id and q.claim_id = l.claim_id
  where (select count(*) from locked_digests) >= 0
  order by l.tenant_id, l.delivery_id for update of q
), members as materialized (
  update due_deliveries m set claim_id = l.claim_id
  from leaders l
  where m.tenant_id = l.tenant_id and m.digest_id = l.digest_id and m.delivery_id <> l.delivery_id
    and coalesce(m.expires_at > now(), true)
  returning m.digest_id, m.delivery_id
), expired_members as (
  update due_deliveries m set digest_id = null, due_at = now(), reason = null, claim_id = null
  from leaders l
  where m.tenant_id = l.tenant_id and m.digest_id = l.digest_id and m.delivery_id <> l.delivery_id
    and m.expires_at <= now()
)
select l.digest_id as id, array(
  select i.delivery_id from (
    select l.delivery_id union all select m.delivery_id from members m where m.digest_id = l.digest_id
  ) i order by i.delivery_id
) as "deliveryIds"
from leaders l`;

/** Null for a leader whose claim was lost. */
export async function closeDigests(sql: Sql, leaders: readonly ClaimedDelivery[]): Promise<(ClosedDigest | null)[]> {
  const values = leaderColumns.values(leaders);
  const closed = await sql.query<{ id: string; combined: boolean }>({ name: 'close_digests', text: CLOSE, values });
  const taken = await sql.query<{ id: string; deliveryIds: string[] }>({
    name: 'take_digest_items',
    text: TAKE_ITEMS,
    values,
  });
  const combined = new Map(closed.map((row) => [row.id, row.combined]));
  const items = new Map(taken.map((row) => [row.id, row.deliveryIds]));
  return leaders.map(({ digestId }) => {
    const deliveryIds = items.get(digestId!);
    return deliveryIds && combined.has(digestId!) ? { combined: combined.get(digestId!)!, deliveryIds } : null;
  });
}
