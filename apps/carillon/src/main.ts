// Everything in one process: a Postgres of its own where none is given, migrations, the demo tenant, the API and a worker.

import { join } from 'node:path';
import { type Config, ConfigError, loadConfig, profileOf, settingFaults } from '#config';
import { Database, migrate, SecretBox } from '#database';
import { AlreadyRunning, type EmbeddedPostgres, startEmbeddedPostgres } from '#embedded-postgres';
import { createLogger, type Logger, stopOnSignal } from '#telemetry';
import { startApi } from '../../api/src/start-api.js';
import { startWorker } from '../../worker/src/start-worker.js';
import { banner } from './banner.js';
import { type Demo, seedDemo } from './seed-demo.js';

const MIGRATIONS = join(import.meta.dirname, '../../../../prisma/migrations');

interface Stoppable {
  stop(): Promise<void>;
}

/** Started in this order, stopped in the other. */
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
  const faults = settingFaults();
  if (faults.length > 0) throw new ConfigError(faults);
  const { embedded, home } = profileOf();
  const postgres = embedded ? await startPostgres(join(home, 'postgres')) : undefined;
  const config = loadConfig(process.env, postgres?.url('carillon'));
  const logger = createLogger({ level: config.logLevel, role: 'carillon' });
  process.on('unhandledRejection', (error) => logger.error({ err: error }, 'unhandled rejection'));
  await migrate(config.databaseUrl, MIGRATIONS, (message) => logger.warn(message));
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
  console.log(
    banner(
      config,
      api.url,
      api.operationsPort,
      demo,
      embedded
        ? `embedded PostgreSQL in ${join(home, 'postgres')}${postgres!.adopted ? ' (it had outlived its last owner)' : ''}`
        : 'DATABASE_URL',
    ),
  );
  console.log(`Carillon is ready on ${api.url}`);
}

async function startPostgres(directory: string): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ directory, database: 'carillon' });
  running.push(postgres);
  return postgres;
}

async function prepareDemo(config: Config, logger: Logger): Promise<Demo> {
  const database = new Database({
    url: config.databaseUrl,
    poolSize: 2,
    applicationName: 'carillon-seed',
    onIdleError: (error) => logger.warn({ err: error }, 'a database connection was lost'),
  });
  try {
    return await seedDemo(database, new SecretBox(config.masterKey), config.home);
  } finally {
    await database.close();
  }
}

start().catch(async (error: NodeJS.ErrnoException) => {
  const told = error instanceof ConfigError || error instanceof AlreadyRunning;
  if (error.code === 'EADDRINUSE')
    console.error(
      `Carillon cannot listen: ${error.message}. Another program has that port; set PORT (or METRICS_PORT, INTERNAL_PORT) to a free one.`,
    );
  else console.error(told ? error.message : error);
  await stop().catch(() => undefined);
  process.exit(1);
});
