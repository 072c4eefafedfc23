// Compiles into dist/. The client must be built.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';

const CLIENT = 'node_modules/@carillon/client';
const { resolve } = createRequire(import.meta.url);

process.chdir(import.meta.dirname);
if (!existsSync(CLIENT)) {
  mkdirSync('node_modules/@carillon', { recursive: true });
  // Relative, so that the folder may be moved.
  symlinkSync('../../../client', CLIENT, 'dir');
}
rmSync('dist', { recursive: true, force: true });
const tsc = [resolve('typescript/bin/tsc'), '-p', 'tsconfig.json'];
process.exit(spawnSync(process.execPath, tsc, { stdio: 'inherit' }).status ?? 1);
