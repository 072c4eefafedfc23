// A peer's process: what one would use instead of us, doing the same work.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const PEERS = join(import.meta.dirname, '../peers');
const ROOT = join(import.meta.dirname, '../..');

export interface Peer {
  child: ChildProcess;
  stop(): Promise<void>;
}

/** Starts a file of bench/peers and waits until it says that it is ready. */
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

/** The Prisma client of the usual stack; any program stands in for the engine that `generate` does not need. */
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
