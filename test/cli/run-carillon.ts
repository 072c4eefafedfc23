import { type ChildProcess, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Json } from '../test-environment.js';

const CLI = join(import.meta.dirname, '../../dist/apps/carillon/src/cli.js');

export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
  /** Standard output as JSON. */
  json(): Json;
  /** The `error` that `--json` prints on standard error. */
  error(): Json;
}

export interface StartedCommand {
  child: ChildProcess;
  stdout(): string;
  done: Promise<CommandResult>;
}

/** Runs the built command with these variables and none of the test's own settings. */
export function startCarillon(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  input = '',
): StartedCommand {
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd: tmpdir(),
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment },
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  child.stdin.on('error', () => undefined).end(input);
  const done = new Promise<CommandResult>((resolve) =>
    child.once('close', (code) =>
      resolve({
        code,
        stdout,
        stderr,
        json: () => JSON.parse(stdout) as Json,
        error: () => (JSON.parse(stderr) as Json).error,
      }),
    ),
  );
  return { child, stdout: () => stdout, done };
}

export async function carillon(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  input = '',
): Promise<CommandResult> {
  return await startCarillon(args, environment, input).done;
}
