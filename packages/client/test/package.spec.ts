// The contents of the package, as npm would publish it.

import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { publint } from 'publint';
import { afterAll, beforeAll, expect, it } from 'vitest';

const run = promisify(execFile);
const PACKAGE = join(import.meta.dirname, '..');
const ROOT = join(PACKAGE, '../..');

let directory: string;
let tarball: string;
let packed: string[];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'carillon-client-'));
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', directory], { cwd: PACKAGE });
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  tarball = join(directory, filename);
  packed = files.map(({ path }) => path);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The file and the files that it imports, without packages. */
function withImports(path: string, found = new Set<string>()): Set<string> {
  if (found.has(path)) return found;
  found.add(path);
  for (const [, target] of readFileSync(path, 'utf8').matchAll(/from '([^']+)'/g)) {
    if (!target!.startsWith('.')) throw new Error(`${path} imports ${target}`);
    withImports(join(dirname(path), target!), found);
  }
  return found;
}

it('has code, types, license and README, and nothing else', () => {
  expect(packed.filter((path) => !path.startsWith('dist/')).toSorted()).toEqual([
    'LICENSE',
    'README.md',
    'package.json',
  ]);
  expect(packed).toEqual(expect.arrayContaining(['dist/index.js', 'dist/index.d.ts', 'dist/inbox/index.js']));
  expect(packed.filter((path) => !/\.(js|d\.ts)$/.test(path)).toSorted()).toEqual([
    'LICENSE',
    'README.md',
    'package.json',
  ]);
});

it('is correct for publint', async () => {
  const { messages } = await publint({ pkgDir: PACKAGE, pack: false, strict: true });
  expect(messages).toEqual([]);
});

it('has types that every resolver of ES modules finds', async () => {
  const attw = join(ROOT, 'node_modules/@arethetypeswrong/cli/dist/index.js');
  // Exits with 1 for a problem.
  await run(process.execPath, [attw, tarball, '--profile', 'esm-only']);
}, 60_000);

it('has an inbox of less than 8 kB, not minified, that needs no package', () => {
  const files = [...withImports(join(PACKAGE, 'dist/inbox/index.js'))];
  const bytes = gzipSync(files.map((file) => readFileSync(file, 'utf8')).join('')).length;
  console.log(`inbox: ${bytes} bytes with gzip, ${files.length} files`);
  expect(bytes).toBeLessThan(8_192);
});

it('names the versions of its dependencies that the repository tests', () => {
  const read = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
  const { dependencies, version } = read(join(PACKAGE, 'package.json'));
  const repository = read(join(ROOT, 'package.json'));
  expect(version).toBe(repository.version);
  for (const [name, range] of Object.entries<string>(dependencies)) {
    expect(existsSync(join(ROOT, 'node_modules', name))).toBe(true);
    const tested = repository.dependencies[name] ?? repository.devDependencies[name];
    expect(tested.replace(/^\^/, ''), name).toBe(range.replace(/^\^/, ''));
  }
});
