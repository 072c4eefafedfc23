// Scopes, allowed addresses, rotation and expiry of API keys.

import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scopes } from '#domain';
import { createLogger } from '#telemetry';
import { until } from '#testing';
import { startApi } from '../apps/api/src/start-api.js';
import {
  type Answer,
  http,
  type Json,
  MIGRATIONS,
  startTestEnvironment,
  type Tenant,
  type TestEnvironment,
} from './test-environment.js';

let app: TestEnvironment;
let tenant: Tenant;
let keysPath: string;

beforeAll(async () => {
  app = await startTestEnvironment();
  tenant = await app.tenant();
  keysPath = `/internal/tenants/${tenant.id}/api-keys`;
});
afterAll(() => app?.stop());

const made = async (body: Record<string, unknown> = {}): Promise<Json> => {
  const answer = await app.operator('POST', keysPath, { name: 'k', ...body });
  expect([answer.status, answer.body.detail]).toEqual([201, undefined]);
  return answer.body;
};
const statusOf = async (apiKey: string): Promise<number> =>
  (await app.call('GET', '/api/v1/templates', { headers: { 'X-API-Key': apiKey } })).status;
const auditOf = async (action: string): Promise<Json[]> =>
  (
    await app.sql.query('select after from audit_log where tenant_id = $1 and action = $2 order by id', [
      tenant.id,
      action,
    ])
  ).rows.map(({ after }) => after);

/** A GET from another address of loopback. Resolves with the head of the response, which may be a stream. */
const from = (
  localAddress: string,
  path: string,
  headers: Record<string, string>,
): Promise<{ status: number; body: string }> =>
  new Promise((resolve, reject) => {
    request(app.url + path, { localAddress, headers }, (response) => {
      if (response.statusCode === 200) {
        response.destroy();
        resolve({ status: 200, body: '' });
        return;
      }
      let body = '';
      response.on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode!, body }));
    })
      .on('error', reject)
      .end();
  });

describe('a key with allowed_ips', () => {
  it('works from these addresses only, on every kind of route', async () => {
    const key = await made({ allowed_ips: ['127.0.1.0/24', '2001:db8::/32'] });
    expect(key.allowed_ips).toEqual(['127.0.1.0/24', '2001:db8::/32']);
    expect((await auditOf('api_key.created')).at(-1)).toMatchObject({
      key_id: key.key_id,
      allowed_ips: key.allowed_ips,
    });
    const headers = { 'X-API-Key': key.api_key, 'X-Recipient-ID': 'ann' };
    for (const path of ['/api/v1/templates', '/api/v1/inbox', '/api/v1/inbox/stream']) {
      expect([path, (await from('127.0.1.9', path, headers)).status]).toEqual([path, 200]);
      const { status, body } = await from('127.0.2.9', path, headers);
      expect([path, status, JSON.parse(body)]).toMatchObject([
        path,
        403,
        { code: 'forbidden', detail: 'This API key may not be used from the address 127.0.2.9.' },
      ]);
    }
    expect((await app.operator('GET', keysPath)).body.data[0].allowed_ips).toEqual(key.allowed_ips);
  });

  it('does not lose its allowance to requests from other addresses', async () => {
    const limited = await app.tenant({ requests_per_minute: 3 }, { allowed_ips: ['127.0.1.1'] });
    const headers = { 'X-API-Key': limited.apiKey };
    for (let index = 0; index < 10; index += 1)
      expect((await from('127.0.2.9', '/api/v1/templates', headers)).status).toBe(403);
    expect((await from('127.0.1.1', '/api/v1/templates', headers)).status).toBe(200);
  });

  it('is refused with the field and the value if one is wrong', async () => {
    for (const [allowed_ips, pointer, part] of [
      [['10.0.0.0/33'], '/allowed_ips/0', '10.0.0.0/33'],
      [['10.0.0.1', 'example.com'], '/allowed_ips/1', 'example.com'],
      [[], '/allowed_ips', '[]'],
    ] as const) {
      const { status, body } = await app.operator('POST', keysPath, { name: 'k', allowed_ips });
      expect([status, body.errors[0].pointer]).toEqual([422, pointer]);
      expect(body.errors[0].message).toContain(part);
    }
  });
});

describe('rotation', () => {
  const rotate = (id: string, body: unknown): Promise<Answer> => app.operator('POST', `${keysPath}/${id}/rotate`, body);

  it('makes a key like the old one, which expires after the overlap', async () => {
    for (const mode of ['live', 'test']) {
      const old = await made({ name: 'Mine', mode, scopes: ['templates:read'], allowed_ips: ['127.0.0.1'] });
      const answer = await rotate(old.id, { overlap_seconds: 3_600 });
      expect(answer.status).toBe(201);
      const { body: fresh } = answer;
      expect(fresh).toMatchObject({
        name: 'Mine',
        mode,
        scopes: ['templates:read'],
        allowed_ips: ['127.0.0.1'],
        expires_at: null,
        tenant_id: tenant.id,
      });
      expect(fresh.api_key).toMatch(new RegExp(`^car_${mode}_[0-9A-Za-z]{44}$`));
      expect(answer.headers.get('location')).toBe(`${keysPath}/${fresh.id}`);
      expect([await statusOf(old.api_key), await statusOf(fresh.api_key)]).toEqual([200, 200]);
      const listed: Json[] = (await app.operator('GET', keysPath)).body.data;
      const left = Date.parse(listed.find(({ id }) => id === old.id).expires_at) - Date.now();
      expect(left).toBeGreaterThan(3_590_000);
      expect(left).toBeLessThanOrEqual(3_600_000);
      expect((await auditOf('api_key.rotated')).at(-1)).toMatchObject({
        key_id: old.key_id,
        replaced_by: fresh.key_id,
        mode,
      });
    }
  });

  it('ends the old key at once without an overlap, also where it is cached', async () => {
    const old = await made();
    expect(await statusOf(old.api_key)).toBe(200);
    const { body: fresh } = await rotate(old.id, { overlap_seconds: 0, expires_at: '2099-01-01T00:00:00Z' });
    expect(fresh.expires_at).toBe('2099-01-01T00:00:00.000Z');
    await until('the old key is refused', async () => (await statusOf(old.api_key)) === 401, 2_000);
    expect(await statusOf(fresh.api_key)).toBe(200);
  });

  it('never extends a key, and takes a day if nothing is said', async () => {
    const soon = new Date(Date.now() + 60_000).toISOString();
    const [short, long] = [await made({ expires_at: soon }), await made()];
    for (const { id } of [short, long]) expect((await rotate(id, undefined)).status).toBe(201);
    const listed: Json[] = (await app.operator('GET', keysPath)).body.data;
    const expiryOf = (key: Json): string => listed.find(({ id }) => id === key.id).expires_at;
    expect(expiryOf(short)).toBe(soon);
    expect(Math.abs(Date.parse(expiryOf(long)) - Date.now() - 86_400_000)).toBeLessThan(10_000);
    // Rotated at the same time, it ends at the earlier of the two times.
    await Promise.all([rotate(long.id, { overlap_seconds: 2_592_000 }), rotate(long.id, { overlap_seconds: 60 })]);
    const { data } = (await app.operator('GET', keysPath)).body;
    expect(Date.parse(data.find(({ id }: Json) => id === long.id).expires_at) - Date.now()).toBeLessThanOrEqual(60_000);
  });

  it('is refused for a key that is revoked, expired, unknown or another tenant’s, and for a wrong overlap', async () => {
    const [revoked, expired, good] = [await made(), await made(), await made()];
    await app.operator('DELETE', `${keysPath}/${revoked.id}`);
    await app.sql.query(`update api_keys set expires_at = now() - interval '1 second' where id = $1`, [expired.id]);
    expect((await rotate(revoked.id, {})).body).toMatchObject({
      status: 409,
      detail: `The API key ${revoked.id} is revoked.`,
    });
    expect((await rotate(expired.id, {})).body).toMatchObject({
      status: 409,
      detail: `The API key ${expired.id} is expired.`,
    });
    expect((await rotate('01900000-0000-7000-8000-000000000000', {})).status).toBe(404);
    const other = await app.tenant();
    expect((await app.operator('POST', `/internal/tenants/${other.id}/api-keys/${good.id}/rotate`, {})).status).toBe(
      404,
    );
    for (const overlap_seconds of [-1, 2_592_001, 1.5, '60']) {
      const { status, body } = await rotate(good.id, { overlap_seconds });
      expect([status, body.errors[0].pointer]).toEqual([422, '/overlap_seconds']);
      expect(body.errors[0].message).toContain(`got ${JSON.stringify(overlap_seconds)}`);
    }
    expect((await rotate(good.id, { mode: 'live' })).body.errors[0].pointer).toBe('/mode');
  });
});

describe('scopes', () => {
  /** The scope of each route, from its path and method. */
  /** The scope of collections that have another name. */
  const GROUPS: Record<string, string> = {
    email: 'notifications',
    sms: 'notifications',
    slack: 'notifications',
    deliveries: 'notifications',
    jobs: 'notifications',
    quota: 'notifications',
    statistics: 'notifications',
    'preference-rules': 'categories',
    providers: 'provider_accounts',
  };

  function scopeOf(method: string, path: string): string {
    const [, , , collection, ...rest] = path.split('/');
    if (rest.includes('inbox-token')) return 'inbox:write';
    // Recipients read their own preferences to change them.
    if (collection === 'preferences') return 'preferences:write';
    const resource = rest.at(-1) === 'subscriptions' ? 'topics' : (GROUPS[collection!] ?? collection!);
    // A preview and an explanation store nothing.
    const reads = method === 'GET' || /^(preview|explain)$/.test(rest.at(-1) ?? '');
    return `${resource.replace('-', '_')}:${reads ? 'read' : 'write'}`;
  }

  it('are one for each resource and verb: a key that lacks only this one is refused', async () => {
    const keys = new Map<string, string>();
    for (const scope of scopes)
      keys.set(scope, (await made({ scopes: scopes.filter((one) => one !== scope) })).api_key);
    const { body: document } = await app.call('GET', '/openapi.json');
    const wrong: string[] = [];
    const used = new Set<string>();
    for (const [path, methods] of Object.entries<Record<string, Json>>(document.paths))
      for (const [name, { security = [] }] of Object.entries(methods)) {
        if (!security.some((rule: Json) => 'tenant' in rule) || path === '/api/v1/api-key') continue;
        const method = name.toUpperCase();
        const scope = scopeOf(method, path);
        used.add(scope);
        const { status, body } = await app.call(
          method,
          path.replaceAll(/\{\w+\}/g, '01900000-0000-7000-8000-000000000000'),
          {
            headers: { 'X-API-Key': keys.get(scope) ?? '', 'X-Recipient-ID': 'ann' },
            ...(/GET|DELETE/.test(method) ? {} : { body: {} }),
          },
        );
        if (status !== 403 || body.detail !== `This API key lacks the scope ${scope}.`)
          wrong.push(`${method} ${path}, ${scope}: ${status} ${JSON.stringify(body.detail)}`);
      }
    expect(wrong).toEqual([]);
    expect([...used].sort()).toEqual([...scopes].sort());
  });

  it('are shown to their key, whatever they are, with the tenant and the mode', async () => {
    await app.operator('PATCH', `/internal/tenants/${tenant.id}`, { name: 'Acme' });
    const expires_at = new Date(Date.now() + 3_600_000).toISOString();
    for (const [name, mode, held] of [
      ['One', 'live', ['mailbox:read']],
      ['Other', 'test', [...scopes]],
    ]) {
      const key = await made({ name, mode, scopes: held, expires_at });
      const answer = await app.call('GET', '/api/v1/api-key', { headers: { 'X-API-Key': key.api_key } });
      expect([answer.status, answer.body]).toEqual([
        200,
        { tenant: { id: tenant.id, name: 'Acme' }, name, mode, scopes: held, expires_at },
      ]);
    }
  });

  it('of an inbox token are at most those of the key', async () => {
    const writer = await made({ scopes: ['inbox:write'] });
    const mint = (body: unknown): Promise<Answer> =>
      app.call('POST', '/api/v1/recipients/ann/inbox-token', { body, headers: { 'X-API-Key': writer.api_key } });
    const refused = await mint({ scopes: ['inbox:read'] });
    expect(refused.body).toMatchObject({
      status: 403,
      detail: 'This API key lacks the scope inbox:read, so its tokens cannot have it.',
    });
    const { token } = (await mint({})).body;
    const headers = { Authorization: `Bearer ${token}` };
    expect((await app.call('GET', '/api/v1/inbox', { headers })).status).toBe(403);
    expect((await app.call('POST', '/api/v1/inbox/read-all', { headers })).status).toBe(204);
  });
});

describe('last_used_at', () => {
  it('is written for keys that are read from the cache too, of both modes', async () => {
    const logger = createLogger({ level: 'error', role: 'test' });
    const api = await startApi(app.config, { logger, migrationsDirectory: MIGRATIONS, metricsFallback: true });
    const keys = [await made(), await made({ mode: 'test' })];
    const use = async (): Promise<void> => {
      for (const { api_key } of keys)
        expect((await http(api.url, 'GET', '/api/v1/templates', { headers: { 'X-API-Key': api_key } })).status).toBe(
          200,
        );
    };
    await use();
    // A process that stops writes the keys that it has seen.
    await use();
    await api.stop();
    const { data } = (await app.operator('GET', keysPath)).body;
    for (const { id } of keys) {
      const { last_used_at } = data.find((one: Json) => one.id === id);
      expect(Date.now() - Date.parse(last_used_at)).toBeLessThan(10_000);
    }
  });
});
