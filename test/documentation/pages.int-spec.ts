// Every shell line of the README and the guides runs against the built product. Each page runs in one shell, from its
// first line to its last.

import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { connect, dropDatabase, until } from '#testing';
import { installDeploymentTools } from '../../services/deployment-tools.ts';
import { collector } from '../tracing/collector.js';
import { type DebianPostgres, startDebianPostgres } from './debian-postgres.js';
import { NOT_RUN } from './not-run.js';
import { blocksOf, isOnPage, PAGES, ROOT, readPage, shellLines } from './page-script.js';
import { type Readers, startReaders } from './page-shell.js';

/** The lines get a database without tables. */
const usesDatabase = /DATABASE_URL=postgresql:\/\/…/;
const withShell = PAGES.filter((page) => shellLines(page).length > 0);

describe('the pages', () => {
  it('has only lines on the list that are on their page, each checked by a file that exists', () => {
    expect(NOT_RUN.filter((one) => !isOnPage(one))).toEqual([]);
    expect(NOT_RUN.filter(({ checkedBy }) => !existsSync(join(ROOT, checkedBy)))).toEqual([]);
    const replaced = PAGES.flatMap((page) =>
      shellLines(page)
        .filter(({ text }) => /^(docker|kubectl|helm)\b/.test(text))
        .filter(({ text }) => !NOT_RUN.some((one) => one.page === page && one.line.split('\n')[0] === text))
        .map(({ line, text }) => `${page}:${line}: ${text}`),
    );
    expect(replaced, 'lines for programs that the tests do not have').toEqual([]);
  });

  it('have JSON blocks that are JSON', () => {
    const broken = PAGES.flatMap((page) =>
      blocksOf(readPage(page))
        .filter(({ language, text }) => language === 'json' && !isJson(text))
        .map(({ line }) => `${page}:${line}`),
    );
    expect(broken).toEqual([]);
  });
});

describe('the shell lines', { timeout: 260_000 }, () => {
  let readers: Readers;
  beforeAll(async () => {
    readers = await startReaders();
  });
  afterAll(async () => {
    await readers?.stop();
    for (const server of servers) await server.stop();
    for (const folder of folders) rmSync(folder, { recursive: true });
    for (const url of databases) await dropDatabase(url, inject('postgresUrl'));
  });

  const databases: string[] = [];
  const servers: DebianPostgres[] = [];
  const folders: string[] = [];
  /** One with a tenant, and one without anything, not even the roles. */
  async function twoServers(): Promise<Record<string, string>> {
    const folder = mkdtempSync(join(tmpdir(), 'carillon-backup-'));
    folders.push(folder);
    chmodSync(folder, 0o755);
    const filled = await startDebianPostgres(join(folder, 'a'));
    servers.push(filled);
    const empty = await startDebianPostgres(join(folder, 'b'));
    servers.push(empty);
    await readers.fill(filled.url);
    return {
      DATABASE_URL: filled.url,
      BACKUP_URL: filled.backupUrl,
      RESTORED_URL: empty.url,
      PROGRAMS: filled.programs,
    };
  }

  async function emptyDatabase(): Promise<string> {
    const url = new URL(inject('postgresUrl'));
    const admin = await connect(url.href);
    url.pathname = `/pages_${randomBytes(6).toString('hex')}`;
    await admin.query(`create database ${url.pathname.slice(1)}`);
    await admin.end();
    databases.push(url.href);
    return url.href;
  }

  it.concurrent.each(withShell)('of %s', async (page) => {
    const more: Record<string, string> = {};
    if (isBackup(page)) Object.assign(more, await twoServers());
    else if (usesDatabase.test(readPage(page))) more['DATABASE_URL'] = await emptyDatabase();
    if (/^helm /m.test(readPage(page))) more['HELM'] = (await installDeploymentTools(join(ROOT, '.services'))).helm;
    const output = await readers.follow(page, NOT_RUN, more);
    if (isBackup(page)) {
      const rows = await countRows(more['RESTORED_URL']!);
      expect(rows).toMatchObject({ tenants: '2', api_keys: '1', templates: '4', recipients: '1' });
    }
    if (sendsInTrace(page)) {
      const trace = /^[0-9a-f]{32}$/m.exec(output)![0];
      const { spans } = await collector();
      await until('its trace is there', () =>
        spans.some(({ name, traceId }) => name === 'record' && traceId === trace),
      );
    }
  });
});

function isBackup(page: string): boolean {
  return /^pg_dump /m.test(readPage(page));
}

function sendsInTrace(page: string): boolean {
  return shellLines(page).some(({ text }) => text.includes('traceparent: 00-$trace'));
}

/** The rows of each table. */
async function countRows(url: string): Promise<Record<string, string>> {
  const sql = await connect(url);
  const { rows: tables } = await sql.query<{ name: string }>(
    "select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')",
  );
  const counts: Record<string, string> = {};
  for (const { name } of tables) {
    const { rows } = await sql.query<{ count: string }>(`select count(*) from "${name}"`);
    counts[name] = rows[0]!.count;
  }
  await sql.end();
  return counts;
}

/** Several values below each other are allowed. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return text.split('\n').every((line) => line === '' || isJsonLine(line));
  }
}

function isJsonLine(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}
