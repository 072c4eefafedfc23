import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { takeOwnership } from './owner-lock.js';
import { type RunProgram, runProgram } from './run-program.js';
import { freePort, portInPidFile, readAddress, removeForeignPidFile, writeAddress } from './server-address.js';
import { dataDirectory, installedServer, reachableServer, type ServerUser, serverUser } from './server-files.js';

/** Crash recovery replays at most the write-ahead log of one checkpoint interval, normally within seconds. */
const RECOVERY_LIMIT_MS = 120_000;
const LOGIN = 'carillon';

export interface EmbeddedPostgres {
  /** A URL for a database of this name on the server. */
  url(database: string): string;
  /** Whether the server was already running, because its last owner was killed. */
  readonly adopted: boolean;
  /** Checkpoints and stops the server. */
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  /** The data directory. The file `<directory>.json` beside it keeps the port and the password. */
  directory: string;
  /** A database to create if it does not exist. */
  database?: string;
  /** Extra `-c` settings. */
  settings?: Record<string, string>;
  /** The folder with `bin/`, `lib/` and `share/` of another server than the one that npm installed. */
  server?: string | undefined;
}

/**
 * Starts a real PostgreSQL from npm on a data directory; the first start creates the directory. Durable: `fsync` and
 * synchronous commit keep Postgres' defaults.
 *
 * - Port taken: chooses another one.
 * - Stale pid file: removed if its process is not Postgres.
 * - Crash: Postgres recovers by itself, and the start waits for that.
 * - Server still running after its owner was killed: adopted as it is.
 * - Another living owner: throws `AlreadyRunning`.
 *
 * `pg_ctl` starts the server detached from this process, so a SIGKILL of this process does not crash the server.
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const user = serverUser();
  const programs = join(reachableServer(user, options.server ?? installedServer()), 'bin');
  const directory = dataDirectory(options.directory, user);
  const addressFile = `${options.directory}.json`;
  const address = readAddress(addressFile);
  const run: RunProgram = (program, args) => runProgram(join(programs, program), args, user, directory);

  if (!existsSync(join(directory, 'PG_VERSION'))) await initialise(run, directory, address.password, user);

  removeForeignPidFile(directory);
  const adopted = await isRunning(run, directory);
  const port = adopted ? portInPidFile(directory) : await freePort(address.port);
  if (!adopted) {
    await startServer(run, directory, port, options.settings);
    writeAddress(addressFile, { ...address, port });
  }
  const url = (database: string): string => `postgresql://${LOGIN}:${address.password}@127.0.0.1:${port}/${database}`;
  const owner = await takeOwnership(url('postgres'), options.directory, RECOVERY_LIMIT_MS);
  if (options.database !== undefined) await createDatabase(owner, options.database);
  return {
    url,
    adopted,
    stop: async () => {
      await owner.end().catch(() => undefined);
      await run('pg_ctl', ['stop', '-D', directory, '-m', 'fast', '-w']);
    },
  };
}

async function isRunning(run: RunProgram, directory: string): Promise<boolean> {
  return (await run('pg_ctl', ['status', '-D', directory])).code === 0;
}

async function startServer(
  run: RunProgram,
  directory: string,
  port: number,
  extraSettings: Record<string, string> | undefined,
): Promise<void> {
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    port: String(port),
    jit: 'off',
    timezone: 'UTC',
    ...extraSettings,
  };
  const serverOptions = Object.entries(settings).map(([name, value]) => `-c ${name}='${value}'`);
  const log = join(directory, 'server.log');
  const timeoutSeconds = String(RECOVERY_LIMIT_MS / 1000);
  const args = ['start', '-w', '-t', timeoutSeconds, '-D', directory, '-l', log, '-o', serverOptions.join(' ')];
  const { code, output } = await run('pg_ctl', args);
  // A failed start beside a running server: another process started it at the same moment. The owner's lock decides
  // which of the two may use it.
  if (code !== 0 && !(await isRunning(run, directory))) {
    throw new Error(`PostgreSQL did not start:\n${output.trim()}\n${lastLines(log)}`);
  }
}

async function initialise(
  run: RunProgram,
  directory: string,
  password: string,
  user: ServerUser | undefined,
): Promise<void> {
  const passwordFile = join(directory, '..', `.password-${process.pid}-${randomBytes(4).toString('hex')}`);
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  try {
    if (user) chownSync(passwordFile, user.uid, user.gid);
    const { code, output } = await run('initdb', [
      '-D',
      directory,
      '-U',
      LOGIN,
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
      '--encoding=UTF8',
      '--locale=C',
      '--no-instructions',
    ]);
    if (code !== 0) throw new Error(`PostgreSQL could not create its data directory ${directory}:\n${output.trim()}`);
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

async function createDatabase(owner: pg.Client, name: string): Promise<void> {
  const { rows } = await owner.query('select from pg_database where datname = $1', [name]);
  if (rows.length === 0) await owner.query(`create database ${pg.escapeIdentifier(name)}`);
}

function lastLines(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').slice(-10).join('\n') : '';
}
