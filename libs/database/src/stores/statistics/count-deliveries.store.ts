// Counts deliveries into delivery_statistics, in the background. Nothing of it is in accept, claim or record.

import { lowestId, PLATFORM_TENANT_ID } from '#domain';
import { columnList } from '../../column-list.js';
import type { Database } from '../../database.js';
import type { Sql } from '../../statement.js';
import { LATENCY_CLASS } from './latency-classes.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * Each delivery is counted several times, because its state changes: soon after it was accepted, and again when it is
 * as old as `lagMs`. A pass replaces the counts of whole minutes or hours, so that counting twice, the loss of a worker
 * and late commits do no harm. A change after the last pass is not seen.
 */
const passes = [
  { pass: 0, lagMs: 0, spanMinutes: 1 },
  { pass: 1, lagMs: 2 * MINUTE, spanMinutes: 1 },
  { pass: 2, lagMs: 15 * MINUTE, spanMinutes: 1 },
  { pass: 3, lagMs: 2 * HOUR, spanMinutes: 60 },
  { pass: 4, lagMs: DAY, spanMinutes: 60 },
  { pass: 5, lagMs: 8 * DAY, spanMinutes: 60 },
] as const;
type Pass = (typeof passes)[number];

/** Before it, hours are counted; after it, only minutes. */
export const FIRST_HOURLY_PASS = 3;
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
      let isBehind = true;
      while (isBehind && performance.now() < until) isBehind = await this.countNext(pass);
    }
  }

  /** Counts the next chunk of a pass. False if nothing more is to be counted now. */
  private async countNext(pass: Pass): Promise<boolean> {
    return await this.database.sqlAsPlatform(async (sql) => {
      const range = await nextRange(sql, pass);
      if (range === null) return false;
      const rows = await this.count(pass, range);
      const bounds = [pass.spanMinutes, range.from, range.to];
      await sql.query({
        text: 'delete from delivery_statistics where span = $1 and at >= $2 and at < $3',
        values: bounds,
      });
      await sql.query({ text: INSERT, values: [pass.spanMinutes, ...countedColumns.values(rows)] });
      await sql.query({ text: SET_POSITION, values: [PLATFORM_TENANT_ID, pass.pass, range.countedUntil] });
      return range.isBehind;
    }, COUNT_TIMEOUT_MS);
  }

  /** On a read-only connection, which reads only the partitions of the range (docs/adr/0024). */
  private async count({ spanMinutes }: Pass, { from, to }: Range): Promise<CountedRow[]> {
    const values = [spanMinutes * MINUTE, lowestId(from.getTime()), lowestId(to.getTime()), PLATFORM_TENANT_ID];
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

/** By the clock of the database. Null if another worker counts, or nothing is left to count. */
async function nextRange(sql: Sql, { pass, lagMs, spanMinutes }: Pass): Promise<Range | null> {
  const [lock] = await sql.query<{ held: boolean; now: Date }>({
    text: `select pg_try_advisory_xact_lock(hashtext('carillon_count_deliveries')) as held, clock_timestamp() as now`,
  });
  if (!lock!.held) return null;
  // A separate statement, which sees what the last holder of the lock wrote.
  const [position] = await sql.query<{ countedUntil: Date }>({
    text: 'select counted_until as "countedUntil" from statistics_passes where tenant_id = $1 and pass = $2',
    values: [PLATFORM_TENANT_ID, pass],
  });
  const span = spanMinutes * MINUTE;
  const start = (time: number): number => Math.floor(time / span) * span;
  const now = lock!.now.getTime();
  const next = passes.find((one) => one.pass === pass + 1);
  const first = now - (next ? next.lagMs + next.spanMinutes * MINUTE : FIRST_DAYS * DAY);
  // The first pass counts the current minute and the one before, each time: most deliveries end within a minute.
  const from = start((position?.countedUntil.getTime() ?? first) - (pass === 0 ? MINUTE : 0));
  const newest = pass === 0 ? now : start(now - lagMs);
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

/**
 * The deliveries to people of every tenant between two ids, and the sums of all live tenants. $1 the span in
 * milliseconds, $2 and $3 the ids, $4 the platform. Index: deliveries_pkey.
 */
const COUNT = `
with counted as materialized (
  select t.id as tenant_id, t.test_of, d.ms / $1::bigint * $1::bigint as at, d.channel, d.state, d.reason, d.latency,
         count(*) as count
  from tenants t cross join lateral (
    select ('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint as ms, channel, state,
           coalesce(reason, '') as reason, ${LATENCY_CLASS} as latency
    from deliveries
    where tenant_id = t.id and id >= $2::uuid and id < $3::uuid and endpoint_id is null
  ) d
  group by 1, 2, 3, 4, 5, 6, 7
)
select tenant_id as "tenantId", to_timestamp(at / 1000.0) as at, channel, state, reason, latency, count from counted
union all
select $4::uuid, to_timestamp(at / 1000.0), channel, state, reason, latency, sum(count)::bigint
from counted where test_of is null group by at, channel, state, reason, latency`;

const INSERT = `
insert into delivery_statistics (span, ${countedColumns.names})
select $1, * from ${countedColumns.table('c', 2)}`;

/** Index: statistics_passes_pkey. */
const SET_POSITION = `
insert into statistics_passes (tenant_id, pass, counted_until) values ($1, $2, $3)
on conflict (tenant_id, pass) do update set counted_until = excluded.counted_until`;
