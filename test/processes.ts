// Runs the roles of the server and scale profiles in separate processes, so that tests can kill them.

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { until } from '#testing';
import { freePort } from '../services/programs.ts';
import { watchMetrics, watchText } from './canary/process-texts.js';
import { profileEnvironment } from './profiles.js';
import type { TestEnvironment } from './test-environment.js';
import { collector } from './tracing/collector.js';

export interface RunningProcess {
  child: ChildProcess;
  /** The output so far. */
  output(): string;
  /** `http://host:port` of an API. */
  url: string;
  /** Sends SIGTERM and resolves with the exit code. */
  stop(): Promise<number | null>;
  kill(): Promise<void>;
}

/** The settings of a role that serves the same deployment as `app`. */
export function roleEnvironment({ databaseUrl, config }: TestEnvironment): Record<string, string> {
  return {
    ...profileEnvironment(databaseUrl),
    DATABASE_URL: databaseUrl,
    MASTER_KEY: config.masterKey.toString('hex'),
    ADMIN_TOKEN: config.adminToken,
    CARILLON_HOME: config.home,
  };
}

/**
 * Starts a built role and waits until it prints that it is ready. When the test file ends, its output, metrics and traces
 * are searched for the values that the file watches; a killed process has no metrics.
 */
export async function startRole(
  role: 'api' | 'worker',
  environment: Readonly<Record<string, string>>,
): Promise<RunningProcess> {
  const traces = await collector();
  const metricsPort = environment['METRICS_PORT'] ?? String(await freePort());
  const child = spawn(process.execPath, [join(import.meta.dirname, `../dist/apps/${role}/src/main.js`)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      NODE_ENV: 'test',
      HOST: '127.0.0.1',
      PORT: '0',
      METRICS_PORT: metricsPort,
      LOG_LEVEL: 'debug',
      SANDBOX_FALLBACK: 'true',
      ...traces.environment,
      ...environment,
    },
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  }
  watchText(`the output of the ${role}`, () => text);
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  await until(
    `the ${role} is ready`,
    () => {
      if (child.exitCode !== null) throw new Error(`the ${role} ended with ${child.exitCode}: ${text}`);
      return text.includes('Carillon is ready');
    },
    30_000,
  );
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    const isRunning = child.exitCode === null && child.signalCode === null;
    if (isRunning && signal === 'SIGTERM') await watchMetrics(`the metrics of the ${role}`, metricsPort);
    if (isRunning) child.kill(signal);
    return await exited;
  };
  return {
    child,
    output: () => text,
    url: /^Carillon is ready on (\S+)$/m.exec(text)?.[1] ?? '',
    stop: () => end('SIGTERM'),
    kill: async () => {
      await end('SIGKILL');
    },
  };
}
