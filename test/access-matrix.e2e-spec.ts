// Generated from the OpenAPI document, so that a new route is in it by itself.

import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newApiKey } from '#domain';
import { until } from '#testing';
import {
  type Answer,
  CONTENT,
  http,
  type Json,
  startTestEnvironment,
  type Tenant,
  type TestEnvironment,
} from './test-environment.js';

let app: TestEnvironment;
let mine: Tenant;
let theirs: Tenant;
let document: Json;
let examples: Record<string, string>;

interface Route {
  method: string;
  path: string;
  security: string[];
}

const NOBODY = '01900000-0000-7000-8000-000000000000';
// Vendors prove who they are by a signature, mail clients by the token in the path.
const PUBLIC = [
  'GET /livez',
  'GET /readyz',
  'GET /unsubscribe/{token}',
  'POST /receipts/{provider}/{account_id}',
  'POST /unsubscribe/{token}',
];

beforeAll(async () => {
  app = await startTestEnvironment();
  [mine, theirs] = [await app.tenant(), await app.tenant()];
  document = (await app.call('GET', '/openapi.json')).body;
  // Things of the other tenant, by the collection their path begins with.
  await theirs.call('PUT', '/api/v1/recipients/theirs', { email: 'x@example.com' });
  await theirs.call('POST', '/api/v1/recipients/theirs/devices', { token: 'tok', platform: 'ios' });
  const template = await theirs.call('POST', '/api/v1/templates', {
    key: 'theirs',
    channel: 'email',
    content: CONTENT.email,
  });
  const account = await theirs.call('POST', '/api/v1/provider-accounts', {
    name: 'a',
    provider: 'sandbox',
    channel: 'email',
    credentials: {},
  });
  await theirs.call('PUT', '/api/v1/categories/theirs', { name: 'Theirs' });
  const suppression = await theirs.call('POST', '/api/v1/suppressions', {
    channel: 'email',
    address: 'no@example.com',
  });
  const webhook = await theirs.call('POST', '/api/v1/webhooks', {
    url: 'https://example.com/',
    events: ['inbox.item_read'],
  });
  const notification = await theirs
    .send({ recipient_id: 'theirs', channels: ['email', 'in_app'], template_id: 'none' })
    .catch(() => theirs.send({ recipient_id: 'theirs', channel: 'email', content: CONTENT.email }));
  await theirs.send({ recipient_id: 'theirs', channel: 'in_app', content: CONTENT.in_app });
  for (const table of ['mailbox_messages', 'inbox_items'])
    await until(
      `${table} has a row`,
      async () => (await app.sql.query(`select from ${table} where tenant_id = $1`, [theirs.id])).rowCount === 1,
    );
  const one = async (table: string): Promise<string> =>
    (await app.sql.query(`select id from ${table} where tenant_id = $1`, [theirs.id])).rows[0].id;
  examples = {
    '/api/v1/notifications/{id}': notification.id,
    '/api/v1/deliveries/{id}': notification.deliveries[0].id,
    '/api/v1/recipients/{id}': 'theirs',
    '/api/v1/templates/{id}': template.body.id,
    '/api/v1/provider-accounts/{id}': account.body.id,
    '/api/v1/webhooks/{id}': webhook.body.id,
    '/api/v1/suppressions/{id}': suppression.body.id,
    '/api/v1/mailbox/{id}': await one('mailbox_messages'),
    '/api/v1/inbox/{id}': await one('inbox_items'),
  };
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

const filled = (path: string, id = NOBODY): string =>
  path.replace('{id}', encodeURIComponent(id)).replaceAll(/\{\w+\}/g, NOBODY);
const call = (route: Route, headers: Record<string, string>, path = filled(route.path)): Promise<Answer> =>
  http(app.url, route.method, path, {
    headers,
    ...(route.method === 'GET' || route.method === 'DELETE' ? {} : { body: {} }),
  });
/** The same from another address of loopback. */
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
        Object.keys(operation.responses).some((status) => status.startsWith('2')),
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
    const as = { 'X-API-Key': theirs.apiKey, 'X-Recipient-ID': 'theirs' };
    const shapes: [string, { strict(): { safeParse(value: unknown): { success: boolean; error?: Error } } }][] = [
      [
        examples['/api/v1/notifications/{id}'] && `/api/v1/notifications/${examples['/api/v1/notifications/{id}']}`,
        notificationView,
      ],
      [`/api/v1/deliveries/${examples['/api/v1/deliveries/{id}']}`, timelineView],
      ['/api/v1/notifications?limit=1', notificationView],
      ['/api/v1/recipients/theirs', recipientView],
      ['/api/v1/recipients/theirs/devices', deviceView],
      ['/api/v1/recipients/theirs/preferences', preferencesBody],
      ['/api/v1/templates/theirs', templateView],
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

  it('refuses no key, a wrong key, a foreign kind of key, a revoked and an expired one', async () => {
    const wrong = newApiKey('live').text;
    const revoked = await keyOf(mine, {});
    await app.operator('DELETE', `/internal/tenants/${mine.id}/api-keys/${revoked.id}`);
    const expired = await keyOf(mine, { expires_at: new Date(Date.now() - 1_000).toISOString() });
    const refused: string[] = [];
    let guesses = 0;
    for (const route of routes().filter(({ security }) => security.length > 0)) {
      const isOperator = route.security.includes('operator');
      const attempts: Record<string, string>[] = [
        {},
        isOperator ? { 'X-Admin-Token': 'x'.repeat(40) } : { 'X-API-Key': wrong, 'X-Recipient-ID': 'x' },
        isOperator ? { 'X-API-Key': mine.apiKey } : { 'X-Admin-Token': app.config.adminToken },
        { 'X-API-Key': `${mine.apiKey.slice(0, -1)}!`, 'X-Recipient-ID': 'x' },
        { 'X-API-Key': revoked.text, 'X-Recipient-ID': 'x' },
        { 'X-API-Key': expired.text, 'X-Recipient-ID': 'x' },
        { Authorization: 'Bearer nonsense' },
      ];
      for (const headers of attempts) {
        // Each from an address of its own, so that the limit on guessing does not answer instead.
        guesses += 1;
        const { status, body } = await from(`127.0.${1 + (guesses >> 8)}.${guesses & 255}`, route, headers);
        if (status !== 401)
          refused.push(
            `${summary(route)} answered ${status} ${JSON.stringify(body)} to ${JSON.stringify(Object.keys(headers))}`,
          );
      }
    }
    expect(refused).toEqual([]);
  });

  it("answers another tenant's id exactly like one that does not exist", async () => {
    const told: string[] = [];
    let compared = 0;
    for (const route of routes().filter(({ path, security }) => security.includes('tenant') && path.includes('{id}'))) {
      const base = Object.keys(examples).find((prefix) => route.path.startsWith(prefix));
      if (!base) {
        told.push(`${summary(route)}: no example of another tenant's`);
        continue;
      }
      // PUT on a recipient creates one's own; a token and preferences may be for somebody without a profile.
      if (/^(PUT \/api\/v1\/recipients\/\{id\}|.*\/(preferences|inbox-token))$/.test(summary(route))) continue;
      const body = route.path.endsWith('/devices')
        ? { token: 'x', platform: 'ios' }
        : route.path.endsWith('/settle')
          ? { state: 'sent' }
          : route.path.endsWith('/replay')
            ? { since: new Date().toISOString(), only: 'failed' }
            : route.method === 'PUT'
              ? { content: CONTENT.email }
              : {};
      const ask = (id: string): Promise<Answer> =>
        http(app.url, route.method, route.path.replace('{id}', id).replace('{token}', 'tok'), {
          headers: { 'X-API-Key': mine.apiKey, 'X-Recipient-ID': 'theirs' },
          ...(route.method === 'GET' || route.method === 'DELETE' ? {} : { body }),
        });
      const missing = base.includes('recipients') ? 'nobody' : NOBODY;
      const [foreign, absent] = [await ask(examples[base]!), await ask(missing)];
      const same = (answer: Answer, id: string): string =>
        JSON.stringify({ ...answer.body, request_id: '' }).replaceAll(id, 'ID');
      if (foreign.status !== 404 || same(foreign, examples[base]!) !== same(absent, missing))
        told.push(
          `${summary(route)}: ${foreign.status} ${JSON.stringify(foreign.body)} against ${absent.status} ${JSON.stringify(absent.body)}`,
        );
      compared += 1;
    }
    expect(told).toEqual([]);
    expect(compared).toBeGreaterThanOrEqual(18);
    expect((await theirs.call('GET', '/api/v1/recipients/theirs')).body.email).toBe('x@example.com');
  });

  it('refuses a key that lacks the scope, and unknown fields', async () => {
    const reader = await app.tenant({}, { scopes: ['mailbox:read'] });
    const told: string[] = [];
    for (const route of routes().filter(({ security }) => security.includes('tenant'))) {
      const { status } = await call(route, { 'X-API-Key': reader.apiKey, 'X-Recipient-ID': 'x' });
      const isMailbox = route.method === 'GET' && route.path.startsWith('/api/v1/mailbox');
      if (!isMailbox && status !== 403) told.push(`${summary(route)} answered ${status}`);
    }
    expect(told).toEqual([]);
    const loose: string[] = [];
    for (const route of routes().filter(
      ({ method, security }) =>
        (method === 'POST' || method === 'PUT' || method === 'PATCH') &&
        (security.includes('tenant') || security.includes('operator')),
    )) {
      const operation = document.paths[route.path][route.method.toLowerCase()];
      if (!operation.requestBody) continue;
      const headers: Record<string, string> = route.security.includes('operator')
        ? { 'X-Admin-Token': app.config.adminToken }
        : { 'X-API-Key': mine.apiKey };
      const { status, body } = await http(app.url, route.method, filled(route.path), {
        headers,
        body: { tenant_id: theirs.id, zzz: 1 },
      });
      if (status !== 422 || !body.errors?.some(({ pointer }: Json) => pointer === '/zzz'))
        loose.push(`${summary(route)} answered ${status} ${JSON.stringify(body)}`);
    }
    expect(loose).toEqual([]);
  });

  async function keyOf(tenant: Tenant, body: Record<string, unknown>): Promise<{ id: string; text: string }> {
    const { body: made } = await app.operator('POST', `/internal/tenants/${tenant.id}/api-keys`, {
      name: 'k',
      ...body,
    });
    return { id: made.id, text: made.api_key };
  }
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
    const { rows } = await app.sql.query('select action, detail from audit_log where tenant_id = $1 order by id', [
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
