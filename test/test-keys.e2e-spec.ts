// A test key and a live key of one tenant: two sets of data that have nothing in common but name, status and settings.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startVendor, until, vendors } from '#testing';
import {
  type Answer,
  CONTENT,
  type Json,
  simulated,
  startTestEnvironment,
  type Tenant,
  type TestEnvironment,
  tenantWith,
} from './test-environment.js';

let app: TestEnvironment;

beforeAll(async () => {
  app = await startTestEnvironment();
});
afterAll(() => app?.stop());

interface Pair {
  live: Tenant;
  /** The same tenant through a test key; `id` is the id of the test tenant. */
  test: Tenant;
}

async function pair(): Promise<Pair> {
  const live = await app.tenant();
  const { body: key } = await app.operator('POST', `/internal/tenants/${live.id}/api-keys`, {
    name: 'T',
    mode: 'test',
  });
  const { body: tenant } = await app.operator('GET', `/internal/tenants/${live.id}`);
  return { live, test: tenantWith(app.call, tenant.test_tenant_id, key.api_key) };
}

const PERSON = { 'X-Recipient-ID': 'ann' };

/** Adds one of everything, under names that are the same for every tenant. Returns the ids by path. */
async function fill(tenant: Tenant, email: string): Promise<Record<string, string>> {
  const made = async (method: string, path: string, body: unknown, headers = {}): Promise<Json> => {
    const answer = await tenant.call(method, path, body, headers);
    expect([method, path, answer.status < 300, answer.body.code]).toEqual([method, path, true, undefined]);
    return answer.body;
  };
  await made('PUT', '/api/v1/recipients/ann', { email });
  await made('PUT', '/api/v1/recipients/ann/preferences', { channels: { sms: false } });
  await made('POST', '/api/v1/recipients/ann/devices', { token: 'tok', platform: 'ios' });
  await made('PUT', '/api/v1/categories/news', { name: `News of ${email.split('@')[0]}` });
  const template = await made('POST', '/api/v1/templates', { key: 'hello', channel: 'email', content: CONTENT.email });
  const account = await made('POST', '/api/v1/provider-accounts', {
    name: 'main',
    provider: 'sandbox',
    channel: 'sms',
    credentials: {},
  });
  const suppression = await made('POST', '/api/v1/suppressions', { channel: 'email', address: 'no@example.com' });
  const webhook = await made('POST', '/api/v1/webhooks', { url: 'https://example.com/', events: ['webhook.disabled'] });
  const mail = { recipient_id: 'ann', channel: 'email', template_id: 'hello' };
  const notification = await made('POST', '/api/v1/notifications', mail, { 'Idempotency-Key': 'order-1' });
  await made('POST', '/api/v1/notifications', { recipient_id: 'ann', channel: 'in_app', content: CONTENT.in_app });
  const itemId = await until(
    'there is an item',
    async () => (await tenant.call('GET', '/api/v1/inbox', undefined, PERSON)).body.data[0]?.id,
  );
  const messageId = await until(
    'there is a message',
    async () => (await tenant.call('GET', '/api/v1/mailbox')).body.data[0]?.id,
  );
  await until(
    'nothing is waiting',
    async () => (await app.sql.query('select from due_deliveries where tenant_id = $1', [tenant.id])).rowCount === 0,
  );
  return {
    '/api/v1/notifications/{id}': notification.id,
    '/api/v1/deliveries/{id}': notification.deliveries[0].id,
    '/api/v1/recipients/{id}': 'ann',
    '/api/v1/templates/{id}': template.id,
    '/api/v1/provider-accounts/{id}': account.id,
    '/api/v1/webhooks/{id}': webhook.id,
    '/api/v1/suppressions/{id}': suppression.id,
    '/api/v1/mailbox/{id}': messageId,
    '/api/v1/inbox/{id}': itemId,
  };
}

/** Every row of a tenant in every table, apart from its keys and counts, which change by themselves. */
async function rowsOf(tenantId: string): Promise<Record<string, unknown[]>> {
  const { rows: tables } = await app.sql.query<{ name: string }>(`
    select c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and c.relname not in ('api_keys', 'queue_figures', 'delivery_statistics') order by 1`);
  expect(tables.length).toBeGreaterThan(20);
  const found: Record<string, unknown[]> = {};
  for (const { name } of tables) {
    const { rows } = await app.sql.query(
      `select to_jsonb(t)::text as row from ${name} t where tenant_id = $1 order by 1`,
      [tenantId],
    );
    found[name] = rows.map(({ row }) => row);
  }
  return found;
}

/** The rows once the workers have finished with the tenant's deliveries, receipts and events. */
async function settledRowsOf(tenantId: string): Promise<Record<string, unknown[]>> {
  let [before, equal] = [await rowsOf(tenantId), 0];
  return await until('the rows no longer change', async () => {
    const now = await rowsOf(tenantId);
    equal = JSON.stringify(now) === JSON.stringify(before) ? equal + 1 : 0;
    before = now;
    return equal >= 20 && now;
  });
}

interface Route {
  method: string;
  path: string;
}

async function routes(): Promise<Route[]> {
  const { body: document } = await app.call('GET', '/openapi.json');
  return Object.entries<Record<string, Json>>(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { security = [] }]) => security.some((rule: Json) => 'tenant' in rule) && !path.endsWith('/stream'))
      .map(([method]) => ({ method: method.toUpperCase(), path })),
  );
}

const bodyOf = ({ method, path }: Route): unknown => {
  if (method === 'GET' || method === 'DELETE') return undefined;
  if (path.endsWith('/devices')) return { token: 'mine', platform: 'ios' };
  if (path.endsWith('/rollback')) return { version: 1 };
  if (path.endsWith('/settle')) return { state: 'sent' };
  if (path.endsWith('/replay')) return { since: new Date(0).toISOString(), only: 'failed' };
  if (path.endsWith('/recipients/{id}')) return { email: 'changed@example.com' };
  if (path.endsWith('/categories/{key}')) return { name: 'Changed' };
  if (method === 'PUT') return path.includes('/templates') ? { content: CONTENT.email } : {};
  return {};
};

/** Whether an answer has no entry, no setting and no count but 0. */
function isEmpty(body: unknown): boolean {
  if (typeof body !== 'object' || body === null) return body === 0 || body === null;
  return Object.values(body).every(isEmpty);
}

/** The vendors that Carillon knows, and the key of the request itself. */
const OF_NO_SET = ['/api/v1/providers', '/api/v1/api-key'];

/** The part of an answer that may hold data of a set. */
function ofSet(path: string, body: Json): unknown {
  // The time until which all sets are counted.
  if (path === '/api/v1/statistics') return body.data;
  // Every set has the category `default`.
  if (path === '/api/v1/preferences/effective')
    return { ...body, categories: body.categories.filter(({ key }: Json) => key !== 'default') };
  return body;
}

describe.each(['test', 'live'] as const)('a %s key', (actor) => {
  const names = actor === 'test' ? (['live', 'test'] as const) : (['test', 'live'] as const);
  let victim: Tenant;
  let other: Tenant;
  let ids: Record<string, string>;
  let own: Record<string, string>;

  beforeAll(async () => {
    const made = await pair();
    [victim, other] = [made[names[0]], made[names[1]]];
    ids = await fill(victim, 'victim@example.com');
  });

  it('sees and counts nothing of the other set on any route', async () => {
    const leaks: string[] = [];
    let lists = 0;
    for (const { path } of (await routes()).filter((route) => route.method === 'GET' && !route.path.includes('{'))) {
      const { status, body } = await other.call('GET', path, undefined, PERSON);
      if (OF_NO_SET.includes(path)) continue;
      if (status !== 200 || !isEmpty(ofSet(path, body))) leaks.push(`${path}: ${status} ${JSON.stringify(body)}`);
      lists += 1;
    }
    expect(leaks).toEqual([]);
    expect(lists).toBeGreaterThan(8);
  });

  it('has a set under the same names and idempotency keys', async () => {
    own = await fill(other, 'own@example.com');
    for (const [path, id] of Object.entries(ids)) if (id !== 'ann') expect(own[path], path).not.toBe(id);
    expect((await other.call('GET', '/api/v1/recipients/ann')).body.email).toBe('own@example.com');
    expect((await victim.call('GET', '/api/v1/recipients/ann')).body.email).toBe('victim@example.com');
    for (const tenant of [victim, other]) {
      expect((await tenant.call('GET', '/api/v1/notifications')).body.data).toHaveLength(2);
      expect((await tenant.call('GET', '/api/v1/inbox/counts', undefined, PERSON)).body).toEqual({
        total: 1,
        unread: 1,
        unseen: 1,
      });
      expect((await tenant.call('GET', '/api/v1/mailbox')).body.data).toHaveLength(1);
    }
  });

  it("answers the other set's ids with 404 and changes none of its rows on any route", async () => {
    const before = await settledRowsOf(victim.id);
    expect(Object.values(before).filter((rows) => rows.length > 0).length).toBeGreaterThan(12);
    const wrong: string[] = [];
    let foreign = 0;
    for (const route of await routes()) {
      const prefix = Object.keys(ids).find((one) => route.path.startsWith(one));
      const id = prefix ? ids[prefix]! : '';
      const path = route.path.replace('{id}', id).replace('{key}', 'news').replace('{token}', 'tok');
      const { status, body }: Answer = await other.call(route.method, path, bodyOf(route), PERSON);
      if (!prefix || id === 'ann') continue;
      foreign += 1;
      if (status !== 404) wrong.push(`${route.method} ${route.path}: ${status} ${JSON.stringify(body)}`);
    }
    expect(wrong).toEqual([]);
    expect(foreign).toBeGreaterThan(20);
    expect(await rowsOf(victim.id)).toEqual(before);
    // These requests did act, on the set of their own.
    expect((await other.call('GET', '/api/v1/recipients/ann')).status).toBe(404);
    expect((await victim.call('GET', '/api/v1/categories/news')).body.name).toBe('News of victim');
  });
});

describe('events', () => {
  it('go to the endpoints of their own set only', async () => {
    const { live, test } = await pair();
    const hooks = { live: await startVendor(vendors['webhook']!), test: await startVendor(vendors['webhook']!) };
    for (const [name, tenant] of Object.entries({ live, test }))
      await tenant.call('POST', '/api/v1/webhooks', { url: `${hooks[name as 'live'].url}/hook`, events: ['*'] });
    const heard = (name: 'live' | 'test'): string[] =>
      hooks[name].sends
        .map(({ body }) => JSON.parse(body))
        .map(({ type, data }) => `${type} ${data.notification_id}`)
        .sort();
    const expected = (id: string): string[] =>
      ['delivery.delivered', 'delivery.sent', 'notification.finished'].map((type) => `${type} ${id}`);
    for (const [name, tenant] of [
      ['test', test],
      ['live', live],
    ] as const) {
      const { id } = await tenant.send(simulated('ok'));
      await until(`${name} heard it`, () => heard(name).length >= 3, 15_000);
      expect(heard(name)).toEqual(expected(id));
    }
    expect([heard('test').length, heard('live').length]).toEqual([3, 3]);
    for (const hook of Object.values(hooks)) await hook.close();
  });
});

describe('inbox tokens', () => {
  it('belong to the set of the key that minted them', async () => {
    const { live, test } = await pair();
    for (const [tenant, title] of [
      [live, 'Live'],
      [test, 'Test'],
    ] as const)
      await tenant.send({ recipient_id: 'ann', channel: 'in_app', content: { title, body: 'x' } });
    for (const [tenant, title] of [
      [live, 'Live'],
      [test, 'Test'],
    ] as const) {
      const { body } = await tenant.call('POST', '/api/v1/recipients/ann/inbox-token', {});
      const headers = { Authorization: `Bearer ${body.token}` };
      const titles = await until('there is an item', async () => {
        const { data } = (await app.call('GET', '/api/v1/inbox', { headers })).body;
        return data.length > 0 && data.map((item: Json) => item.title);
      });
      expect(titles).toEqual([title]);
    }
  });
});

describe('deliveries', () => {
  const SMS = { recipient_id: 'ann', recipient_address: '+15005550009', channel: 'sms', content: CONTENT.sms };
  /** Its sender is a name: the audit log keeps the sender of an account, and tests allow no address there. */
  const VONAGE = {
    name: 'vonage',
    provider: 'vonage',
    credentials: { api_key: 'a', api_secret: 'not-a-secret-of-vonage', from: 'Acme' },
  };

  it("of a test tenant reach the sandbox only, even with an account of its own and one of the tenant's", async () => {
    const { live, test } = await pair();
    for (const tenant of [live, test])
      expect((await tenant.call('POST', '/api/v1/provider-accounts', VONAGE)).status).toBe(201);
    const { id } = await test.send(SMS);
    await until('it is sent', async () => (await test.notification(id)).status === 'sent');
    expect((await test.notification(id)).deliveries[0].provider).toBe('sandbox');
    expect((await test.call('GET', '/api/v1/mailbox')).body.data[0].to).toBe(SMS.recipient_address);
  });

  it('that a test key left in the live tenant before the migration still reach the sandbox only', async () => {
    const { live } = await pair();
    await live.call('POST', '/api/v1/provider-accounts', VONAGE);
    const { id } = await live.send({
      ...SMS,
      scheduled_at: new Date(Date.now() + 3_600_000).toISOString(),
    });
    await app.sql.query('update notifications set test = true where id = $1', [id]);
    await app.sql.query('update due_deliveries set due_at = now() where tenant_id = $1', [live.id]);
    await until('it is sent', async () => (await live.notification(id)).status === 'sent');
    expect((await live.notification(id)).deliveries[0].provider).toBe('sandbox');
  });
});

describe('the operator', () => {
  it('changes name, status and settings of both at once, and test keys notice', async () => {
    const { live, test } = await pair();
    const path = `/internal/tenants/${live.id}`;
    expect((await test.call('GET', '/api/v1/templates')).status).toBe(200);
    await app.operator('PATCH', path, { name: 'New', settings: { locale: 'fr' }, status: 'suspended' });
    const { body: shown } = await app.operator('GET', `/internal/tenants/${test.id}`);
    expect(shown).toMatchObject({ name: 'New', status: 'suspended', test_of: live.id, test_tenant_id: null });
    expect(shown.settings).toEqual((await app.operator('GET', path)).body.settings);
    expect(shown.settings.locale).toBe('fr');
    await until(
      'the test key is refused',
      async () => (await test.call('GET', '/api/v1/templates')).status === 403,
      2_000,
    );
    await app.operator('PATCH', path, { status: 'active' });
    await until('the test key works', async () => (await test.call('GET', '/api/v1/templates')).status === 200, 2_000);
  });

  it('lists the keys of both under the tenant, revokes both, and cannot change a test tenant by itself', async () => {
    const { live, test } = await pair();
    const path = `/internal/tenants/${live.id}/api-keys`;
    const { data } = (await app.operator('GET', path)).body;
    expect(data.map(({ mode, tenant_id }: Json) => [mode, tenant_id])).toEqual([
      ['test', live.id],
      ['live', live.id],
    ]);
    const listed = (await app.operator('GET', '/internal/tenants?limit=200')).body.data.map(({ id }: Json) => id);
    expect([listed.includes(live.id), listed.includes(test.id)]).toEqual([true, false]);
    for (const [method, address, body] of [
      ['PATCH', `/internal/tenants/${test.id}`, { name: 'x' }],
      ['POST', `/internal/tenants/${test.id}/api-keys`, { name: 'x' }],
      ['GET', `/internal/tenants/${test.id}/api-keys`, undefined],
      ['DELETE', `/internal/tenants/${test.id}/api-keys/${data[0].id}`, undefined],
      ['POST', `/internal/tenants/${test.id}/api-keys/${data[0].id}/rotate`, {}],
    ] as const) {
      const { status, body: problem } = await app.operator(method, address, body);
      expect([method, address, status]).toEqual([method, address, 409]);
      expect(problem.detail).toContain(live.id);
    }
    expect((await app.operator('DELETE', `${path}/${data[0].id}`)).status).toBe(204);
    await until(
      'the test key is refused',
      async () => (await test.call('GET', '/api/v1/templates')).status === 401,
      2_000,
    );
    expect((await live.call('GET', '/api/v1/templates')).status).toBe(200);
  });

  it('finds dead letters of a test tenant by its id, and sees whose queue it is', async () => {
    const { live, test } = await pair();
    await test.send(simulated('rejected'));
    await until(
      'it is a dead letter',
      async () => (await app.operator('GET', `/internal/dlq?tenant_id=${test.id}`)).body.data.length === 1,
    );
    expect((await app.operator('GET', `/internal/dlq?tenant_id=${live.id}`)).body.data).toEqual([]);
    await app.sql.query(
      `insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at) values ($1, gen_random_uuid(), 'none', 2, now())`,
      [test.id],
    );
    const shown = await until('it is counted', async () => {
      // An earlier count, which a slow machine would show for a while.
      await app.sql.query('delete from queue_figures');
      return (await app.operator('GET', '/internal/overview')).body.tenants.find(({ id }: Json) => id === test.id);
    });
    expect(shown).toMatchObject({ test_of: live.id, due: 1 });
    await app.sql.query('delete from due_deliveries where tenant_id = $1', [test.id]);
  });
});
