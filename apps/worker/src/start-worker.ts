import { setTimeout as delay } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import type { AsyncMicroserviceOptions } from '@nestjs/microservices';
import type { Config } from '#config';
import { type ClaimedDelivery, Database, OperationsStore, PostgresListener } from '#database';
import type { DirectTransport } from '#messaging';
import { ProviderDirectory } from '#providers';
import type { RealtimeBus } from '#realtime';
import { type Logger, NestLogger, startMetrics, startOperationsServer } from '#telemetry';
import { Dispatcher } from './dispatch/dispatcher.js';
import { Housekeeper } from './housekeeping/housekeeper.js';
import { observeQueue } from './housekeeping/queue-gauges.js';
import { BUS, TRANSPORT } from './tokens.js';
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
  const app = await NestFactory.createMicroservice<AsyncMicroserviceOptions>(
    WorkerModule.register({ config, ...options }),
    {
      logger: new NestLogger(logger),
      abortOnError: false,
      inject: [TRANSPORT],
      useFactory: (strategy: DirectTransport<ClaimedDelivery>) => ({ strategy }),
    },
  );
  const operations = app.get(OperationsStore);
  const server = options.operations
    ? await startOperationsServer({
        port: config.metricsPort ?? 9_091,
        host: config.host,
        readiness: () => operations.readiness(),
        fallback: false,
      })
    : undefined;

  await operations.untilReady((checks) => logger.warn({ checks }, 'waiting for the database'));
  await app.listen();
  const listener = app.get(PostgresListener);
  await listener.start();
  const dispatcher = app.get(Dispatcher);
  dispatcher.start();
  observeQueue(operations, config.workerChannels);
  const housekeeper = app.get(Housekeeper);
  housekeeper.start();

  return {
    stop: async () => {
      housekeeper.stop();
      await dispatcher.stop();
      const transport = app.get<DirectTransport<ClaimedDelivery>>(TRANSPORT);
      await Promise.race([transport.drain(), delay(DRAIN_MS, undefined, { ref: false })]);
      await app.get(ProviderDirectory).close();
      await app.get<RealtimeBus>(BUS).close();
      await listener.close();
      await server?.close();
      await app.get(Database).close();
      await app.close();
    },
  };
}
