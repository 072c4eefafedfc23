// Events for many endpoints: a tenant's backlog does not delay other tenants, and no event stops the fan-out.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AcceptStore, Database, EventsStore, SecretBox, WebhookEndpointsStore } from '#database';
import { newId } from '#domain';
import { createLogger } from '#telemetry';
import { connect, startVendor, until, type Vendor, vendors } from '#testing';
import { WebhookFanOut } from '../apps/worker/src/events/webhook-fan-out.js';
import { type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const open: (() => Promise<unknown>)[] = [];
let app: TestEnvironment;

beforeAll(async () => {
  app = await startTestEnvironment({ worker: false, environment: { WEBHOOK_ENDPOINTS_PER_TENANT: '60' } });
});
afterAll(() => app?.stop());
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
  await app.sql.query('truncate events, due_deliveries');
});

async function receiver(): Promise<Vendor> {
  const vendor = await startVendor(vendors['webhook']!);
  open.push(() => vendor.close());
  return vendor;
}

async function listen(tenant: Tenant, vendor: Vendor, count = 1, events = ['*']): Promise<string[]> {
  const ids: string[] = [];
  for (let made = 0; made < count; made += 1) {
    const { status, body } = await tenant.call('POST', '/api/v1/webhooks', { url: `${vendor.url}/hook`, events });
    expect([status, body.detail]).toEqual([201, undefined]);
    ids.push(body.id);
  }
  return ids;
}

/** Inserts so many events of so long ago, as a worker does. */
async function happen(tenant: Tenant, count: number, age = '0 seconds'): Promise<void> {
  await app.sql.query(
    `insert into events (tenant_id, type, recipient_id, subject, data, broker, webhooks, kept, created_at)
     select $1, 'delivery.sent', 'ann', $2::text || n, jsonb_build_object('number', n), false, true, true, now() - $4::interval
     from generate_series(1, $3) n order by n`,
    [tenant.id, newId(), count, age],
  );
}

/** A low concurrency, because the test measures the fan-out. */
async function startWorker(): Promise<void> {
  const worker = await app.startWorker({ WORKER_CHANNELS: 'webhook', WORKER_CONCURRENCY: '50' });
  open.push(() => worker.stop());
}

const waiting = async (tenant: Tenant): Promise<number> =>
  (await app.sql.query('select count(*)::int as count from events where tenant_id = $1 and webhooks', [tenant.id]))
    .rows[0].count;

describe('the fan-out', () => {
  it("of a tenant with 45 endpoints and 20,000 events does not delay another tenant's single event", async () => {
    const [large, small] = [await app.tenant(), await app.tenant()];
    const [theirs, own] = [await receiver(), await receiver()];
    await listen(large, theirs, 45);
    await listen(small, own);
    await happen(large, 20_000);
    await happen(small, 1);
    await startWorker();
    await until('the small one was told', () => own.sends.length === 1, 10_000);
    // And again, during the backlog.
    await happen(small, 1);
    await until('the small one was told again', () => own.sends.length === 2, 10_000);
    const left = await waiting(large);
    expect(left).toBeGreaterThan(0);
    await until('the large one goes on', async () => (await waiting(large)) < left, 10_000);
  }, 60_000);

  it('creates one delivery per event and endpoint, in the order of the tenant', async () => {
    const tenant = await app.tenant();
    const vendor = await receiver();
    const endpoints = await listen(tenant, vendor, 45);
    await happen(tenant, 100);
    await startWorker();
    await until('all were handed out', async () => (await waiting(tenant)) === 0, 30_000);
    const { rows } = await app.sql.query(
      `select count(*)::int as all, count(distinct (endpoint_id, metadata ->> 'event_id'))::int as pairs, count(distinct endpoint_id)::int as endpoints
       from notifications where tenant_id = $1`,
      [tenant.id],
    );
    expect(rows).toEqual([{ all: 4_500, pairs: 4_500, endpoints: endpoints.length }]);
    const { rows: times } = await app.sql.query(
      `select created_at from notifications where tenant_id = $1 and endpoint_id = $2 order by (payload -> 'data' ->> 'number')::int`,
      [tenant.id, endpoints[0]],
    );
    const moments = times.map(({ created_at: at }: Json) => at.getTime());
    expect(new Set(moments).size).toBeGreaterThan(1);
    expect(moments).toEqual(moments.toSorted((left: number, right: number) => left - right));
  }, 60_000);

  it('uses smaller rounds after a slow statement, then larger ones again, without duplicates', async () => {
    const tenant = await app.tenant();
    await listen(tenant, await receiver(), 45);
    await happen(tenant, 40);
    const database = new Database({ url: app.databaseUrl, poolSize: 2 });
    open.push(() => database.close());
    const fanOut = new WebhookFanOut(
      {
        events: new EventsStore(database),
        endpoints: new WebhookEndpointsStore(database, new SecretBox(app.config.masterKey)),
        accept: new AcceptStore(database, () => undefined),
      },
      createLogger({ level: 'silent', role: 'test' }),
    );
    const sizes = async (): Promise<number[]> =>
      (
        await app.sql.query(
          'select count(*)::int as count from notifications where tenant_id = $1 group by xmin, created_at order by created_at',
          [tenant.id],
        )
      ).rows.map(({ count }) => count);
    const blocker = await connect(app.databaseUrl);
    open.push(() => blocker.end());
    await blocker.query('begin; lock table notifications in exclusive mode');
    for (let time = 0; time < 3; time += 1) await expect(fanOut.turn()).rejects.toMatchObject({ code: 'unavailable' });
    await blocker.query('commit');
    await fanOut.turn();
    // 500, halved three times.
    expect((await sizes())[0]).toBe(62);
    while (await fanOut.turn());
    const all = await sizes();
    expect(all.reduce((sum, count) => sum + count, 0)).toBe(40 * 45);
    expect(Math.max(...all)).toBeGreaterThan(62);
  }, 60_000);

  it('sets aside an event that cannot be stored, and continues', async () => {
    const [bad, good] = [await app.tenant(), await app.tenant()];
    const [theirs, own] = [await receiver(), await receiver()];
    await listen(bad, theirs);
    await listen(good, own);
    // From a clock far ahead: no partition exists for a notification of that time yet.
    await happen(bad, 1, '-400 days');
    await happen(bad, 1);
    await happen(good, 1);
    await startWorker();
    await until('the good one was told', () => own.sends.length === 1, 10_000);
    await until('the bad one was told what can be written', () => theirs.sends.length === 1, 10_000);
    await until('nothing is left', async () => (await waiting(bad)) === 0, 10_000);
    // It stays with the kept events, so a replay can find it.
    const { rows } = await app.sql.query('select count(*)::int as count from events where tenant_id = $1 and kept', [
      bad.id,
    ]);
    expect(rows[0].count).toBe(2);
  }, 40_000);
});

describe('the endpoints of a tenant', () => {
  it("are limited to the operator's number, even if created concurrently", async () => {
    const strict = await startTestEnvironment({ worker: false, environment: { WEBHOOK_ENDPOINTS_PER_TENANT: '3' } });
    open.push(() => strict.stop());
    const [tenant, other] = [await strict.tenant(), await strict.tenant()];
    const create = (by: Tenant) =>
      by.call('POST', '/api/v1/webhooks', { url: 'http://127.0.0.1:9/hook', events: ['*'] });
    const made = await Promise.all(Array.from({ length: 8 }, () => create(tenant)));
    expect(made.map(({ status }) => status).sort()).toEqual([201, 201, 201, 409, 409, 409, 409, 409]);
    const refused = made.find(({ status }) => status === 409)!;
    expect(refused.body).toMatchObject({ code: 'conflict', detail: expect.stringContaining('3 webhooks') });
    expect((await create(other)).status).toBe(201);
    const { body } = await tenant.call('GET', '/api/v1/webhooks');
    expect((await tenant.call('DELETE', `/api/v1/webhooks/${body.data[0].id}`)).status).toBe(204);
    expect((await create(tenant)).status).toBe(201);
  }, 30_000);
});
