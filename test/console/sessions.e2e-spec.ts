// Sessions of the console: what a cookie may do, and when it ends. Operators with OIDC: oidc.e2e-spec.ts.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '#config';
import { newId, PLATFORM_TENANT_ID, type Role, roles } from '#domain';
import { createLogger } from '#telemetry';
import { until } from '#testing';
import { type RunningApi, startApi } from '../../apps/api/src/start-api.js';
import { freePort } from '../../services/programs.ts';
import { type Route, routesOf } from '../access/openapi-routes.js';
import {
  type Answer,
  MIGRATIONS,
  startTestEnvironment,
  type Tenant,
  type TestEnvironment,
} from '../test-environment.js';
import { type Console, callerWith, signIn } from './sign-in.ts';

let app: TestEnvironment;
let tenant: Tenant;
let other: Tenant;

beforeAll(async () => {
  app = await startTestEnvironment({ worker: false });
  [tenant, other] = [await app.tenant(), await app.tenant()];
});
afterAll(() => app?.stop());

const asOperator = (): Promise<Console> => signIn(app.url, { operator_token: app.config.adminToken });
const asTenant = (of = tenant): Promise<Console> => signIn(app.url, { api_key: of.apiKey });

/** A session of an operator with the role, as OIDC would make it. */
async function asRole(role: Role): Promise<Console> {
  const session = await asOperator();
  await app.sql.query('update console_sessions set role = $1 where token_hash = $2', [role, session.tokenHash]);
  return session;
}

const newKey = async (body: Record<string, unknown> = {}): Promise<{ id: string; api_key: string }> =>
  (await app.operator('POST', `/internal/tenants/${tenant.id}/api-keys`, { name: 'Support', ...body })).body;

const problem = ({ status, body }: Answer): unknown[] => [status, body.code];

describe('without a session', () => {
  it('shows how to sign in', async () => {
    const { status, body, headers } = await app.call('GET', '/console/session');
    expect([status, body]).toEqual([200, { signed_in: false, oidc: null, operator: true }]);
    expect(headers.get('cache-control')).toBe('no-store');
  });

  it('takes no wrong credential, and names the fields that it takes', async () => {
    const post = (body: unknown): Promise<Answer> => app.call('POST', '/console/session', { body });
    expect(problem(await post({ api_key: `${tenant.apiKey}x` }))).toEqual([401, 'unauthenticated']);
    expect(problem(await post({ operator_token: 'wrong' }))).toEqual([401, 'unauthenticated']);
    for (const body of [{}, { api_key: tenant.apiKey, operator_token: 'x' }, { key: tenant.apiKey }]) {
      const answer = await post(body);
      expect(problem(answer)).toEqual([422, 'validation_failed']);
      expect(answer.headers.get('set-cookie')).toBeNull();
    }
  });

  it('limits wrong credentials by address, as other routes do', async () => {
    const own = await startTestEnvironment({ worker: false });
    try {
      // At once, since one more is allowed for each second that passes.
      const expectLimit = async (attempt: (n: number) => Promise<Answer>): Promise<void> => {
        const answers = await Promise.all(Array.from({ length: 90 }, (_, n) => attempt(n)));
        const codes = answers.map(({ body }) => body.code);
        expect(new Set(codes)).toEqual(new Set(['unauthenticated', 'rate_limited']));
        expect(codes.filter((code) => code === 'unauthenticated').length).toBeGreaterThanOrEqual(60);
      };
      await expectLimit(() => own.call('POST', '/console/session', { body: { operator_token: 'wrong' } }));
      await expectLimit(() => own.call('POST', '/console/session', { body: { api_key: 'wrong' } }));
      await expectLimit((n) => {
        const headers = { 'X-Carillon-Console': '1', Cookie: `carillon_console=${'x'.repeat(42)}${n % 10}` };
        return own.call('GET', '/api/v1/templates', { headers });
      });
    } finally {
      await own.stop();
    }
  });
});

describe('the session of an API key', () => {
  it('has the tenant, the scopes and the data of its key', async () => {
    const made = await newKey({ scopes: ['templates:read', 'recipients:read'] });
    const session = await signIn(app.url, { api_key: made.api_key });
    const expected = {
      signed_in: true,
      kind: 'api_key',
      name: 'Support',
      role: null,
      tenant: { id: tenant.id, name: 'Test', mode: 'live' },
      scopes: ['recipients:read', 'templates:read'],
      expires_at: expect.any(String),
    };
    expect(session.body).toEqual(expected);
    expect((await session.call('GET', '/console/session')).body).toEqual(expected);
    expect((await session.call('GET', '/api/v1/templates')).status).toBe(200);
    const refused = await session.call('POST', '/api/v1/templates', {});
    expect(problem(refused)).toEqual([403, 'forbidden']);
    expect(refused.body.detail).toContain('templates:write');
  });

  it('has the test data of a test key', async () => {
    const { api_key } = await newKey({ mode: 'test' });
    const { body } = await signIn(app.url, { api_key });
    expect(body.tenant).toEqual({ id: expect.any(String), name: 'Test', mode: 'test' });
    expect(body.tenant.id).not.toBe(tenant.id);
  });

  it('reaches no other tenant and no route of the operator', async () => {
    const recipient = `of-${newId()}`;
    await other.call('PUT', `/api/v1/recipients/${recipient}`, { locale: 'en' });
    const session = await asTenant();
    expect(problem(await session.call('GET', `/api/v1/recipients/${recipient}`))).toEqual([404, 'not_found']);
    for (const path of ['/internal/tenants', '/internal/overview', '/internal/audit'])
      expect([path, ...problem(await session.call('GET', path))]).toEqual([path, 403, 'forbidden']);
    const named = await session.call('GET', '/api/v1/recipients/x', undefined, { 'X-Carillon-Tenant': other.id });
    expect(problem(named)).toEqual([403, 'forbidden']);
    const own = await session.call('GET', '/api/v1/templates', undefined, { 'X-Carillon-Tenant': tenant.id });
    expect(problem(own)).toEqual([403, 'forbidden']);
  });

  it('reads the inbox of a recipient, but opens no stream and no upload, which would outlive it', async () => {
    const session = await asTenant();
    const of = { 'X-Recipient-ID': 'ann' };
    expect((await session.call('GET', '/api/v1/inbox', undefined, of)).status).toBe(200);
    expect(problem(await session.call('GET', '/api/v1/inbox'))).toEqual([422, 'validation_failed']);
    expect(problem(await session.call('GET', '/api/v1/inbox/stream', undefined, of))).toEqual([403, 'forbidden']);
    const lines = { ...of, 'Content-Type': 'application/x-ndjson' };
    const upload = await session.call('POST', '/api/v1/notifications/stream', '{}', lines);
    expect(problem(upload)).toEqual([403, 'forbidden']);
  });

  it('shares the request limit of its key', async () => {
    const few = await app.tenant({ requests_per_minute: 5 });
    const session = await asTenant(few);
    const statuses: number[] = [];
    for (let n = 0; n < 6; n += 1) statuses.push((await session.call('GET', '/api/v1/templates')).status);
    expect([statuses[0], statuses.at(-1)]).toEqual([200, 429]);
    expect((await few.call('GET', '/api/v1/templates')).status).toBe(429);
  });

  it('ends when the key is revoked, and reads nothing while the tenant is suspended', async () => {
    const made = await newKey();
    const session = await signIn(app.url, { api_key: made.api_key });
    await app.operator('DELETE', `/internal/tenants/${tenant.id}/api-keys/${made.id}`);
    await until('the session ends', async () => (await session.call('GET', '/api/v1/templates')).status === 401);
    expect((await session.call('GET', '/console/session')).body.signed_in).toBe(false);

    const suspended = await app.tenant();
    const its = await asTenant(suspended);
    await app.operator('PATCH', `/internal/tenants/${suspended.id}`, { status: 'suspended' });
    await until('it is refused', async () => (await its.call('GET', '/api/v1/templates')).status === 403);
    expect((await its.call('GET', '/console/session')).body.signed_in).toBe(false);
    const again = await app.call('POST', '/console/session', { body: { api_key: suspended.apiKey } });
    expect(problem(again)).toEqual([403, 'forbidden']);
  });

  it('does not outlive its key, whose expiry it shows', async () => {
    const expires = new Date(Date.now() + 2_000).toISOString();
    const made = await newKey({ expires_at: expires });
    const session = await signIn(app.url, { api_key: made.api_key });
    expect(session.body.expires_at).toBe(expires);
    await until('the session ends', async () => (await session.call('GET', '/api/v1/templates')).status === 401);
  });

  it('is bound to the addresses of the key', async () => {
    const made = await newKey({ allowed_ips: ['192.0.2.0/24'] });
    const answer = await app.call('POST', '/console/session', { body: { api_key: made.api_key } });
    expect(problem(answer)).toEqual([403, 'forbidden']);
  });
});

describe('the session of an operator', () => {
  it('uses the routes of the operator, and those of the tenant that it names', async () => {
    const session = await asOperator();
    expect(session.body).toMatchObject({ kind: 'operator_token', name: 'operator', role: 'admin', tenant: null });
    expect((await session.call('GET', '/internal/tenants')).status).toBe(200);
    const of = { 'X-Carillon-Tenant': tenant.id };
    const body = { key: `k-${newId()}`, channel: 'email', content: { subject: 'S', text: 'T' } };
    const made = await session.call('POST', '/api/v1/templates', body, of);
    expect(made.status).toBe(201);
    expect((await tenant.call('GET', `/api/v1/templates/${made.body.id}`)).status).toBe(200);
    expect((await other.call('GET', `/api/v1/templates/${made.body.id}`)).status).toBe(404);
  });

  it('must name a tenant that exists', async () => {
    const session = await asOperator();
    const missing = await session.call('GET', '/api/v1/templates');
    expect(problem(missing)).toEqual([422, 'validation_failed']);
    expect(missing.body.errors[0].pointer).toBe('X-Carillon-Tenant');
    for (const id of [newId(), 'x', PLATFORM_TENANT_ID, `${tenant.id}'`])
      expect([
        id,
        ...problem(await session.call('GET', '/api/v1/templates', undefined, { 'X-Carillon-Tenant': id })),
      ]).toEqual([id, 404, 'not_found']);
  });

  it('reads a suspended tenant, but changes nothing of it', async () => {
    const suspended = await app.tenant();
    await app.operator('PATCH', `/internal/tenants/${suspended.id}`, { status: 'suspended' });
    const session = await asOperator();
    const of = { 'X-Carillon-Tenant': suspended.id };
    await until('the change is known', async () => {
      const answer = await session.call('PUT', '/api/v1/recipients/ann', { locale: 'en' }, of);
      return answer.status === 403;
    });
    expect((await session.call('GET', '/api/v1/templates', undefined, of)).status).toBe(200);
  });

  it('repeats a send with the same idempotency key once', async () => {
    const session = await asOperator();
    const headers = { 'X-Carillon-Tenant': tenant.id, 'Idempotency-Key': newId() };
    const body = { url: 'https://example.com/once', events: ['delivery.sent'] };
    const [first, second] = [
      await session.call('POST', '/api/v1/webhooks', body, headers),
      await session.call('POST', '/api/v1/webhooks', body, headers),
    ];
    expect([first.status, second.headers.get('idempotency-replayed'), second.body.id]).toEqual([
      201,
      'true',
      first.body.id,
    ]);
  });

  it('is in the audit log with its name: sign-in, changes and sign-out', async () => {
    const session = await asRole('admin');
    await app.sql.query(
      "update console_sessions set kind = 'operator_token', name = 'operator' where token_hash = $1",
      [session.tokenHash],
    );
    const key = `k-${newId()}`;
    const of = { 'X-Carillon-Tenant': tenant.id };
    await session.call('PATCH', `/internal/tenants/${tenant.id}`, { name: 'Test' });
    await session.call('POST', '/api/v1/templates', { key, channel: 'sms', content: { text: 'T' } }, of);
    await session.call('DELETE', '/console/session');
    const { rows } = await app.sql.query('select action, actor from audit_log order by id desc limit 4');
    expect(rows).toEqual(
      ['console.signed_out', 'template.created', 'tenant.changed', 'console.signed_in'].map((action) => ({
        action,
        actor: 'operator',
      })),
    );
  });

  it('ends when the admin token is replaced, and not while the old one is accepted too', async () => {
    const session = await asOperator();
    const before = app.config.adminToken;
    const settings = {
      ADMIN_TOKEN: 'another-token-of-the-operator-0123456789',
      MASTER_KEY: app.config.masterKey.toString('hex'),
    };
    for (const [previous, status] of [
      [before, 200],
      [undefined, 401],
    ] as const) {
      const api = await startReplica({ ...settings, ...(previous && { ADMIN_TOKEN_PREVIOUS: previous }) });
      try {
        expect((await callerWith(api.url, session.cookie).call('GET', '/internal/tenants')).status).toBe(status);
      } finally {
        await api.stop();
      }
    }
  });
});

/** Another process of the API on the same database. */
async function startReplica(environment: Record<string, string> = {}): Promise<RunningApi> {
  const config = loadConfig({
    NODE_ENV: 'test',
    DATABASE_URL: app.databaseUrl,
    CARILLON_HOME: app.config.home,
    HOST: '127.0.0.1',
    PORT: String(await freePort()),
    METRICS_PORT: '0',
    ...environment,
  });
  return await startApi(config, {
    logger: createLogger({ level: 'silent', role: 'test' }),
    migrationsDirectory: MIGRATIONS,
    metricsFallback: true,
  });
}

describe('roles', () => {
  /** The lowest role by route; a GET needs the role viewer. */
  const OPERATOR_ROUTES = [
    'POST /internal/dlq/{id}/replay',
    'DELETE /internal/dlq/{id}',
    'POST /internal/dlq/replay',
    'PATCH /internal/dlq/replay/{id}',
    'POST /internal/dlq/replay/{id}/pause',
    'POST /internal/dlq/replay/{id}/resume',
    'POST /internal/dlq/replay/{id}/stop',
  ];
  const SCOPES: Record<Role, RegExp> = {
    viewer: /:read$/,
    operator: /:read$|^(notifications|dead_letters|webhooks|suppressions|recipients):write$/,
    admin: /./,
  };
  const neededFor = ({ name, method, access, scope }: Route): Role => {
    if (access !== 'operator') return roles.find((role) => SCOPES[role].test(scope!))!;
    if (method === 'GET' || name === 'POST /internal/templates/preview') return 'viewer';
    return OPERATOR_ROUTES.includes(name) ? 'operator' : 'admin';
  };

  it.each(roles)(
    '%s: every route of the operator and of a tenant, and no more',
    async (role) => {
      const all = routesOf((await app.call('GET', '/openapi.json')).body);
      const routes = all.filter(({ access, tokenIn }) => access !== 'public' && tokenIn === undefined);
      expect(routes.length).toBeGreaterThan(120);
      const session = await asRole(role);
      const of = { 'X-Carillon-Tenant': tenant.id, 'X-Recipient-ID': 'nobody' };
      const wrong: unknown[] = [];
      for (const route of routes.filter(({ path }) => !['/api/v1/inbox/stream', '/api/v1/api-key'].includes(path))) {
        const { method, name } = route;
        const needed = neededFor(route);
        // No id exists, and no body is valid, so that nothing changes.
        const path = route.path.replaceAll(/\{\w+\}/g, newId());
        const body = method === 'GET' || method === 'DELETE' ? undefined : { zzz: 1 };
        const { status, body: answer } = await session.call(method, path, body, of);
        const isRefused = status === 403 && answer.code === 'forbidden';
        const isAllowed = roles.indexOf(role) >= roles.indexOf(needed);
        if (name === 'POST /api/v1/notifications/stream' && isAllowed) continue;
        if (isAllowed === isRefused || [401, 500].includes(status)) wrong.push([name, status, answer]);
        else if (isRefused && !answer.detail.includes(`role ${needed}`)) wrong.push([name, answer.detail]);
      }
      expect(wrong).toEqual([]);
      expect(problem(await session.call('GET', '/api/v1/api-key', undefined, of))).toEqual([403, 'forbidden']);
    },
    60_000,
  );
});
