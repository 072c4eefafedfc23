import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { freePort } from '../../services/programs.ts';
import type { Release } from './checkout.ts';

const START_MS = 60_000;

export interface Role {
  /** `http://host:port` of an API. */
  url: string;
  /** Lines with an error, each with the name of the process. */
  errors(): string[];
  /** Throws if the process ended before, or does not end with 0. */
  stop(): Promise<void>;
}

/** Starts the API or the worker of a release, and waits until it says that it is ready. */
export async function startRole(
  role: 'api' | 'worker',
  release: Release,
  environment: Readonly<Record<string, string>>,
): Promise<Role> {
  const name = `${role} of ${release.name}`;
  const child = spawn(process.execPath, [join(release.directory, `dist/apps/${role}/src/main.js`)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...environment, HOST: '127.0.0.1', PORT: '0', METRICS_PORT: String(await freePort()) },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  const url = await new Promise<string>((resolve, reject) => {
    const fail = (why: string): void => {
      child.kill('SIGKILL');
      reject(new Error(`the ${name} ${why}:\n${output}`));
    };
    const timer = setTimeout(() => fail(`did not start in ${START_MS} ms`), START_MS);
    child.once('exit', (code) => fail(`ended with ${code}`));
    child.stdout.on('data', () => {
      const ready = /^Carillon is ready(?: on (\S+))?/m.exec(output);
      if (!ready) return;
      clearTimeout(timer);
      resolve(ready[1] ?? '');
    });
  });
  child.removeAllListeners('exit');
  return {
    url,
    errors: () => errorsIn(output).map((line) => `${name}: ${line}`),
    stop: () => stop(child, name),
  };
}

/** The line that says that a process is ready, and warnings of Node.js, for example that a function is deprecated. */
const EXPECTED = /^Carillon is ready|^\(node:\d+\) |^\(Use `node --trace-/;

/**
 * A process logs JSON. What else it prints is the message or the stack of an error that no logger got, so any other
 * line counts as an error.
 */
function errorsIn(output: string): string[] {
  return output
    .split('\n')
    .filter((line) => line.trim() !== '' && !EXPECTED.test(line))
    .filter((line) => !line.startsWith('{') || /"level":"(?:error|fatal)"/.test(line));
}

async function stop(child: ChildProcess, name: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await exited;
  }
  if (child.exitCode !== 0) throw new Error(`the ${name} ended with ${child.exitCode ?? child.signalCode}`);
}
