// Counts deliveries into delivery_statistics, in the background. Nothing of it is in accept, claim or record.

import { lowestId, PLATFORM_TENANT_ID } from '#domain';
import { columnList } from '../../column-list.js';
import type { Database } from '../../database.js';
import type { Sql } from '../../statement.js';
import { LATENCY_CLASS } from './latency-classes.js';
import { DAY, HOUR, MINUTE, type Pass, passes, SET_POSITION } from './passes.js';
import { sumNextDay } from './sum-days.js';

/** On a database that has none, the count begins with the deliveries of so many days. */
const FIRST_DAYS = 31;
/** The time that one transaction counts. */
const CHUNK_MS = { 1: 10 * MINUTE, 60: HOUR } as const;
/** Transactions of this task begin during so long in one run. */
const RUN_MS = 800;
const COUNT_TIMEOUT_MS = 60_000;

interface CountedRow {
  tenantId: string;
  at: Date;
  channel: string;
  state: string;
  reason: string;
  latency: number;
  count: number;
}

const countedColumns = columnList<CountedRow>({
  tenant_id: ['uuid', ({ tenantId }) => tenantId],
  at: ['timestamptz', ({ at }) => at],
  channel: ['text', ({ channel }) => channel],
  state: ['text', ({ state }) => state],
  reason: ['text', ({ reason }) => reason],
  latency: ['smallint', ({ latency }) => latency],
  count: ['bigint', ({ count }) => count],
});

export class CountDeliveriesStore {
  constructor(private readonly database: Database) {}

  /** Brings the counts up to date, for some time at most. One worker at a time; resolves at once in the others. */
  async run(): Promise<void> {
    const until = performance.now() + RUN_MS;
    for (const pass of passes) {
      let isBehind: boolean;
      // Each pass at least once: counting the last minutes alone may take the whole time.
      do isBehind = await this.countNext(pass);
      while (isBehind && performance.now() < until);
    }
    while ((await this.sumNextDay()) && performance.now() < until);
  }

  /** Sums the final counts of the next day. False if nothing more is to be summed now. */
  private async sumNextDay(): Promise<boolean> {
    return await this.database.sqlAsPlatform(async (sql) => {
      if (!(await holdsLock(sql))) return false;
      return await sumNextDay(sql);
    }, COUNT_TIMEOUT_MS);
  }

  /** Counts the next chunk of a pass. False if nothing more is to be counted now. */
  private async countNext(pass: Pass): Promise<boolean> {
    return await this.database.sqlAsPlatform(async (sql) => {
      const range = await nextRange(sql, pass);
      if (range === null) return false;
      await sql.query({ text: WAIT_LONGER });
      const rows = await this.count(pass, range);
      const bounds = [PLATFORM_TENANT_ID, pass.spanMinutes, range.from, range.to];
      const counted = countedColumns.values(rows);
      await sql.query({ text: DELETE, values: [...bounds, ...counted] });
      await sql.query({ text: INSERT, values: [pass.spanMinutes, ...counted] });
      await sql.query({ text: INSERT_SUMS, values: bounds });
      await sql.query({ text: SET_POSITION, values: [PLATFORM_TENANT_ID, pass.pass, range.countedUntil] });
      return range.isBehind;
    }, COUNT_TIMEOUT_MS);
  }

  /** On a read-only connection, which reads only the partitions of the range (docs/adr/0024). */
  private async count({ spanMinutes }: Pass, { from, to }: Range): Promise<CountedRow[]> {
    const values = [spanMinutes * MINUTE, lowestId(from.getTime()), lowestId(to.getTime())];
    return await this.database.sqlAsPlatform((sql) => sql.query({ text: COUNT, values }), COUNT_TIMEOUT_MS, true);
  }
}

interface Range {
  from: Date;
  /** Exclusive. */
  to: Date;
  countedUntil: Date;
  isBehind: boolean;
}

/** Whether no other worker counts, until the transaction ends. The next statement sees what the last worker wrote. */
async function holdsLock(sql: Sql): Promise<boolean> {
  const text = `select pg_try_advisory_xact_lock(hashtext('carillon_count_deliveries')) as held`;
  const [lock] = await sql.query<{ held: boolean }>({ text });
  return lock!.held;
}

/** By the clock of the database. Null if another worker counts, or nothing is left to count. */
async function nextRange(sql: Sql, { pass, lagMs, spanMinutes }: Pass): Promise<Range | null> {
  if (!(await holdsLock(sql))) return null;
  const [found] = await sql.query<{ now: Date; countedUntil: Date | null }>({
    text: POSITION,
    values: [PLATFORM_TENANT_ID, pass],
  });
  const span = spanMinutes * MINUTE;
  const start = (time: number): number => Math.floor(time / span) * span;
  const now = found!.now.getTime();
  const next = passes.find((one) => one.pass === pass + 1);
  const first = now - (next ? next.lagMs + next.spanMinutes * MINUTE : FIRST_DAYS * DAY);
  const newest = pass === 0 ? now : start(now - lagMs);
  const reached = found!.countedUntil?.getTime() ?? first;
  // A position in the future is from before the clock was set back. The first pass counts the current minute and the
  // one before, each time: most deliveries end within a minute.
  const from = start(reached > newest ? newest - span : reached - (pass === 0 ? MINUTE : 0));
  const countedUntil = Math.min(newest, from + CHUNK_MS[spanMinutes]);
  if (countedUntil <= from) return null;
  const to = pass === 0 ? start(countedUntil - 1) + span : countedUntil;
  return {
    from: new Date(from),
    to: new Date(to),
    countedUntil: new Date(countedUntil),
    isBehind: countedUntil < newest,
  };
}

/** The transaction is idle while another connection counts. */
const WAIT_LONGER = `set local idle_in_transaction_session_timeout = ${COUNT_TIMEOUT_MS}`;

/**
 * The deliveries to people of every tenant between two ids. $1 the span in milliseconds, $2 and $3 the ids. Index:
 * deliveries_pkey.
 */
const COUNT = `
select tenant_id as "tenantId", to_timestamp(ms / 1000.0) as at, channel, state, reason, latency, count from (
  select t.id as tenant_id, d.ms / $1::bigint * $1::bigint as ms, d.channel, d.state, d.reason, d.latency,
         count(*) as count
  from tenants t cross join lateral (
    select ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint as ms, channel, state,
           coalesce(reason, '') as reason, ${LATENCY_CLASS} as latency
    from deliveries
    where tenant_id = t.id and id >= $2::uuid and id < $3::uuid and endpoint_id is null
  ) d
  group by 1, 2, 3, 4, 5, 6
) counted`;

/**
 * The counts of a range that are replaced, and all sums. The count of a tenant's span stays if it was higher: the
 * clean-up has deleted deliveries since, after the tenant's `retention_days`. $1 the platform. Index:
 * delivery_statistics_at_idx.
 */
const DELETE = `
with counted as (
  select tenant_id, at, sum(count) as count from ${countedColumns.table('c', 5)} group by 1, 2
), kept as materialized (
  select s.tenant_id, s.at from delivery_statistics s
  left join counted c on c.tenant_id = s.tenant_id and c.at = s.at
  where s.span = $2 and s.at >= $3 and s.at < $4 and s.tenant_id <> $1
  group by s.tenant_id, s.at, c.count having sum(s.count) > coalesce(c.count, 0)
)
delete from delivery_statistics
where span = $2 and at >= $3 and at < $4 and (tenant_id, at) not in (select tenant_id, at from kept)`;

/** Index: delivery_statistics_pkey. */
const INSERT = `
insert into delivery_statistics (span, ${countedColumns.names})
select $1, * from ${countedColumns.table('c', 2)}
where not exists (
  select from delivery_statistics s where s.tenant_id = c.tenant_id and s.span = $1 and s.at = c.at)`;

/** The sums of all live tenants. Indexes: delivery_statistics_at_idx, tenants_pkey. */
const INSERT_SUMS = `
insert into delivery_statistics (tenant_id, span, at, channel, state, reason, latency, count)
select $1, $2, s.at, s.channel, s.state, s.reason, s.latency, sum(s.count)
from delivery_statistics s join tenants t on t.id = s.tenant_id
where s.span = $2 and s.at >= $3 and s.at < $4 and t.test_of is null
group by s.at, s.channel, s.state, s.reason, s.latency`;

/** Index: statistics_passes_pkey. */
const POSITION = `
select clock_timestamp() as now,
       (select counted_until from statistics_passes where tenant_id = $1 and pass = $2) as "countedUntil"`;
