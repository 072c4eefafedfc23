// The suppression list after the erasure of a recipient: it has a hash of the address, which protects the address like
// the address itself.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '#testing';
import { CONTENT, type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const ADDRESS = 'Gone.Person@example.com';
let app: TestEnvironment;

beforeAll(async () => {
  app = await startTestEnvironment();
});
afterAll(() => app?.stop());

/** A tenant with a suppressed address, whose only recipient was erased. */
async function afterErasure(entry: Record<string, unknown> = {}): Promise<Tenant> {
  const tenant = await app.tenant();
  await tenant.call('PUT', '/api/v1/recipients/gone', { email: ADDRESS });
  const body = { channel: 'email', address: ADDRESS, ...entry };
  expect((await tenant.call('POST', '/api/v1/suppressions', body)).status).toBe(201);
  expect((await tenant.call('DELETE', '/api/v1/recipients/gone')).body.erased).toMatchObject({ suppressions: 1 });
  return tenant;
}

async function outcomeOf(tenant: Tenant, send: Record<string, unknown>): Promise<Json> {
  const { deliveries } = await tenant.send({ recipient_id: 'new', channel: 'email', content: CONTENT.email, ...send });
  return await until('the delivery has ended', async () => {
    const found = await tenant.delivery(deliveries[0].id);
    return found.state !== 'waiting' && found.state !== 'sending' && found;
  });
}

it('nothing is sent to a suppressed address of an erased recipient, in any case, also for another recipient', async () => {
  const tenant = await afterErasure();
  const named = await outcomeOf(tenant, { recipient_address: ADDRESS.toUpperCase() });
  expect(named).toMatchObject({ state: 'suppressed', reason: 'suppression_list' });
  await tenant.call('PUT', '/api/v1/recipients/new', { email: ADDRESS });
  expect(await outcomeOf(tenant, {})).toMatchObject({ state: 'suppressed', reason: 'suppression_list' });
  expect((await outcomeOf(tenant, { recipient_address: 'other@example.com' })).state).toBe('sent');
});

it('the list finds the entry by its address, shows the hash, and removes it', async () => {
  const tenant = await afterErasure();
  const find = `/api/v1/suppressions?address=${encodeURIComponent(ADDRESS)}`;
  const { body } = await tenant.call('GET', find);
  expect(body.data).toMatchObject([{ channel: 'email', address: expect.stringMatching(/^hmac:[0-9a-f]{64}$/) }]);
  const again = { channel: 'email', address: ADDRESS };
  expect((await tenant.call('POST', '/api/v1/suppressions', again)).body).toMatchObject({ code: 'conflict' });
  expect((await tenant.call('DELETE', `/api/v1/suppressions/${body.data[0].id}`)).status).toBe(204);
  expect((await tenant.call('GET', find)).body.data).toEqual([]);
  expect((await outcomeOf(tenant, { recipient_address: ADDRESS })).state).toBe('sent');
});

it('another erasure of the same address keeps one entry', async () => {
  const tenant = await afterErasure();
  await tenant.call('PUT', '/api/v1/recipients/next', { email: ADDRESS });
  await app.sql.query(
    `insert into suppressions (tenant_id, id, channel, address, reason)
     values ($1, gen_random_uuid(), 'email', $2, 'bounced')`,
    [tenant.id, ADDRESS.toLowerCase()],
  );
  expect((await tenant.call('DELETE', '/api/v1/recipients/next')).body.erased).toMatchObject({ suppressions: 1 });
  const { body } = await tenant.call('GET', '/api/v1/suppressions');
  expect(body.data).toMatchObject([{ reason: 'bounced', address: expect.stringMatching(/^hmac:/) }]);
});

it('the same address has another hash at another tenant', async () => {
  const lists = await Promise.all(
    [await afterErasure(), await afterErasure()].map((tenant) => tenant.call('GET', '/api/v1/suppressions')),
  );
  expect(new Set(lists.map(({ body }) => body.data[0].address)).size).toBe(2);
});
