// Everything in one process: embedded PostgreSQL unless DATABASE_URL is set, migrations, the demo tenant, the API and a
// worker.

import { join } from 'node:path';
import {
  type Config,
  ConfigError,
  loadConfig,
  profileOf,
  removeLocalAddress,
  settingFaults,
  writeLocalAddress,
} from '#config';
import { Database, LoginsNotCreated, migrate, PlatformKeys, SecretBox, ServerTooOld, WrongMasterKey } from '#database';
import { AlreadyRunning, type EmbeddedPostgres, startEmbeddedPostgres } from '#embedded-postgres';
import { createLogger, type Logger, startTracing, stopOnSignal } from '#telemetry';
import { startApi } from '../../api/src/start-api.js';
import { startWorker } from '../../worker/src/start-worker.js';
import { banner } from './banner.js';
import { type Demo, seedDemo } from './seed-demo.js';

const MIGRATIONS = join(import.meta.dirname, '../../../../prisma/migrations');

interface Stoppable {
  stop(): Promise<void>;
}

/** Errors that have a message for the user; all others need their stack. */
const EXPLAINED = [ConfigError, AlreadyRunning, LoginsNotCreated, ServerTooOld, WrongMasterKey];

/** In the order of their start. They stop in reverse order. */
const running: Stoppable[] = [];
let stopping: Promise<void> | undefined;

function stop(): Promise<void> {
  stopping ??= (async () => {
    while (running.length > 0) await running.pop()!.stop();
  })();
  return stopping;
}

stopOnSignal(stop, (error) => console.error(error));

async function start(): Promise<void> {
  const errors = settingFaults();
  if (errors.length > 0) throw new ConfigError(errors);
  const { embedded, home } = profileOf();
  const postgres = embedded ? await startPostgres(join(home, 'postgres')) : undefined;
  const config = loadConfig(process.env, postgres?.url('carillon'));
  const logger = createLogger({ level: config.logLevel, role: 'carillon' });
  process.on('unhandledRejection', (error) => logger.error({ err: error }, 'unhandled rejection'));
  running.push(
    await startTracing('carillon', config.tracing, (detail) => logger.warn({ detail }, 'exporting traces failed')),
  );
  await migrate(config.databaseUrl, MIGRATIONS, {
    onWait: (message) => logger.warn(message),
    createsLogins: config.databaseLogins === undefined,
  });
  const demo = embedded ? await prepareDemo(config, logger) : undefined;
  const api = await startApi(config, {
    logger,
    migrationsDirectory: MIGRATIONS,
    metricsFallback: embedded && config.metricsPort === undefined,
    ...(demo && { demo }),
  });
  running.push(api);
  running.push(await startWorker(config, { logger, migrationsDirectory: MIGRATIONS, operations: false }));
  if (stopping !== undefined) return;
  if (embedded) {
    writeLocalAddress(home, { url: api.url, operatorUrl: api.operatorUrl });
    running.push({ stop: async () => removeLocalAddress(home) });
  }
  const database = postgres ? embeddedDatabase(join(home, 'postgres'), postgres) : 'DATABASE_URL';
  console.log(banner({ config, api, demo, database }));
  console.log(`Carillon is ready on ${api.url}`);
}

function embeddedDatabase(directory: string, { adopted }: EmbeddedPostgres): string {
  return `embedded PostgreSQL in ${directory}${adopted ? ' (it outlived an earlier Carillon process)' : ''}`;
}

async function startPostgres(directory: string): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ directory, database: 'carillon' });
  running.push(postgres);
  return postgres;
}

async function prepareDemo(config: Config, logger: Logger): Promise<Demo> {
  const database = new Database({
    url: config.databaseUrl,
    logins: config.databaseLogins,
    poolSize: 2,
    applicationName: 'carillon-seed',
    onIdleError: (error) => logger.warn({ err: error }, 'a database connection was lost'),
  });
  try {
    const keys = new PlatformKeys(database, new SecretBox(config.masterKey, config.previousMasterKeys));
    await keys.prepare();
    return await seedDemo(database, keys, config.home);
  } finally {
    await database.close();
  }
}

start().catch(async (error: NodeJS.ErrnoException) => {
  if (error.code === 'EADDRINUSE')
    console.error(
      `Carillon cannot listen: ${error.message}. Another program uses that port; ` +
        'set PORT (or METRICS_PORT, INTERNAL_PORT) to a free one.',
    );
  else if (EXPLAINED.some((kind) => error instanceof kind)) console.error(error.message);
  else console.error(error);
  await stop().catch(() => undefined);
  process.exit(1);
});
