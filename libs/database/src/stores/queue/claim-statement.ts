// The statements that find and claim due deliveries. They read due_deliveries_claim_idx
// (channel, lane, tenant_id, due_at) from a watermark on (docs/adr/0025).

import { columnList } from '../../column-list.js';
import { parameterList } from '../../parameter-list.js';
import type { Lane } from './claim-watermarks.js';
import { CLAIM_ROW } from './claimed-delivery.js';

/** Tenants served by one claim. */
const MAX_TENANTS = 32;
/** Tenants with due deliveries that one claim looks at, with or without capacity: some 20 ms. */
export const MAX_PROBES = 1_000;
/** No tenant has this id. */
const LAST_UUID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

export const dueLaneColumns = columnList<Lane & { dueFrom: Date | string }>({
  channel: ['text', ({ channel }) => channel],
  lane: ['smallint', ({ lane }) => lane],
  due_from: ['timestamptz', ({ dueFrom }) => dueFrom],
});

/**
 * For each lane, in the order of the parameters, whether a delivery from its watermark on is due.
 * Index: due_deliveries_claim_idx.
 */
export const DUE_LANES = `
select exists (
  select from due_deliveries d
  where d.channel = l.channel and d.lane = l.lane
    and d.due_at >= l.due_from and d.due_at <= now() and d.due_at < 'infinity'
) as due
from ${dueLaneColumns.numberedTable('l')} order by l.ord`;

/**
 * - `afterTenant`: the tenant after which the walk begins.
 * - `cappedTenants`, `capacities`: tenants with less capacity than their share, and that capacity.
 * - `doubtSeconds`: a send in doubt is left to its owner for this long.
 * - `dueFrom`: the watermark of the lane.
 * - `laggingTenants`, `laggingDueAts`: the next lagging tenants after `afterTenant` in order of id, at most
 *   ${MAX_PROBES}, and their watermarks.
 * - `expiryTenants`: capped tenants whose expired deliveries are claimed all the same.
 * - `isConfirmed`: whether CONFIRM runs before the work begins. Then it counts the claim of a delivery whose last claim
 *   lapsed: that one may never have left the broker. A first claim is counted here, without a write of its own.
 */
const parameters = parameterList(
  'channel',
  'lane',
  'afterTenant',
  'cappedTenants',
  'limit',
  'claimId',
  'leaseSeconds',
  'capacities',
  'doubtSeconds',
  'dueFrom',
  'laggingTenants',
  'laggingDueAts',
  'expiryTenants',
  'isConfirmed',
);

export const claimValues = parameters.values;

const p = parameters.in;

/**
 * Walks the tenants with due deliveries, and the lagging ones, which may have none left, in order of id: a scan of the
 * index up to the next lagging tenant (number `lagging_at` of the array), then that tenant. PostgreSQL 18 skips from
 * one tenant's entry at the present to the next tenant's at the watermark. The walk stops at MAX_TENANTS with capacity,
 * or at MAX_PROBES tenants. It takes an equal share of each, or its capacity if that is less, oldest first. Blocked
 * deliveries are due at infinity and not in the index: `due_at < 'infinity'` lets the planner use it.
 *
 * The next claim begins where this walk ended, even after tenants of which nothing could be taken because another
 * worker has locked their rows. If the limit ended the claim first, the next one begins after the last tenant served.
 *
 * Expired deliveries are taken from tenants without capacity too, because they are not sent. Their index is
 * due_deliveries_expiry_idx; the additions of '', 0 and '0' keep the planner from reading all due deliveries instead.
 *
 * Lock order: none, because rows that another worker is claiming are skipped.
 */
export const CLAIM = `
with recursive walk(tenant_id, due_at, lagging_at, capacity, has_capacity, served, probes) as (
  select ${p.afterTenant}::uuid, null::timestamptz, 1, 0::bigint, false, 0, 0
  union all
  select t.tenant_id, t.due_at, t.lagging_at, t.capacity, t.has_capacity, w.served + t.has_capacity::integer,
         w.probes + 1
  from walk w cross join lateral (
    select n.tenant_id, n.due_at, n.lagging_at, c.capacity, c.capacity > 0 as has_capacity
    from (
      (select d.tenant_id, d.due_at, w.lagging_at from due_deliveries d
       where d.channel = ${p.channel} and d.lane = ${p.lane} and d.tenant_id > w.tenant_id
         and d.tenant_id < coalesce((${p.laggingTenants}::uuid[])[w.lagging_at], '${LAST_UUID}')
         and d.due_at >= ${p.dueFrom} and d.due_at <= now() and d.due_at < 'infinity'
       order by d.tenant_id, d.due_at limit 1)
      union all
      select (${p.laggingTenants}::uuid[])[w.lagging_at], (${p.laggingDueAts}::timestamptz[])[w.lagging_at],
             w.lagging_at + 1
      where w.lagging_at <= cardinality(${p.laggingTenants}::uuid[])
      order by tenant_id limit 1
    ) n
    cross join lateral (
      select coalesce((${p.capacities}::bigint[])[array_position(${p.cappedTenants}::uuid[], n.tenant_id)],
                      ${p.limit}::bigint) as capacity
    ) c
  ) t
  where w.served < ${MAX_TENANTS} and w.probes < ${MAX_PROBES}
), tenants_with_capacity as materialized (
  select tenant_id, due_at, capacity, row_number() over (order by probes) as turn from walk where has_capacity
), share as (
  select greatest(1, ceil(${p.limit}::numeric / greatest(1, (select count(*) from tenants_with_capacity))))::bigint
         as rows
), due as materialized (
  select d.*, t.turn from (select * from tenants_with_capacity order by turn) t cross join lateral (
    select d.tenant_id, d.delivery_id, d.sending, d.due_at, d.claim_id
    from due_deliveries d
    where d.channel = ${p.channel} and d.lane = ${p.lane} and d.tenant_id = t.tenant_id
      and d.due_at >= t.due_at and d.due_at <= now() and d.due_at < 'infinity'
      and (not d.sending or d.claim_id is null
           or d.due_at <= now() - make_interval(secs => ${p.doubtSeconds}::double precision))
    order by d.due_at
    limit (select least(rows, t.capacity) from share)
    for update skip locked
  ) d
  limit ${p.limit}
), expired as materialized (
  select d.tenant_id, d.delivery_id, d.sending, d.due_at, d.claim_id
  from due_deliveries d
  where d.tenant_id = any (${p.expiryTenants}::uuid[]) and d.expires_at <= now() and not d.sending
    and d.due_at < 'infinity' and d.channel || '' = ${p.channel} and d.lane + 0 = ${p.lane}
    and d.due_at + interval '0' <= now()
  limit greatest(0, ${p.limit} - (select count(*) from due))
  for update skip locked
), claimed as (
  update due_deliveries d
  set due_at = now() + make_interval(secs => ${p.leaseSeconds}::double precision), claim_id = ${p.claimId}::uuid,
      claims = d.claims + (not (${p.isConfirmed}::boolean and c.claim_id is not null))::integer
  from (
    select tenant_id, delivery_id, due_at, claim_id from due
    union all select tenant_id, delivery_id, due_at, claim_id from expired
  ) c
  where d.tenant_id = c.tenant_id and d.delivery_id = c.delivery_id
  returning d.*, extract(epoch from now() - c.due_at)::float8 as waited,
            ${p.isConfirmed}::boolean and c.claim_id is not null as counted_later
), walk_end as (
  select case
    when (select count(*) = ${p.limit} and max(turn) < (select count(*) from tenants_with_capacity) from due)
      then (select tenant_id from due order by turn desc limit 1)
    when w.served = ${MAX_TENANTS} or w.probes = ${MAX_PROBES} then w.tenant_id
  end as tenant_id
  from walk w order by w.probes desc limit 1
)
select (select count(*) from tenants_with_capacity)::integer as ready, e.tenant_id as ended_at, d.waited,
       d.counted_later, ${CLAIM_ROW}
from walk_end e left join claimed d on true`;
