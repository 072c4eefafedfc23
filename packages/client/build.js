// npm run build                generates src/generated from docs/ and compiles into dist/
// npm run build -- --if-stale  only if a source has changed since the last build

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const STAMP = 'dist/.sources';
const INPUTS = ['src', 'openapi-ts.config.js', 'package.json', 'tsconfig.json', 'build.js'];
const OF_REPOSITORY = ['../../docs/openapi.json', '../../docs/asyncapi.yaml', '../../package-lock.json'];
const { resolve } = createRequire(import.meta.url);

process.chdir(import.meta.dirname);
const before = fingerprint();
if (process.argv.includes('--if-stale') && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === before) process.exit(0);
rmSync('dist', { recursive: true, force: true });
run('../../node_modules/@hey-api/openapi-ts/bin/run.js', '-f', 'openapi-ts.config.js');
run(resolve('typescript/bin/tsc'), '-p', 'tsconfig.json');
writeFileSync(STAMP, before);

/** The contents of every file that the build reads. */
function fingerprint() {
  const hash = createHash('sha256');
  for (const path of [...INPUTS.flatMap(filesIn), ...OF_REPOSITORY].sort())
    hash.update(path).update(readFileSync(path));
  return hash.digest('hex');
}

function filesIn(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !file.startsWith('src/generated'));
}

function run(...command) {
  const { status } = spawnSync(process.execPath, command, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
