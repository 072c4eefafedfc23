// A PostgreSQL server with pg_dump, pg_restore and psql, which the embedded one does not have: Debian's package.

import { chownSync, globSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { freePort, run } from '../../services/programs.ts';

export interface DebianPostgres {
  /** The folder of the programs. */
  programs: string;
  /** Of the database `carillon` and its owner, who may create roles but is no superuser. */
  url: string;
  /** The same for a role that reads everything, also behind row-level security. */
  backupUrl: string;
  stop(): Promise<void>;
}

export async function startDebianPostgres(directory: string): Promise<DebianPostgres> {
  const found = globSync('/usr/lib/postgresql/*/bin/pg_ctl').sort().at(-1);
  if (!found) throw new Error('the server programs of PostgreSQL are missing: apt-get install postgresql');
  const programs = dirname(found);
  mkdirSync(directory);
  const data = join(directory, 'data');
  const isRoot = process.getuid!() === 0;
  if (isRoot) {
    const id = async (option: string): Promise<number> => Number(await run('id', [option, 'postgres']));
    chownSync(directory, await id('-u'), await id('-g'));
  }
  // PostgreSQL refuses to run as root.
  const serverProgram = async (name: string, args: string[]): Promise<string> =>
    isRoot
      ? await run('runuser', ['-u', 'postgres', '--', join(programs, name), ...args], { cwd: '/' })
      : await run(join(programs, name), args);
  const port = String(await freePort());
  await serverProgram('initdb', ['-D', data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8', '--locale=C']);
  const settings = `-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c port=${port} -c fsync=off`;
  await serverProgram('pg_ctl', ['start', '-w', '-D', data, '-l', join(directory, 'log'), '-o', settings]);
  const superuser = `postgresql://postgres@127.0.0.1:${port}/postgres`;
  for (const sql of [
    'create role backup login bypassrls in role pg_read_all_data',

    "create role carillon login createrole password 'secret'",
    'create database carillon owner carillon',
  ])
    await run(join(programs, 'psql'), [superuser, '-c', sql]);
  return {
    programs,
    backupUrl: `postgresql://backup@127.0.0.1:${port}/carillon`,
    url: `postgresql://carillon:secret@127.0.0.1:${port}/carillon`,
    stop: async () => {
      await serverProgram('pg_ctl', ['stop', '-D', data, '-m', 'immediate', '-w']);
    },
  };
}
