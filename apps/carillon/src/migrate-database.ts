import { join } from 'node:path';
import { loadDatabaseConfig } from '#config';
import { migrate } from '#database';
import { type JsonOption, printNote, printResult } from './command-line/output.js';

const MIGRATIONS = join(import.meta.dirname, '../../../../prisma/migrations');

/** `carillon migrate` */
export async function migrateDatabase(options: JsonOption): Promise<void> {
  const { databaseUrl, databaseLogins } = loadDatabaseConfig();
  const applied = await migrate(databaseUrl, MIGRATIONS, {
    onWait: printNote,
    createsLogins: databaseLogins === undefined,
  });
  printResult(options, { applied }, () =>
    applied.length === 0 ? 'Nothing to migrate: the database is current.' : `Applied ${applied.join(', ')}.`,
  );
}
