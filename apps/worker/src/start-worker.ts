import { NestFactory } from '@nestjs/core';
import type { AsyncMicroserviceOptions } from '@nestjs/microservices';
import type { Config } from '#config';
import { OperationsStore, PlatformKeys } from '#database';
import { type Logger, NestLogger, type Readiness, startMetrics, startOperationsServer } from '#telemetry';
import { DeliveryServer } from './connections/delivery-server.js';
import { WorkerModule } from './worker.module.js';
import { WorkerReadiness } from './worker-readiness.js';

export interface RunningWorker {
  /** The answer of `/readyz`. */
  readiness(): Promise<Readiness>;
  /**
   * Stops claiming, releases claims that have not begun, waits for sends under way and records them, closes
   * everything.
   */
  stop(): Promise<void>;
}

export interface StartOptions {
  logger: Logger;
  migrationsDirectory: string;
  /** Whether to serve metrics and health. False when another part of this process serves them: the all-in-one. */
  operations: boolean;
}

const DEFAULT_METRICS_PORT = 9_091;

/** Starts a worker in this process; resolves once it claims. Waits until all migrations are applied. */
export async function startWorker(config: Config, options: StartOptions): Promise<RunningWorker> {
  const { logger } = options;
  startMetrics({ tenants: config.metricsTenants });
  for (const warning of config.warnings) logger.warn(warning);
  const app = await NestFactory.createMicroservice<AsyncMicroserviceOptions>(
    WorkerModule.register({ config, ...options }),
    {
      logger: new NestLogger(logger),
      abortOnError: false,
      inject: [DeliveryServer],
      useFactory: (strategy: DeliveryServer) => ({ strategy }),
    },
  );
  const readiness = (): Promise<Readiness> => app.get(WorkerReadiness).check();
  // Before the database is ready, so that probes and operators see why the worker waits.
  const server = options.operations
    ? await startOperationsServer({
        port: config.metricsPort ?? DEFAULT_METRICS_PORT,
        host: config.metricsHost,
        readiness,
        fallback: false,
      })
    : undefined;
  await app.get(OperationsStore).untilReady((checks) => logger.warn({ checks }, 'waiting for the database'));
  await app.get(PlatformKeys).prepare();
  await app.listen();
  return {
    readiness,
    stop: async () => {
      await app.close();
      await server?.close();
    },
  };
}
