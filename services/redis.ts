import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Certificate, PrivateCa } from './certificates.ts';
import { freePort, onPath } from './programs.ts';

export interface RedisService {
  url: string;
  version: string;
  /** Sends SIGKILL; `start` starts it again on the same port, without its data. */
  kill(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** The reason why Redis cannot start on this machine, or null if it can. */
export function redisMissing(): string | null {
  return onPath('redis-server') ? null : 'no redis-server on the PATH (Debian: apt-get install redis-server)';
}

/** Starts Redis on the loopback interface, without persistence. */
export async function startRedis(options: { directory: string; port?: number }): Promise<RedisService> {
  mkdirSync(options.directory, { recursive: true });
  const port = options.port ?? (await freePort());
  const url = `redis://127.0.0.1:${port}`;
  let child: ChildProcess;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  };
  const start = async (): Promise<void> => {
    child = spawn(
      'redis-server',
      ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', options.directory],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    await redisVersion(url);
  };
  await start();
  return { url, version: await redisVersion(url), kill: () => end('SIGKILL'), start, stop: () => end('SIGTERM') };
}

/** A Redis that only speaks TLS and knows only the user `ann` with the password `p@ss`. */
export async function startSecureRedis(options: {
  directory: string;
  ca: PrivateCa;
  certificate: Certificate;
  /** Whether clients need a certificate of `ca`. */
  mutual: boolean;
}): Promise<{ port: number; stop(): Promise<void> }> {
  const { directory, ca, certificate, mutual } = options;
  const port = await freePort();
  const files = ['--tls-cert-file', certificate.certFile, '--tls-key-file', certificate.keyFile];
  const clients = ['--tls-ca-cert-file', ca.certFile, '--tls-auth-clients', mutual ? 'yes' : 'no'];
  const users = ['--user', 'ann', 'on', '>p@ss', '~*', '&*', '+@all', '--user', 'default', 'off'];
  const tls = ['--tls-port', String(port), '--port', '0', '--bind', '127.0.0.1', ...files, ...clients];
  const child = spawn('redis-server', [...tls, ...users, '--save', '', '--dir', directory], { stdio: 'ignore' });
  const until = performance.now() + 10_000;
  while (!(await accepts(port))) {
    if (performance.now() > until) throw new Error(`redis-server does not listen on ${port}`);
    await delay(50);
  }
  return {
    port,
    stop: async () => {
      if (child.kill()) await once(child, 'exit');
    },
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1').on('error', () => resolve(false));
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/** Waits until the server answers, and returns its version. */
export async function redisVersion(url: string): Promise<string> {
  const until = performance.now() + 10_000;
  for (;;) {
    const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: 1_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return /redis_version:(\S+)/.exec(await client.info('server'))?.[1] ?? 'unknown';
    } catch (error) {
      if (performance.now() > until) throw error;
      await delay(50);
    } finally {
      client.disconnect();
    }
  }
}
