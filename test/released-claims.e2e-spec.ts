// Errors that the delivery did not cause release its claim and do not count. Bugs count.

import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { SecretBox } from '#database';
import { startSmtpSink, until } from '#testing';
import { CONTENT, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const LEASE_SECONDS = '2';

let app: TestEnvironment;
let tenant: Tenant;

beforeEach(async () => {
  app = await startTestEnvironment({ worker: false, environment: { LEASE_SECONDS } });
  tenant = await app.tenant();
});
afterEach(() => app?.stop());

const send = async (to: string): Promise<string> => {
  const sent = await tenant.send({
    recipient: { id: to, email: `${to}@example.com` },
    channel: 'email',
    content: CONTENT.email,
  });
  return sent.deliveries[0].id;
};

/** Makes loading a delivery of a known recipient fail with this SQLSTATE. Returns a function that ends this. */
async function failLoads(state: string): Promise<() => Promise<unknown>> {
  await app.sql.query(`
    create function fail_loads() returns boolean language plpgsql as $$ begin raise exception 'broken' using errcode = '${state}'; end $$;
    create policy fail_loads on recipients as restrictive for select to carillon_platform using (fail_loads())`);
  return () => app.sql.query('drop policy fail_loads on recipients; drop function fail_loads()');
}

const claimOf = async (id: string): Promise<{ claim_id: string | null; claims: number } | undefined> =>
  (await app.sql.query('select claim_id, claims from due_deliveries where delivery_id = $1', [id])).rows[0];

/** Waits until the delivery was claimed so many times. */
async function claimed(id: string, times: number): Promise<void> {
  const seen = new Set<string>();
  await until(
    `it was claimed ${times} times`,
    async () => {
      const row = await claimOf(id);
      if (row?.claim_id) seen.add(row.claim_id);
      return seen.size >= times;
    },
    60_000,
  );
}

describe('a delivery that cannot be loaded', () => {
  it('because of an outage is claimed repeatedly, never quarantined, and sent after the outage', async () => {
    const id = await send('outage');
    const end = await failLoads('53200');
    await app.startWorker();
    await claimed(id, 7);
    expect((await claimOf(id))!.claims).toBeLessThanOrEqual(1);
    await end();
    await until('it is sent', async () => (await tenant.delivery(id)).state === 'sent');
    expect(await tenant.delivery(id)).toMatchObject({ attempts: 1 });
  }, 90_000);

  it('because of a bug is quarantined after five claims, with a dead letter that says so', async () => {
    const id = await send('bug');
    await failLoads('XX000');
    await app.startWorker();
    await until('it has failed', async () => (await tenant.delivery(id)).state === 'failed', 40_000);
    expect(await tenant.delivery(id)).toMatchObject({ reason: 'poison', attempts: 0 });
    const { body } = await app.operator('GET', '/internal/dlq');
    expect(body.data[0]).toMatchObject({ delivery_id: id, reason: 'poison', code: 'quarantined' });
  }, 60_000);
});

describe('a worker that lacks the master key of an account', () => {
  it('releases its deliveries, is not ready, and reports why; no delivery fails and no claim counts', async () => {
    const vendor = await startSmtpSink();
    const credentials = { host: '127.0.0.1', port: vendor.port, tls: 'none', from: 'carillon@example.com' };
    const account = { name: 'smtp', provider: 'smtp', credentials };
    expect((await tenant.call('POST', '/api/v1/provider-accounts', account)).status).toBe(201);
    // In a rotation, another process has the next master key already and has sealed the account with it.
    const nextKey = randomBytes(32);
    const box = new SecretBox(nextKey, [app.config.masterKey]);
    const { rows: accounts } = await app.sql.query('select id, credentials_sealed as sealed from provider_accounts');
    const place = { tenantId: tenant.id, table: 'provider_accounts', id: accounts[0].id };
    const rewrapped = box.rewrap(accounts[0].sealed, place);
    await app.sql.query('update provider_accounts set credentials_sealed = $1', [rewrapped]);
    const wrong = await app.startWorker();
    const ids = [await send('first'), await send('second'), await send('third')];
    // With a broker, a worker that has just started is not ready for another reason.
    const notReady = await until('it is not ready because of its key', async () => {
      const found = await wrong.readiness();
      return found.checks['master_key'] !== undefined && found;
    });
    expect(notReady).toMatchObject({
      ready: false,
      checks: { postgres: 'ok', master_key: 'does not open the provider accounts' },
    });
    await until('all are given back', async () =>
      (await Promise.all(ids.map(claimOf))).every((row) => row?.claim_id === null && row.claims === 0),
    );
    // Through a broker the worker keeps the partitions that were assigned to it until an operator stops it.
    if (inject('profile') === 'scale') await wrong.stop();
    const right = await app.startWorker({
      MASTER_KEY: nextKey.toString('hex'),
      MASTER_KEY_PREVIOUS: app.config.masterKey.toString('hex'),
    });
    for (const id of ids) await until('it is sent', async () => (await tenant.delivery(id)).state === 'sent', 30_000);
    expect(vendor.log).toHaveLength(3);
    expect((await right.readiness()).ready).toBe(true);
    const { rows } = await app.sql.query('select count(*)::int as n from dead_letters');
    expect(rows[0].n).toBe(0);
    await vendor.close();
  }, 60_000);
});
