import type { KeyedLimit } from '#domain';
import {
  type EarlierTurn,
  type LimitAnswer,
  type Limiter,
  type LimitPlaces,
  type LimitRequest,
  MAX_TURNS,
  maxTurns,
  TURNS_PER_HIT,
} from './limiter.js';

/** The part of a database connection that this store needs. */
export interface Rows {
  query<Row extends object>(statement: { name?: string; text: string; values?: unknown[] }): Promise<Row[]>;
}

/** Calls a function with items that were given at the same time. Implemented by Batcher in libs/database. */
export type MakeBatcher = <Item, Result>(
  flush: (items: Item[]) => Promise<Result[]>,
) => { run(item: Item): Promise<Result> };

/**
 * An exact log of hits per key in an unlogged table, one statement per batch. The log of a key has at most its limit
 * and its turns, so it becomes slow with limits of some thousands. The default limits are 3 to 50.
 */
export class PostgresLimiter implements Limiter {
  private readonly single: { run(request: LimitRequest): Promise<LimitAnswer> };
  private readonly several: { run(request: LimitRequest): Promise<LimitAnswer> };
  private readonly releases: { run(request: LimitRequest): Promise<EarlierTurn[]> };

  constructor(
    private readonly rows: Rows,
    makeBatcher: MakeBatcher,
  ) {
    this.single = makeBatcher((requests) => this.takeSingle(requests));
    this.several = makeBatcher((requests) => this.takeSeveral(requests));
    this.releases = makeBatcher((requests) => this.releaseAll(requests));
  }

  async take(request: LimitRequest): Promise<LimitAnswer> {
    const [first, ...others] = request.limits;
    if (!first) return { granted: true };
    return await (others.length === 0 && isPlain(first) ? this.single : this.several).run(request);
  }

  async release(request: LimitRequest): Promise<EarlierTurn[]> {
    return request.limits.length === 0 ? [] : await this.releases.run(request);
  }

  async peek({ tenantId, limits }: Pick<LimitRequest, 'tenantId' | 'limits'>): Promise<LimitPlaces[]> {
    if (limits.length === 0) return [];
    const rows = await this.rows.query<{ remaining: number; wait_seconds: number }>({
      name: 'peek_limits',
      text: PEEK,
      values: [
        tenantId,
        limits.map(({ key }) => key),
        limits.map(({ limit }) => limit),
        limits.map(({ windowSeconds }) => windowSeconds),
        limits.map(daysText),
      ],
    });
    return rows.map((row) => ({ remaining: row.remaining, waitSeconds: Math.max(0, row.wait_seconds) }));
  }

  private async takeSingle(requests: LimitRequest[]): Promise<LimitAnswer[]> {
    const limits = requests.map(({ limits }) => limits[0]!);
    const rows = await this.rows.query<{ ord: number; wait_seconds: number }>({
      name: 'take_limits',
      text: TAKE,
      values: [
        requests.map(({ tenantId }) => tenantId),
        limits.map(({ key }) => key),
        requests.map(({ deliveryId }) => deliveryId),
        limits.map(({ limit }) => limit),
        limits.map(({ windowSeconds }) => windowSeconds),
      ],
    });
    const waits = new Map(rows.map((row) => [row.ord - 1, row.wait_seconds]));
    return requests.map((_, index) => {
      const wait = waits.get(index)!;
      return wait <= 0 ? { granted: true } : refused(0, wait);
    });
  }

  private async takeSeveral(requests: LimitRequest[]): Promise<LimitAnswer[]> {
    const asked = limitsOf(requests);
    const rows = await this.rows.query<{ refused_by: number | null; wait_seconds: number | null }>({
      name: 'take_several_limits',
      text: TAKE_SEVERAL,
      values: [
        asked.map(({ number }) => number),
        asked.map(({ tenantId }) => tenantId),
        asked.map(({ deliveryId }) => deliveryId),
        asked.map(({ limit }) => limit.key),
        asked.map(({ limit }) => (isPlain(limit) ? null : limit.recipientId)),
        asked.map(({ limit }) => limit.limit),
        asked.map(({ limit }) => limit.windowSeconds),
        asked.map(({ limit }) => daysText(limit)),
        asked.map(({ limit }) => limit.returns),
        asked.map(({ limit }) => maxTurns(limit.limit)),
      ],
    });
    return rows.map((row) =>
      row.refused_by === null ? { granted: true } : refused(row.refused_by, row.wait_seconds ?? 0),
    );
  }

  private async releaseAll(requests: LimitRequest[]): Promise<EarlierTurn[][]> {
    const asked = limitsOf(requests);
    const rows = await this.rows.query<{ ord: number; delivery_id: string; wait_seconds: number }>({
      name: 'release_limits',
      text: RELEASE,
      values: [
        asked.map(({ tenantId }) => tenantId),
        asked.map(({ deliveryId }) => deliveryId),
        asked.map(({ limit }) => limit.key),
        asked.map(({ limit }) => limit.limit),
        asked.map(({ limit }) => limit.windowSeconds),
        asked.map(({ limit }) => daysText(limit)),
      ],
    });
    const earlier = Map.groupBy(rows, (row) => asked[row.ord - 1]!.number);
    return requests.map((_, number) =>
      (earlier.get(number) ?? []).map((row) => ({ deliveryId: row.delivery_id, waitSeconds: row.wait_seconds })),
    );
  }
}

interface AskedLimit extends Omit<LimitRequest, 'limits'> {
  /** The index of the request. */
  number: number;
  limit: KeyedLimit;
}

function limitsOf(requests: readonly LimitRequest[]): AskedLimit[] {
  return requests.flatMap(({ limits, ...request }, number) => limits.map((limit) => ({ ...request, number, limit })));
}

/** Whether it is no frequency cap. The faster statement takes it. An erasure finds its log by the key. */
function isPlain({ isGivenBack, days }: KeyedLimit): boolean {
  return !isGivenBack && days === null;
}

function refused(refusedBy: number, waitSeconds: number): LimitAnswer {
  return { granted: false, refusedBy, retryAfterSeconds: Math.max(0.001, waitSeconds) };
}

/** An array in the text format of PostgreSQL, because the arrays of all limits cannot be one parameter. */
function daysText({ days }: KeyedLimit): string | null {
  return days && `{${days.map((start) => new Date(start).toISOString()).join(',')}}`;
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

/**
 * For each request in order. The functions lock the rows as TAKE does. Their current versions, and the one of
 * carillon_take_turns(), are in the newest migration that has their name: 20261130022000_policy_changes. Index:
 * rate_windows_pkey.
 */
const TAKE_SEVERAL = `
select refused_by, wait_seconds from carillon_take_limits(
  $1::integer[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::integer[], $7::integer[], $8::text[],
  $9::boolean[], $10::integer[])`;

const RELEASE = `
select ord, delivery_id, wait_seconds from carillon_release_limits(
  $1::uuid[], $2::uuid[], $3::text[], $4::integer[], $5::integer[], $6::text[])`;

/** Index: rate_windows_pkey. */
const PEEK = `
select greatest(0, a.max_hits - cardinality(k.hits)) as remaining,
       extract(epoch from carillon_next_place(k.hits, a.max_hits, a.width, a.days, clock_timestamp())
         - clock_timestamp())::float8 as wait_seconds
from (
  select ord, key, max_hits, width, starts::timestamptz[] as days
  from unnest($2::text[], $3::integer[], $4::integer[], $5::text[])
    with ordinality as i(key, max_hits, width, starts, ord)
) a
left join rate_windows w on w.tenant_id = $1 and w.key = a.key
cross join lateral (
  select coalesce(w.hits[carillon_past_hits(w.hits, a.width, a.days, clock_timestamp()) + 1:], '{}') as hits
) k
order by a.ord`;
