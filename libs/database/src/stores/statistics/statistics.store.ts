import { type ChannelId, type DeliveryState, PLATFORM_TENANT_ID } from '#domain';
import type { Database } from '../../database.js';
import { DAY, FIRST_HOURLY_PASS, SUMS_OF_DAYS } from './passes.js';

export const statisticsIntervals = ['minute', 'hour', 'day'] as const;
export type StatisticsInterval = (typeof statisticsIntervals)[number];

export interface StatisticsQuery {
  from: Date;
  /** Exclusive. */
  to: Date;
  interval: StatisticsInterval;
}

/** Deliveries that were accepted in the interval that begins at `at`, by what became of them. */
export interface StatisticsRow {
  at: Date;
  channel: ChannelId;
  state: DeliveryState;
  /** Empty if there is none. */
  reason: string;
  count: number;
}

/** Of those, the deliveries that were sent, by the class of the time from accept to send. */
export interface LatencyRow {
  at: Date;
  latency: number;
  count: number;
}

export interface Statistics {
  rows: StatisticsRow[];
  latencies: LatencyRow[];
  /** Deliveries that were accepted later are not counted yet; null if none was counted. */
  countedUntil: Date | null;
}

/** The counts of one tenant, or the sums of all. */
export class StatisticsStore {
  constructor(private readonly database: Database) {}

  async ofTenant(tenantId: string, query: StatisticsQuery): Promise<Statistics> {
    const passes = await this.database.platform.query<Position>({ name: 'statistics_passes', text: POSITIONS });
    const statement = { text: READ, values: valuesOf(tenantId, query, passes) };
    return toStatistics(await this.database.queryForTenant<ReadRow>(tenantId, statement), passes);
  }

  async ofAll(query: StatisticsQuery): Promise<Statistics> {
    const passes = await this.database.platform.query<Position>({ name: 'statistics_passes', text: POSITIONS });
    const values = valuesOf(PLATFORM_TENANT_ID, query, passes);
    return toStatistics(await this.database.platform.query<ReadRow>({ text: READ, values }), passes);
  }
}

/** Null in `latency` or in the other columns. */
type ReadRow = (StatisticsRow & { latency: null }) | (LatencyRow & { channel: null });

function toStatistics(read: readonly ReadRow[], passes: readonly Position[]): Statistics {
  return {
    rows: read.filter((row): row is StatisticsRow & { latency: null } => row.latency === null),
    latencies: read.filter((row): row is LatencyRow & { channel: null } => row.latency !== null),
    countedUntil: positionOf(passes, 0),
  };
}

interface Position {
  pass: number;
  countedUntil: Date;
}

/** Index: statistics_passes_pkey. */
const POSITIONS = `
select pass, counted_until as "countedUntil" from statistics_passes where tenant_id = '${PLATFORM_TENANT_ID}'`;

const positionOf = (passes: readonly Position[], wanted: number): Date | null =>
  passes.find(({ pass }) => pass === wanted)?.countedUntil ?? null;

function valuesOf(tenantId: string, { from, to, interval }: StatisticsQuery, passes: readonly Position[]): unknown[] {
  const hourly = interval === 'minute' ? null : positionOf(passes, FIRST_HOURLY_PASS);
  const daily = interval === 'day' ? positionOf(passes, SUMS_OF_DAYS) : null;
  const firstDay = Math.ceil(from.getTime() / DAY) * DAY;
  const endOfDays = Math.floor(Math.min(to.getTime(), daily?.getTime() ?? 0) / DAY) * DAY;
  const days = firstDay < endOfDays ? [new Date(firstDay), new Date(endOfDays)] : [from, from];
  return [tenantId, interval, from, to, hourly ?? '-infinity', ...days];
}

/**
 * The days from `$6` to `$7`, the hours around them up to `$5`, then minutes: a row for each outcome, and one for each
 * latency. Index: delivery_statistics_pkey.
 */
const READ = `
select start as at, channel, state, reason, latency, sum(count)::bigint as count
from (
  select *, date_trunc($2, at, 'UTC') as start from (
    select * from delivery_statistics where tenant_id = $1 and span = 1440 and at >= $6 and at < $7
    union all
    select * from delivery_statistics where tenant_id = $1 and span = 60 and at >= $3 and at < least($4, $6, $5)
    union all
    select * from delivery_statistics where tenant_id = $1 and span = 60 and at >= $7 and at < $4 and at < $5
    union all
    select * from delivery_statistics where tenant_id = $1 and span = 1 and at >= $3 and at < $4 and at >= $5
  ) s
) started
group by grouping sets ((start, channel, state, reason), (start, latency))
having grouping(latency) = 1 or latency >= 0
order by 1`;
