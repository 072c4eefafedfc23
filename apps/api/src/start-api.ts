import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Config } from '#config';
import { Database, OperationsStore, PartitionsStore, PostgresListener } from '#database';
import { makeKafka, RequestStream } from '#messaging';
import { ConnectionFactory } from '#providers';
import type { RealtimeBus } from '#realtime';
import { Redis } from '#redis';
import { instruments, type Logger, NestLogger, startMetrics, startOperationsServer } from '#telemetry';
import { TemplateRenderer } from '#templates';
import { ApiModule } from './api.module.js';
import { HealthController } from './health/health.controller.js';
import { Authenticator } from './http/authenticator.js';
import { AuthorizeRequest } from './http/authorize-request.js';
import { createAdapter, listenInternally, prepareServer } from './http/http-server.js';
import { InboxGateway } from './inbox/inbox.gateway.js';
import type { DemoTenant } from './pages/demo-tenant.js';
import { servePages } from './pages/serve-pages.js';
import { BUS } from './tokens.js';

export interface RunningApi {
  /** `http://host:port` */
  readonly url: string;
  readonly operationsPort: number;
  /** Refuses new connections, lets what is under way end, closes everything. */
  stop(): Promise<void>;
}

export interface StartOptions {
  logger: Logger;
  migrationsDirectory: string;
  /** The tenant that `/mailbox` and `/demo` show; without one there are no pages. */
  demo?: DemoTenant;
  /** Whether another port will do for metrics when the wanted one is taken. */
  metricsFallback: boolean;
}

/** How long open requests may take at shutdown. */
const DRAIN_MS = 10_000;

/** Starts the API in this process; resolves once it serves. Waits for migrations to be current. */
export async function startApi(config: Config, options: StartOptions): Promise<RunningApi> {
  const { logger } = options;
  startMetrics();
  const redis =
    config.redis &&
    (await Redis.make({
      ...config.redis,
      onFault: (error) => logger.warn({ err: error }, 'Redis is away; streams look for themselves until it is back'),
    }));
  const kafka = config.kafka?.requests
    ? await makeKafka({
        ...config.kafka,
        clientId: 'carillon-api',
        onLog: (message, extra) => logger.debug(extra, message),
      })
    : undefined;
  const app = await NestFactory.create<NestFastifyApplication>(
    ApiModule.register({ config, redis, kafka, ...options }),
    createAdapter(),
    { logger: new NestLogger(logger), abortOnError: false, bodyParser: false },
  );
  prepareServer(app, { config, logger, authorize: app.get(AuthorizeRequest) });
  if (config.pages && options.demo) servePages(app, options.demo);
  const operations = app.get(OperationsStore);
  const operationsServer = await startOperationsServer({
    port: config.metricsPort ?? 9_090,
    host: config.host,
    readiness: () => operations.readiness(),
    fallback: options.metricsFallback,
  });

  await operations.untilReady((checks) => logger.warn({ checks }, 'waiting for the database'));
  const partitions = app.get(PartitionsStore);
  await makePartitions(partitions, logger);
  instruments().partitionHorizon(() => partitions.horizonDays());
  await redis?.connect();
  const listener = app.get(PostgresListener);
  await listener.start();
  const authenticator = app.get(Authenticator);
  authenticator.start((error) => logger.warn({ err: error }, 'the use of API keys could not be noted'));
  const gateway = app.get(InboxGateway);
  gateway.attach(app.getHttpServer());
  await app.listen(config.port, config.host);
  const internal = await listenInternally(app, config);
  const requests = kafka && app.get(RequestStream);
  requests?.start();
  const { port } = app.getHttpServer().address() as AddressInfo;

  return {
    url: `http://${config.host === '0.0.0.0' || config.host === '::' ? 'localhost' : config.host}:${port}`,
    operationsPort: operationsServer.port,
    stop: async () => {
      app.get(HealthController).draining = true;
      gateway.close();
      await requests?.stop();
      internal?.close();
      const force = setTimeout(() => app.getHttpServer().closeAllConnections(), DRAIN_MS);
      await app.close();
      clearTimeout(force);
      await authenticator.stop();
      await app.get(TemplateRenderer).close();
      await app.get(ConnectionFactory).close();
      await app.get<RealtimeBus>(BUS).close();
      await redis?.close();
      await listener.close();
      await operationsServer.close();
      await app.get(Database).close();
    },
  };
}

/** Workers make partitions too, but an API may run alone. Starts despite a failure while the current time is still covered. */
async function makePartitions(partitions: PartitionsStore, logger: Logger): Promise<void> {
  try {
    await partitions.make();
  } catch (error) {
    const days = await partitions.horizonDays();
    if (days <= 0) throw error;
    logger.warn({ err: error, days }, 'partitions could not be made; workers try again every minute');
  }
}
