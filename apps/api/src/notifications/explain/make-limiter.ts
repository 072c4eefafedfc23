import type { Config } from '#config';
import { Batcher, type Database, RecentSendsStore } from '#database';
import { type Limiter, PostgresLimiter, RedisLimiter } from '#rate-limit';
import type { Redis } from '#redis';
import type { Logger } from '#telemetry';

/** The limiter of the workers, of which the API only reads the free places. */
export function makeLimiter(config: Config, redis: Redis | undefined, database: Database, logger: Logger): Limiter {
  if (!redis)
    return new PostgresLimiter(
      database.platform,
      (flush) => new Batcher({ flush, slots: 1, maxBatch: 100, maxQueue: 10_000 }),
    );
  const recentSends = new RecentSendsStore(database, config.leaseSeconds);
  return new RedisLimiter(
    redis,
    (request) => recentSends.find(request),
    (error) => logger.warn({ err: error }, 'rate limiter unavailable; explanations show no free places'),
  );
}
