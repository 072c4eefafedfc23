import type { LimitAnswer, Limiter, LimitRequest } from './limiter.js';

/** What this store needs of a database: rows for a statement. */
export interface Rows {
  query<Row extends object>(statement: { name?: string; text: string; values?: unknown[] }): Promise<Row[]>;
}

/** Gathers what is asked at the same moment; the database room's Batcher. */
export type Batch = (flush: (requests: LimitRequest[]) => Promise<LimitAnswer[]>) => {
  run(request: LimitRequest): Promise<LimitAnswer>;
};

interface WindowRow {
  tenant_id: string;
  key: string;
  granted: number;
  retry_after_seconds: number;
}

/**
 * An exact log of hits per key in an unlogged table, one statement per batch. The log of a key never grows beyond its
 * limit, so a limit of some thousands is where this stops being cheap; the defaults are 3 to 50.
 */
export class PostgresLimiter implements Limiter {
  private readonly batcher: { run(request: LimitRequest): Promise<LimitAnswer> };

  constructor(
    private readonly rows: Rows,
    batch: Batch,
  ) {
    this.batcher = batch((requests) => this.takeAll(requests));
  }

  async take(request: LimitRequest): Promise<LimitAnswer> {
    return await this.batcher.run(request);
  }

  /** Requests for the same key share one row: as many as fit are granted, in order. */
  private async takeAll(requests: LimitRequest[]): Promise<LimitAnswer[]> {
    const asked = new Map<string, { request: LimitRequest; count: number }>();
    for (const request of requests) {
      const name = nameOf(request.tenantId, request.key);
      const entry = asked.get(name);
      if (entry) entry.count += 1;
      else asked.set(name, { request, count: 1 });
    }
    const entries = [...asked.values()];
    const rows = await this.rows.query<WindowRow>({
      name: 'take_limits',
      text: TAKE,
      values: [
        entries.map(({ request }) => request.tenantId),
        entries.map(({ request }) => request.key),
        entries.map(({ count }) => count),
        entries.map(({ request }) => request.limit.limit),
        entries.map(({ request }) => request.limit.windowSeconds),
      ],
    });
    const left = new Map(rows.map((row) => [nameOf(row.tenant_id, row.key), row]));
    return requests.map(({ tenantId, key }) => {
      const row = left.get(nameOf(tenantId, key))!;
      if (row.granted > 0) {
        row.granted -= 1;
        return { granted: true };
      }
      return { granted: false, retryAfterSeconds: row.retry_after_seconds };
    });
  }
}

function nameOf(tenantId: string, key: string): string {
  return `${tenantId} ${key}`;
}

/**
 * Hits older than the window are dropped, then as many new ones are added as fit. Keys go in order, so that two batches
 * wait for each other instead of deadlocking. Time is the database's. Index: rate_windows_pkey.
 */
const TAKE = `
insert into rate_windows as w (tenant_id, key, hits, window_seconds, max_hits, granted, expires_at)
select tenant_id, key, array_fill(clock_timestamp(), array[least(asked, max_hits)]), window_seconds, max_hits, least(asked, max_hits),
       now() + make_interval(secs => window_seconds)
from (
  select i.tenant_id, i.key, i.asked, i.max_hits, i.window_seconds
  from unnest($1::uuid[], $2::text[], $3::integer[], $4::integer[], $5::integer[]) as i(tenant_id, key, asked, max_hits, window_seconds)
  order by i.tenant_id, i.key
) wanted
on conflict (tenant_id, key) do update set (hits, granted, window_seconds, max_hits, expires_at) = (
  select kept.hits || excluded.hits[1:kept.room], least(cardinality(excluded.hits), kept.room), excluded.window_seconds, excluded.max_hits, excluded.expires_at
  from (
    select coalesce(array_agg(hit order by hit), '{}') as hits, greatest(0, excluded.max_hits - count(*))::integer as room
    from unnest(w.hits) as hit where hit > clock_timestamp() - make_interval(secs => excluded.window_seconds)
  ) kept
)
returning tenant_id, key, granted,
  greatest(0.001, extract(epoch from w.hits[1] + make_interval(secs => w.window_seconds) - clock_timestamp()))::float8 as retry_after_seconds`;
