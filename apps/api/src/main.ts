import { join } from 'node:path';
import { ConfigError, loadConfig } from '#config';
import { ServerTooOld, WrongMasterKey } from '#database';
import { createLogger, startTracing, stopOnSignal } from '#telemetry';
import { startApi } from './start-api.js';

const MIGRATIONS = join(import.meta.dirname, '../../../../prisma/migrations');

try {
  const config = loadConfig();
  const logger = createLogger({ level: config.logLevel, role: 'api' });
  process.on('unhandledRejection', (error) => logger.error({ err: error }, 'unhandled rejection'));
  const tracing = await startTracing('carillon-api', config.tracing, (detail) =>
    logger.warn({ detail }, 'exporting traces failed'),
  );
  const api = await startApi(config, { logger, migrationsDirectory: MIGRATIONS, metricsFallback: false });
  console.log(`Carillon is ready on ${api.url}`);
  stopOnSignal(
    () => api.stop().finally(() => tracing.stop()),
    (error) => logger.error({ err: error }, 'stopping failed'),
  );
} catch (error) {
  // These errors have a message for the user; all others need their stack.
  const isExplained = [ConfigError, ServerTooOld, WrongMasterKey].some((kind) => error instanceof kind);
  console.error(isExplained ? (error as Error).message : error);
  process.exit(1);
}
