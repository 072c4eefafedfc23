import type { Config } from '#config';
import { Batcher, type Database, RecentSendsStore } from '#database';
import { type Limiter, PostgresLimiter, RedisLimiter } from '#rate-limit';
import type { Redis } from '#redis';
import type { Logger } from '#telemetry';

/** Redis where it is configured, otherwise PostgreSQL. */
export function makeWorkerLimiter(config: Config, redis: Redis | null, database: Database, logger: Logger): Limiter {
  if (!redis)
    return new PostgresLimiter(
      database.platform,
      (flush) => new Batcher({ flush, slots: 1, maxBatch: 500, maxQueue: 100_000 }),
    );
  const recentSends = new RecentSendsStore(database, config.leaseSeconds);
  return new RedisLimiter(
    redis,
    (request) => recentSends.find(request),
    (error) => logger.warn({ err: error }, 'rate limiter unavailable; holding rate-limited deliveries'),
  );
}
