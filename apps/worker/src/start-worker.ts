import { setTimeout as delay } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import type { AsyncMicroserviceOptions, CustomTransportStrategy } from '@nestjs/microservices';
import type { Config } from '#config';
import {
  type ClaimedDelivery,
  Database,
  OperationsStore,
  PartitionsStore,
  PostgresListener,
  QueueFiguresStore,
} from '#database';
import { type DeliveryTransport, makeKafka } from '#messaging';
import { ProviderDirectory } from '#providers';
import type { RealtimeBus } from '#realtime';
import { Redis } from '#redis';
import { instruments, type Logger, NestLogger, type Readiness, startMetrics, startOperationsServer } from '#telemetry';
import { TemplateRenderer } from '#templates';
import { LockedAccounts } from './delivery/locked-accounts.js';
import { sendTimes } from './delivery/make-pipeline.js';
import { Dispatcher } from './dispatch/dispatcher.js';
import type { Relay } from './events/relay.js';
import { Housekeeper } from './housekeeping/housekeeper.js';
import { observeQueue } from './housekeeping/queue-gauges.js';
import { BUS, RELAYS, STOPPING, TRANSPORT } from './tokens.js';
import { WorkerModule } from './worker.module.js';

export interface RunningWorker {
  /** What `/readyz` answers. */
  readiness(): Promise<Readiness>;
  /** Begins nothing more, gives back what has not begun, waits for what is on the wire and records it, closes everything. */
  stop(): Promise<void>;
}

export interface StartOptions {
  logger: Logger;
  migrationsDirectory: string;
  /** False when somebody else in this process serves metrics and health: the all-in-one. */
  operations: boolean;
}

/**
 * At a stop: the time to record what was on the wire, after a provider's longest. A connection and a statement time out after 3.3 s
 * together, and then the outcome goes to the spool.
 */
const RECORD_MS = 5_000;

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
  const locked = app.get(LockedAccounts);
  const readiness = (): Promise<Readiness> => readinessOf(operations, transport, redis, locked);
  const server = options.operations
    ? await startOperationsServer({
        port: config.metricsPort ?? 9_091,
        host: config.host,
        readiness,
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
  observeQueue(app.get(QueueFiguresStore), config.workerChannels);
  const partitions = app.get(PartitionsStore);
  instruments().partitionHorizon(() => partitions.horizonDays());
  instruments().oldestTransaction(() => operations.oldestTransactionSeconds());
  const relays = app.get<Relay[]>(RELAYS);
  for (const relay of relays) relay.start();
  const housekeeper = app.get(Housekeeper);
  housekeeper.start();

  return {
    readiness,
    stop: async () => {
      app.get<AbortController>(STOPPING).abort();
      housekeeper.stop();
      // What is not finished by then is left to its lease.
      await Promise.race([
        Promise.all([dispatcher.stop(), transport.drain()]),
        delay(sendTimes(config).deadlineMs + RECORD_MS, undefined, { ref: false }),
      ]);
      await Promise.all(relays.map((relay) => relay.stop()));
      await app.get(TemplateRenderer).close();
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

/** Ready when the database is, when nothing lies in a topic that this worker's group does not read, and when the master key is the right one. */
async function readinessOf(
  operations: OperationsStore,
  transport: DeliveryTransport<ClaimedDelivery>,
  redis: Redis | undefined,
  locked: LockedAccounts,
): Promise<Readiness> {
  const { ready, checks } = await operations.readiness();
  const condition = transport.readiness();
  return {
    ready: ready && (condition?.ready ?? true) && locked.size === 0,
    checks: {
      ...checks,
      ...(locked.size > 0 && { master_key: 'does not open the provider accounts' }),
      ...(redis && { redis: redis.connected ? 'ok' : 'away' }),
      ...(condition && { kafka: condition.status }),
    },
  };
}
