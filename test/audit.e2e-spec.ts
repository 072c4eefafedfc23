// The audit log over HTTP. The routes come from the OpenAPI document, so that a new one is tested by itself.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId, PLATFORM_TENANT_ID } from '#domain';
import { until } from '#testing';
import { signIn } from './console/sign-in.ts';
import {
  CONTENT,
  http,
  type Json,
  simulated,
  startTestEnvironment,
  type Tenant,
  type TestEnvironment,
} from './test-environment.js';

let app: TestEnvironment;
let tenant: Tenant;
let document: Json;
let requests = 0;

beforeAll(async () => {
  app = await startTestEnvironment();
  tenant = await app.tenant();
  document = (await app.call('GET', '/openapi.json')).body;
});
afterAll(() => app?.stop());

interface Request {
  path: string;
  body?: unknown;
  headers?: Record<string, string>;
}

const SECRET = 'canary-secret-0123456789';
/** Part of a URL, which may be a secret of its receiver. */
const TOKEN_OF_URL = 'canary-path-0123456789';
const ADDRESS = 'canary@example.com';

/** Makes a thing with a tenant's key and returns its id. */
async function made(path: string, body: Record<string, unknown>): Promise<string> {
  const { status, body: answer } = await tenant.call('POST', `/api/v1/${path}`, body);
  if (status !== 201) throw new Error(`${path} answered ${status}: ${JSON.stringify(answer)}`);
  return answer.id;
}

const accountBody = () => ({
  name: newId(),
  provider: 'smtp',
  channel: 'email',
  // Not used, so that the sandbox sends.
  enabled: false,
  credentials: { host: 'mail.example.com', from: 'us@mail.example.net', user: 'us', password: SECRET },
});
const webhookBody = () => ({ url: `https://hooks.example.com/${TOKEN_OF_URL}`, events: ['delivery.sent'] });
const templateBody = () => ({ key: `k-${newId()}`, channel: 'email', content: CONTENT.email });
const scheduleBody = () => ({
  rrule: 'FREQ=YEARLY',
  timezone: 'UTC',
  notification: { recipient: { id: ADDRESS, email: ADDRESS }, channel: 'email', content: CONTENT.email },
});
const schedule = () => made('schedules', scheduleBody());
const account = () => made('provider-accounts', accountBody());
const webhook = () => made('webhooks', webhookBody());
const template = () => made('templates', templateBody());

async function platformAccount(): Promise<string> {
  return (await app.operator('POST', '/internal/provider-accounts', accountBody())).body.id;
}

async function platformTemplate(): Promise<string> {
  return (await app.operator('POST', '/internal/templates', templateBody())).body.id;
}

async function deadLetter(): Promise<string> {
  const sent = await tenant.send(simulated('rejected', newId()));
  let id = '';
  await until('a dead letter', async () => {
    const { rows } = await app.sql.query('select id from dead_letters where notification_id = $1', [sent.id]);
    id = rows[0]?.id;
    return id !== undefined;
  });
  return id;
}

/** A replay of the operator that no worker begins. */
async function replay(): Promise<string> {
  const id = newId();
  await app.sql.query(
    `insert into jobs (tenant_id, id, kind, due_at) values ($1, $2, 'operator_dead_letter_replay', 'infinity')`,
    [PLATFORM_TENANT_ID, id],
  );
  return id;
}

async function apiKey(): Promise<string> {
  return (await app.operator('POST', `/internal/tenants/${tenant.id}/api-keys`, { name: 'k' })).body.id;
}

/** A request that succeeds, for each route that changes something for the operator or is audited. */
const recipes: Record<string, () => Promise<Request>> = {
  'POST /console/session': async () => ({ path: '/console/session', body: { api_key: tenant.apiKey } }),
  'DELETE /console/session': async () => {
    const { cookie } = await signIn(app.url, { api_key: tenant.apiKey });
    return { path: '/console/session', headers: { Cookie: cookie, 'X-Carillon-Console': '1' } };
  },
  'POST /internal/tenants': async () => ({ path: '/internal/tenants', body: { name: 'New' } }),
  'PATCH /internal/tenants/{id}': async () => ({ path: `/internal/tenants/${tenant.id}`, body: { name: newId() } }),
  'POST /internal/tenants/{id}/api-keys': async () => ({
    path: `/internal/tenants/${tenant.id}/api-keys`,
    body: { name: 'k' },
  }),
  'DELETE /internal/tenants/{id}/api-keys/{keyId}': async () => ({
    path: `/internal/tenants/${tenant.id}/api-keys/${await apiKey()}`,
  }),
  'POST /internal/tenants/{id}/api-keys/{keyId}/rotate': async () => ({
    path: `/internal/tenants/${tenant.id}/api-keys/${await apiKey()}/rotate`,
    body: {},
  }),
  'POST /internal/provider-accounts': async () => ({
    path: '/internal/provider-accounts',
    body: accountBody(),
  }),
  'PATCH /internal/provider-accounts/{id}': async () => ({
    path: `/internal/provider-accounts/${await platformAccount()}`,
    body: { order: 3 },
  }),
  'DELETE /internal/provider-accounts/{id}': async () => ({
    path: `/internal/provider-accounts/${await platformAccount()}`,
  }),
  'POST /internal/templates': async () => ({ path: '/internal/templates', body: templateBody() }),
  'PUT /internal/templates/{id}': async () => ({
    path: `/internal/templates/${await platformTemplate()}`,
    body: { content: CONTENT.email },
  }),
  'POST /internal/templates/{id}/rollback': async () => ({
    path: `/internal/templates/${await platformTemplate()}/rollback`,
    body: { version: 1 },
  }),
  'DELETE /internal/templates/{id}': async () => ({ path: `/internal/templates/${await platformTemplate()}` }),
  'POST /internal/dlq/{id}/replay': async () => ({ path: `/internal/dlq/${await deadLetter()}/replay`, body: {} }),
  'POST /internal/dlq/replay': async () => ({
    path: '/internal/dlq/replay',
    body: { filter: { channel: 'chat' } },
  }),
  'PATCH /internal/dlq/replay/{id}': async () => ({
    path: `/internal/dlq/replay/${await replay()}`,
    body: { pace_per_second: 0.02 },
  }),
  'POST /internal/dlq/replay/{id}/pause': async () => ({
    path: `/internal/dlq/replay/${await replay()}/pause`,
    body: {},
  }),
  'POST /internal/dlq/replay/{id}/resume': async () => ({
    path: `/internal/dlq/replay/${await replay()}/resume`,
    body: {},
  }),
  'POST /internal/dlq/replay/{id}/stop': async () => ({
    path: `/internal/dlq/replay/${await replay()}/stop`,
    body: {},
  }),
  'DELETE /internal/dlq/{id}': async () => ({ path: `/internal/dlq/${await deadLetter()}` }),
  'POST /api/v1/dead-letters/{id}/replay': async () => ({
    path: `/api/v1/dead-letters/${await deadLetter()}/replay`,
    body: {},
  }),
  'DELETE /api/v1/dead-letters/{id}': async () => ({ path: `/api/v1/dead-letters/${await deadLetter()}` }),
  'POST /api/v1/dead-letters/replay': async () => ({
    path: '/api/v1/dead-letters/replay',
    body: { filter: { channel: 'chat' } },
  }),
  'POST /api/v1/provider-accounts': async () => ({ path: '/api/v1/provider-accounts', body: accountBody() }),
  'PATCH /api/v1/provider-accounts/{id}': async () => ({
    path: `/api/v1/provider-accounts/${await account()}`,
    body: { order: 2 },
  }),
  'DELETE /api/v1/provider-accounts/{id}': async () => ({ path: `/api/v1/provider-accounts/${await account()}` }),
  'POST /api/v1/webhooks': async () => ({ path: '/api/v1/webhooks', body: webhookBody() }),
  'PATCH /api/v1/webhooks/{id}': async () => ({
    path: `/api/v1/webhooks/${await webhook()}`,
    body: { enabled: false },
  }),
  'DELETE /api/v1/webhooks/{id}': async () => ({ path: `/api/v1/webhooks/${await webhook()}` }),
  'POST /api/v1/webhooks/{id}/rotate-secret': async () => ({
    path: `/api/v1/webhooks/${await webhook()}/rotate-secret`,
    body: {},
  }),
  'DELETE /api/v1/suppressions/{id}': async () => ({
    path: `/api/v1/suppressions/${await made('suppressions', { channel: 'email', address: `${newId()}.${ADDRESS}` })}`,
  }),
  'DELETE /api/v1/recipients/{id}': async () => {
    const id = `${newId()}.${ADDRESS}`;
    await tenant.call('PUT', `/api/v1/recipients/${id}`, { email: ADDRESS });
    return { path: `/api/v1/recipients/${id}` };
  },
  'POST /api/v1/recipients/{id}/inbox-token/revoke': async () => ({
    path: `/api/v1/recipients/${newId()}/inbox-token/revoke`,
    body: {},
  }),
  'PUT /api/v1/categories/{key}': async () => ({ path: `/api/v1/categories/${newId()}`, body: { name: 'News' } }),
  'DELETE /api/v1/categories/{key}': async () => {
    const path = `/api/v1/categories/${newId()}`;
    await tenant.call('PUT', path, { name: 'News' });
    return { path };
  },
  'PUT /api/v1/preference-rules': async () => ({
    path: '/api/v1/preference-rules',
    body: { defaults: { channels: { chat: false } } },
  }),
  'POST /api/v1/schedules': async () => ({ path: '/api/v1/schedules', body: scheduleBody() }),
  'PATCH /api/v1/schedules/{id}': async () => ({
    path: `/api/v1/schedules/${await schedule()}`,
    body: { misfire: 'skip' },
  }),
  'POST /api/v1/schedules/{id}/pause': async () => ({ path: `/api/v1/schedules/${await schedule()}/pause`, body: {} }),
  'POST /api/v1/schedules/{id}/resume': async () => {
    const id = await schedule();
    await app.sql.query(`update schedules set state = 'paused', next_local = null, next_at = null where id = $1`, [id]);
    return { path: `/api/v1/schedules/${id}/resume`, body: {} };
  },
  'DELETE /api/v1/schedules/{id}': async () => ({ path: `/api/v1/schedules/${await schedule()}` }),
  'POST /api/v1/templates': async () => ({ path: '/api/v1/templates', body: templateBody() }),
  'PUT /api/v1/templates/{id}': async () => ({
    path: `/api/v1/templates/${await template()}`,
    body: { content: CONTENT.email },
  }),
  'POST /api/v1/templates/{id}/rollback': async () => ({
    path: `/api/v1/templates/${await template()}/rollback`,
    body: { version: 1 },
  }),
  'DELETE /api/v1/templates/{id}': async () => ({ path: `/api/v1/templates/${await template()}` }),
};

interface Route {
  method: string;
  name: string;
  action: string | undefined;
  isOperator: boolean;
}

/** The routes that must write to the audit log: those of the operator that change something, and those that say so. */
function auditedRoutes(): Route[] {
  return (
    Object.entries<Record<string, Json>>(document.paths)
      .flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, operation]) => ({
          method: method.toUpperCase(),
          name: `${method.toUpperCase()} ${path}`,
          action: operation['x-audit-action'] as string | undefined,
          isOperator: (operation.security ?? []).some((rule: object) => 'operator' in rule),
        })),
      )
      .filter(({ method, action, isOperator }) => method !== 'GET' && (isOperator || action !== undefined))
      // They store nothing.
      .filter(({ name }) => !/^POST \/internal\/(templates\/preview|provider-accounts\/\{id\}\/verify)$/.test(name))
  );
}

async function call(
  { method, isOperator }: Route,
  { path, body, headers: more }: Request,
  requestId: string,
): Promise<number> {
  const credentials: Record<string, string> = isOperator
    ? { 'X-Admin-Token': app.config.adminToken }
    : { 'X-API-Key': tenant.apiKey };
  const headers = { ...credentials, 'X-Request-Id': requestId, ...more };
  return (await http(app.url, method, path, { headers, body })).status;
}

const nextRequestId = (): string => {
  requests += 1;
  return `audit-${requests}`;
};

describe('every change of the operator, and every audited change with a key', () => {
  it('has an action and a request that this test makes', () => {
    const routes = auditedRoutes();
    expect(routes.filter(({ action }) => action === undefined).map(({ name }) => name)).toEqual([]);
    expect(routes.map(({ name }) => name).sort()).toEqual(Object.keys(recipes).sort());
  });

  it('writes exactly one entry when it succeeds, with who, from where and what', async () => {
    for (const route of auditedRoutes()) {
      const request = await recipes[route.name]!();
      const requestId = nextRequestId();
      const [before] = (await app.sql.query('select count(*)::int as count from audit_log')).rows;
      expect([route.name, Math.floor((await call(route, request, requestId)) / 100)]).toEqual([route.name, 2]);
      const { rows } = await app.sql.query('select * from audit_log order by id');
      expect([route.name, rows.length - before.count]).toEqual([route.name, 1]);
      const entry = rows.find(({ request_id: id }) => id === requestId);
      expect([route.name, entry]).toEqual([
        route.name,
        expect.objectContaining({
          action: route.action,
          actor: route.isOperator ? 'operator' : `key:${tenant.apiKey.slice(9, 17)}`,
          source_address: '127.0.0.1',
          subject: expect.stringMatching(/./),
        }),
      ]);
      if (!['recipient.erased', 'inbox_token.revoked'].includes(route.action!))
        expect([route.name, entry.before ?? entry.after]).toEqual([route.name, expect.any(Object)]);
    }
  }, 60_000);

  it('writes none when it fails', async () => {
    const failed: string[] = [];
    for (const route of auditedRoutes())
      for (const id of [newId(), 'x'.repeat(300)]) {
        const requestId = nextRequestId();
        const path = route.name.slice(route.method.length + 1).replaceAll(/\{\w+\}/g, id);
        const body = route.method === 'DELETE' ? undefined : { zzz: 1 };
        if ((await call(route, { path, body }, requestId)) >= 400) failed.push(requestId);
      }
    expect(failed.length).toBeGreaterThan(1.5 * auditedRoutes().length);
    const { rows } = await app.sql.query('select action from audit_log where request_id = any ($1)', [failed]);
    expect(rows).toEqual([]);
  });

  it('is not made when its entry cannot be written', async () => {
    const prepared = [];
    for (const route of auditedRoutes()) prepared.push({ route, request: await recipes[route.name]!() });
    await app.sql.query(`
      create function refuse_entry() returns trigger language plpgsql as $$ begin raise exception 'no entry'; end $$;
      create trigger refuse_entry before insert on audit_log for each row execute function refuse_entry()`);
    const tables = [
      'tenants',
      'api_keys',
      'provider_accounts',
      'dead_letters',
      'webhook_endpoints',
      'suppressions',
      'jobs',
      'console_sessions',
    ];
    const stored = async (): Promise<unknown[]> => {
      const found: unknown[] = [];
      for (const table of [...tables, 'recipients', 'categories', 'schedules', 'templates', 'template_versions']) {
        const columns = table === 'api_keys' ? `to_jsonb(x) - 'last_used_at'` : 'to_jsonb(x)';
        const text = `select md5(string_agg((${columns})::text, '' order by x::text)) from ${table} x`;
        found.push((await app.sql.query(text)).rows);
      }
      return found;
    };
    try {
      const before = await stored();
      for (const { route, request } of prepared)
        expect([route.name, await call(route, request, nextRequestId())]).toEqual([route.name, 500]);
      expect(await stored()).toEqual(before);
    } finally {
      await app.sql.query('drop function refuse_entry cascade');
    }
  }, 60_000);

  it('leaves no secret and no address in the log', async () => {
    const { rows } = await app.sql.query('select * from audit_log');
    const text = JSON.stringify(rows);
    expect(rows.length).toBeGreaterThan(40);
    for (const mark of [SECRET, TOKEN_OF_URL, ADDRESS, 'whsec_', tenant.apiKey.slice(17), app.config.adminToken])
      expect(text).not.toContain(mark);
    expect(text).toContain('"https://hooks.example.com"');
    expect(text).toContain('"password":"••••6789"');
  });
});

describe('GET /internal/audit', () => {
  const page = async (query: string): Promise<Json> => (await app.operator('GET', `/internal/audit?${query}`)).body;

  it('lists newest first, in pages, and filters', async () => {
    const first = await page('limit=2');
    const second = await page(`limit=200&cursor=${first.next_cursor}`);
    const ids: string[] = [...first.data, ...second.data].map(({ id }) => id);
    expect(ids).toEqual(ids.toSorted().reverse());
    expect(new Set(ids).size).toBe(ids.length);
    const all = (await page('limit=200')).data as Json[];
    const key = `key:${tenant.apiKey.slice(9, 17)}`;
    for (const [query, expected] of [
      ['action=tenant.changed', (entry: Json) => entry.action === 'tenant.changed'],
      [`actor=${key}`, (entry: Json) => entry.actor === key],
      [`tenant_id=${tenant.id}&actor=operator`, (entry: Json) => entry.tenant_id === tenant.id && entry.actor !== key],
      [`since=${all[9].created_at}`, (entry: Json) => entry.created_at >= all[9].created_at],
      [`created_before=${all[9].created_at}`, (entry: Json) => entry.created_at < all[9].created_at],
      ['created_after=2999-01-01T00:00:00Z', () => false],
    ] as const) {
      const { data } = await page(`limit=200&${query}`);
      expect([query, data.map(({ id }: Json) => id)]).toEqual([query, all.filter(expected).map(({ id }) => id)]);
    }
    const [changed] = (await page('action=tenant.changed&limit=1')).data;
    expect(changed).toMatchObject({
      actor: 'operator',
      tenant_id: tenant.id,
      subject: tenant.id,
      before: { status: 'active' },
      after: { status: 'active' },
    });
    expect(changed.before.name).not.toBe(changed.after.name);
    const wrong = await app.operator('GET', '/internal/audit?action=tenant.eaten&since=yesterday');
    expect([wrong.status, wrong.body.errors.map(({ pointer }: Json) => pointer)]).toEqual([422, ['?action', '?since']]);
  });

  it('exports 100,000 entries as NDJSON, without holding them in memory', async () => {
    const old = '2020-01-01T00:00:00Z';
    await app.sql.query(
      `insert into audit_log (tenant_id, id, action, actor, request_id, subject, after, created_at)
       select $1, (lpad(to_hex(1577836800000 + n), 12, '0') || '7000' || '8000' || lpad(to_hex(n), 12, '0'))::uuid,
              'tenant.changed', 'operator', 'many', n::text, jsonb_build_object('text', repeat('x', 1000)), $2
       from generate_series(1, 100000) n`,
      [tenant.id, old],
    );
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const usedMb = (): number => {
      gc();
      return process.memoryUsage().heapUsed / 1024 / 1024;
    };
    const startedAt = performance.now();
    const response = await fetch(`${app.url}/internal/audit/export?created_before=2021-01-01T00:00:00Z`, {
      headers: { 'X-Admin-Token': app.config.adminToken },
    });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/x-ndjson']);
    const used: number[] = [];
    let lines = 0;
    let rest = '';
    let next = 100_000;
    const decoder = new TextDecoder();
    for await (const bytes of response.body!) {
      rest += decoder.decode(bytes, { stream: true });
      const complete = rest.split('\n');
      rest = complete.pop()!;
      for (const line of complete) {
        lines += 1;
        // Only one in a thousand, so that the time is that of the export.
        if (lines % 1_000 === 1) expect(JSON.parse(line).subject).toBe(String(next));
        next -= 1;
      }
      if (lines >= (used.length + 1) * 10_000) used.push(usedMb());
    }
    expect([lines, rest]).toEqual([100_000, '']);
    // The whole export has more than 100 MB.
    expect(Math.max(...used) - used[0]!).toBeLessThan(30);
    expect(performance.now() - startedAt).toBeLessThan(30_000);
    for (const query of [
      'action=api_key.revoked',
      `actor=key:${tenant.apiKey.slice(9, 17)}`,
      `tenant_id=${tenant.id}`,
    ]) {
      const listedAt = performance.now();
      expect((await page(`${query}&limit=5`)).data.length).toBeGreaterThan(0);
      expect([query, performance.now() - listedAt < 1_000]).toEqual([query, true]);
    }
  }, 60_000);
});
