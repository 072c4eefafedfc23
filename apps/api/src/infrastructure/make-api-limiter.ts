import type { Config } from '#config';
import { Batcher, type Database, RecentSendsStore } from '#database';
import { type Limiter, PostgresLimiter, RedisLimiter } from '#rate-limit';
import type { Redis } from '#redis';
import type { Logger } from '#telemetry';

/** The logs that the workers take places in. The API reads them and gives back the places of cancelled deliveries. */
export function makeApiLimiter(config: Config, redis: Redis | undefined, database: Database, logger: Logger): Limiter {
  if (!redis)
    return new PostgresLimiter(
      database.platform,
      (flush) => new Batcher({ flush, slots: 1, maxBatch: 500, maxQueue: 10_000 }),
    );
  const recentSends = new RecentSendsStore(database, config.leaseSeconds);
  return new RedisLimiter(
    redis,
    (request) => recentSends.find(request),
    (error) => logger.warn({ err: error }, 'rate limiter unavailable'),
  );
}
