import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startTestServer } from '#testing';
import { kafkaAnswers, kafkaMissing, startKafka } from '../services/kafka.ts';
import { redisMissing, redisVersion, startRedis } from '../services/redis.ts';
import './profiles.ts';

const JARS = join(import.meta.dirname, '../.services');

interface Services {
  postgresUrl: string;
  redisUrl: string;
  kafkaBrokers: string;
  stop(): Promise<void>;
}

/** One set of services for all projects of the run. Vitest sets the projects up in sequence in this process. */
let services: Promise<Services> | undefined;
let users = 0;

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  services ??= start();
  users += 1;
  const { postgresUrl, redisUrl, kafkaBrokers, stop } = await services;
  project.provide('postgresUrl', postgresUrl);
  project.provide('redisUrl', redisUrl);
  project.provide('kafkaBrokers', kafkaBrokers);
  return async () => {
    users -= 1;
    if (users === 0) await stop();
  };
}

/** Uses the servers of REDIS_URL and KAFKA_BROKERS; starts local programs if they are unset. */
async function start(): Promise<Services> {
  const directory = await mkdtemp(join(tmpdir(), 'carillon-services-'));
  const [postgres, redis, kafka] = await Promise.all([startTestServer(), theRedis(directory), theKafka(directory)]);
  console.log(`Redis ${redis.version} · Kafka ${kafka.version}`);
  return {
    postgresUrl: postgres.url('postgres'),
    redisUrl: redis.url,
    kafkaBrokers: kafka.brokers,
    stop: async () => {
      await Promise.all([postgres.stop(), redis.stop(), kafka.stop()]);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function theRedis(directory: string): Promise<{ url: string; version: string; stop(): Promise<void> }> {
  const url = process.env.REDIS_URL;
  if (url) return { url, version: `${await redisVersion(url)} (REDIS_URL)`, stop: async () => undefined };
  if (redisMissing()) return { url: '', version: 'missing', stop: async () => undefined };
  return await startRedis({ directory: join(directory, 'redis') });
}

async function theKafka(directory: string): Promise<{ brokers: string; version: string; stop(): Promise<void> }> {
  const brokers = process.env.KAFKA_BROKERS;
  if (brokers) {
    await kafkaAnswers(brokers);
    return { brokers, version: 'of KAFKA_BROKERS', stop: async () => undefined };
  }
  if (kafkaMissing(JARS)) return { brokers: '', version: 'missing', stop: async () => undefined };
  return await startKafka({ directory: join(directory, 'kafka'), jars: JARS });
}
