// npm run build                builds everything into dist/ and packages/*/dist
// npm run build -- --if-stale  builds only what has changed since its last build; `npm test` and CI build once this way

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const GENERATED = ['libs/database/src/generated', 'packages/client/src/generated'];
/** Read by every part: a change of a package or of a path is a change of all. */
const SETTINGS = ['package.json', 'package-lock.json', 'scripts/build.mjs'];

/** In the order in which they need each other. The stamp of a part holds the fingerprint of its last build. */
const parts = [
  {
    stamp: 'dist/.sources',
    outputs: ['libs/database/src/generated'],
    inputs: ['apps/api', 'apps/carillon', 'apps/worker', 'libs', 'scripts', 'prisma/schema.prisma', 'prisma.config.ts'],
    settings: ['tsconfig.json', 'tsconfig.build.json'],
    commands: [['scripts/generate-prisma.mjs'], ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json']],
  },
  {
    stamp: 'packages/client/dist/.sources',
    outputs: ['packages/client/dist/index.js', 'packages/client/src/generated'],
    inputs: ['packages/client/src', 'docs/openapi.json', 'docs/asyncapi.yaml'],
    settings: ['packages/client/package.json', 'packages/client/tsconfig.json', 'packages/client/openapi-ts.config.js'],
    commands: [['packages/client/build.js']],
  },
  {
    stamp: 'packages/nestjs/dist/.sources',
    outputs: ['packages/nestjs/dist/index.js', 'packages/nestjs/node_modules/@carillon/client'],
    inputs: ['packages/nestjs/src', 'packages/client/dist'],
    settings: ['packages/nestjs/package.json', 'packages/nestjs/tsconfig.json', 'packages/nestjs/build.js'],
    commands: [['packages/nestjs/build.js']],
  },
  {
    stamp: 'packages/inbox/dist/.sources',
    outputs: ['packages/inbox/dist/inbox.js', 'dist/apps/inbox/inbox.js'],
    inputs: ['packages/inbox/src', 'packages/client/src', 'docs/openapi.json'],
    settings: ['packages/inbox/package.json', 'packages/inbox/tsconfig.json', 'packages/inbox/build.js'],
    commands: [['packages/inbox/build.js']],
  },
  {
    stamp: 'dist/apps/.console-sources',
    outputs: ['dist/apps/console/index.html'],
    inputs: ['apps/console/src', 'packages/client/dist'],
    settings: ['apps/console/index.html', 'apps/console/vite.config.ts', 'apps/console/tsconfig.json'],
    commands: [['node_modules/vite/bin/vite.js', 'build', '-c', 'apps/console/vite.config.ts', '--logLevel', 'warn']],
  },
];

const onlyStale = process.argv.includes('--if-stale');
for (const part of parts) {
  const before = fingerprint(part);
  if (onlyStale && stampOf(part) === before) continue;
  for (const command of part.commands) run(...command);
  mkdirSync(dirname(part.stamp), { recursive: true });
  writeFileSync(part.stamp, before);
}

/** Names, sizes and modification times of every file that the build of the part reads. */
function fingerprint({ inputs, settings }) {
  const hash = createHash('sha256');
  for (const path of [...inputs.flatMap(filesIn), ...settings, ...SETTINGS].sort()) {
    const { size, mtimeMs } = statSync(path);
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

function filesIn(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !GENERATED.some((folder) => file.startsWith(folder)) && !file.endsWith('.sources'));
}

/** Null if the last build failed or its output is gone. */
function stampOf({ stamp, outputs }) {
  return [stamp, ...outputs].every((path) => existsSync(path)) ? readFileSync(stamp, 'utf8') : null;
}

function run(...command) {
  const { status } = spawnSync(process.execPath, command, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
