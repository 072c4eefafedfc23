// The counts of whole days, so that a year is read quickly. Summed once from the counts of hours, when those are final.

import { PLATFORM_TENANT_ID } from '#domain';
import type { Sql } from '../../statement.js';
import { DAY, LAST_PASS, SET_POSITION, SUMS_OF_DAYS } from './passes.js';

/** In a transaction that holds the lock of the count. False if nothing more is to be summed now. */
export async function sumNextDay(sql: Sql): Promise<boolean> {
  const [found] = await sql.query<{ from: Date | null; until: Date }>({
    text: NEXT_DAY,
    values: [PLATFORM_TENANT_ID, LAST_PASS, SUMS_OF_DAYS],
  });
  if (!found?.from) return false;
  const [from, until] = [found.from.getTime(), found.until.getTime()];
  if (from === until) return false;
  // A position in the future is from before the clock was set back: what follows is summed again.
  const to = Math.min(from + DAY, until);
  const bounds = [found.from, new Date(to)];
  await sql.query({ text: DELETE_DAY, values: bounds });
  await sql.query({ text: INSERT_DAY, values: bounds });
  await sql.query({ text: SET_POSITION, values: [PLATFORM_TENANT_ID, SUMS_OF_DAYS, new Date(to)] });
  return to < until;
}

/** Begins with the first day that has counts. Indexes: statistics_passes_pkey, delivery_statistics_at_idx. */
const NEXT_DAY = `
select date_trunc('day', last.counted_until, 'UTC') as until, date_trunc('day', coalesce(
         (select counted_until from statistics_passes where tenant_id = $1 and pass = $3),
         (select at from delivery_statistics where span = 60 order by at limit 1)), 'UTC') as "from"
from statistics_passes last where last.tenant_id = $1 and last.pass = $2`;

/** Index: delivery_statistics_at_idx. */
const DELETE_DAY = `delete from delivery_statistics where span = 1440 and at >= $1 and at < $2`;

/** Every tenant, and the sums of all. Index: delivery_statistics_at_idx. */
const INSERT_DAY = `
insert into delivery_statistics (tenant_id, span, at, channel, state, reason, latency, count)
select tenant_id, 1440, $1, channel, state, reason, latency, sum(count)
from delivery_statistics where span = 60 and at >= $1 and at < $2
group by tenant_id, channel, state, reason, latency`;
