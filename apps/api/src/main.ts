import { join } from 'node:path';
import { ConfigError, loadConfig } from '#config';
import { createLogger } from '#telemetry';
import { startApi } from './start-api.js';

const MIGRATIONS = join(import.meta.dirname, '../../../../prisma/migrations');

try {
  const config = loadConfig();
  const logger = createLogger({ level: config.logLevel, role: 'api' });
  process.on('unhandledRejection', (error) => logger.error({ err: error }, 'unhandled rejection'));
  const api = await startApi(config, { logger, migrationsDirectory: MIGRATIONS, metricsFallback: false });
  console.log(`Carillon is ready on ${api.url}`);
  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      // A second signal means now.
      if (stopping) process.exit(1);
      stopping = true;
      api.stop().then(
        () => process.exit(0),
        (error: unknown) => {
          logger.error({ err: error }, 'the stop failed');
          process.exit(1);
        },
      );
    });
  }
} catch (error) {
  console.error(error instanceof ConfigError ? error.message : error);
  process.exit(1);
}
