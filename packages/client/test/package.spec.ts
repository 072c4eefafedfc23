// The contents of the package, as npm would publish it.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { ROOT, readJson, testPackage } from '../../../test/npm-package.js';

const PACKAGE = join(import.meta.dirname, '..');

const packed = testPackage(PACKAGE);

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
  expect(
    packed()
      .filter((path) => !path.startsWith('dist/'))
      .toSorted(),
  ).toEqual(['LICENSE', 'README.md', 'package.json']);
  expect(packed()).toEqual(expect.arrayContaining(['dist/index.js', 'dist/index.d.ts', 'dist/inbox/index.js']));
  expect(
    packed()
      .filter((path) => !/\.(js|d\.ts)$/.test(path))
      .toSorted(),
  ).toEqual(['LICENSE', 'README.md', 'package.json']);
});

it('has an inbox of less than 8 kB, not minified, that needs no package', () => {
  const files = [...withImports(join(PACKAGE, 'dist/inbox/index.js'))];
  const bytes = gzipSync(files.map((file) => readFileSync(file, 'utf8')).join('')).length;
  console.log(`inbox: ${bytes} bytes with gzip, ${files.length} files`);
  expect(bytes).toBeLessThan(8_192);
});

it('names the versions of its dependencies that the repository tests', () => {
  const { dependencies } = readJson(join(PACKAGE, 'package.json'));
  const repository = readJson(join(ROOT, 'package.json'));
  for (const [name, range] of Object.entries<string>(dependencies)) {
    expect(existsSync(join(ROOT, 'node_modules', name))).toBe(true);
    const tested = repository.dependencies[name] ?? repository.devDependencies[name];
    expect(tested.replace(/^\^/, ''), name).toBe(range.replace(/^\^/, ''));
  }
});
