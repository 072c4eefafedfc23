// Runs the roles of the server and scale profiles in separate processes, so that tests can kill them.

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { until } from '#testing';
import { leaksInText } from './canary/find-leaks.js';

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

/** Starts a built role and waits until it prints that it is ready. */
export async function startRole(
  role: 'api' | 'worker',
  environment: Readonly<Record<string, string>>,
): Promise<RunningProcess> {
  const child = spawn(process.execPath, [join(import.meta.dirname, `../dist/apps/${role}/src/main.js`)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      NODE_ENV: 'test',
      HOST: '127.0.0.1',
      PORT: '0',
      METRICS_PORT: '0',
      LOG_LEVEL: 'error',
      SANDBOX_FALLBACK: 'true',
      ...environment,
    },
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  }
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
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    const code = await exited;
    const leaks = leaksInText(`the output of the ${role}`, text);
    if (leaks.length > 0) throw new Error(leaks.slice(0, 20).join('\n'));
    return code;
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
