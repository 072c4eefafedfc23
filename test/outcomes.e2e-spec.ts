// Outcomes that can be recorded only later, only in part, or never.

import { existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ClaimedDelivery, Database, DeliveriesStore, DueDeliveriesStore, ReceiptsStore } from '#database';
import { newId } from '#domain';
import { createLogger } from '#telemetry';
import { startVendor, until, type Vendor, vendors } from '#testing';
import { OutcomeSpool } from '../apps/worker/src/delivery/outcome-spool.js';
import { CONTENT, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const LEASE_SECONDS = '3';

let app: TestEnvironment;
let tenant: Tenant;

beforeEach(async () => {
  app = await startTestEnvironment({ worker: false, environment: { LEASE_SECONDS } });
  tenant = await app.tenant();
});
afterEach(() => app?.stop());

const send = async (to: string): Promise<string> => {
  const email = { recipient_id: to, recipient_address: `${to}@example.com`, channel: 'email', content: CONTENT.email };
  return (await tenant.send(email)).deliveries[0].id;
};
const isSent = async (id: string): Promise<boolean> => (await tenant.delivery(id)).state === 'sent';

describe('the spool', () => {
  it('with incomplete, abandoned and foreign files stops no worker: they are set aside, and deliveries continue', async () => {
    const spool = join(app.config.home, 'spool');
    mkdirSync(spool);
    const torn = `${newId()}.${newId()}.json`;
    const abandoned = `${newId()}.${newId()}.json.x.tmp`;
    const fresh = `${newId()}.${newId()}.json.y.tmp`;
    for (const name of [torn, abandoned, fresh]) writeFileSync(join(spool, name), '{"delivery":{"tenantId":"01');
    utimesSync(join(spool, abandoned), 0, 0);
    writeFileSync(join(spool, 'outcomes-999999.jsonl'), '{"delivery":\n');
    await app.startWorker();
    const id = await send('after');
    await until('it is sent', () => isSent(id));
    const aside = join(spool, 'unreadable');
    expect(readdirSync(aside).sort()).toEqual([torn, abandoned].sort());
    expect(statSync(aside).mode & 0o777).toBe(0o700);
    // Another process may still be writing it.
    expect(existsSync(join(spool, fresh))).toBe(true);
  });

  it('is read by any worker that shares it, even without an outage', async () => {
    // Serves another channel, so it never claims the delivery.
    await app.startWorker({ WORKER_CHANNELS: 'in_app' });
    const database = new Database({ url: app.databaseUrl, poolSize: 2 });
    const deliveries = new DeliveriesStore(database, () => undefined);
    const due = new DueDeliveriesStore(database);
    const dead = new OutcomeSpool(
      join(app.config.home, 'spool'),
      deliveries,
      createLogger({ level: 'error', role: 'test' }),
    );
    const id = await send('dead');
    const delivery = await claim(due, 60);
    const number = await due.begin({ delivery, rateLimitConsumed: true, provider: 'sandbox', accountId: null });
    const attempt = { number: number!, provider: 'smtp', providerAccountId: null, durationMs: 1 };
    const accepted = { ...attempt, outcome: 'sent', code: null, detail: null, providerMessageId: 'm1' } as const;
    await dead.append(delivery, { kind: 'sent', attempt: accepted, templateVersion: null });
    await until('it is on record', () => isSent(id));
    expect(await tenant.delivery(id)).toMatchObject({ attempts: 1, provider_message_id: 'm1' });
    await until('the spool is empty', () => readdirSync(join(app.config.home, 'spool')).length === 0);
    await database.close();
  });
});

async function claim(due: DueDeliveriesStore, leaseSeconds: number, doubtSeconds = 0): Promise<ClaimedDelivery> {
  const request = { channel: 'email', lane: 2, limit: 1, leaseSeconds, doubtSeconds, capacities: new Map() } as const;
  return await until('it is claimed', async () => {
    const afterTenant = '00000000-0000-0000-0000-000000000000';
    const { deliveries } = await due.claim({ ...request, claimId: newId(), afterTenant });
    return deliveries[0];
  });
}

describe('a send with an unknown outcome', () => {
  it('is not claimed by other workers until the margin after its lease has passed', async () => {
    const database = new Database({ url: app.databaseUrl, poolSize: 2 });
    const due = new DueDeliveriesStore(database);
    await send('doubt');
    const owned = await claim(due, 0.1);
    expect(await due.begin({ delivery: owned, rateLimitConsumed: true, provider: 'sandbox', accountId: null })).toBe(1);
    const lease = (await app.sql.query('select due_at from due_deliveries')).rows[0].due_at as Date;
    const found = await claim(due, 30, 1);
    expect(found).toMatchObject({ deliveryId: owned.deliveryId, sending: true });
    const { rows } = await app.sql.query(`select now() >= $1::timestamptz + interval '1 second' as late`, [lease]);
    expect(rows[0].late).toBe(true);
    expect(
      await due.begin({ delivery: owned, rateLimitConsumed: true, provider: 'sandbox', accountId: null }),
    ).toBeNull();
    await database.close();
  });

  it('is not sent again if a receipt has arrived', async () => {
    const account = await startVendor(vendors['resend']!);
    const made = await tenant.call('POST', '/api/v1/provider-accounts', {
      name: 'resend',
      provider: 'resend',
      credentials: account.credentials,
    });
    const database = new Database({ url: app.databaseUrl, poolSize: 2 });
    const due = new DueDeliveriesStore(database);
    const receipts = new ReceiptsStore(database);
    const id = await send('told');
    const lost = await claim(due, 0.1);
    const intent = { delivery: lost, rateLimitConsumed: true, provider: 'resend', accountId: made.body.id as string };
    expect(await due.begin(intent)).toBe(1);
    const receipt = { tenantId: lost.tenantId, deliveryId: id, kind: 'delivered', detail: null } as const;
    const again = await claim(due, 30);
    expect(await receipts.take({ ...receipt, accountId: newId() })).toBe('early');
    expect(await receipts.hasParked(again)).toBe(false);
    expect(await receipts.take({ ...receipt, accountId: made.body.id })).toBe('early');
    expect(await receipts.hasParked(again)).toBe(true);
    await due.release({ delivery: again, delaySeconds: 0, intentUnsure: false });
    await app.startWorker();
    await until('it is delivered', async () => (await tenant.delivery(id)).state === 'delivered');
    expect(account.sends).toHaveLength(0);
    await database.close();
    await account.close();
  });
});

describe('an outcome', () => {
  let vendor: Vendor;
  beforeEach(async () => {
    vendor = await startVendor(vendors['resend']!);
    const account = { name: 'resend', provider: 'resend', credentials: vendor.credentials };
    expect((await tenant.call('POST', '/api/v1/provider-accounts', account)).status).toBe(201);
  });
  afterEach(() => vendor?.close());

  /** Makes the database reject attempts that meet the condition, with the error of a NUL byte. */
  const refuseAttempts = async (condition: string): Promise<void> => {
    await app.sql.query(`
      create function refuse_attempt() returns trigger language plpgsql as $$ begin raise exception 'unstorable' using errcode = '22021'; end $$;
      create trigger refuse_attempt before insert on attempts for each row when (${condition}) execute function refuse_attempt()`);
  };
  const attemptsOf = async (id: string): Promise<Record<string, unknown>[]> =>
    (
      await app.sql.query(
        'select number, outcome, code, detail, provider_message_id from attempts where delivery_id = $1 order by number',
        [id],
      )
    ).rows;

  it('with NUL bytes and lone surrogates in the vendor’s answer is recorded: one send', async () => {
    await app.startWorker();
    vendor.behave({ status: 200, body: { id: `m\0\ud83d${'x'.repeat(10_000)}` } });
    const accepted = await send('accepted');
    await until('it is sent', () => isSent(accepted));
    expect((await attemptsOf(accepted))[0]!['provider_message_id']).toMatch(/^m\uFFFD\uFFFDx{497}$/);
    vendor.behave({ status: 422, body: { name: 'validation_error\0', message: 'no\0pe \ud83d' } });
    const refused = await send('refused');
    await until('it has failed', async () => (await tenant.delivery(refused)).state === 'failed');
    expect((await attemptsOf(refused))[0]!['detail']).toContain('no\uFFFDpe \uFFFD');
    expect(vendor.sends).toHaveLength(2);
  });

  it('that the database rejects for its data is recorded without the vendor’s text: one send', async () => {
    await refuseAttempts(`new.provider_message_id like 'unstorable%'`);
    await app.startWorker();
    vendor.behave({ status: 200, body: { id: 'unstorable-1' } });
    const id = await send('reduced');
    await until('it is sent', () => isSent(id));
    expect(await attemptsOf(id)).toEqual([
      {
        number: 1,
        outcome: 'sent',
        code: null,
        provider_message_id: null,
        detail: expect.stringContaining('could not be stored as it came (22021)'),
      },
    ]);
    expect(vendor.sends).toHaveLength(1);
  });

  it('that can never be recorded ends after three sends, with a dead letter', async () => {
    await refuseAttempts(`new.code is distinct from 'worker_lost'`);
    await app.startWorker();
    const id = await send('never');
    await until('it has failed', async () => (await tenant.delivery(id)).state === 'failed', 40_000);
    expect(vendor.sends).toHaveLength(3);
    expect(await tenant.delivery(id)).toMatchObject({ reason: 'poison', attempts: 3 });
    const { body } = await app.operator('GET', '/internal/dlq');
    expect(body.data[0]).toMatchObject({
      delivery_id: id,
      reason: 'poison',
      code: 'unrecorded',
      detail: expect.stringContaining('sent 3 times without a record'),
      attempts: 3,
    });
    expect((await app.sql.query('select from due_deliveries')).rowCount).toBe(0);
  }, 60_000);
});
