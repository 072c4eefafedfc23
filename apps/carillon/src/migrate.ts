import { join } from 'node:path';
import { ConfigError, loadConfig } from '#config';
import { migrate } from '#database';

try {
  const done = await migrate(loadConfig().databaseUrl, join(import.meta.dirname, '../../../../prisma/migrations'));
  console.log(done.length === 0 ? 'Nothing to migrate: the database is current.' : `Applied ${done.join(', ')}.`);
} catch (error) {
  console.error(error instanceof ConfigError ? error.message : error);
  process.exit(1);
}
