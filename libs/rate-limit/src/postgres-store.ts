import { type LimitAnswer, type Limiter, type LimitRequest, MAX_TURNS, TURNS_PER_HIT } from './limiter.js';

/** What this store needs of a database: rows for a statement. */
export interface Rows {
  query<Row extends object>(statement: { name?: string; text: string; values?: unknown[] }): Promise<Row[]>;
}

/** Gathers what is asked at the same moment; the database room's Batcher. */
export type Batch = (flush: (requests: LimitRequest[]) => Promise<LimitAnswer[]>) => {
  run(request: LimitRequest): Promise<LimitAnswer>;
};

interface TurnRow {
  ord: number;
  wait_seconds: number;
}

/**
 * An exact log of hits per key in an unlogged table, one statement per batch. The log of a key never grows beyond its
 * limit and its turns, so a limit of some thousands is where this stops being cheap; the defaults are 3 to 50.
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
 * Keys go in order, so that two batches wait for each other instead of deadlocking; the rule is carillon_take_turns(), on the row as it is
 * once it is locked. Time is the database's. Index: rate_windows_pkey.
 */
const TAKE = `
with asked as materialized (
  select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::integer[], $5::integer[])
    with ordinality as i(tenant_id, key, delivery_id, max_hits, window_seconds, ord)
), wanted as (
  select tenant_id, key, array_agg(delivery_id order by ord) as ids, max(max_hits) as max_hits, max(window_seconds) as window_seconds
  from asked group by tenant_id, key order by tenant_id, key
), taken as (
  insert into rate_windows as w (tenant_id, key, delivery_ids, hits, window_seconds, max_hits, expires_at)
  select i.tenant_id, i.key, t.kept_ids, t.kept_hits, i.window_seconds, i.max_hits, t.expires_at
  from wanted i cross join lateral carillon_take_turns('{}', '{}', i.ids, i.max_hits, i.window_seconds, ${maxTurnsSql('i.max_hits')}) t
  on conflict (tenant_id, key) do update set (delivery_ids, hits, window_seconds, max_hits, expires_at) = (
    select t.kept_ids, t.kept_hits, excluded.window_seconds, excluded.max_hits, t.expires_at
    from carillon_take_turns(w.delivery_ids, w.hits, excluded.delivery_ids, excluded.max_hits, excluded.window_seconds, ${maxTurnsSql('excluded.max_hits')}) t
  )
  returning tenant_id, key, delivery_ids, hits
)
select a.ord::integer as ord,
       extract(epoch from coalesce(t.hits[array_position(t.delivery_ids, a.delivery_id)], t.hits[cardinality(t.hits)]) - clock_timestamp())::float8 as wait_seconds
from asked a join taken t on t.tenant_id = a.tenant_id and t.key = a.key`;
