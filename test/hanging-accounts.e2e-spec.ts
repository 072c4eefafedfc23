// End to end: an account that accepts messages without an answer, and an account that is changed while it sends.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type SmtpSink, startSmtpSink, startVendor, until, type Vendor, vendors } from '#testing';
import { CONTENT, type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

/** The number of connections of an SMTP account. */
const SLOTS = 5;
const open: (() => Promise<unknown>)[] = [];
let app: TestEnvironment;

/** The deadline is a third of the lease: with six seconds, a hanging send is aborted after two. */
async function startWithLease(seconds: string): Promise<TestEnvironment> {
  const started = await startTestEnvironment({ environment: { LEASE_SECONDS: seconds } });
  // Measures times from here on: the transport is connected.
  const tenant = await started.tenant();
  const ids = await sendMany(tenant, 1, 'first');
  await until('the first is sent', async () => (await states(tenant, ids))['sent'] === 1, 30_000);
  return started;
}

beforeAll(async () => {
  app = await startWithLease('6');
});
afterAll(() => app?.stop());
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function tenantWithMail(of: TestEnvironment): Promise<Tenant> {
  const tenant = await of.tenant({ recipient_limits: { email: { limit: 1_000, window_seconds: 60 } } });
  await tenant.call('PUT', '/api/v1/categories/invoices', { name: 'Invoices', unknown_outcome: 'hold' });
  return tenant;
}

async function smtpAccount(tenant: Tenant): Promise<{ sink: SmtpSink; id: string }> {
  const sink = await startSmtpSink();
  open.push(() => sink.close());
  const credentials = { host: '127.0.0.1', port: sink.port, tls: 'none', from: 'Carillon <carillon@example.com>' };
  const made = await tenant.call('POST', '/api/v1/provider-accounts', { name: 'SMTP', provider: 'smtp', credentials });
  expect([made.status, made.body.detail]).toEqual([201, undefined]);
  return { sink, id: made.body.id };
}

async function secondAccount(tenant: Tenant): Promise<Vendor> {
  const vendor = await startVendor(vendors['postmark']!);
  open.push(() => vendor.close());
  const body = { name: 'Second', provider: 'postmark', credentials: vendor.credentials, order: 200 };
  expect((await tenant.call('POST', '/api/v1/provider-accounts', body)).status).toBe(201);
  return vendor;
}

async function sendMany(tenant: Tenant, count: number, prefix: string, category?: string): Promise<string[]> {
  const sent = await Promise.all(
    Array.from({ length: count }, (_, n) => {
      const to = `${prefix}${n}@example.com`;
      const body = { recipient_id: to, recipient_address: to, channel: 'email', content: CONTENT.email };
      return tenant.send({ ...body, ...(category && { category }) });
    }),
  );
  return sent.map(({ deliveries }) => deliveries[0].id);
}

async function states(tenant: Tenant, ids: readonly string[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const delivery of await Promise.all(ids.map((id) => tenant.delivery(id))))
    counts[delivery.state] = (counts[delivery.state] ?? 0) + 1;
  return counts;
}

describe('an account that hangs', () => {
  it('gets as many sends as it has connections; the next account sends all others within seconds, and the breaker opens', async () => {
    const tenant = await tenantWithMail(app);
    const { sink, id } = await smtpAccount(tenant);
    const second = await secondAccount(tenant);
    sink.answerData('hang');
    const ids = await sendMany(tenant, 60, 'hang', 'invoices');
    await until('the second account has sent the others', () => second.sends.length >= 60 - SLOTS, 5_000);
    await until('those that hung are in doubt', async () => (await states(tenant, ids))['unknown'] === SLOTS, 5_000);
    expect(await states(tenant, ids)).toEqual({ sent: 60 - SLOTS, unknown: SLOTS });
    expect([sink.log.length, second.sends.length]).toEqual([SLOTS, 60 - SLOTS]);
    const { breakers } = await until('the operator sees it', async () => {
      const { body } = await app.operator('GET', '/internal/overview');
      return body.breakers.some(({ account_id: account }: Json) => account === id) && body;
    });
    expect(breakers).toContainEqual(expect.objectContaining({ account_id: id, breaker: 'open', code: 'deadline' }));

    // Its probe hangs as well, and delays no delivery.
    const reached = sink.log.length;
    await until(
      'a probe is under way',
      async () => {
        await sendMany(tenant, 1, `probe${performance.now()}`);
        return sink.log.length > reached;
      },
      10_000,
    );
    const startedAt = performance.now();
    const [during] = await sendMany(tenant, 1, 'during');
    await until('it is sent', async () => (await tenant.delivery(during!)).state === 'sent', 1_500);
    expect((await tenant.delivery(during!)).provider).toBe('postmark');
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    expect(sink.log.length).toBe(reached + 1);
  }, 60_000);
});

describe('an account that is changed while it sends', () => {
  it('delays no delivery by a lease, respects its number of connections, and closes the old ones', async () => {
    // The lease is much longer than the test waits.
    const patient = await startWithLease('60');
    open.push(() => patient.stop());
    const tenant = await tenantWithMail(patient);
    const { sink, id } = await smtpAccount(tenant);
    sink.holdAt('recipient');
    const ids = await sendMany(tenant, 3 * SLOTS, 'edit');
    await until('all connections are taken', () => sink.connections() === SLOTS);
    const changed = await tenant.call('PATCH', `/api/v1/provider-accounts/${id}`, { name: 'SMTP, renamed' });
    expect(changed.status).toBe(200);
    ids.push(...(await sendMany(tenant, 2 * SLOTS, 'after')));
    let most = 0;
    await until('the deliveries after the change are in hand', async () => {
      most = Math.max(most, sink.connections());
      const { rows } = await patient.sql.query(
        'select 1 from due_deliveries where tenant_id = $1 and claim_id is not null',
        [tenant.id],
      );
      return rows.length === ids.length;
    });
    // Now each open connection is a send in flight. Later, one may be the idle connection of the old account.
    expect(most).toBe(SLOTS);
    sink.release();
    await until('all are sent', async () => (await states(tenant, ids))['sent'] === ids.length, 20_000);
    for (const delivery of ids) expect((await tenant.delivery(delivery)).attempts).toBe(1);
    expect(sink.log).toHaveLength(ids.length);
  }, 60_000);
});
