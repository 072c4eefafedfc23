import type { Config } from '#config';
import { Batcher, type Database, RecentSendsStore } from '#database';
import type { ChannelId } from '#domain';
import { type Limiter, PostgresLimiter, RedisLimiter } from '#rate-limit';
import type { Redis } from '#redis';
import type { Logger } from '#telemetry';

/** Redis where it is configured, otherwise PostgreSQL. */
export function makeLimiter(config: Config, redis: Redis | null, database: Database, logger: Logger): Limiter {
  if (!redis)
    return new PostgresLimiter(
      database.platform,
      (flush) => new Batcher({ flush, slots: 1, maxBatch: 500, maxQueue: 100_000 }),
    );
  const recentSends = new RecentSendsStore(database, config.leaseSeconds);
  return new RedisLimiter(
    redis,
    ({ tenantId, key, limit, deliveryId }, rememberedMs) => {
      // Keys are written `channel:recipient` by the limit step.
      const colon = key.indexOf(':');
      return recentSends.find({
        tenantId,
        channel: key.slice(0, colon) as ChannelId,
        recipientId: key.slice(colon + 1),
        windowSeconds: limit.windowSeconds,
        deliveryId,
        claimedBeforeMs: rememberedMs,
      });
    },
    (error) => logger.warn({ err: error }, 'rate limiter unavailable; holding rate-limited deliveries'),
  );
}
