// The port and the password of an embedded server.

import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';

export interface ServerAddress {
  /** The port of the last start; 0 before the first one. */
  port: number;
  password: string;
}

/** Reads the address from this file. Writes the file with a new password if it is missing. */
export function readAddress(file: string): ServerAddress {
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as ServerAddress;
  const address = { port: 0, password: randomBytes(24).toString('base64url') };
  writeAddress(file, address);
  return address;
}

export function writeAddress(file: string, address: ServerAddress): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(address)}\n`, { mode: 0o600 });
}

/** The wanted port if it is free, otherwise any free port. */
export async function freePort(wanted: number): Promise<number> {
  const port = (await tryPort(wanted)) ?? (await tryPort(0));
  if (port === undefined) throw new Error('PostgreSQL cannot start: 127.0.0.1 has no free port.');
  return port;
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const probe = createServer()
      .once('error', () => resolve(undefined))
      .listen({ port, host: '127.0.0.1', exclusive: true }, () => {
        const { port: got } = probe.address() as { port: number };
        probe.close(() => resolve(got));
      });
  });
}

export function portInPidFile(directory: string): number {
  return Number(readPidFile(directory)[3]);
}

/**
 * Removes a pid file whose process is not Postgres. After a crash of the machine or a restart of a container another
 * process may have that id, and Postgres would refuse every start. Does nothing without /proc, which shows the command
 * of a process on Linux.
 */
export function removeForeignPidFile(directory: string): void {
  const pid = Number(readPidFile(directory)[0]);
  if (!pid || !existsSync('/proc/self/cmdline')) return;
  let command = '';
  try {
    command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return;
  }
  if (!command.includes('postgres')) rmSync(join(directory, 'postmaster.pid'), { force: true });
}

/** Lines of postmaster.pid: process id, data directory, start time, port, … */
function readPidFile(directory: string): string[] {
  try {
    return readFileSync(join(directory, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return [];
  }
}
