import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../services/programs.ts';

/** A folder with the built source of a release. */
export interface Release {
  name: string;
  directory: string;
}

/**
 * Writes the source of this commit, branch or tag into a new folder and builds it there. Uses the packages of `root` if
 * both have the same package-lock.json, otherwise installs its own (1 to 2 minutes). A commit that a shallow clone does
 * not have is fetched from `origin`.
 */
export async function buildRelease(root: string, reference: string, directory: string): Promise<Release> {
  const commit = await commitOf(root, reference);
  mkdirSync(directory);
  const { status } = spawnSync('sh', ['-c', 'git archive "$1" | tar -x -C "$2"', 'sh', commit, directory], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error(`git archive ${commit} failed`);
  const lock = (folder: string): string => readFileSync(join(folder, 'package-lock.json'), 'utf8');
  if (existsSync(join(root, 'node_modules')) && lock(root) === lock(directory)) {
    symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
    await run(process.execPath, ['scripts/build.mjs'], { cwd: directory });
  } else {
    // Also builds: the script `prepare`.
    await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: directory });
  }
  return { name: commit.slice(0, 7), directory };
}

async function commitOf(root: string, reference: string): Promise<string> {
  const inRoot = { cwd: root };
  const find = (name: string): Promise<string> => run('git', ['rev-parse', '--verify', `${name}^{commit}`], inRoot);
  const found = await find(reference).catch(async () => {
    await run('git', ['fetch', '--depth', '1', 'origin', reference], inRoot);
    return await find('FETCH_HEAD');
  });
  return found.trim();
}
