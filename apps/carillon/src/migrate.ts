import { join } from 'node:path';
import { ConfigError, loadDatabaseConfig } from '#config';
import { LoginsNotCreated, migrate } from '#database';

try {
  const { databaseUrl, databaseLogins } = loadDatabaseConfig();
  const done = await migrate(databaseUrl, join(import.meta.dirname, '../../../../prisma/migrations'), {
    createsLogins: databaseLogins === undefined,
  });
  console.log(done.length === 0 ? 'Nothing to migrate: the database is current.' : `Applied ${done.join(', ')}.`);
} catch (error) {
  console.error(error instanceof ConfigError || error instanceof LoginsNotCreated ? error.message : error);
  process.exit(1);
}
