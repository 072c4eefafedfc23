import { setTimeout as delay } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import type { AsyncMicroserviceOptions, CustomTransportStrategy } from '@nestjs/microservices';
import type { Config } from '#config';
import { type ClaimedDelivery, Database, OperationsStore, PartitionsStore, PostgresListener } from '#database';
import { type DeliveryTransport, makeKafka } from '#messaging';
import { ProviderDirectory } from '#providers';
import type { RealtimeBus } from '#realtime';
import { Redis } from '#redis';
import { instruments, type Logger, NestLogger, type Readiness, startMetrics, startOperationsServer } from '#telemetry';
import { Dispatcher } from './dispatch/dispatcher.js';
import type { Relay } from './events/relay.js';
import { Housekeeper } from './housekeeping/housekeeper.js';
import { observeQueue } from './housekeeping/queue-gauges.js';
import { BUS, RELAYS, TRANSPORT } from './tokens.js';
import { WorkerModule } from './worker.module.js';

export interface RunningWorker {
  /** Stops claiming, lets what is under way finish, closes everything. */
  stop(): Promise<void>;
}

export interface StartOptions {
  logger: Logger;
  migrationsDirectory: string;
  /** False when somebody else in this process serves metrics and health: the all-in-one. */
  operations: boolean;
}

/** How long what is under way may take to finish at shutdown; after that its lease brings it back elsewhere. */
const DRAIN_MS = 15_000;

/** Starts a worker in this process; resolves once it claims. Waits for migrations to be current. */
export async function startWorker(config: Config, options: StartOptions): Promise<RunningWorker> {
  const { logger } = options;
  startMetrics();
  const redis =
    config.redis &&
    (await Redis.make({
      ...config.redis,
      onFault: (error) => logger.warn({ err: error }, 'Redis is away; limits hold what they guard until it is back'),
    }));
  const kafka =
    config.kafka &&
    (await makeKafka({
      ...config.kafka,
      clientId: 'carillon-worker',
      onLog: (message, extra) => logger.debug(extra, message),
    }));
  const app = await NestFactory.createMicroservice<AsyncMicroserviceOptions>(
    WorkerModule.register({ config, redis, kafka, ...options }),
    {
      logger: new NestLogger(logger),
      abortOnError: false,
      inject: [TRANSPORT],
      useFactory: (strategy: CustomTransportStrategy) => ({ strategy }),
    },
  );
  const operations = app.get(OperationsStore);
  const transport = app.get<DeliveryTransport<ClaimedDelivery>>(TRANSPORT);
  const server = options.operations
    ? await startOperationsServer({
        port: config.metricsPort ?? 9_091,
        host: config.host,
        readiness: () => readinessOf(operations, transport, redis),
        fallback: false,
      })
    : undefined;

  await operations.untilReady((checks) => logger.warn({ checks }, 'waiting for the database'));
  await app.listen();
  await redis?.connect();
  const listener = app.get(PostgresListener);
  await listener.start();
  const dispatcher = app.get(Dispatcher);
  dispatcher.start();
  observeQueue(operations, config.workerChannels);
  const partitions = app.get(PartitionsStore);
  instruments().partitionHorizon(() => partitions.horizonDays());
  const relays = app.get<Relay[]>(RELAYS);
  for (const relay of relays) relay.start();
  const housekeeper = app.get(Housekeeper);
  housekeeper.start();

  return {
    stop: async () => {
      housekeeper.stop();
      await dispatcher.stop();
      await Promise.race([transport.drain(), delay(DRAIN_MS, undefined, { ref: false })]);
      await Promise.all(relays.map((relay) => relay.stop()));
      await app.get(ProviderDirectory).close();
      await app.get<RealtimeBus>(BUS).close();
      await redis?.close();
      await listener.close();
      await server?.close();
      await app.get(Database).close();
      await app.close();
    },
  };
}

/** Ready when the database is, and when nothing lies in a topic that this worker's group does not read. */
async function readinessOf(
  operations: OperationsStore,
  transport: DeliveryTransport<ClaimedDelivery>,
  redis: Redis | undefined,
): Promise<Readiness> {
  const { ready, checks } = await operations.readiness();
  const condition = transport.condition();
  return {
    ready: ready && (condition?.ready ?? true),
    checks: {
      ...checks,
      ...(redis && { redis: redis.connected ? 'ok' : 'away' }),
      ...(condition && { kafka: condition.words }),
    },
  };
}
