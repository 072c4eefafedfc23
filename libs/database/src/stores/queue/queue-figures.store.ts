import { type ChannelId, DomainError, PLATFORM_TENANT_ID } from '#domain';
import type { Database } from '../../database.js';
import type { Sql } from '../../statement.js';

export interface ChannelFigures {
  channel: ChannelId;
  /** Not final. */
  waiting: number;
  /** Due and not claimed. */
  due: number;
  inFlight: number;
  oldestDueSeconds: number;
}

export interface QueueFigures {
  countedAt: Date;
  channels: ChannelFigures[];
  /** Those with the most that is due. */
  tenants: { id: string; due: number }[];
}

type CountedFigures = QueueFigures & { rows: number };

interface KeptFigures extends QueueFigures {
  /** A worker would have counted again by now. */
  isStale: boolean;
  /** The count was not cheap: the queue is long, or an old snapshot keeps its dead rows. */
  wasSlow: boolean;
}

/** A queue of up to so many rows is counted for each reader: about a millisecond. */
const COUNTED_AT_ONCE = 2_000;
/** A count is cheap up to this time; a slower one runs in the background. */
const CHEAP_MS = 20;
const SHOWN_TENANTS = 20;
/** A count in the background may take longer than other statements; ten million rows take some seconds. */
const COUNT_TIMEOUT_MS = 60_000;
/** Counting takes at most a fiftieth of the time of one connection. */
const PAUSES_PER_COUNT = 49;
/** From the begin of a count to the next one, when it took a tenth longer than what is cheap: below that the pause is a second all the same. */
const SLOW_GAP_MS = 1.1 * CHEAP_MS * (1 + PAUSES_PER_COUNT);

/**
 * How long the queue is. What is due depends on the time, so no counter can be moved by each change: a short queue is counted for each reader, a
 * long one in the background by one worker at a time, as often as the cost of it allows.
 */
export class QueueFiguresStore {
  constructor(private readonly database: Database) {}

  /**
   * The figures, at most some seconds old while a worker runs. Where none does, the reader counts, within the time-out of all statements;
   * when that is too short, the answer is the last count, or `unavailable` when there is none.
   */
  async read(): Promise<QueueFigures> {
    const kept = await this.kept();
    if (kept?.wasSlow && !kept.isStale) return kept;
    const short = await this.shortCount().catch((error: unknown) => {
      if (kept) return null;
      throw error;
    });
    if (short && short.rows <= COUNTED_AT_ONCE) return figuresOf(short);
    if (kept && !kept.isStale) return kept;
    const counted = await this.refresh().catch((error: unknown) => {
      if (kept) return null;
      throw error;
    });
    const last = counted ?? kept;
    if (last) return last;
    throw new DomainError('unavailable', 'The queue is being counted. Try again.', { retryAfterSeconds: 2 });
  }

  /**
   * Counts in the background: does nothing while counting is cheap, or too early after a count that was not. Returns the figures when it counted. Where the
   * last count was slow it skips the trial count, which would be slow too.
   */
  async keep(): Promise<QueueFigures | null> {
    const kept = await this.kept();
    if (kept?.wasSlow && !kept.isStale) return await this.refresh(COUNT_TIMEOUT_MS);
    const startedAt = performance.now();
    const short = await this.shortCount().catch(() => null);
    const isCheap = short && short.rows <= COUNTED_AT_ONCE && performance.now() - startedAt < CHEAP_MS;
    return isCheap ? null : await this.refresh(COUNT_TIMEOUT_MS);
  }

  /** Counts and keeps the figures, unless it is too early for that or somebody else is counting: null then. */
  async refresh(timeoutMs?: number): Promise<QueueFigures | null> {
    return await this.database.sqlAsPlatform(async (sql) => {
      const [lock] = await sql.query<{ held: boolean }>({
        // Sequential: the planner's look-ups-only setting of the pool is for the hot path.
        text: `select pg_try_advisory_xact_lock(hashtext('carillon_count_queue')) as held, set_config('enable_seqscan', 'on', true)`,
      });
      if (!lock!.held) return null;
      // A statement of its own: only now does it see what the last holder of the lock has written.
      const early = await sql.query({ text: 'select from queue_figures where next_at > clock_timestamp()' });
      if (early.length > 0) return null;
      const figures = figuresOf(await count(sql, null));
      await sql.query({
        text: `insert into queue_figures (tenant_id, counted_at, next_at, channels, tenants)
               values ($1, $2, clock_timestamp() + greatest(interval '1 second', ${PAUSES_PER_COUNT} * (clock_timestamp() - now())), $3, $4)
               on conflict (tenant_id) do update set counted_at = excluded.counted_at, next_at = excluded.next_at, channels = excluded.channels, tenants = excluded.tenants`,
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

  /** Index: queue_figures_pkey. */
  private async kept(): Promise<KeptFigures | undefined> {
    const [row] = await this.database.platform.query<KeptFigures>({
      name: 'kept_queue_figures',
      text: `select counted_at as "countedAt", channels, tenants, next_at > counted_at + ${SLOW_GAP_MS} * interval '1 millisecond' as "wasSlow",
                    next_at + greatest(interval '10 seconds', (next_at - counted_at) / 5) < now() as "isStale"
             from queue_figures where tenant_id = $1`,
      values: [PLATFORM_TENANT_ID],
    });
    return row;
  }
}

const figuresOf = ({ rows: _rows, ...figures }: CountedFigures): QueueFigures => figures;

/** Counts in one pass over at most so many rows: one statement, so one moment. */
async function count(sql: Sql, most: number | null): Promise<CountedFigures> {
  const [row] = await sql.query<CountedFigures>({
    text: `
with counted as materialized (
  select tenant_id, channel, count(*) as waiting, count(*) filter (where due_at <= now()) as due,
         count(*) filter (where claim_id is not null and due_at > now()) as in_flight, min(due_at) filter (where due_at <= now()) as oldest
  from (select tenant_id, channel, due_at, claim_id from due_deliveries limit $1) q group by tenant_id, channel
), by_channel as (
  select channel, sum(waiting)::bigint as waiting, sum(due)::bigint as due, sum(in_flight)::bigint as "inFlight",
         coalesce(extract(epoch from now() - min(oldest)), 0)::float8 as "oldestDueSeconds"
  from counted group by channel
), by_tenant as (
  select tenant_id as id, sum(due)::bigint as due from counted group by tenant_id having sum(due) > 0 order by sum(due) desc limit ${SHOWN_TENANTS}
)
select now() as "countedAt", coalesce((select sum(waiting) from counted), 0)::bigint as rows,
       coalesce((select json_agg(c) from by_channel c), '[]') as channels, coalesce((select json_agg(t order by t.due desc) from by_tenant t), '[]') as tenants`,
    values: [most],
  });
  return row!;
}
