import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { derivedLogins, migrate } from '#database';
import { startEmbeddedPostgres } from '#embedded-postgres';

const MIGRATIONS = join(import.meta.dirname, '../../../prisma/migrations');
const TEMPLATE = 'carillon_template';

export interface TestServer {
  /** A URL for a database of this name. */
  url(database: string): string;
  stop(): Promise<void>;
}

/**
 * The PostgreSQL server of a test run, with a migrated database that each test file clones. Uses the server of
 * `DATABASE_URL`, or starts an embedded one. `folder` is that of another server to start.
 */
export async function startTestServer(folder?: string): Promise<TestServer> {
  const given = process.env.DATABASE_URL;
  const server = given && !folder ? serverAt(given) : await startServer(folder);
  const admin = await connect(server.url('postgres'));
  await admin.query(`drop database if exists ${TEMPLATE}`);
  await admin.query(`create database ${TEMPLATE}`);
  await admin.end();
  await migrate(server.url(TEMPLATE), MIGRATIONS);
  return server;
}

/** Creates a copy of the migrated database. */
export async function cloneDatabase(serverUrl: string): Promise<{ url: string; drop: () => Promise<void> }> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const url = new URL(serverUrl);
  const admin = await connect(serverUrl);
  await admin.query(`create database ${name} template ${TEMPLATE}`);
  await admin.end();
  url.pathname = `/${name}`;
  // Creates the two logins of the copy.
  await migrate(url.toString(), MIGRATIONS);
  return { url: url.toString(), drop: () => dropDatabase(url.toString(), serverUrl) };
}

/** Drops the database at `url` and its two logins. */
export async function dropDatabase(url: string, serverUrl: string): Promise<void> {
  const client = await connect(serverUrl);
  const { database } = new pg.Client({ connectionString: url });
  await client.query(`drop database if exists ${pg.escapeIdentifier(database!)} with (force)`);
  for (const { name } of Object.values(derivedLogins(url)))
    await client.query(`drop role if exists ${pg.escapeIdentifier(name)}`);
  await client.end();
}

/** A connection as the login role, without row-level security. For assertions on stored data. */
export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  client.on('error', () => undefined);
  return client;
}

function serverAt(given: string): TestServer {
  return {
    url: (database) => {
      const url = new URL(given);
      url.pathname = `/${database}`;
      return url.toString();
    },
    stop: async () => undefined,
  };
}

/** Without migrations. */
export async function startServer(folder?: string): Promise<TestServer> {
  const directory = await mkdtemp(join(tmpdir(), 'carillon-test-'));
  // As root, the server runs as another user, which needs access.
  await chmod(directory, 0o755);
  const server = await startEmbeddedPostgres({
    directory: join(directory, 'postgres'),
    settings: { max_connections: '300', max_prepared_transactions: '0' },
    server: folder,
  });
  return {
    url: (database) => server.url(database),
    stop: async () => {
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
