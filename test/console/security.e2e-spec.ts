// Attacks with the cookie of the console.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '#config';
import { createLogger } from '#telemetry';
import { until } from '#testing';
import { type RunningApi, startApi } from '../../apps/api/src/start-api.js';
import { freePort } from '../../services/programs.ts';
import {
  type Answer,
  http,
  MIGRATIONS,
  startTestEnvironment,
  type Tenant,
  type TestEnvironment,
  tenantWith,
} from '../test-environment.js';
import { type Console, callerWith, signIn } from './sign-in.ts';

let app: TestEnvironment;
let tenant: Tenant;

beforeAll(async () => {
  app = await startTestEnvironment({ worker: false });
  tenant = await app.tenant();
});
afterAll(() => app?.stop());

const problem = ({ status, body }: Answer): unknown[] => [status, body.code];
const asOperator = (): Promise<Console> => signIn(app.url, { operator_token: app.config.adminToken });
const asTenant = (): Promise<Console> => signIn(app.url, { api_key: tenant.apiKey });

/** A sign-in with further headers; returns the answer. */
const post = (headers: Record<string, string>, body: unknown = { api_key: tenant.apiKey }): Promise<Answer> =>
  app.call('POST', '/console/session', { body, headers });

describe('a page of another site', () => {
  it('cannot use the cookie, which counts only with the header of the console', async () => {
    for (const [session, path] of [
      [await asTenant(), '/api/v1/templates'],
      [await asOperator(), '/internal/tenants'],
    ] as const)
      for (const value of ['', '0', 'true', '1, 1']) {
        const headers = { Cookie: session.cookie, ...(value && { 'X-Carillon-Console': value }) };
        expect(problem(await app.call('GET', path, { headers }))).toEqual([401, 'unauthenticated']);
        expect((await app.call('GET', '/console/session', { headers })).body.signed_in).toBe(false);
        expect(problem(await app.call('DELETE', '/console/session', { headers }))).toEqual([403, 'forbidden']);
        expect((await session.call('GET', '/console/session')).body.signed_in).toBe(true);
      }
  });

  it('cannot send the header: no preflight allows it', async () => {
    for (const path of ['/console/session', '/api/v1/templates', '/api/v1/inbox', '/internal/tenants']) {
      const headers = { Origin: 'https://evil.example', 'Access-Control-Request-Headers': 'x-carillon-console' };
      const answer = await app.call('OPTIONS', path, { headers });
      expect(answer.headers.get('access-control-allow-headers') ?? '').not.toMatch(/x-carillon-console/i);
      expect(answer.headers.get('access-control-allow-credentials')).toBeNull();
    }
  });

  it('is refused by its origin, also for a sign-in', async () => {
    const session = await asTenant();
    const port = new URL(app.url).port;
    for (const Origin of [
      'https://evil.example',
      'null',
      `http://evil.example:${port}`,
      `http://127.0.0.1:1`,
      `${app.url}.evil.example`,
    ]) {
      expect([Origin, ...problem(await session.call('GET', '/api/v1/templates', undefined, { Origin }))]).toEqual([
        Origin,
        403,
        'forbidden',
      ]);
      expect([Origin, ...problem(await post({ Origin }))]).toEqual([Origin, 403, 'forbidden']);
    }
    expect((await session.call('GET', '/api/v1/templates', undefined, { Origin: app.url })).status).toBe(200);
    expect((await post({ Origin: app.url })).status).toBe(201);
  });

  it('cannot sign a browser in with a form', async () => {
    const forms = ['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain'];
    for (const type of forms) {
      const answer = await post({ 'Content-Type': type }, JSON.stringify({ api_key: tenant.apiKey }));
      expect([type, answer.status, answer.headers.get('set-cookie')]).toEqual([type, 415, null]);
    }
  });
});

describe('the cookie', () => {
  const flags = async (headers: Record<string, string>): Promise<string[]> =>
    (await post(headers)).headers.get('set-cookie')!.split('; ').slice(1).sort();

  it('is not readable by scripts, not sent by other sites, and ends with the session', async () => {
    const maxAge = expect.stringMatching(/^Max-Age=(43200|43199)$/);
    expect(await flags({ Origin: app.url })).toEqual(['HttpOnly', maxAge, 'Path=/', 'SameSite=Strict']);
  });

  it('is Secure where the browser uses https', async () => {
    const host = new URL(app.url).host;
    expect(await flags({ Origin: `https://${host}` })).toContain('Secure');
    expect(await flags({})).not.toContain('Secure');
  });

  it('has a name that only this host can set where the browser uses https, and no other counts', async () => {
    const Origin = `https://${new URL(app.url).host}`;
    const [cookie = '', token] = (await post({ Origin })).headers.get('set-cookie')!.split(/[=;]/);
    expect(cookie).toBe('__Host-carillon_console');
    const status = async (Cookie: string): Promise<number> => {
      const headers = { Cookie, Origin, 'X-Carillon-Console': '1' };
      return (await app.call('GET', '/api/v1/templates', { headers })).status;
    };
    expect(await status(`${cookie}=${token}`)).toBe(200);
    expect(await status(`carillon_console=${token}`)).toBe(401);
    const planted = `carillon_console=${(await asOperator()).cookie.split('=')[1]}`;
    expect(await status(`${planted}; ${cookie}=${token}`)).toBe(200);
    const session = callerWith(app.url, `${cookie}=${token}`);
    const { headers } = await session.call('DELETE', '/console/session', undefined, { Origin });
    expect(headers.get('set-cookie')).toMatch(/^__Host-carillon_console=; Path=\/; Max-Age=0; .*; Secure$/);
  });

  it('is removed at the sign-out', async () => {
    const session = await asTenant();
    const { headers } = await session.call('DELETE', '/console/session');
    expect(headers.get('set-cookie')).toMatch(/^carillon_console=; Path=\/; Max-Age=0; HttpOnly; SameSite=Strict$/);
  });

  it('is a new secret at each sign-in, of which the database has a digest only', async () => {
    const planted = `carillon_console=${'a'.repeat(43)}`;
    const headers = { Cookie: planted, 'X-Carillon-Console': '1' };
    const answer = await post(headers);
    const cookie = answer.headers.get('set-cookie')!.split(';')[0]!;
    expect(cookie).not.toBe(planted);
    expect(cookie).toMatch(/^carillon_console=[\w-]{43}$/);
    expect((await app.call('GET', '/console/session', { headers })).body.signed_in).toBe(false);
    const { rows } = await app.sql.query('select to_jsonb(s)::text as row from console_sessions s');
    expect(rows.map(({ row }) => row).join()).not.toContain(cookie.split('=')[1]);
  });

  it('of an earlier session ends with the next sign-in of the browser', async () => {
    const of = { 'X-Carillon-Tenant': tenant.id };
    for (const body of [{ api_key: tenant.apiKey }, { operator_token: app.config.adminToken }]) {
      const [ofKey, ofOperator] = [await asTenant(), await asOperator()];
      for (const [session, headers] of [
        [ofKey, {}],
        [ofOperator, of],
      ] as const) {
        const status = async () => (await session.call('GET', '/api/v1/templates', undefined, headers)).status;
        const from = { Cookie: session.cookie, 'X-Carillon-Console': '1' };
        expect((await post(from, { api_key: 'wrong' })).status).toBe(401);
        expect(await status()).toBe(200);
        expect((await post(from, body)).status).toBe(201);
        await until('it has ended', async () => (await status()) === 401);
      }
    }
  });

  it('gives nothing to requests with an API key or a token of their own', async () => {
    const session = await asOperator();
    const other = { 'X-API-Key': `${tenant.apiKey}x`, 'X-Carillon-Tenant': tenant.id };
    expect(problem(await session.call('GET', '/api/v1/templates', undefined, other))).toEqual([401, 'unauthenticated']);
    const wrong = { 'X-Admin-Token': 'wrong' };
    expect(problem(await session.call('GET', '/internal/tenants', undefined, wrong))).toEqual([401, 'unauthenticated']);
  });
});

describe('a session ends', () => {
  it('at the sign-out, in every process at once', async () => {
    const config = loadConfig({
      NODE_ENV: 'test',
      DATABASE_URL: app.databaseUrl,
      CARILLON_HOME: app.config.home,
      HOST: '127.0.0.1',
      PORT: '0',
      METRICS_PORT: '0',
    });
    const logger = createLogger({ level: 'silent', role: 'test' });
    const replica = await startApi(config, { logger, migrationsDirectory: MIGRATIONS, metricsFallback: true });
    try {
      for (const [session, path] of [
        [await asTenant(), '/api/v1/templates'],
        [await asOperator(), '/internal/tenants'],
      ] as const) {
        const there = callerWith(replica.url, session.cookie);
        expect((await there.call('GET', path)).status).toBe(200);
        const endedAt = performance.now();
        await session.call('DELETE', '/console/session');
        expect((await session.call('GET', path)).status).toBe(401);
        await until('the other process knows', async () => (await there.call('GET', path)).status === 401);
        // The hint, and not the cache of 4 s.
        expect(performance.now() - endedAt).toBeLessThan(1_500);
      }
    } finally {
      await replica.stop();
    }
  });

  it('after 12 hours, and after 2 hours without a request', async () => {
    for (const change of ["expires_at = now() - interval '1 s'", "used_at = now() - interval '121 minutes'"]) {
      const session = await asTenant();
      const { rows } = await app.sql.query(
        `select extract(epoch from expires_at - created_at) / 3600 as hours from console_sessions where token_hash = $1`,
        [session.tokenHash],
      );
      expect(Number(rows[0].hours)).toBeCloseTo(12, 3);
      await app.sql.query(`update console_sessions set ${change} where token_hash = $1`, [session.tokenHash]);
      await until('it has ended', async () => (await session.call('GET', '/api/v1/templates')).status === 401);
    }
  });
});

describe('with INTERNAL_PORT', () => {
  let split: TestEnvironment;
  let operatorUrl: string;

  beforeAll(async () => {
    const internalPort = await freePort();
    split = await startTestEnvironment({ worker: false, environment: { INTERNAL_PORT: String(internalPort) } });
    operatorUrl = `http://127.0.0.1:${internalPort}`;
  });
  afterAll(() => split?.stop());

  const newTenant = async (): Promise<Tenant> => {
    const headers = { 'X-Admin-Token': split.config.adminToken };
    const { body } = await http(operatorUrl, 'POST', '/internal/tenants', { headers, body: { name: 'T' } });
    const path = `/internal/tenants/${body.id}/api-keys`;
    const made = await http(operatorUrl, 'POST', path, { headers, body: { name: 'T' } });
    return tenantWith(split.call, body.id, made.body.api_key);
  };

  it('operators sign in and work on their port only', async () => {
    const { id } = await newTenant();
    const credential = { operator_token: split.config.adminToken };
    expect((await split.call('GET', '/console/session')).body).toMatchObject({ operator: false, oidc: null });
    expect((await http(operatorUrl, 'GET', '/console/session')).body).toMatchObject({ operator: true });
    expect(problem(await split.call('POST', '/console/session', { body: credential }))).toEqual([403, 'forbidden']);

    const session = await signIn(operatorUrl, credential);
    const of = { 'X-Carillon-Tenant': id };
    expect((await session.call('GET', '/internal/tenants')).status).toBe(200);
    expect((await session.call('GET', '/api/v1/templates', undefined, of)).status).toBe(200);
    const outside = callerWith(split.url, session.cookie);
    expect((await outside.call('GET', '/console/session')).body.signed_in).toBe(false);
    expect(problem(await outside.call('GET', '/api/v1/templates', undefined, of))).toEqual([401, 'unauthenticated']);
    expect(problem(await outside.call('GET', '/internal/tenants'))).toEqual([404, 'not_found']);
  });

  it('tenants sign in on the public port only, and their keys and sessions are nothing on the other', async () => {
    const { apiKey } = await newTenant();
    const body = { api_key: apiKey };
    expect(problem(await http(operatorUrl, 'POST', '/console/session', { body }))).toEqual([403, 'forbidden']);
    const session = await signIn(split.url, body);
    expect((await session.call('GET', '/api/v1/templates')).status).toBe(200);
    const inside = callerWith(operatorUrl, session.cookie);
    for (const path of ['/api/v1/templates', '/internal/tenants'])
      expect([path, ...problem(await inside.call('GET', path))]).toEqual([path, 401, 'unauthenticated']);
    const key = { 'X-API-Key': apiKey };
    expect(problem(await inside.call('GET', '/api/v1/templates', undefined, key))).toEqual([401, 'unauthenticated']);
    // Without the header of the console, the operator's port has no such route at all.
    const plain = await http(operatorUrl, 'GET', '/api/v1/templates', { headers: key });
    expect(problem(plain)).toEqual([404, 'not_found']);
  });
});

it('does not exist with CONSOLE_ENABLED=false, and sessions count for nothing', async () => {
  const session = await asOperator();
  const environment = { CONSOLE_ENABLED: 'false', INTERNAL_PORT: String(await freePort()) };
  const own = await startTestEnvironment({ worker: false, environment });
  let off: RunningApi | undefined;
  try {
    for (const path of ['/console', '/console/', '/console/session', '/console/oidc/start'])
      expect([path, (await own.call('GET', path)).status]).toEqual([path, 404]);
    const config = loadConfig({
      NODE_ENV: 'test',
      DATABASE_URL: app.databaseUrl,
      CARILLON_HOME: app.config.home,
      HOST: '127.0.0.1',
      PORT: '0',
      METRICS_PORT: '0',
      CONSOLE_ENABLED: 'false',
    });
    const logger = createLogger({ level: 'silent', role: 'test' });
    off = await startApi(config, { logger, migrationsDirectory: MIGRATIONS, metricsFallback: true });
    expect(problem(await callerWith(off.url, session.cookie).call('GET', '/internal/tenants'))).toEqual([
      401,
      'unauthenticated',
    ]);
  } finally {
    await off?.stop();
    await own.stop();
  }
});
