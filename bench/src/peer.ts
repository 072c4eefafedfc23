// Processes of the alternatives, which do the same work as Carillon.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const PEERS = join(import.meta.dirname, '../peers');
const ROOT = join(import.meta.dirname, '../..');

export interface Peer {
  child: ChildProcess;
  stop(): Promise<void>;
}

/** Starts a file of bench/peers and waits until it prints `ready`. */
export async function startPeer(
  file: string,
  parameters: string[],
  environment: Record<string, string>,
): Promise<Peer> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(PEERS, file), ...parameters], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, NODE_ENV: 'production', ...environment },
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout!.on('data', (chunk: Buffer) => chunk.toString().includes('ready') && resolve());
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code}`)));
  });
  return {
    child,
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.kill('SIGTERM');
      }),
  };
}

/** Generates the Prisma client of the usual stack. Any program can replace the engine, which `generate` does not need. */
export function generateUsualClient(): void {
  if (existsSync(join(PEERS, 'generated/client.ts'))) return;
  const done = spawnSync(
    process.execPath,
    [
      join(ROOT, 'node_modules/prisma/build/index.js'),
      'generate',
      '--no-hints',
      '--schema',
      join(PEERS, 'usual.prisma'),
    ],
    { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath } },
  );
  if (done.status !== 0) throw new Error('the Prisma client of the usual stack could not be generated');
}
