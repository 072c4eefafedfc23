// Generates src/generated from docs/ and compiles into dist/.

import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';

const { resolve } = createRequire(import.meta.url);

process.chdir(import.meta.dirname);
rmSync('dist', { recursive: true, force: true });
run('../../node_modules/@hey-api/openapi-ts/bin/run.js', '-f', 'openapi-ts.config.js');
run(resolve('typescript/bin/tsc'), '-p', 'tsconfig.json');

function run(...command) {
  const { status } = spawnSync(process.execPath, command, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
