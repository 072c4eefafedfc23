// A worker that stops while it has sends in flight and claimed deliveries.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SmtpSink, startSmtpSink, until } from '#testing';
import { CONTENT, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

/** The number of parallel sends of the SMTP provider. */
const ON_THE_WIRE = 5;
const DELIVERIES = 60;
/** A lease so long that no test waits for its end. */
const LEASE_SECONDS = '60';

let app: TestEnvironment;
let vendor: SmtpSink;

beforeAll(async () => {
  app = await startTestEnvironment({ worker: false, environment: { LEASE_SECONDS } });
  vendor = await startSmtpSink();
});
afterAll(async () => {
  await app?.stop();
  await vendor?.close();
});

async function tenantWithAccount(): Promise<Tenant> {
  const tenant = await app.tenant({ recipient_limits: { email: { limit: 1_000, window_seconds: 60 } } });
  const credentials = { host: '127.0.0.1', port: vendor.port, tls: 'none', from: 'carillon@example.com' };
  const account = { name: 'smtp', provider: 'smtp', credentials };
  expect((await tenant.call('POST', '/api/v1/provider-accounts', account)).status).toBe(201);
  return tenant;
}

const figures = async (tenant: Tenant): Promise<Record<string, number>> => {
  const { rows } = await app.sql.query(
    `select (select count(*) from due_deliveries where tenant_id = $1 and sending)::int as sending,
            (select count(*) from due_deliveries where tenant_id = $1 and not sending and attempt = 0 and claims = 0 and claim_id is null and due_at <= now())::int as claimable,
            (select count(*) from due_deliveries where tenant_id = $1)::int as due,
            (select count(*) from deliveries where tenant_id = $1 and state = 'sent')::int as sent,
            (select count(*) from attempts where tenant_id = $1)::int as attempts`,
    [tenant.id],
  );
  return rows[0];
};

describe('a worker that stops', () => {
  it('starts no more sends, records those in flight, and releases the rest to the next worker at once', async () => {
    const tenant = await tenantWithAccount();
    vendor.answerData('hang');
    const worker = await app.startWorker();
    const recipients = Array.from({ length: DELIVERIES }, (_, index) => ({
      recipient_id: `p${index}`,
      recipient_address: `p${index}@example.com`,
    }));
    await tenant.call('POST', '/api/v1/notifications/bulk', { channel: 'email', content: CONTENT.email, recipients });
    // With a broker, a worker first joins its groups.
    await until('all connections are busy', () => vendor.log.length === ON_THE_WIRE, 30_000);
    await until(
      'the others are claimed',
      async () =>
        (await app.sql.query('select from due_deliveries where tenant_id = $1 and claim_id is null', [tenant.id]))
          .rowCount === 0,
    );
    const stopped = worker.stop();
    const seen = await until('the others are given back', async () => {
      const now = await figures(tenant);
      return now['claimable'] === DELIVERIES - ON_THE_WIRE && now;
    });
    expect(seen).toMatchObject({ sending: ON_THE_WIRE, sent: 0, attempts: 0 });
    vendor.answerData(null);
    vendor.release();
    await stopped;
    const left = DELIVERIES - ON_THE_WIRE;
    expect(vendor.log).toHaveLength(ON_THE_WIRE);
    expect(await figures(tenant)).toEqual({
      sending: 0,
      claimable: left,
      due: left,
      sent: ON_THE_WIRE,
      attempts: ON_THE_WIRE,
    });

    const next = await app.startWorker();
    await until('all are sent', async () => (await figures(tenant))['sent'] === DELIVERIES, 30_000);
    expect(vendor.log).toHaveLength(DELIVERIES);
    expect((await figures(tenant))['attempts']).toBe(DELIVERIES);
    await next.stop();
  }, 90_000);

  it("waits for hanging sends until the provider's deadline, and records an unknown outcome", async () => {
    const tenant = await tenantWithAccount();
    vendor.answerData('hang');
    const before = vendor.log.length;
    const worker = await app.startWorker({ LEASE_SECONDS: '6' });
    const [recipient_id, recipient_address] = ['hangs', 'hangs@example.com'];
    await tenant.send({ recipient_id, recipient_address, channel: 'email', content: CONTENT.email });
    await until('the vendor has it', () => vendor.log.length === before + 1, 30_000);
    const startedAt = performance.now();
    await worker.stop();
    // A third of the lease, the cut-off of a provider that ignores its signal, and the record.
    expect(performance.now() - startedAt).toBeLessThan(4_000);
    const { rows } = await app.sql.query('select number, outcome from attempts where tenant_id = $1', [tenant.id]);
    expect(rows).toEqual([{ number: 1, outcome: 'unknown' }]);
    expect(await figures(tenant)).toMatchObject({ sending: 0, due: 1 });
    vendor.answerData(null);
    vendor.release();
  }, 60_000);
});
