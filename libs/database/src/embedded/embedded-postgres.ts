import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { dataDirectory, reachableServer, type ServerUser, serverUser } from './server-files.js';

/** Any number: held by the one process that owns a cluster. */
const OWNER_LOCK = 7_271_964_001;
const RECOVERY_LIMIT_MS = 120_000;
const LOGIN = 'carillon';

export interface EmbeddedPostgres {
  /** A URL for a database of this name on the server. */
  url(database: string): string;
  /** Whether the server was found running: its last owner was killed. */
  readonly adopted: boolean;
  /** Checkpoints and stops the server. */
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  /** The data directory; `<directory>.json` beside it keeps port and password. */
  directory: string;
  /** A database that is made where it is missing. */
  database?: string;
  /** Extra `-c` settings. */
  settings?: Record<string, string>;
}

/** Another process owns the cluster. */
export class AlreadyRunning extends Error {}

/**
 * Starts a real PostgreSQL from npm on a data directory, making it at the first start. Durable: `fsync` and synchronous
 * commit are as Postgres has them.
 *
 * What can be in the way, and what happens: a port that is taken (another is chosen), a stale pid file (removed when its
 * process is not Postgres), a crash (Postgres recovers by itself, and is waited for), a server that outlived its killed
 * parent (adopted as it is), another living owner ({@link AlreadyRunning}).
 *
 * `pg_ctl` does the starting, and the server is detached from this process: a SIGKILL of ours does not crash it.
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const user = serverUser();
  const programs = join(reachableServer(user), 'bin');
  const directory = dataDirectory(options.directory, user);
  const access = accessOf(`${options.directory}.json`);
  const run = (program: string, args: string[]): Promise<Ended> =>
    execute(join(programs, program), args, user, directory);

  if (!existsSync(join(directory, 'PG_VERSION'))) await initialise(run, directory, access.password, user);

  removeForeignPidFile(directory);
  const adopted = (await run('pg_ctl', ['status', '-D', directory])).code === 0;
  const port = adopted ? portInPidFile(directory) : await freePort(access.port);
  if (!adopted) {
    const settings = Object.entries({
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      port: String(port),
      jit: 'off',
      timezone: 'UTC',
      ...options.settings,
    }).map(([name, value]) => `-c ${name}='${value}'`);
    const started = await run('pg_ctl', [
      'start',
      '-w',
      '-t',
      String(RECOVERY_LIMIT_MS / 1000),
      '-D',
      directory,
      '-l',
      join(directory, 'server.log'),
      '-o',
      settings.join(' '),
    ]);
    // Two starts at the same moment: the other one's server is as good, the owner's lock decides.
    if (started.code !== 0 && (await run('pg_ctl', ['status', '-D', directory])).code !== 0) {
      throw new Error(
        `PostgreSQL did not start:\n${started.output.trim()}\n${lastLines(join(directory, 'server.log'))}`,
      );
    }
    writeAccess(`${options.directory}.json`, { ...access, port });
  }
  const url = (database: string): string => `postgresql://${LOGIN}:${access.password}@127.0.0.1:${port}/${database}`;
  const owner = await own(url('postgres'), options.directory);
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

type Run = (program: string, args: string[]) => Promise<Ended>;

async function initialise(run: Run, directory: string, password: string, user: ServerUser | undefined): Promise<void> {
  const passwordFile = join(directory, '..', `.password-${process.pid}-${randomBytes(4).toString('hex')}`);
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  try {
    if (user) chownSync(passwordFile, user.uid, user.gid);
    const made = await run('initdb', [
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
    if (made.code !== 0)
      throw new Error(`PostgreSQL could not make its data directory ${directory}:\n${made.output.trim()}`);
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/** A session that holds the owner's lock until it ends, that is, until this process ends. */
async function own(url: string, directory: string): Promise<pg.Client> {
  const client = await connect(url);
  const { rows } = await client.query<{ mine: boolean }>('select pg_try_advisory_lock($1) as mine', [OWNER_LOCK]);
  if (rows[0]?.mine) return client;
  const { rows: owners } = await client.query<{ application_name: string }>(
    `select a.application_name from pg_locks l join pg_stat_activity a using (pid)
     where l.locktype = 'advisory' and l.granted and (l.classid::bigint << 32 | l.objid::bigint) = $1`,
    [OWNER_LOCK],
  );
  await client.end();
  throw new AlreadyRunning(
    `Another Carillon${owners[0] ? ` (${owners[0].application_name})` : ''} is running on ${directory}. Stop it first, or give this one a CARILLON_HOME of its own.`,
  );
}

async function createDatabase(owner: pg.Client, name: string): Promise<void> {
  const { rows } = await owner.query('select from pg_database where datname = $1', [name]);
  if (rows.length === 0) await owner.query(`create database ${pg.escapeIdentifier(name)}`);
}

/** Connects, waiting for crash recovery to end. */
async function connect(url: string): Promise<pg.Client> {
  const until = Date.now() + RECOVERY_LIMIT_MS;
  for (;;) {
    const client = new pg.Client({
      connectionString: url,
      application_name: `process ${process.pid}`,
      keepAlive: true,
    });
    try {
      await client.connect();
      // The server being stopped under us is no reason to die of an unhandled error.
      client.on('error', () => undefined);
      return client;
    } catch (error) {
      await client.end().catch(() => undefined);
      // 57P03: the database system is starting up.
      if ((error as { code?: string }).code !== '57P03' || Date.now() > until) throw error;
      await delay(100);
    }
  }
}

interface Access {
  port: number;
  password: string;
}

function accessOf(file: string): Access {
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Access;
  const access = { port: 0, password: randomBytes(24).toString('base64url') };
  writeAccess(file, access);
  return access;
}

function writeAccess(file: string, access: Access): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(access)}\n`, { mode: 0o600 });
}

/** The port of last time where it is free, any other where it is not. */
async function freePort(wanted: number): Promise<number> {
  return (await tryPort(wanted)) ?? (await tryPort(0))!;
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const probe = createServer()
      .once('error', () => resolve(undefined))
      .listen({ port, host: '127.0.0.1', exclusive: true }, () => {
        const { port: got } = probe.address() as { port: number };
        probe.close(() => resolve(got));
      });
  });
}

/** Lines of postmaster.pid: process id, data directory, start time, port, … */
function pidFile(directory: string): string[] {
  try {
    return readFileSync(join(directory, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return [];
  }
}

function portInPidFile(directory: string): number {
  return Number(pidFile(directory)[3]);
}

/**
 * After a crash of the machine, or a restart of a container, the process id in the file may be somebody else's, and
 * Postgres would refuse to start for ever. Only Linux can tell; elsewhere Postgres decides by itself.
 */
function removeForeignPidFile(directory: string): void {
  const pid = Number(pidFile(directory)[0]);
  if (!pid || !existsSync('/proc/self/cmdline')) return;
  let command = '';
  try {
    command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return;
  }
  if (!command.includes('postgres')) rmSync(join(directory, 'postmaster.pid'), { force: true });
}

function lastLines(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').slice(-10).join('\n') : '';
}

interface Ended {
  code: number | null;
  output: string;
}

function execute(program: string, args: string[], user: ServerUser | undefined, cwd: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    // A signal from the terminal goes to the whole process group: the server has a session of its own, and is stopped by us.
    const child = spawn(program, args, {
      ...user,
      cwd,
      detached: true,
      env: { ...process.env, LC_ALL: 'C', LC_MESSAGES: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const collect = (chunk: Buffer): void => {
      output += chunk.toString('utf8');
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('error', reject);
    // 'exit', not 'close': the server that pg_ctl started keeps nothing of ours open, but may outlive this by days.
    child.once('exit', (code) => resolve({ code, output }));
  });
}
