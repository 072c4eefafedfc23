// The contents of the package, as npm would publish it.

import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT, readJson, testPackage } from '../../../test/npm-package.js';

const PACKAGE = join(import.meta.dirname, '..');

const packed = testPackage(PACKAGE);

it('has code, types, license and README, and nothing else', () => {
  expect(
    packed()
      .filter((path) => !/^dist\/.*\.(js|d\.ts)$/.test(path))
      .toSorted(),
  ).toEqual(['LICENSE', 'README.md', 'package.json']);
  expect(packed()).toEqual(expect.arrayContaining(['dist/index.js', 'dist/index.d.ts']));
});

it('asks for the versions that the repository tests', () => {
  const { peerDependencies, dependencies } = readJson(join(PACKAGE, 'package.json'));
  const repository = readJson(join(ROOT, 'package.json'));
  expect(dependencies).toBeUndefined();
  expect(peerDependencies).toEqual({
    '@carillon/client': `^${readJson(join(ROOT, 'packages/client/package.json')).version}`,
    '@nestjs/common': `^${repository.dependencies['@nestjs/common']}`,
    '@nestjs/core': `^${repository.dependencies['@nestjs/core']}`,
  });
  expect(repository.devDependencies['nest-platform-express']).toMatch(/@nestjs\/platform-express@12\./);
});
