import { type ChannelId, DomainError, PLATFORM_TENANT_ID } from '#domain';
import type { Database } from '../../database.js';
import type { Sql } from '../../statement.js';

export interface ChannelFigures {
  channel: ChannelId;
  /** Deliveries that are not final. */
  waiting: number;
  /** Due and not claimed. */
  due: number;
  inFlight: number;
  oldestDueSeconds: number;
}

export interface QueueFigures {
  countedAt: Date;
  channels: ChannelFigures[];
  /** The tenants with the most due deliveries. */
  tenants: { id: string; due: number }[];
}

interface CountedFigures extends QueueFigures {
  rows: number;
}

interface StoredFigures extends QueueFigures {
  /** A running worker would have counted again by now. */
  isStale: boolean;
  /** The count took long: the queue is long, or an old snapshot keeps its dead rows. */
  wasSlow: boolean;
}

/** A queue of up to this many rows is counted for each reader, in about 1 ms. */
const COUNTED_AT_ONCE = 2_000;
/** A count that takes longer runs in the background. */
const CHEAP_MS = 20;
const SHOWN_TENANTS = 20;
/** Time limit of a count in the background; ten million rows take some seconds. */
const COUNT_TIMEOUT_MS = 60_000;
/** A pause of 49 times the count's duration: counting takes at most 2 % of the time of one connection. */
const PAUSES_PER_COUNT = 49;
/**
 * A stored count was slow if the next one is due later than this after its start. Cheap counts have a pause of one
 * second, so 1.02 s from start to start at most; the factor 1.1 keeps clear of that.
 */
const SLOW_GAP_MS = 1.1 * CHEAP_MS * (1 + PAUSES_PER_COUNT);

/**
 * Figures of the queue. The number of due deliveries depends on the time, so it cannot be a counter that each change
 * updates. A short queue is counted for each reader; a long one is counted in the background, by one worker at a time,
 * with pauses that limit the cost.
 */
export class QueueFiguresStore {
  constructor(private readonly database: Database) {}

  /**
   * The figures, at most some seconds old while a worker runs. Without a worker the reader counts. If that times out,
   * returns the last count, or throws `unavailable` if there is none.
   */
  async read(): Promise<QueueFigures> {
    const stored = await this.stored();
    if (stored?.wasSlow && !stored.isStale) return stored;
    const short = await this.shortCount().catch((error: unknown) => {
      if (stored) return null;
      throw error;
    });
    if (short && short.rows <= COUNTED_AT_ONCE) return figuresOf(short);
    if (stored && !stored.isStale) return stored;
    const counted = await this.refresh().catch((error: unknown) => {
      if (stored) return null;
      throw error;
    });
    const last = counted ?? stored;
    if (last) return last;
    throw new DomainError('unavailable', 'The queue is being counted. Try again.', { retryAfterSeconds: 2 });
  }

  /**
   * Counts in the background. Returns the figures, or null if counting is cheap or the last slow count was too recent.
   * After a slow count it omits the trial count, which would be slow too.
   */
  async keep(): Promise<QueueFigures | null> {
    const stored = await this.stored();
    if (stored?.wasSlow && !stored.isStale) return await this.refresh(COUNT_TIMEOUT_MS);
    const startedAt = performance.now();
    const short = await this.shortCount().catch(() => null);
    const isCheap = short && short.rows <= COUNTED_AT_ONCE && performance.now() - startedAt < CHEAP_MS;
    return isCheap ? null : await this.refresh(COUNT_TIMEOUT_MS);
  }

  /** Counts and stores the figures. Null if the last count was too recent or another process is counting. */
  async refresh(timeoutMs?: number): Promise<QueueFigures | null> {
    return await this.database.sqlAsPlatform(async (sql) => {
      const [lock] = await sql.query<{ held: boolean }>({
        // A count reads the whole table, so it may scan it, unlike the other statements of the pool.
        text: `select pg_try_advisory_xact_lock(hashtext('carillon_count_queue')) as held,
                      set_config('enable_seqscan', 'on', true)`,
      });
      if (!lock!.held) return null;
      // A separate statement, which sees the row that the last holder of the lock wrote.
      const early = await sql.query({ text: 'select from queue_figures where next_at > clock_timestamp()' });
      if (early.length > 0) return null;
      const figures = figuresOf(await count(sql, null));
      await sql.query({
        text: STORE_FIGURES,
        values: [
          PLATFORM_TENANT_ID,
          figures.countedAt,
          JSON.stringify(figures.channels),
          JSON.stringify(figures.tenants),
        ],
      });
      return figures;
    }, timeoutMs);
  }

  private shortCount(): Promise<CountedFigures> {
    return count(this.database.platform, COUNTED_AT_ONCE + 1);
  }

  private async stored(): Promise<StoredFigures | undefined> {
    const [row] = await this.database.platform.query<StoredFigures>({
      name: 'kept_queue_figures',
      text: STORED_FIGURES,
      values: [PLATFORM_TENANT_ID],
    });
    return row;
  }
}

/** Index: queue_figures_pkey. */
const STORE_FIGURES = `
insert into queue_figures (tenant_id, counted_at, next_at, channels, tenants)
values ($1, $2, clock_timestamp() + greatest(interval '1 second', ${PAUSES_PER_COUNT} * (clock_timestamp() - now())),
        $3, $4)
on conflict (tenant_id) do update set
  counted_at = excluded.counted_at, next_at = excluded.next_at, channels = excluded.channels,
  tenants = excluded.tenants`;

/** Index: queue_figures_pkey. */
const STORED_FIGURES = `
select counted_at as "countedAt", channels, tenants,
       next_at > counted_at + ${SLOW_GAP_MS} * interval '1 millisecond' as "wasSlow",
       next_at + greatest(interval '10 seconds', (next_at - counted_at) / 5) < now() as "isStale"
from queue_figures where tenant_id = $1`;

const figuresOf = ({ rows: _rows, ...figures }: CountedFigures): QueueFigures => figures;

/** Counts up to `limit` rows in one pass and one snapshot; all rows for null. */
async function count(sql: Sql, limit: number | null): Promise<CountedFigures> {
  const [row] = await sql.query<CountedFigures>({ text: COUNT, values: [limit] });
  return row!;
}

/** Without an index: scans due_deliveries. */
const COUNT = `
with counted as materialized (
  select tenant_id, channel, count(*) as waiting, count(*) filter (where due_at <= now()) as due,
         count(*) filter (where claim_id is not null and due_at > now() and due_at < 'infinity') as in_flight,
         min(due_at) filter (where due_at <= now()) as oldest
  from (select tenant_id, channel, due_at, claim_id from due_deliveries limit $1) q
  group by tenant_id, channel
), by_channel as (
  select channel, sum(waiting)::bigint as waiting, sum(due)::bigint as due, sum(in_flight)::bigint as "inFlight",
         coalesce(extract(epoch from now() - min(oldest)), 0)::float8 as "oldestDueSeconds"
  from counted group by channel
), by_tenant as (
  select tenant_id as id, sum(due)::bigint as due from counted
  group by tenant_id having sum(due) > 0 order by sum(due) desc limit ${SHOWN_TENANTS}
)
select now() as "countedAt", coalesce((select sum(waiting) from counted), 0)::bigint as rows,
       coalesce((select json_agg(c) from by_channel c), '[]') as channels,
       coalesce((select json_agg(t order by t.due desc) from by_tenant t), '[]') as tenants`;
