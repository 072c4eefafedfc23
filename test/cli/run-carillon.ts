import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { watchText } from '../canary/process-texts.js';
import { watched } from '../canary/watched-values.js';
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

/**
 * Runs the built command with these variables and none of the test's own settings. Its output is searched at the end of
 * the test file: of a role all of it, of other commands what they print on standard error.
 */
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
  watchInput(args, environment, input);
  const given = [...args, input, foundUrl(environment['CARILLON_HOME'])];
  const isRole = ['start', 'api', 'worker'].includes(args[0] ?? '');
  // The key of the demo tenant is in the banner.
  const shown = (): string[] => /car_live_\w+/.exec(stdout) ?? [];
  if (isRole) watchText(`the output of carillon ${args[0]}`, () => stdout, shown);
  watchText(`the errors of carillon ${args[0]}`, () => withoutGiven(stderr, given));
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

const SECRET_VARIABLE = /KEY|TOKEN|PASSWORD/;

function watchInput(args: readonly string[], environment: Readonly<Record<string, string>>, input: string): void {
  for (const [name, value] of Object.entries(environment)) if (SECRET_VARIABLE.test(name)) watched.watchSecret(value);
  if (environment['DATABASE_URL']) watched.watchSecret(new URL(environment['DATABASE_URL']).password);
  for (const text of [input, ...args.slice(1).map((value) => `{"payload": ${value}}`)]) {
    try {
      watched.watchRequest(JSON.parse(text));
    } catch {
      // Not JSON.
    }
  }
}

/** The address in CARILLON_HOME. */
function foundUrl(home: string | undefined): string {
  const file = join(home ?? '', 'api.json');
  return home && existsSync(file) ? String((JSON.parse(readFileSync(file, 'utf8')) as { url: unknown }).url) : '';
}

/** An error may quote what the user has given, or what was found. */
function withoutGiven(text: string, given: readonly string[]): string {
  return given.filter((value) => value !== '').reduce((rest, value) => rest.replaceAll(value, ''), text);
}
