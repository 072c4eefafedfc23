import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { IN_UTC } from './connection-pool.js';
import { createLogins } from './create-logins.js';
import { refuseOldServer, SERVER_VERSION, type ServerVersion } from './server-version.js';

/** An arbitrary number: the key of the advisory lock that lets one process migrate at a time. */
const MIGRATION_LOCK = 7_271_964_002;

/**
 * The longest wait for the lock of a table, because all later statements on the table wait behind it. The migration is
 * then rolled back and tried again after a pause, in which those statements run.
 */
const LOCK_TIMEOUT_MS = 2_000;
const PAUSE_MS = 1_000;
/** About ten minutes. */
const MAX_TRIES = 200;
const LOCK_NOT_AVAILABLE = '55P03';

interface Migration {
  name: string;
  sql: string;
  checksum: string;
}

/** A migration could not be applied; the message says which and why. */
export class MigrationFailed extends Error {
  override readonly name = 'MigrationFailed';
}

export interface MigrateOptions {
  /** Called each time that a migration is postponed because another transaction holds a lock. */
  onWait?: ((message: string) => void) | undefined;
  /** False if the operator created two logins. */
  createsLogins?: boolean | undefined;
}

/**
 * Applies the pending migrations under `prisma/migrations` in order, each in a transaction, under an advisory lock.
 * Writes Prisma's `_prisma_migrations` table with Prisma's checksums, so that `prisma migrate deploy` works on the same
 * database (a test runs Prisma's engine against it). Does not use Prisma's engine or a library: docs/adr/0032.
 *
 * Then creates the two logins of the API and the workers, unless they are as they should be.
 *
 * Returns the names of the migrations applied now. Throws if a migration fails, if an applied one was edited
 * afterwards, if the logins cannot be created, or if the server is too old.
 */
export async function migrate(
  databaseUrl: string,
  directory: string,
  { onWait = console.error, createsLogins = true }: MigrateOptions = {},
): Promise<string[]> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: 'carillon-migrate',
    options: IN_UTC,
  });
  await client.connect();
  try {
    const { rows } = await client.query<ServerVersion>(SERVER_VERSION);
    refuseOldServer(rows[0]!);
    await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await client.query(MIGRATIONS_TABLE);
    const applied = await appliedMigrations(client);
    const done: string[] = [];
    for (const migration of migrationsIn(directory)) {
      const before = applied.get(migration.name);
      if (before === undefined) {
        await applyWithRetries(client, migration, onWait);
        done.push(migration.name);
      } else if (before !== migration.checksum) {
        throw new MigrationFailed(
          `migration ${migration.name} was edited after it had been applied to this database; add a new one instead`,
        );
      }
    }
    if (createsLogins) await createLogins(client, databaseUrl);
    return done;
  } finally {
    await client.end();
  }
}

/** The names of the migrations of this program that the database does not have. */
export async function pendingMigrations(
  query: (text: string) => Promise<{ migration_name: string }[]>,
  directory: string,
): Promise<string[]> {
  const applied = new Set((await query(APPLIED).catch(missingTableAsNone)).map((row) => row.migration_name));
  return migrationsIn(directory)
    .map((migration) => migration.name)
    .filter((name) => !applied.has(name));
}

export interface MigrationsDifference {
  applied: number;
  pending: string[];
  edited: string[];
  /** By Prisma's engine; this runner leaves no such row. */
  failed: string[];
  /** Applied by another release. */
  unknown: string[];
}

/** Compares the database with the migrations of this program. */
export async function migrationsDifference(
  query: (text: string) => Promise<MigrationRow[]>,
  directory: string,
): Promise<MigrationsDifference> {
  const rows = await query(ALL).catch(missingTableAsNone);
  const own = new Map(migrationsIn(directory).map(({ name, checksum }) => [name, checksum]));
  const applied = rows.filter(({ is_applied }) => is_applied);
  const names = new Set(applied.map(({ migration_name }) => migration_name));
  return {
    applied: applied.length,
    pending: [...own.keys()].filter((name) => !names.has(name)),
    edited: applied.filter((row) => (own.get(row.migration_name) ?? row.checksum) !== row.checksum).map(nameOf),
    failed: rows.filter(({ is_failed, migration_name }) => is_failed && !names.has(migration_name)).map(nameOf),
    unknown: applied.filter(({ migration_name }) => !own.has(migration_name)).map(nameOf),
  };
}

interface MigrationRow {
  migration_name: string;
  checksum: string;
  is_applied: boolean;
  is_failed: boolean;
}

function nameOf({ migration_name }: MigrationRow): string {
  return migration_name;
}

const ALL = `
select migration_name, checksum, finished_at is not null and rolled_back_at is null as is_applied,
       finished_at is null and rolled_back_at is null as is_failed
from _prisma_migrations order by migration_name`;

/** As Prisma creates it. */
const MIGRATIONS_TABLE = `
create table if not exists _prisma_migrations (
  id varchar(36) primary key, checksum varchar(64) not null, finished_at timestamptz,
  migration_name varchar(255) not null, logs text, rolled_back_at timestamptz,
  started_at timestamptz not null default now(), applied_steps_count integer not null default 0
)`;

const APPLIED =
  'select migration_name, checksum from _prisma_migrations where finished_at is not null and rolled_back_at is null';

function missingTableAsNone(error: { code?: string }): never[] {
  if (error.code === '42P01') return [];
  throw error;
}

async function appliedMigrations(client: pg.Client): Promise<Map<string, string>> {
  const { rows } = await client.query<{ migration_name: string; checksum: string }>(APPLIED);
  return new Map(rows.map((row) => [row.migration_name, row.checksum]));
}

async function applyWithRetries(
  client: pg.Client,
  migration: Migration,
  onWait: (message: string) => void,
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await apply(client, migration);
    } catch (error) {
      const { code } = (error as Error).cause as { code?: string };
      if (code !== LOCK_NOT_AVAILABLE || tries === MAX_TRIES) throw error;
      onWait(`Migration ${migration.name} waits for a lock that another transaction holds. Trying again.`);
      await setTimeout(PAUSE_MS);
    }
  }
}

async function apply(client: pg.Client, migration: Migration): Promise<void> {
  try {
    await client.query(`begin; set local lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await client.query(migration.sql);
    await client.query(
      `insert into _prisma_migrations (id, checksum, finished_at, migration_name, applied_steps_count)
       values ($1, $2, now(), $3, 1)`,
      [randomUUID(), migration.checksum, migration.name],
    );
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    throw new MigrationFailed(
      `migration ${migration.name} failed: ${(error as Error).message}. It was rolled back; those before it are ` +
        'applied. Correct the cause and run it again.',
      { cause: error },
    );
  }
}

const migrationsRead = new Map<string, Migration[]>();

function migrationsIn(directory: string): Migration[] {
  let migrations = migrationsRead.get(directory);
  if (!migrations) {
    migrations = readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
      .sort()
      .map((name) => {
        const bytes = readFileSync(join(directory, name, 'migration.sql'));
        return { name, sql: bytes.toString('utf8'), checksum: createHash('sha256').update(bytes).digest('hex') };
      });
    migrationsRead.set(directory, migrations);
  }
  return migrations;
}
