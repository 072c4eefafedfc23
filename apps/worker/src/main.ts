import { join } from 'node:path';
import { ConfigError, loadConfig } from '#config';
import { ServerTooOld, WrongMasterKey } from '#database';
import { createLogger, startTracing, stopOnSignal } from '#telemetry';
import { startWorker } from './start-worker.js';

const MIGRATIONS = join(import.meta.dirname, '../../../../prisma/migrations');

try {
  const config = loadConfig();
  const logger = createLogger({ level: config.logLevel, role: 'worker' });
  process.on('unhandledRejection', (error) => logger.error({ err: error }, 'unhandled rejection'));
  const tracing = await startTracing('carillon-worker', config.tracing, (detail) =>
    logger.warn({ detail }, 'exporting traces failed'),
  );
  const worker = await startWorker(config, { logger, migrationsDirectory: MIGRATIONS, operations: true });
  console.log(`Carillon is ready: worker for ${config.workerChannels.join(', ')}`);
  stopOnSignal(
    () => worker.stop().finally(() => tracing.stop()),
    (error) => logger.error({ err: error }, 'the stop failed'),
  );
} catch (error) {
  // These errors have a message for the user; all others need their stack.
  const isExplained = [ConfigError, ServerTooOld, WrongMasterKey].some((kind) => error instanceof kind);
  console.error(isExplained ? (error as Error).message : error);
  process.exit(1);
}
