import type { KeyedLimit } from '#domain';
import {
  type EarlierTurn,
  type LimitAnswer,
  type Limiter,
  type LimitPlaces,
  type LimitRequest,
  maxTurns,
} from './limiter.js';
import { PEEK_LIMITS, RELEASE_LIMITS, type Scripts, TAKE_LIMITS } from './scripts.js';

/** The hits of a log in PostgreSQL, used when Redis has lost its data. */
export interface KnownHits {
  /** Sends within the window. */
  hits: { deliveryId: string; ageMs: number }[];
  /**
   * Other deliveries of this log that were in progress when Redis lost its data. Each may have taken a hit that is
   * lost, and has not sent yet.
   */
  underWay: string[];
}

export interface LookUpRequest {
  tenantId: string;
  /** Null when no delivery asks. */
  deliveryId: string | null;
  limit: KeyedLimit;
  /** Age of the data in Redis, which has no hits from before. */
  rememberedMs: number;
}

/** Reads the hits of a log. */
export type LookUp = (request: LookUpRequest) => Promise<KnownHits>;

/** Longer than the longest window that a tenant can set (31 days). */
const KEEP_MS = 32 * 86_400_000;
/** How long a delivery waits for those whose hits may be lost, before it asks again. */
const UNDER_WAY_WAIT_MS = 2_000;
/** While Redis is unavailable, deliveries are neither dropped nor sent without a limit. */
const AWAY_WAIT_SECONDS = 5;

type Asked = Pick<LimitRequest, 'tenantId' | 'limits'> & { deliveryId: string | null };

/**
 * An exact log of hits per key in Redis. Keys lead with the tenant, in the hash tag: `{tenant}:limit:email:user-123`.
 *
 * Redis may lose data (a flush, a failover, a restart without persistence). It stores since when its data is complete,
 * and for keys it has not seen since then the hits are read from PostgreSQL, so no limit is exceeded. While Redis is
 * unavailable, every delivery with a limit is refused for some seconds and so held.
 */
export class RedisLimiter implements Limiter {
  constructor(
    private readonly redis: Scripts,
    private readonly lookUp: LookUp,
    private readonly onFault: (error: Error) => void,
  ) {}

  async take(request: LimitRequest): Promise<LimitAnswer> {
    if (request.limits.length === 0) return { granted: true };
    const answer = await this.run<number[]>(TAKE_LIMITS, request, []);
    if (answer?.[0] !== -1) return toAnswer(answer);
    const [, rememberedMs, ...unknown] = answer as [number, number, ...number[]];
    const known: KnownHits[] = [];
    await Promise.all(
      unknown.map(async (index) => {
        known[index] = await this.lookUp({ ...request, limit: request.limits[index]!, rememberedMs });
      }),
    );
    return toAnswer(await this.run<number[]>(TAKE_LIMITS, request, known));
  }

  async release(request: LimitRequest): Promise<EarlierTurn[]> {
    if (request.limits.length === 0) return [];
    const earlier = await this.run<[string, number][]>(RELEASE_LIMITS, request, []);
    return (earlier ?? []).map(([deliveryId, ms]) => ({ deliveryId, waitSeconds: ms / 1_000 }));
  }

  async peek(request: Pick<LimitRequest, 'tenantId' | 'limits'>): Promise<LimitPlaces[]> {
    if (request.limits.length === 0) return [];
    const asked = { ...request, deliveryId: null };
    const places = await this.run<[number, number][]>(PEEK_LIMITS, asked, []);
    if (!places) return request.limits.map(() => ({ remaining: 0, waitSeconds: AWAY_WAIT_SECONDS }));
    return await Promise.all(
      places.map(async ([remaining, ms], index) => {
        if (remaining >= 0) return { remaining, waitSeconds: ms / 1_000 };
        const limit = request.limits[index]!;
        return placesOf(limit, await this.lookUp({ ...asked, limit, rememberedMs: ms }));
      }),
    );
  }

  /** Null when Redis is unavailable. `known`: the answer of PostgreSQL for the limit of that index, if it was asked. */
  private async run<Answer>(script: string, request: Asked, known: readonly KnownHits[]): Promise<Answer | null> {
    if (!this.redis.connected) return null;
    const { tenantId, deliveryId, limits } = request;
    const asked = {
      id: deliveryId,
      keep: KEEP_MS,
      wait: UNDER_WAY_WAIT_MS,
      limits: limits.map((limit, index) => scriptLimit(limit, known[index])),
    };
    try {
      return (await this.redis.run(
        script,
        [`{${tenantId}}:since`, ...limits.map(({ key }) => `{${tenantId}}:limit:${key}`)],
        [JSON.stringify(asked)],
      )) as Answer;
    } catch (error) {
      this.onFault(error as Error);
      return null;
    }
  }
}

function scriptLimit({ limit, windowSeconds, days, returns }: KeyedLimit, known: KnownHits | undefined): object {
  return {
    limit,
    window: windowSeconds * 1_000,
    ...(days && { days }),
    returns,
    turns: maxTurns(limit),
    ...(known && { lost: known.underWay }),
    known: known?.hits.map((hit) => [hit.deliveryId, Math.round(hit.ageMs)]) ?? [],
  };
}

function toAnswer(answer: readonly number[] | null): LimitAnswer {
  if (!answer) return { granted: false, retryAfterSeconds: AWAY_WAIT_SECONDS };
  const [verdict, waitMs = 0, refusedBy] = answer;
  if (verdict === 1) return { granted: true };
  const retryAfterSeconds = waitMs / 1_000;
  return verdict === 2
    ? { granted: false, retryAfterSeconds }
    : { granted: false, retryAfterSeconds, refusedBy: refusedBy! };
}

/** The places that the scripts would find if Redis had these hits. */
function placesOf({ limit, windowSeconds, days }: KeyedLimit, { hits, underWay }: KnownHits): LimitPlaces {
  const now = Date.now();
  const today = days?.findLast((start) => start <= now);
  const window = today === undefined ? windowSeconds * 1_000 : now - today;
  const ages = hits.map(({ ageMs }) => ageMs).filter((age) => age < window);
  const remaining = Math.max(0, limit - ages.length - underWay.length);
  if (remaining > 0) return { remaining, waitSeconds: 0 };
  if (ages.length < limit) return { remaining, waitSeconds: UNDER_WAY_WAIT_MS / 1_000 };
  const tomorrow = days?.find((start) => start > now);
  const decisive = ages.toSorted((left, right) => left - right)[limit - 1]!;
  return { remaining, waitSeconds: (tomorrow === undefined ? window - decisive : tomorrow - now) / 1_000 };
}
