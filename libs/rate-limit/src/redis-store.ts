import { type LimitAnswer, type Limiter, type LimitRequest, MAX_TURNS, TURNS_PER_HIT } from './limiter.js';
import { type Scripts, SLIDING_WINDOW } from './scripts.js';

/** The hits of a key in PostgreSQL, used when Redis has lost its data. */
export interface KnownHits {
  /** Sends within the window. */
  hits: { deliveryId: string; ageMs: number }[];
  /**
   * Other deliveries of this key that were in progress when Redis lost its data. Each may have taken a hit that is
   * lost, and has not sent yet.
   */
  underWay: number;
}

/** Reads the hits of a key. `rememberedMs`: age of the data in Redis, which has no hits from before. */
export type LookUp = (request: LimitRequest, rememberedMs: number) => Promise<KnownHits>;

/** Longer than the longest window that a tenant can set (31 days). */
const KEEP_MS = 32 * 86_400_000;
/** How long a delivery waits for those whose hits may be lost, before it asks again. */
const UNDER_WAY_WAIT_MS = 2_000;
/** While Redis is unavailable, deliveries are neither dropped nor sent without a limit. */
const AWAY_WAIT_SECONDS = 5;

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
    const answer = await this.ask(request, -1, []);
    if (!answer) return { granted: false, retryAfterSeconds: AWAY_WAIT_SECONDS };
    if (answer.verdict !== -1) return toAnswer(answer);
    const known = await this.lookUp(request, answer.rememberedMs);
    const again = await this.ask(request, known.underWay, known.hits);
    return again ? toAnswer(again) : { granted: false, retryAfterSeconds: AWAY_WAIT_SECONDS };
  }

  /** Null when Redis is unavailable. */
  private async ask(request: LimitRequest, underWay: number, hits: KnownHits['hits']): Promise<Verdict | null> {
    const { tenantId, key, limit, deliveryId } = request;
    const window = limit.windowSeconds * 1_000;
    if (!this.redis.connected) return null;
    try {
      const [verdict, waitMs, rememberedMs] = (await this.redis.run(
        SLIDING_WINDOW,
        [`{${tenantId}}:limit:${key}`, `{${tenantId}}:since`],
        [
          limit.limit,
          window,
          deliveryId,
          KEEP_MS,
          underWay,
          UNDER_WAY_WAIT_MS,
          Math.min(TURNS_PER_HIT * limit.limit, MAX_TURNS),
          ...hits.flatMap((hit) => [hit.deliveryId, Math.round(hit.ageMs)]),
        ],
      )) as [number, number, number];
      return { verdict, waitMs, rememberedMs };
    } catch (error) {
      this.onFault(error as Error);
      return null;
    }
  }
}

interface Verdict {
  verdict: number;
  waitMs: number;
  rememberedMs: number;
}

function toAnswer({ verdict, waitMs }: Verdict): LimitAnswer {
  return verdict === 1 ? { granted: true } : { granted: false, retryAfterSeconds: waitMs / 1_000 };
}
