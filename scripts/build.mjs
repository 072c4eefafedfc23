// npm run build                compiles into dist/
// npm run build -- --if-stale  compiles only if a source changed since the last build; `npm test` and CI build once this way

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const STAMP = 'dist/.sources';
const GENERATED = 'libs/database/src/generated';
const INPUTS = ['apps', 'libs', 'scripts', 'prisma/schema.prisma', 'prisma.config.ts'];
const SETTINGS = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];

const before = fingerprint();
if (process.argv.includes('--if-stale') && stampOf() === before) process.exit(0);
run('scripts/generate-prisma.mjs');
run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json');
writeFileSync(STAMP, before);

/** Names, sizes and modification times of every file that the build reads. */
function fingerprint() {
  const hash = createHash('sha256');
  for (const path of [...INPUTS.flatMap(filesIn), ...SETTINGS].sort()) {
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
    .filter((file) => !file.startsWith(GENERATED));
}

/** Null if the last build failed or its output is gone. */
function stampOf() {
  return existsSync(STAMP) && existsSync(GENERATED) ? readFileSync(STAMP, 'utf8') : null;
}

function run(...command) {
  const { status } = spawnSync(process.execPath, command, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
