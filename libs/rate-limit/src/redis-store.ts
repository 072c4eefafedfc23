import { type LimitAnswer, type Limiter, type LimitRequest, MAX_TURNS, TURNS_PER_HIT } from './limiter.js';
import { type Scripts, SLIDING_WINDOW } from './scripts.js';

/** What Postgres knows of a key, for when Redis has forgotten it. */
export interface KnownHits {
  /** Sends within the window: whose, and how long ago in milliseconds. */
  hits: { deliveryId: string; ageMs: number }[];
  /**
   * Deliveries of this key, other than the asking one, that were under way when Redis forgot: each may have taken a token
   * that nobody remembers, and have sent nothing yet.
   */
  underWay: number;
}

/** Looks the hits of a key up; `forgottenMs`: how long ago Redis began to remember. */
export type LookUp = (request: LimitRequest, forgottenMs: number) => Promise<KnownHits>;

/** Longer than the longest window a tenant can set (31 days). */
const KEEP_MS = 32 * 86_400_000;
/** How long a delivery waits for those that may hold a lost token: by then they have sent, or their claim has ended. */
const UNDER_WAY_WAIT_MS = 2_000;
/** Redis is away: neither drop nor flood, but wait. */
const AWAY_WAIT_SECONDS = 5;

/**
 * An exact log of hits per key in Redis. Keys lead with the tenant, in the hash tag: `{tenant}:limit:email:user-123`.
 *
 * Redis may forget (a flush, a failover, a restart without persistence). It then knows since when it remembers, and asks about
 * a key it has not seen since are answered from what Postgres has recorded: no limit is exceeded by forgetting.
 * While Redis is away everything that has a limit is refused for some seconds, and so held.
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

  /** Null when Redis is away. */
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
