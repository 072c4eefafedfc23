// npm run services: starts a local Redis and Kafka, to try the scale profile without Docker. Ctrl-C stops both.

import { join } from 'node:path';
import { kafkaMissing, startKafka } from './kafka.ts';
import { redisMissing, startRedis } from './redis.ts';

const HOME = join(import.meta.dirname, '../.services');
const REDIS_PORT = Number(process.env.REDIS_PORT ?? 6_379);
const KAFKA_PORT = Number(process.env.KAFKA_PORT ?? 9_092);

const missing = [redisMissing(), kafkaMissing(HOME)].filter((reason) => reason !== null);
if (missing.length > 0) {
  console.error(
    `Cannot start the services:\n${missing.map((reason) => `  ${reason}`).join('\n')}\nWith Docker: docker compose -f deployments/compose.yaml up redis kafka`,
  );
  process.exit(1);
}
const running: { stop(): Promise<void> }[] = [];
const stop = async (): Promise<void> => {
  await Promise.all(running.map((service) => service.stop()));
  process.exit(0);
};
process.on('SIGINT', () => void stop());
process.on('SIGTERM', () => void stop());

try {
  console.log('Starting Redis and Kafka (the first start downloads the jars of Kafka: 45 MB) …');
  const redis = await startRedis({ directory: join(HOME, 'redis'), port: REDIS_PORT });
  running.push(redis);
  console.log(`Redis ${redis.version} on ${redis.url}`);
  const kafka = await startKafka({ directory: join(HOME, 'kafka'), jars: HOME, port: KAFKA_PORT });
  running.push(kafka);
  console.log(`Kafka ${kafka.version} on ${kafka.brokers}`);
  console.log(`\nIn another terminal:\n\nREDIS_URL=${redis.url} KAFKA_BROKERS=${kafka.brokers} npm start\n`);
} catch (error) {
  console.error((error as Error).message);
  await Promise.all(running.map((service) => service.stop()));
  process.exit(1);
}
