import { type LimitAnswer, type Limiter, type LimitRequest, MAX_TURNS, TURNS_PER_HIT } from './limiter.js';

/** The part of a database connection that this store needs. */
export interface Rows {
  query<Row extends object>(statement: { name?: string; text: string; values?: unknown[] }): Promise<Row[]>;
}

/**
 * Makes a batcher, which calls `flush` with requests made at the same time. Implemented by Batcher in libs/database.
 */
export type Batch = (flush: (requests: LimitRequest[]) => Promise<LimitAnswer[]>) => {
  run(request: LimitRequest): Promise<LimitAnswer>;
};

interface TurnRow {
  ord: number;
  wait_seconds: number;
}

/**
 * An exact log of hits per key in an unlogged table, one statement per batch. The log of a key has at most its limit
 * and its turns, so it becomes slow with limits of some thousands. The default limits are 3 to 50.
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

  private async takeAll(requests: LimitRequest[]): Promise<LimitAnswer[]> {
    const rows = await this.rows.query<TurnRow>({
      name: 'take_limits',
      text: TAKE,
      values: [
        requests.map(({ tenantId }) => tenantId),
        requests.map(({ key }) => key),
        requests.map(({ deliveryId }) => deliveryId),
        requests.map(({ limit }) => limit.limit),
        requests.map(({ limit }) => limit.windowSeconds),
      ],
    });
    const waits = new Map(rows.map((row) => [row.ord - 1, row.wait_seconds]));
    return requests.map((_, index) => {
      const wait = waits.get(index)!;
      return wait <= 0 ? { granted: true } : { granted: false, retryAfterSeconds: Math.max(0.001, wait) };
    });
  }
}

const maxTurnsSql = (maxHits: string): string => `least(${TURNS_PER_HIT} * ${maxHits}, ${MAX_TURNS})`;

/**
 * Locks the rows in the order of their keys, so that two batches never deadlock. carillon_take_turns() has the rule,
 * and runs on the locked row. Uses the clock of the database. Index: rate_windows_pkey.
 */
const TAKE = `
with asked as materialized (
  select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::integer[], $5::integer[])
    with ordinality as i(tenant_id, key, delivery_id, max_hits, window_seconds, ord)
), wanted as (
  select tenant_id, key, array_agg(delivery_id order by ord) as ids, max(max_hits) as max_hits,
         max(window_seconds) as window_seconds
  from asked group by tenant_id, key order by tenant_id, key
), taken as (
  insert into rate_windows as w (tenant_id, key, delivery_ids, hits, window_seconds, max_hits, expires_at)
  select i.tenant_id, i.key, t.kept_ids, t.kept_hits, i.window_seconds, i.max_hits, t.expires_at
  from wanted i
  cross join lateral
    carillon_take_turns('{}', '{}', i.ids, i.max_hits, i.window_seconds, ${maxTurnsSql('i.max_hits')}) t
  on conflict (tenant_id, key) do update set (delivery_ids, hits, window_seconds, max_hits, expires_at) = (
    select t.kept_ids, t.kept_hits, excluded.window_seconds, excluded.max_hits, t.expires_at
    from carillon_take_turns(w.delivery_ids, w.hits, excluded.delivery_ids, excluded.max_hits,
                             excluded.window_seconds, ${maxTurnsSql('excluded.max_hits')}) t
  )
  returning tenant_id, key, delivery_ids, hits
)
select a.ord::integer as ord,
       extract(epoch from
         coalesce(t.hits[array_position(t.delivery_ids, a.delivery_id)], t.hits[cardinality(t.hits)])
         - clock_timestamp()
       )::float8 as wait_seconds
from asked a join taken t on t.tenant_id = a.tenant_id and t.key = a.key`;
