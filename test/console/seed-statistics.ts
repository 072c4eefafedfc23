// The counts of the seeded deliveries. Workers count new deliveries only, and have passed the times of these.

import { LATENCY_CLASS } from '#database';
import { PLATFORM_TENANT_ID } from '#domain';
import type { SeedScope, Statement } from './seed-sessions.ts';

/** The pass of passes.ts from which on hours are counted. */
const HOURLY_PASS = 3;

const COLUMNS = 'tenant_id, span, at, channel, state, reason, latency, count';

/**
 * $1: the tenant. The same lock and the same shape as the count of the workers: hours as far as they count hours, then
 * minutes. Replaces what a worker has counted of this tenant meanwhile, and adds the difference to the sums of all.
 * Without a position no worker has counted yet, and the first one counts everything.
 */
const COUNT = `
with hourly as (
  select counted_until as until from statistics_passes where tenant_id = '${PLATFORM_TENANT_ID}' and pass = ${HOURLY_PASS}
), places as (
  select ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint as ms, channel, state,
         coalesce(reason, '') as reason, ${LATENCY_CLASS} as latency
  from deliveries where tenant_id = $1 and endpoint_id is null
), counted as materialized (
  select span, to_timestamp(ms / (span * 60000) * (span * 60)) as at, channel, state, reason, latency, count(*) as count
  from places cross join hourly
  cross join lateral (
    select (case when to_timestamp(ms / 1000) < until then 60 else 1 end)::smallint as span) s
  group by 1, 2, 3, 4, 5, 6
), sums as (
  insert into delivery_statistics as s (${COLUMNS})
  select '${PLATFORM_TENANT_ID}'::uuid, c.span, c.at, c.channel, c.state, c.reason, c.latency, c.count - coalesce(o.count, 0)
  from counted c left join delivery_statistics o
    on o.tenant_id = $1 and (o.span, o.at, o.channel, o.state, o.reason, o.latency)
                          = (c.span, c.at, c.channel, c.state, c.reason, c.latency)
  where exists (select from tenants where id = $1 and test_of is null)
  on conflict (tenant_id, span, at, channel, state, reason, latency) do update set count = s.count + excluded.count
)
insert into delivery_statistics (${COLUMNS})
select $1, span, at, channel, state, reason, latency, count from counted
on conflict (tenant_id, span, at, channel, state, reason, latency) do update set count = excluded.count`;

/** The sums of days are made again, with this tenant. 6: their position (SUMS_OF_DAYS in passes.ts). */
const SUM_DAYS_AGAIN = `delete from statistics_passes where tenant_id = '${PLATFORM_TENANT_ID}' and pass = 6`;

export function statisticsGroup({ tenantId }: SeedScope): Statement[] {
  return [
    { text: 'begin', values: [] },
    { text: `select pg_advisory_xact_lock(hashtext('carillon_count_deliveries'))`, values: [] },
    { text: COUNT, values: [tenantId] },
    { text: SUM_DAYS_AGAIN, values: [] },
    { text: 'commit', values: [] },
  ];
}
