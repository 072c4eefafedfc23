// The contents of the package, as npm would publish it.

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { afterAll, beforeAll, expect, it } from 'vitest';

const run = promisify(execFile);
const PACKAGE = join(import.meta.dirname, '..');
const ROOT = join(PACKAGE, '../..');

let directory: string;
let tarball: string;
let packed: string[];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'carillon-nestjs-'));
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', directory], { cwd: PACKAGE });
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  tarball = join(directory, filename);
  packed = files.map(({ path }) => path);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

it('has code, types, license and README, and nothing else', () => {
  expect(packed.filter((path) => !/^dist\/.*\.(js|d\.ts)$/.test(path)).toSorted()).toEqual([
    'LICENSE',
    'README.md',
    'package.json',
  ]);
  expect(packed).toEqual(expect.arrayContaining(['dist/index.js', 'dist/index.d.ts']));
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

it('asks for the versions that the repository tests', () => {
  const read = (path: string) => JSON.parse(readFileSync(path, 'utf8'));
  const { peerDependencies, dependencies, version } = read(join(PACKAGE, 'package.json'));
  const repository = read(join(ROOT, 'package.json'));
  expect(dependencies).toBeUndefined();
  expect(version).toBe(repository.version);
  expect(peerDependencies).toEqual({
    '@carillon/client': `^${read(join(ROOT, 'packages/client/package.json')).version}`,
    '@nestjs/common': `^${repository.dependencies['@nestjs/common']}`,
    '@nestjs/core': `^${repository.dependencies['@nestjs/core']}`,
  });
  expect(repository.devDependencies['nest-platform-express']).toMatch(/@nestjs\/platform-express@12\./);
});
