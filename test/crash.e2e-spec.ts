// Workers in separate processes that are killed.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startSmtpSink, until } from '#testing';
import { examineAndStop } from './doctor-findings.js';
import { type RunningProcess, roleEnvironment, startRole } from './processes.js';
import { CONTENT, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const LEASE_SECONDS = 5;
const DELIVERIES = 1_000;

let app: TestEnvironment;
let tenant: Tenant;
const workers: RunningProcess[] = [];

beforeAll(async () => {
  app = await startTestEnvironment({ worker: false });
  tenant = await app.tenant({
    // On a busy machine a send may miss its deadline, a third of this short lease. Its retry should not wait half a minute.
    retry_schedule_seconds: Array.from({ length: 20 }, () => 0.2),
    recipient_limits: { email: { limit: 100_000, window_seconds: 60 }, in_app: { limit: 100_000, window_seconds: 60 } },
  });
});
afterAll(async () => {
  for (const worker of workers) await worker.kill();
  await examineAndStop(app);
});

async function startWorkerProcess(): Promise<RunningProcess> {
  const worker = await startRole('worker', {
    ...roleEnvironment(app),
    LEASE_SECONDS: String(LEASE_SECONDS),
  });
  workers.push(worker);
  return worker;
}

const count = async (text: string): Promise<number> => Number((await app.sql.query(text, [tenant.id])).rows[0].count);
const sendAll = async (channel: 'email' | 'in_app'): Promise<void> => {
  const recipients = Array.from({ length: DELIVERIES }, (_, index) => ({
    recipient: { id: `p${index}`, email: `p${index}@example.com` },
  }));
  const answer = await tenant.call('POST', '/api/v1/notifications/bulk', {
    channel,
    content: CONTENT[channel],
    recipients,
  });
  expect(answer.body.accepted).toHaveLength(DELIVERIES);
};

describe('SIGKILL of a worker with a thousand deliveries in flight', { timeout: 60_000 }, () => {
  it('loses none: all end within the lease and ten seconds, duplicate sends are only unknown outcomes and recorded, a second worker helps', async () => {
    // The log of the fake vendor shows the real sends.
    const vendor = await startSmtpSink();
    const account = {
      name: 'smtp',
      provider: 'smtp',
      credentials: { host: '127.0.0.1', port: vendor.port, tls: 'none', from: 'carillon@example.com' },
    };
    expect((await tenant.call('POST', '/api/v1/provider-accounts', account)).status).toBe(201);
    const [first, second] = [await startWorkerProcess(), await startWorkerProcess()];
    await sendAll('email');
    // Halfway: some are sent, both workers have claimed others.
    await until('a good part has been sent', () => vendor.log.length > DELIVERIES / 5);
    first.child.kill('SIGKILL');
    const killedAt = performance.now();
    const sentBefore = vendor.log.length;
    await until(
      'all are final',
      async () => (await count('select count(*) from due_deliveries where tenant_id = $1')) === 0,
      (LEASE_SECONDS + 10) * 1_000,
    );
    expect(performance.now() - killedAt).toBeLessThan((LEASE_SECONDS + 10) * 1_000);
    expect(sentBefore).toBeLessThan(DELIVERIES);
    expect(await count(`select count(*) from deliveries where tenant_id = $1 and state = 'sent'`)).toBe(DELIVERIES);
    const lost = await count(`select count(*) from attempts where tenant_id = $1 and outcome = 'unknown'`);
    expect(new Set(vendor.log.map(({ to }) => to[0])).size).toBe(DELIVERIES);
    const extra = vendor.log.length - DELIVERIES;
    expect(extra).toBeLessThanOrEqual(lost);
    // Sends that had reached the vendor or were being recorded, not the hundreds that waited for a connection.
    expect(lost).toBeLessThan(DELIVERIES / 5);
    expect(await second.stop()).toBe(0);
    await vendor.close();
  });

  it('writes each in-app item exactly once', async () => {
    const [first] = [await startWorkerProcess(), await startWorkerProcess()];
    await sendAll('in_app');
    await until(
      'the first items are there',
      async () => (await count('select count(*) from inbox_items where tenant_id = $1')) > 0,
    );
    first.child.kill('SIGKILL');
    await until(
      'all are final',
      async () => (await count('select count(*) from due_deliveries where tenant_id = $1')) === 0,
      (LEASE_SECONDS + 10) * 1_000,
    );
    const { rows } = await app.sql.query(
      `select count(*)::int as items, count(distinct recipient_id)::int as people, max(seq)::int as top from inbox_items where tenant_id = $1`,
      [tenant.id],
    );
    expect(rows[0]).toEqual({ items: DELIVERIES, people: DELIVERIES, top: 1 });
  });
});

describe('a paused worker', () => {
  it('whose claim was taken over can neither send nor record', async () => {
    const { Database, DeliveriesStore, DueDeliveriesStore } = await import('#database');
    const { newId } = await import('#domain');
    for (const worker of workers) await worker.kill();
    const database = new Database({ url: app.databaseUrl, poolSize: 2 });
    try {
      const due = new DueDeliveriesStore(database);
      const store = new DeliveriesStore(database, () => undefined);
      await tenant.send({
        recipient_id: 'z',
        recipient_address: 'z@example.com',
        channel: 'email',
        content: CONTENT.email,
      });
      const claim = async (leaseSeconds: number) => {
        const [delivery] = (
          await due.claim({
            channel: 'email',
            lane: 2,
            limit: 10,
            claimId: newId(),
            leaseSeconds,
            afterTenant: '00000000-0000-0000-0000-000000000000',
            capacities: new Map(),
          })
        ).deliveries;
        return delivery;
      };
      const zombie = await until('it is claimed', () => claim(0.05));
      const owner = await until('it is claimed by another', () => claim(30));
      expect(owner.deliveryId).toBe(zombie.deliveryId);
      expect(
        await due.begin({ delivery: zombie, rateLimitConsumed: false, provider: 'sandbox', accountId: null }),
      ).toBeNull();
      expect(await store.record(zombie, { kind: 'expired' })).toBe(false);
      expect(await due.begin({ delivery: owner, rateLimitConsumed: false, provider: 'sandbox', accountId: null })).toBe(
        1,
      );
      expect(
        await due.begin({ delivery: owner, rateLimitConsumed: false, provider: 'sandbox', accountId: null }),
      ).toBeNull();
      expect(await store.record(owner, { kind: 'failed', reason: 'rejected', code: 'x', detail: null })).toBe(true);
      expect(await store.record(owner, { kind: 'expired' })).toBe(false);

      // A send with an unknown outcome that is held before its retry is still unknown, and its end is recorded.
      await tenant.send({
        recipient_id: 'doubt',
        recipient_address: 'doubt@example.com',
        channel: 'email',
        content: CONTENT.email,
      });
      const lost = await until('it is claimed', () => claim(0.05));
      expect(await due.begin({ delivery: lost, rateLimitConsumed: true, provider: 'sandbox', accountId: null })).toBe(
        1,
      );
      const found = await until('it is claimed by another', () => claim(30));
      expect(found).toMatchObject({ deliveryId: lost.deliveryId, sending: true });
      expect(await store.record(found, { kind: 'held', reason: 'provider_limit', delaySeconds: 0 })).toBe(true);
      const again = await until('it is claimed once more', () => claim(30));
      expect(again).toMatchObject({ deliveryId: lost.deliveryId, sending: true });
      expect(await due.begin({ delivery: again, rateLimitConsumed: true, provider: 'sandbox', accountId: null })).toBe(
        2,
      );
      const { rows } = await app.sql.query('select number, outcome, code from attempts where delivery_id = $1', [
        lost.deliveryId,
      ]);
      expect(rows).toEqual([{ number: 1, outcome: 'unknown', code: 'worker_lost' }]);
    } finally {
      await database.close();
    }
  });
});
