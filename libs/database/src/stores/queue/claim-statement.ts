// How due deliveries are found and claimed. All of it reads due_deliveries_claim_idx (channel, lane, tenant_id, due_at) from a watermark on (docs/adr/0025).

import { COMMIT_GRACE_MS } from '../../database.js';
import { MAX_LAGGING_TENANTS } from './claim-watermarks.js';

/** Tenants served by one claim. */
const MAX_TENANTS = 32;
/** Tenants with something due that one claim looks at, whether or not they have capacity: some 20 ms. */
const MAX_PROBES = 1_000;

/**
 * The next tenant after `w.tenant_id` with an entry between `from` and `until`, or in the relation `lagging`: one row (tenant_id, due_at), where due_at is a
 * lower bound of what the tenant has due. Entries before `from` are of dead rows, or late. PostgreSQL 18 skips from one tenant's entry at `until` to
 * the next tenant's at `from`; older ones read the entries in between.
 */
const nextTenant = (scan: Record<'channel' | 'lane' | 'from' | 'until', string>): string => `
      (select d.tenant_id, d.due_at from due_deliveries d
       where d.channel = ${scan.channel} and d.lane = ${scan.lane} and d.tenant_id > w.tenant_id and d.due_at >= ${scan.from} and d.due_at <= ${scan.until}
         and d.due_at < 'infinity'
       order by d.tenant_id, d.due_at limit 1)
      union all
      (select l.tenant_id, l.due_at from lagging l where l.tenant_id > w.tenant_id order by l.tenant_id limit 1)
      order by tenant_id, due_at limit 1`;

/** For each lane whether something from its watermark on is due, in the order asked. Index: due_deliveries_claim_idx. */
export const DUE_LANES = `
select exists (
  select from due_deliveries d where d.channel = a.channel and d.lane = a.lane and d.due_at >= a.due_from and d.due_at <= now() and d.due_at < 'infinity'
) as due
from unnest($1::text[], $2::smallint[], $3::timestamptz[]) with ordinality as a(channel, lane, due_from, ord) order by a.ord`;

/** For each lane the tenants whose oldest due delivery is older than the grace period, most overdue first. Index: due_deliveries_claim_idx. */
export const OLDEST_DUE = `
with asked as (
  select channel, lane, coalesce(due_from, now() - interval '${COMMIT_GRACE_MS} milliseconds') as due_from, now() - interval '${COMMIT_GRACE_MS} milliseconds' as committed_before
  from unnest($1::text[], $2::smallint[], $3::timestamptz[]) as a(channel, lane, due_from)
), all_lagging as materialized (
  select * from unnest($4::text[], $5::smallint[], $6::uuid[], $7::timestamptz[]) as b(channel, lane, tenant_id, due_at)
)
select a.channel, a.lane, a.committed_before as "committedBefore", o.tenants, o."dueAts"
from asked a cross join lateral (
  with recursive lagging as materialized (
    select * from all_lagging l where l.channel = a.channel and l.lane = a.lane
  ), walk(tenant_id, due_at) as (
    select '00000000-0000-0000-0000-000000000000'::uuid, null::timestamptz
    union all
    select n.tenant_id, (
      select d.due_at from due_deliveries d
      where d.channel = a.channel and d.lane = a.lane and d.tenant_id = n.tenant_id and d.due_at >= n.due_at and d.due_at <= a.committed_before and d.due_at < 'infinity'
      order by d.due_at limit 1)
    from walk w cross join lateral (${nextTenant({ channel: 'a.channel', lane: 'a.lane', from: 'a.due_from', until: 'a.committed_before' })}
    ) n
  )
  select coalesce(array_agg(tenant_id order by due_at), '{}') as tenants, coalesce(array_agg(due_at order by due_at), '{}') as "dueAts"
  from (select * from walk where due_at is not null order by due_at limit ${MAX_LAGGING_TENANTS + 1}) oldest
) o`;

/**
 * Parameters: $1 channel, $2 lane, $3 the tenant after which the walk begins, $4 tenants with less capacity than their share and $8 how many may be taken
 * of each, $5 how many to claim, $6 claim id, $7 lease in seconds, $9 seconds for which a send in doubt is left to its owner, $10 the lane's watermark,
 * $11 the lagging tenants and $12 their watermarks.
 *
 * Walks the tenants that have something due, and the lagging ones, which may be drained by now, in order of id. The walk stops at ${MAX_TENANTS} that have
 * capacity, or at ${MAX_PROBES} tenants. Takes an equal share of each (less of a tenant with less capacity), oldest first. Blocked deliveries are due at
 * infinity and not in the index: `due_at < 'infinity'` lets the planner use it.
 *
 * The next claim goes on where this walk ended, whatever was taken: tenants of which nothing could be taken (another worker
 * has their rows locked) do not keep those behind them waiting. Only when the limit ended it earlier, it goes on after the last tenant served.
 *
 * Of the tenants with less capacity, what has expired is taken nevertheless: it is not sent. The index is due_deliveries_expiry_idx; the sums that change
 * nothing keep the planner from going through all that is due instead.
 *
 * A row that another worker is claiming at this moment is skipped, not waited for.
 */
export const CLAIM = `
with recursive lagging as materialized (
  select * from unnest($11::uuid[], $12::timestamptz[]) as b(tenant_id, due_at)
), walk(tenant_id, due_at, room, is_ready, ready, probes) as (
  select $3::uuid, null::timestamptz, 0::bigint, false, 0, 0
  union all
  select t.tenant_id, t.due_at, t.room, t.is_ready, w.ready + t.is_ready::integer, w.probes + 1
  from walk w cross join lateral (
    select n.tenant_id, n.due_at, r.room, r.room > 0 as is_ready
    from (${nextTenant({ channel: '$1', lane: '$2', from: '$10', until: 'now()' })}
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
  where d.tenant_id = any ($4::uuid[]) and d.expires_at <= now() and not d.sending and d.due_at < 'infinity'
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
       d.tenant_id, d.delivery_id, d.lane, d.claims, d.attempt, d.retries, d.sending, d.unrecorded, d.limit_taken, d.passed_accounts, d.paced, d.message_key,
       d.ordering_key is not null as ordered, d.traceparent, coalesce(d.expires_at <= now(), false) as expired
from ended e left join claimed d on true`;
