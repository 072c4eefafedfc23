// `npm start` in a separate process, with an embedded PostgreSQL and no other services.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { until } from '#testing';
import { watchMetrics, watchText } from './canary/process-texts.js';
import { profileEnvironment } from './profiles.js';
import { http, type Tenant, type TestEnvironment, tenantWith } from './test-environment.js';
import { collector } from './tracing/collector.js';

const MAIN = join(import.meta.dirname, '../dist/apps/carillon/src/main.js');

export interface AllInOne {
  child: ChildProcess;
  output: () => string;
  url: string;
  apiKey: string;
  tenant: Tenant;
  /** The command under "Send your first notification", as it was printed. */
  curl: string;
  /** Milliseconds from the start of the process to "Carillon is ready". */
  readyMs: number;
  /** Sends SIGTERM and resolves with the exit code. */
  stop(): Promise<number | null>;
}

/** Starts the process without waiting, for starts that should fail. Its output is searched like that of a role. */
export function launch(
  home: string,
  environment: Record<string, string> = {},
): { child: ChildProcess; output: () => string } {
  const { DATABASE_URL: _none, ...rest } = process.env;
  const child = spawn(process.execPath, ['--enable-source-maps', MAIN], {
    env: {
      ...rest,
      NODE_ENV: 'development',
      CARILLON_HOME: home,
      LOG_LEVEL: 'debug',
      ...profileEnvironment(`postgresql://x/${basename(home)}`),
      ...environment,
    },
  });
  let output = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  watchText(
    'the output of npm start',
    () => output,
    () => demoKeyIn(output),
  );
  return { child, output: () => output };
}

/** The banner shows it. */
function demoKeyIn(output: string): string[] {
  return /car_live_\w+/.exec(/^ +API key +(\S+)$/m.exec(output)?.[1] ?? '') ?? [];
}

/** `environment` has METRICS_PORT. */
export async function startAllInOne(home: string, environment: Record<string, string> = {}): Promise<AllInOne> {
  const traces = await collector();
  const startedAt = performance.now();
  const { child, output } = launch(home, { ...traces.environment, ...environment });
  await until(
    'Carillon is ready',
    () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${output()}`);
      return /^Carillon is ready on http/m.test(output());
    },
    60_000,
  );
  const readyMs = performance.now() - startedAt;
  const url = /^Carillon is ready on (\S+)$/m.exec(output())![1]!;
  const apiKey = /car_live_\w+/.exec(output())![0];
  const { tenantId } = JSON.parse(readFileSync(join(home, 'demo.json'), 'utf8')) as { tenantId: string };
  const call: TestEnvironment['call'] = (method, path, request) => http(url, method, path, request);
  return {
    child,
    output,
    url,
    apiKey,
    tenant: tenantWith(call, tenantId, apiKey),
    curl: /^curl .+$/m.exec(output())![0],
    readyMs,
    stop: async () => {
      await watchMetrics('the metrics of npm start', environment['METRICS_PORT']!);
      child.kill('SIGTERM');
      return await ended(child);
    },
  };
}

export async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once('exit', resolve));
  return child.exitCode;
}
