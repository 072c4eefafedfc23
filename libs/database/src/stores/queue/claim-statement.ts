// How due deliveries are found and claimed. All of it reads due_deliveries_claim_idx (channel, lane, tenant_id, due_at) from a watermark on (docs/adr/0025).

import { COMMIT_GRACE_MS } from '../../database.js';

/** Tenants served by one claim. */
const MAX_TENANTS = 32;
/** Tenants with something due that one claim looks at, whether or not they have capacity: some 20 ms. */
export const MAX_PROBES = 1_000;
/** No tenant has this id. */
const LAST_UUID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** For each lane whether something from its watermark on is due, in the order asked. Index: due_deliveries_claim_idx. */
export const DUE_LANES = `
select exists (
  select from due_deliveries d where d.channel = a.channel and d.lane = a.lane and d.due_at >= a.due_from and d.due_at <= now() and d.due_at < 'infinity'
) as due
from unnest($1::text[], $2::smallint[], $3::timestamptz[]) with ordinality as a(channel, lane, due_from, ord) order by a.ord`;

/**
 * The tenants of a lane ($1, $2) whose oldest due delivery is older than the grace period, in order of id. Scans from $3 on, for the tenants known to lag
 * ($4) from the times in $5. Walks the other tenants by one probe each. Index: due_deliveries_claim_idx.
 */
export const OLDEST_DUE = `
with recursive asked as materialized (
  select now() - interval '${COMMIT_GRACE_MS} milliseconds' as committed_before
), walk(tenant_id, due_at) as (
  select '00000000-0000-0000-0000-000000000000'::uuid, null::timestamptz
  union all
  select n.tenant_id, n.due_at from walk w cross join asked a cross join lateral (
    select d.tenant_id, d.due_at from due_deliveries d
    where d.channel = $1 and d.lane = $2 and d.tenant_id > w.tenant_id
      and d.due_at >= coalesce($3::timestamptz, a.committed_before) and d.due_at <= a.committed_before and d.due_at < 'infinity'
    order by d.tenant_id, d.due_at limit 1
  ) n
), known as (
  select l.tenant_id, n.due_at from unnest($4::uuid[], $5::timestamptz[]) as l(tenant_id, due_at) cross join asked a cross join lateral (
    select d.due_at from due_deliveries d
    where d.channel = $1 and d.lane = $2 and d.tenant_id = l.tenant_id and d.due_at >= l.due_at and d.due_at <= a.committed_before and d.due_at < 'infinity'
    order by d.due_at limit 1
  ) n
), lagging as (
  select tenant_id, min(due_at) as due_at from (select * from walk where due_at is not null union all select * from known) found group by tenant_id
)
select a.committed_before as "committedBefore", coalesce(l.tenants, '{}') as tenants, coalesce(l.due_ats, '{}') as "dueAts"
from asked a cross join (select array_agg(tenant_id order by tenant_id) as tenants, array_agg(due_at order by tenant_id) as due_ats from lagging) l`;

/**
 * Parameters: $1 channel, $2 lane, $3 the tenant after which the walk begins, $4 tenants with less capacity than their share and $8 how many may be taken
 * of each, $5 how many to claim, $6 claim id, $7 lease in seconds, $9 seconds for which a send in doubt is left to its owner, $10 the lane's watermark,
 * $11 the next lagging tenants after $3 in order of id, ${MAX_PROBES} at most, and $12 their watermarks, $13 tenants of which expired
 * deliveries are looked for.
 *
 * Walks the tenants that have something due, and the lagging ones, which may be drained by now, in order of id: a scan of the index up to the next lagging
 * tenant, `lagging_at`, then that one. PostgreSQL 18 skips from one tenant's entry at the present to the next tenant's at the watermark. The walk stops at ${MAX_TENANTS} that have
 * capacity, or at ${MAX_PROBES} tenants. Takes an equal share of each (less of a tenant with less capacity), oldest first. Blocked deliveries are due at
 * infinity and not in the index: `due_at < 'infinity'` lets the planner use it.
 *
 * The next claim goes on where this walk ended, whatever was taken: tenants of which nothing could be taken (another worker
 * has their rows locked) do not keep those behind them waiting. Only when the limit ended it earlier, it goes on after the last tenant served.
 *
 * Of the tenants in $13, which have less capacity, what has expired is taken nevertheless: it is not sent. The index is due_deliveries_expiry_idx; the sums that change
 * nothing keep the planner from going through all that is due instead.
 *
 * A row that another worker is claiming at this moment is skipped, not waited for.
 */
export const CLAIM = `
with recursive walk(tenant_id, due_at, lagging_at, room, is_ready, ready, probes) as (
  select $3::uuid, null::timestamptz, 1, 0::bigint, false, 0, 0
  union all
  select t.tenant_id, t.due_at, t.lagging_at, t.room, t.is_ready, w.ready + t.is_ready::integer, w.probes + 1
  from walk w cross join lateral (
    select n.tenant_id, n.due_at, n.lagging_at, r.room, r.room > 0 as is_ready
    from (
      (select d.tenant_id, d.due_at, w.lagging_at from due_deliveries d
       where d.channel = $1 and d.lane = $2 and d.tenant_id > w.tenant_id and d.tenant_id < coalesce(($11::uuid[])[w.lagging_at], '${LAST_UUID}')
         and d.due_at >= $10 and d.due_at <= now() and d.due_at < 'infinity'
       order by d.tenant_id, d.due_at limit 1)
      union all
      select ($11::uuid[])[w.lagging_at], ($12::timestamptz[])[w.lagging_at], w.lagging_at + 1 where w.lagging_at <= cardinality($11::uuid[])
      order by tenant_id limit 1
    ) n
    cross join lateral (select coalesce(($8::bigint[])[array_position($4::uuid[], n.tenant_id)], $5::bigint) as room) r
  ) t
  where w.ready < ${MAX_TENANTS} and w.probes < ${MAX_PROBES}
), ready as materialized (
  select tenant_id, due_at, room, row_number() over (order by probes) as place from walk where is_ready
), share as (
  select greatest(1, ceil($5::numeric / greatest(1, (select count(*) from ready))))::bigint as rows
), picked as materialized (
  select d.*, r.place from (select * from ready order by place) r cross join lateral (
    select d.tenant_id, d.delivery_id, d.sending
    from due_deliveries d
    where d.channel = $1 and d.lane = $2 and d.tenant_id = r.tenant_id and d.due_at >= r.due_at and d.due_at <= now() and d.due_at < 'infinity'
      and (not d.sending or d.claim_id is null or d.due_at <= now() - make_interval(secs => $9::double precision))
    order by d.due_at
    limit (select least(rows, r.room) from share)
    for update skip locked
  ) d
  limit $5
), overdue as materialized (
  select d.tenant_id, d.delivery_id, d.sending
  from due_deliveries d
  where d.tenant_id = any ($13::uuid[]) and d.expires_at <= now() and not d.sending and d.due_at < 'infinity'
    and d.channel || '' = $1 and d.lane + 0 = $2 and d.due_at + interval '0' <= now()
  limit greatest(0, $5 - (select count(*) from picked))
  for update skip locked
), claimed as (
  update due_deliveries d
  set due_at = now() + make_interval(secs => $7::double precision), claim_id = $6::uuid, claims = d.claims + 1
  from (select tenant_id, delivery_id from picked union all select tenant_id, delivery_id from overdue) p
  where d.tenant_id = p.tenant_id and d.delivery_id = p.delivery_id
  returning d.*
), ended as (
  select case
    when (select count(*) = $5 and max(place) < (select count(*) from ready) from picked) then (select tenant_id from picked order by place desc limit 1)
    when w.ready = ${MAX_TENANTS} or w.probes = ${MAX_PROBES} then w.tenant_id
  end as at
  from walk w order by w.probes desc limit 1
)
select (select count(*) from ready)::integer as ready, e.at as ended_at,
       d.tenant_id, d.delivery_id, d.lane, d.claims, d.attempt, d.retries, d.sending, d.unrecorded, d.rate_limit_consumed, d.tried_account_ids, d.pace_reserved, d.message_key,
       d.ordering_key is not null as ordered, d.traceparent, coalesce(d.expires_at <= now(), false) as expired
from ended e left join claimed d on true`;
