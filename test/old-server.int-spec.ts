// A server of PostgreSQL 14, which is too old for Carillon.

import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { derivedLogins } from '#database';
import { connect } from '#testing';
import { carillon } from './cli/run-carillon.js';

const REFUSAL = /^The database is on PostgreSQL 14\.\d+, and Carillon needs 15 or newer\. Upgrade the server, .*$/m;
const home = mkdtempSync(join(tmpdir(), 'carillon-old-'));
const environment: Record<string, string> = {
  CARILLON_HOME: home,
  MASTER_KEY: randomBytes(32).toString('hex'),
  ADMIN_TOKEN: randomBytes(32).toString('hex'),
  PORT: '0',
  METRICS_PORT: '0',
};

beforeAll(async () => {
  environment['DATABASE_URL'] = inject('postgresUrl');
  const sql = await connect(inject('postgresUrl'));
  // A login without rights, so that the roles get as far as asking for the version.
  const { name, password } = derivedLogins(inject('postgresUrl')).platform;
  await sql.query(`create role ${pg.escapeIdentifier(name)} login password ${pg.escapeLiteral(password!)}`);
  await sql.end();
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe('PostgreSQL 14', () => {
  it('is not migrated', async () => {
    const { code, error } = await carillon(['migrate', '--json'], environment);
    expect([code, error()]).toEqual([
      2,
      { message: expect.stringMatching(REFUSAL), exit_code: 2, code: 'server_too_old' },
    ]);
    const sql = await connect(inject('postgresUrl'));
    const { rows } = await sql.query("select from pg_tables where schemaname = 'public'");
    expect(rows).toEqual([]);
    await sql.end();
  });

  it.each(['start', 'api', 'worker'])('ends carillon %s at once, with a message instead of a stack', async (role) => {
    const { code, stdout, stderr } = await carillon([role], environment);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(REFUSAL);
    expect(stderr).not.toContain('    at ');
  });
});
