import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { type Config, connectionAdvice } from '#config';
import { makeKafka } from '#messaging';
import { Redis } from '#redis';
import { type Logger, NestLogger, startMetrics } from '#telemetry';
import { AuthorizeRequest } from './access/authorize-request.js';
import { ApiModule } from './api.module.js';
import { serveConsole } from './console/serve-console.js';
import { OperationsListener } from './health/operations-listener.js';
import { HttpListeners } from './http/http-listeners.js';
import { createAdapter, prepareServer } from './http/http-server.js';
import { UpgradeAdapter } from './inbox/upgrade.adapter.js';
import type { DemoTenant } from './pages/demo-tenant.js';
import { servePages } from './pages/serve-pages.js';
import { CONSOLE_DIRECTORY } from './version.js';

export interface RunningApi {
  /** `http://host:port` */
  readonly url: string;
  /** The same of the listener for `/internal`, with INTERNAL_PORT. */
  readonly operatorUrl: string | undefined;
  readonly operationsPort: number;
  /** Accepts no new connections, waits for open requests, then closes everything. */
  stop(): Promise<void>;
}

export interface StartOptions {
  logger: Logger;
  migrationsDirectory: string;
  /** The tenant that `/mailbox` and `/demo` show. Without one the pages are not served. */
  demo?: DemoTenant;
  /** Whether to use any free port for metrics when the configured one is in use. */
  metricsFallback: boolean;
}

/**
 * Starts the API in this process and resolves once it serves requests. Waits until the database is migrated.
 *
 * The classes that start or stop something do so in Nest's lifecycle hooks. `stop()` is `app.close()`, which runs its
 * phases one after the other over all modules:
 * 1. `onModuleDestroy`: `/readyz` answers 503, so load balancers send no new requests; streams close with 1012. None of
 *    this waits for anything.
 * 2. `beforeApplicationShutdown`: the Kafka intake and the operator's listener stop.
 * 3. Nest closes the HTTP server and waits for open requests.
 * 4. `onApplicationShutdown`: features first, global modules last. Nothing uses the connections any more when
 *    InfrastructureModule closes them, the database as the last one.
 */
export async function startApi(config: Config, options: StartOptions): Promise<RunningApi> {
  const { logger, migrationsDirectory } = options;
  startMetrics({ tenants: config.metricsTenants });
  for (const warning of config.warnings) logger.warn(warning);
  if (config.previousAdminToken !== undefined)
    logger.warn('ADMIN_TOKEN_PREVIOUS is set: the previous admin token is accepted too; unset it when no one uses it');
  const redis = await makeRedis(config, logger);
  const kafka = config.kafka?.requests
    ? await makeKafka({
        ...config.kafka,
        clientId: 'carillon-api',
        onLog: (message, extra) => logger.debug(extra, message),
      })
    : undefined;
  const app = await NestFactory.create<NestFastifyApplication>(
    ApiModule.register({ config, logger, migrationsDirectory, redis, kafka }),
    createAdapter(config),
    { logger: new NestLogger(logger), abortOnError: false, bodyParser: false },
  );
  app.useWebSocketAdapter(new UpgradeAdapter(app.getHttpServer(), logger));
  prepareServer(app, { config, logger, authorize: app.get(AuthorizeRequest) });
  if (config.console.enabled)
    serveConsole(app.getHttpAdapter().getInstance() as unknown as FastifyInstance, CONSOLE_DIRECTORY);
  if (config.pages && options.demo) servePages(app, options.demo);
  // Before `app.listen()`, whose hooks may wait for the database: probes are answered meanwhile.
  const operationsPort = await app.get(OperationsListener).start(options.metricsFallback);
  await app.listen(config.port, config.host);
  await app.get(HttpListeners).listenInternally();
  const { port } = app.getHttpServer().address() as AddressInfo;
  return {
    url: urlOf(config.host, port),
    operatorUrl: config.internalPort === undefined ? undefined : urlOf(config.internalHost, config.internalPort),
    operationsPort,
    stop: () => app.close(),
  };
}

function urlOf(host: string, port: number): string {
  if (host === '0.0.0.0' || host === '::') return `http://localhost:${port}`;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

async function makeRedis({ redis }: Config, logger: Logger): Promise<Redis | undefined> {
  if (!redis) return undefined;
  return await Redis.make({
    ...redis,
    onFault: (error) =>
      logger.warn(
        { err: error },
        `Redis is unavailable; inbox streams poll until it is back${connectionAdvice('REDIS', error)}`,
      ),
  });
}
