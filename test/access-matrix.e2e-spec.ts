// The routes as the OpenAPI document describes them, and API keys. attack-matrix.e2e-spec.ts tries every route with every
// credential.

import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newApiKey } from '#domain';
import { seedTenant, type TenantExamples } from './access/seed-tenant.ts';
import { http, type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

let app: TestEnvironment;
let mine: Tenant;
let theirs: Tenant;
let document: Json;
let examples: TenantExamples;

interface Route {
  method: string;
  path: string;
  security: string[];
}

const NOBODY = '01900000-0000-7000-8000-000000000000';
// Vendors prove who they are by a signature, mail clients by the token in the path, the console by its cookie.
const PUBLIC = [
  'DELETE /console/session',
  'GET /console/session',
  'GET /livez',
  'GET /preferences/{token}',
  'GET /readyz',
  'GET /unsubscribe/{token}',
  'POST /console/session',
  'POST /preferences/{token}',
  'POST /receipts/{provider}/{account_id}',
  'POST /unsubscribe/{token}',
];

beforeAll(async () => {
  app = await startTestEnvironment();
  [mine, theirs] = [await app.tenant(), await app.tenant()];
  document = (await app.call('GET', '/openapi.json')).body;
  examples = await seedTenant(theirs.call, 'theirs');
});
afterAll(() => app?.stop());

function routes(): Route[] {
  return Object.entries<Record<string, Json>>(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security = [] }]) => ({
      method: method.toUpperCase(),
      path,
      security: security.flatMap((rule: Record<string, unknown>) => Object.keys(rule)),
    })),
  );
}

const filled = (path: string): string => path.replaceAll(/\{\w+\}/g, NOBODY);
/** A request from another address of loopback. */
const from = (
  localAddress: string,
  route: Route,
  headers: Record<string, string>,
): Promise<{ status: number; body: Json }> =>
  new Promise((resolve, reject) => {
    request(
      app.url + filled(route.path),
      { method: route.method, localAddress, headers: { ...headers, 'Content-Type': 'application/json' } },
      (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode!, body: text }));
      },
    )
      .on('error', reject)
      .end(route.method === 'GET' || route.method === 'DELETE' ? undefined : '{}');
  });
const summary = (route: Route): string => `${route.method} ${route.path}`;

describe('every route of the OpenAPI document', () => {
  it('there are some, and only the known ones are public', () => {
    expect(document.openapi).toBe('3.1.0');
    expect(routes().length).toBeGreaterThan(40);
    expect(
      routes()
        .filter(({ security }) => security.length === 0)
        .map(summary)
        .sort(),
    ).toEqual(PUBLIC);
  });

  it('describes itself without a dangling reference, and each with a summary and its answers', () => {
    const references = new Set(
      [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name!),
    );
    expect(references.size).toBeGreaterThan(20);
    expect([...references].filter((name) => !document.components.schemas[name])).toEqual([]);
    for (const { method, path } of routes()) {
      const operation = document.paths[path][method.toLowerCase()];
      expect(operation.summary, `${method} ${path}`).toMatch(/./);
      expect(
        Object.keys(operation.responses).some((status) => /^(2..|303)$/.test(status)),
        `${method} ${path}`,
      ).toBe(true);
    }
  });

  it('answers in the shape it is documented with, no field more and none less', async () => {
    const { notificationView, timelineView } = await import(
      '../apps/api/src/notifications/notification-view.schema.js'
    );
    const { recipientView, deviceView, preferencesBody } = await import(
      '../apps/api/src/recipients/recipient.schema.js'
    );
    const { templateView } = await import('../apps/api/src/templates/template.schema.js');
    const { accountView, providerView } = await import('../apps/api/src/provider-accounts/provider-account.schema.js');
    const { itemView, countsView } = await import('../apps/api/src/inbox/inbox.schema.js');
    const as = { 'X-API-Key': theirs.apiKey, 'X-Recipient-ID': examples.recipient };
    const shapes: [string, { strict(): { safeParse(value: unknown): { success: boolean; error?: Error } } }][] = [
      [`/api/v1/notifications/${examples.notification}`, notificationView],
      [`/api/v1/deliveries/${examples.delivery}`, timelineView],
      ['/api/v1/notifications?limit=1', notificationView],
      [`/api/v1/recipients/${examples.recipient}`, recipientView],
      [`/api/v1/recipients/${examples.recipient}/devices`, deviceView],
      [`/api/v1/recipients/${examples.recipient}/preferences`, preferencesBody],
      ['/api/v1/templates/template-theirs', templateView],
      ['/api/v1/provider-accounts', accountView],
      ['/api/v1/providers', providerView],
      ['/api/v1/inbox', itemView],
      ['/api/v1/inbox/counts', countsView],
    ] as never;
    for (const [path, shape] of shapes) {
      const { status, body } = await app.call('GET', path, { headers: as });
      expect([path, status]).toEqual([path, 200]);
      const one = Array.isArray(body.data) ? body.data[0] : body;
      const parsed = shape.strict().safeParse(one);
      expect(parsed.error?.message, path).toBeUndefined();
    }
  });

  it('refuses unknown fields', async () => {
    const loose: string[] = [];
    for (const route of routes().filter(
      ({ method, security }) =>
        (method === 'POST' || method === 'PUT' || method === 'PATCH') &&
        (security.includes('tenant') || security.includes('operator')),
    )) {
      const operation = document.paths[route.path][route.method.toLowerCase()];
      // An upload has lines instead of a JSON body: test/uploads.e2e-spec.ts.
      if (!operation.requestBody?.content['application/json']) continue;
      const headers: Record<string, string> = route.security.includes('operator')
        ? { 'X-Admin-Token': app.config.adminToken }
        : { 'X-API-Key': mine.apiKey, 'X-Recipient-ID': 'ann' };
      const { status, body } = await http(app.url, route.method, filled(route.path), {
        headers,
        body: { tenant_id: theirs.id, zzz: 1 },
      });
      if (status !== 422 || !body.errors?.some(({ pointer }: Json) => pointer === '/zzz'))
        loose.push(`${summary(route)} answered ${status} ${JSON.stringify(body)}`);
    }
    expect(loose).toEqual([]);
  });
});

describe('a key', () => {
  it('revoked is refused at once, though it had just been used', async () => {
    const tenant = await app.tenant();
    expect((await tenant.call('GET', '/api/v1/notifications')).status).toBe(200);
    const { body: keys } = await app.operator('GET', `/internal/tenants/${tenant.id}/api-keys`);
    expect(keys.data[0]).toMatchObject({ key_id: tenant.apiKey.slice(9, 17), revoked_at: null });
    expect(JSON.stringify(keys)).not.toContain(tenant.apiKey.slice(17));
    expect((await app.operator('DELETE', `/internal/tenants/${tenant.id}/api-keys/${keys.data[0].id}`)).status).toBe(
      204,
    );
    await expect.poll(async () => (await tenant.call('GET', '/api/v1/notifications')).status).toBe(401);
    expect((await app.operator('DELETE', `/internal/tenants/${tenant.id}/api-keys/${keys.data[0].id}`)).status).toBe(
      404,
    );
  });

  it('has its own limit, shown in headers, and gets 429 with Retry-After beyond it', async () => {
    const tenant = await app.tenant({ requests_per_minute: 3 });
    const answers = [];
    for (let request = 0; request < 4; request += 1) answers.push(await tenant.call('GET', '/api/v1/notifications'));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
    expect(answers[0]!.headers.get('ratelimit-policy')).toBe('"requests";q=3;w=60');
    expect(answers[0]!.headers.get('ratelimit')).toMatch(/^"requests";r=2;t=\d+$/);
    expect(answers[3]!.body.code).toBe('rate_limited');
    expect(Number(answers[3]!.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it('that is guessed at is not asked about for ever', async () => {
    const route = { method: 'GET', path: '/api/v1/notifications', security: [] };
    const statuses = [];
    for (let guess = 0; guess < 62; guess += 1)
      statuses.push((await from('127.9.9.9', route, { 'X-API-Key': newApiKey('live').text })).status);
    expect([statuses[0], statuses[59], statuses[61]]).toEqual([401, 401, 429]);
    expect((await from('127.9.9.9', route, { 'X-API-Key': mine.apiKey })).status).toBe(200);
  });

  it('works as a bearer token, and the request id is echoed', async () => {
    const answer = await app.call('GET', '/api/v1/notifications', {
      headers: { Authorization: `Bearer ${mine.apiKey}`, 'X-Request-Id': 'abc-1' },
    });
    expect([answer.status, answer.headers.get('x-request-id')]).toEqual([200, 'abc-1']);
    const lost = await app.call('GET', '/nowhere', { headers: { 'X-Request-Id': 'abc-2' } });
    expect(lost.body).toMatchObject({ status: 404, code: 'not_found', request_id: 'abc-2' });
  });
});

describe("the operator's acts", () => {
  it('are in the audit log, which no role may change', async () => {
    const keys = `/internal/tenants/${mine.id}/api-keys`;
    const { body: key } = await app.operator('POST', keys, { name: 'k' });
    await app.operator('DELETE', `${keys}/${key.id}`);
    const { rows } = await app.sql.query('select action, after from audit_log where tenant_id = $1 order by id', [
      mine.id,
    ]);
    expect(rows.map(({ action }) => action)).toEqual(
      expect.arrayContaining(['tenant.created', 'api_key.created', 'api_key.revoked']),
    );
    expect(JSON.stringify(rows)).not.toContain(mine.apiKey);
    await app.sql.query('begin');
    await app.sql.query('set local role carillon_platform');
    await expect(app.sql.query('delete from audit_log')).rejects.toThrow('permission denied');
    await app.sql.query('rollback');
  });

  it('stand on a listener of their own when one is configured', async () => {
    const { freePort } = await import('../services/programs.ts');
    const port = await freePort();
    const split = await startTestEnvironment({ worker: false, environment: { INTERNAL_PORT: String(port) } }).catch(
      (error: unknown) => error as TestEnvironment,
    );
    try {
      // The harness itself speaks to the main port, where there is no operator now.
      expect((await split.operator('GET', '/internal/tenants')).status).toBe(404);
      const token = { 'X-Admin-Token': split.config.adminToken };
      expect((await http(`http://127.0.0.1:${port}`, 'GET', '/internal/tenants', { headers: token })).status).toBe(200);
      expect((await http(`http://127.0.0.1:${port}`, 'GET', '/livez')).status).toBe(404);
      // An escaped path is the same route.
      const escaped = '/%69nternal/tenants';
      expect((await split.operator('GET', escaped)).status).toBe(404);
      expect((await http(`http://127.0.0.1:${port}`, 'GET', escaped, { headers: token })).status).toBe(200);
    } finally {
      await split.stop();
    }
  });
});
