// Redis and Kafka for a run: those of REDIS_URL and KAFKA_BROKERS, or local ones, started when a scenario first needs them.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kafkaMissing, startKafka } from '../../services/kafka.ts';
import { redisMissing, startRedis } from '../../services/redis.ts';

const JARS = join(import.meta.dirname, '../../.services');

export class Services {
  private readonly directory = mkdtempSync(join(tmpdir(), 'carillon-bench-services-'));
  private readonly running: { stop(): Promise<void> }[] = [];
  private redisUrl: Promise<string> | undefined;
  private brokers: Promise<string> | undefined;

  async redis(): Promise<string> {
    this.redisUrl ??= (async () => {
      if (process.env.REDIS_URL) return process.env.REDIS_URL;
      const missing = redisMissing();
      if (missing) throw new Error(`the bench needs Redis: ${missing}`);
      const redis = await startRedis({ directory: join(this.directory, 'redis') });
      this.running.push(redis);
      return redis.url;
    })();
    return await this.redisUrl;
  }

  async kafka(): Promise<string> {
    this.brokers ??= (async () => {
      if (process.env.KAFKA_BROKERS) return process.env.KAFKA_BROKERS;
      const missing = kafkaMissing(JARS);
      if (missing) throw new Error(`the bench needs Kafka: ${missing}`);
      const kafka = await startKafka({ directory: join(this.directory, 'kafka'), jars: JARS });
      this.running.push(kafka);
      return kafka.brokers;
    })();
    return await this.brokers;
  }

  async close(): Promise<void> {
    await Promise.all(this.running.map((service) => service.stop()));
    rmSync(this.directory, { recursive: true, force: true });
  }
}
