import { spawn } from 'node:child_process';
import type { ServerUser } from './server-files.js';

interface ProgramResult {
  code: number | null;
  /** Standard output and standard error. */
  output: string;
}

/** Runs a program of the server's `bin/` folder with these arguments and waits for its end. */
export type RunProgram = (program: string, args: string[]) => Promise<ProgramResult>;

/** Runs programs as `user`, undefined for the user of this process, in the folder `cwd`. */
export function runProgram(
  path: string,
  args: string[],
  user: ServerUser | undefined,
  cwd: string,
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    // Detached: a Ctrl+C in the terminal signals the whole process group, and only this process may stop the server.
    const child = spawn(path, args, {
      ...user,
      cwd,
      detached: true,
      env: { ...process.env, LC_ALL: 'C', LC_MESSAGES: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const collect = (chunk: Buffer): void => {
      output += chunk.toString('utf8');
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('error', reject);
    // 'exit', not 'close': the server that pg_ctl starts inherits the pipes and runs for much longer.
    child.once('exit', (code) => resolve({ code, output }));
  });
}
