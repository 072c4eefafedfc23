// Erasing a recipient: afterwards no column of any table contains what identified them.

import { createHmac } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Database, ErasuresStore, ReceiptsStore, SecretBox } from '#database';
import { newId } from '#domain';
import {
  connect,
  type SmtpSink,
  startSmtpSink,
  startVendor,
  until,
  untilWaitingForLock,
  type Vendor,
  vendors,
} from '#testing';
import { CONTENT, type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const ID = 'mark-person-77';
const EMAIL = 'Mark.Person@example.com';
/** An address of one send only. */
const OTHER_EMAIL = 'other.mark@example.com';
const PHONE = '+41791234567';
const TOKEN = 'mark-device-token';
const ORDERING_KEY = 'mark-ordering-key';
/** Values of payload, metadata and attributes. */
const VALUE = 'mark-value';
const MARKS = [ID, EMAIL, OTHER_EMAIL, PHONE, PHONE.slice(1), TOKEN, ORDERING_KEY, VALUE];

/** The columns with marks before the erasure, so that the search is known to find them. */
const EVERYWHERE = [
  'attempts.detail',
  'dead_letters.detail',
  'dead_letters.recipient_id',
  'deliveries.address',
  'deliveries.recipient_id',
  'delivery_log.detail',
  'devices.recipient_id',
  'devices.token',
  'due_deliveries.ordering_key',
  'events.data',
  'events.recipient_id',
  'inbox_counters.recipient_id',
  'inbox_items.body',
  'inbox_items.recipient_id',
  'inbox_items.title',
  'job_lines.errors',
  'job_lines.item',
  'job_lines.recipient_id',
  'jobs.cursor',
  'jobs.input',
  'mailbox_messages.recipient_address',
  'notifications.content',
  'notifications.metadata',
  'notifications.ordering_key',
  'notifications.payload',
  'notifications.recipient_id',
  'parked_receipts.detail',
  'preferences.recipient_id',
  'rate_windows.key',
  'rate_windows.recipient_id',
  'recipients.attributes',
  'recipients.email',
  'recipients.id',
  'recipients.phone',
  'schedules.notification',
  'schedules.recipient_id',
  'subscriptions.recipient_id',
  'suppressions.address',
  'suppressions.detail',
];

const open: (() => Promise<unknown>)[] = [];
let app: TestEnvironment;
let database: Database;

beforeAll(async () => {
  app = await startTestEnvironment({ environment: { LEASE_SECONDS: '12' } });
  database = new Database({ url: app.databaseUrl, poolSize: 3 });
});
afterAll(async () => {
  await database?.close();
  await app?.stop();
});
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

/** The values that contain a mark in any case, in text or in the hexadecimal form of binary columns. */
async function marksInDatabase(marks = MARKS): Promise<{ place: string; value: string }[]> {
  const escaped = marks.map((mark) => mark.replaceAll(/[.+]/g, '\\$&'));
  const pattern = [...escaped, ...marks.map((mark) => Buffer.from(mark).toString('hex'))].join('|');
  const { rows: columns } = await app.sql.query<{ table: string; column: string }>(
    `select c.relname as table, a.attname as column from pg_class c join pg_attribute a on a.attrelid = c.oid
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
       and a.attnum > 0 and not a.attisdropped order by 1, 2`,
  );
  expect(columns.length).toBeGreaterThan(150);
  const found: { place: string; value: string }[] = [];
  for (const { table, column } of columns) {
    const { rows } = await app.sql.query<{ value: string }>(
      `select "${column}"::text as value from "${table}" where "${column}"::text ~* $1`,
      [pattern],
    );
    found.push(...rows.map(({ value }) => ({ place: `${table}.${column}`, value })));
  }
  return found;
}

const places = async (marks = MARKS): Promise<string[]> =>
  [...new Set((await marksInDatabase(marks)).map(({ place }) => place))].sort();

const kept = async (marks = MARKS): Promise<string[]> =>
  (await marksInDatabase(marks)).map(({ place, value }) => `${place}: ${value}`).sort();

/** The hash that the suppression list keeps of an address: HMAC-SHA256 of the tenant and the address. */
const hashed = ({ id }: Tenant, address: string): string =>
  `hmac:${createHmac('sha256', app.keys.addressKey).update(`${id} ${address}`).digest('hex')}`;

async function suppressedAt({ id }: Tenant): Promise<string[]> {
  const { rows } = await app.sql.query('select address from suppressions where tenant_id = $1 order by address', [id]);
  return rows.map(({ address }) => address);
}

async function secondPass(): Promise<void> {
  await app.sql.query('update erasures set due_at = now()');
  await new ErasuresStore(database, new SecretBox(app.config.masterKey), app.keys).finishDue();
  expect((await app.sql.query('select from erasures')).rows).toEqual([]);
}

async function receiver(): Promise<Vendor> {
  const vendor = await startVendor(vendors['webhook']!);
  open.push(() => vendor.close());
  return vendor;
}

async function smtpAccount(tenant: Tenant): Promise<SmtpSink> {
  const sink = await startSmtpSink();
  open.push(() => sink.close());
  const credentials = { host: '127.0.0.1', port: sink.port, tls: 'none', from: 'Carillon <carillon@example.com>' };
  const made = await tenant.call('POST', '/api/v1/provider-accounts', { name: 'SMTP', provider: 'smtp', credentials });
  expect([made.status, made.body.detail]).toEqual([201, undefined]);
  return sink;
}

async function smsAccount(tenant: Tenant): Promise<Vendor> {
  const vendor = await startVendor(vendors['twilio']!);
  open.push(() => vendor.close());
  const { credentials } = vendor;
  const made = await tenant.call('POST', '/api/v1/provider-accounts', { name: 'SMS', provider: 'twilio', credentials });
  expect([made.status, made.body.detail]).toEqual([201, undefined]);
  return vendor;
}

const message = (channel: 'email' | 'sms' | 'in_app', more: Record<string, unknown> = {}): Record<string, unknown> => ({
  recipient_id: ID,
  channel,
  content: CONTENT[channel],
  payload: { name: VALUE },
  metadata: { order: VALUE },
  ...more,
});

async function sendUntil(tenant: Tenant, status: string, body: Record<string, unknown>): Promise<Json> {
  const { id, deliveries } = await tenant.send(body);
  await until(`it is ${status}`, async () => (await tenant.notification(id)).status === status);
  return deliveries[0];
}

async function createRecipient(tenant: Tenant): Promise<void> {
  const key = { 'Idempotency-Key': newId() };
  await tenant.call('PUT', `/api/v1/recipients/${ID}`, { email: EMAIL, phone: PHONE, attributes: { note: VALUE } });
  await tenant.call('PUT', `/api/v1/recipients/${ID}/preferences`, { channels: { push: false } });
  const devices = `/api/v1/recipients/${ID}/devices`;
  expect((await tenant.call('POST', devices, { token: TOKEN, platform: 'ios' }, key)).status).toBe(201);
}

describe('an erased recipient', () => {
  it('is in no column of any table, after deliveries in every state', async () => {
    const tenant = await app.tenant({
      recipient_limits: { email: { limit: 100, window_seconds: 60 } },
      caps: [{ limit: 100, window_seconds: 60 }],
    });
    const hook = await receiver();
    for (const ordered of [false, true])
      await tenant.call('POST', '/api/v1/webhooks', { url: `${hook.url}/hook`, events: ['*'], ordered });
    await createRecipient(tenant);

    const captured = await sendUntil(tenant, 'sent', message('email', { ordering_key: ORDERING_KEY }));
    await sendUntil(tenant, 'sent', message('in_app', { content: { title: VALUE, body: VALUE } }));
    const bulk = await tenant.call('POST', '/api/v1/notifications/bulk', {
      channel: 'in_app',
      content: { title: 'Hello', body: 'Hello {{name}}' },
      payload: { name: 'all' },
      recipients: [{ recipient_id: ID, payload: { name: VALUE } }, { recipient_id: 'somebody-else' }],
    });
    for (const { id } of bulk.body.accepted)
      await until('it is sent', async () => (await tenant.notification(id)).status === 'sent');
    const receipts = new ReceiptsStore(database);
    const receipt = { tenantId: tenant.id, accountId: null, deliveryId: captured.id };
    await receipts.apply({ ...receipt, kind: 'delivered', detail: `250 <${EMAIL}> ok` });

    const waiting = await tenant.send(
      message('email', { ordering_key: ORDERING_KEY, scheduled_at: new Date(Date.now() + 3_600_000).toISOString() }),
    );
    await app.sql.query(
      `insert into parked_receipts (tenant_id, id, delivery_id, kind, detail) values ($1, $2, $3, 'bounced', $4)`,
      [tenant.id, newId(), waiting.deliveries[0].id, `550 <${EMAIL}> unknown`],
    );

    await tenant.call('PUT', '/api/v1/topics/all', { name: 'All' });
    await tenant.call('POST', '/api/v1/topics/all/subscriptions', { recipient_ids: [ID, 'somebody-else'] });
    const toAll = { topic: 'all', channel: 'in_app', content: { title: 'Hello', body: 'Hello all' } };
    const { id: topicSend } = await tenant.send(toAll);
    await until('it is sent', async () => (await tenant.notification(topicSend)).status === 'sent');
    const later = new Date(Date.now() + 3_600_000).toISOString();
    const { id: excluding } = await tenant.send({ ...toAll, exclude: [ID, 'x'], scheduled_at: later });
    await app.sql.query(`update jobs set cursor = jsonb_build_object('after', $2::text) where id = $1`, [
      excluding,
      ID,
    ]);
    for (const notification of [message('in_app'), { ...toAll, exclude: [ID, 'somebody-else'] }]) {
      const made = await tenant.call('POST', '/api/v1/schedules', {
        rrule: 'FREQ=DAILY',
        timezone: 'UTC',
        notification,
      });
      expect([made.status, made.body.errors]).toEqual([201, undefined]);
    }

    await app.sql.query(
      `insert into job_lines (tenant_id, job_id, line, recipient_id, item, code, errors)
       values ($1, $2, 2, $3, jsonb_build_object('recipient', jsonb_build_object('id', $3::text, 'email', $4::text)),
               null, null),
              ($1, $2, 3, $3, null, 'validation_failed', jsonb_build_array(jsonb_build_object('message', $5::text)))`,
      [tenant.id, newId(), ID, EMAIL, `must be an E.164 number, got "${PHONE}"`],
    );

    const [sink, sms] = [await smtpAccount(tenant), await smsAccount(tenant)];
    sink.answerRcpt({ code: 550, message: `5.1.1 <${EMAIL}> unknown` });
    await sendUntil(tenant, 'failed', message('email'));
    await sendUntil(tenant, 'suppressed', message('email'));
    sms.behave({ status: 400, body: { code: 21211, message: `The number ${PHONE} is not valid`, status: 400 } });
    await sendUntil(tenant, 'failed', message('sms'));
    sink.holdAt('recipient');
    const inFlight = await tenant.send(message('email', { recipient_address: OTHER_EMAIL }));
    const inFlightId = inFlight.deliveries[0].id;
    await until('its send has begun', async () => (await tenant.delivery(inFlightId)).state === 'sending');
    await until('the endpoint was told everything', async () => {
      const pending = await app.sql.query('select from events where webhooks or broker');
      const due = await app.sql.query(`select from due_deliveries where channel = 'webhook'`);
      return pending.rows.length + due.rows.length === 0;
    });
    // As an earlier release stored them.
    for (const table of ['attempts', 'dead_letters', 'suppressions'])
      await app.sql.query(`update ${table} set detail = $1 where tenant_id = $2 and detail is not null`, [
        `550 5.1.1 <${EMAIL}> unknown`,
        tenant.id,
      ]);
    expect(await places()).toEqual(EVERYWHERE);

    const { status, body } = await tenant.call('DELETE', `/api/v1/recipients/${ID}`);
    expect([status, body.erased]).toEqual([
      200,
      {
        profile: 1,
        devices: 1,
        preferences: 1,
        subscriptions: 1,
        schedules: 1,
        inbox_items: 3,
        notifications: 8,
        deliveries: 9,
        cancelled: 1,
        abandoned: 1,
        mailbox_messages: 1,
        suppressions: 2,
        upload_lines: 2,
      },
    ]);
    expect(await places()).toEqual(['erasures.addresses', 'erasures.recipient_id']);

    // Later, the vendor's answer and receipts arrive for these deliveries.
    sink.answerRcpt({ code: 550, message: `5.1.1 <${OTHER_EMAIL}> unknown` });
    sink.release();
    sink.answerRcpt(null);
    const next = { recipient_id: 'next', recipient_address: 'next@example.com', channel: 'email' };
    await sendUntil(tenant, 'sent', { ...next, content: CONTENT.email });
    for (const deliveryId of [captured.id, inFlightId])
      await receipts.apply({ ...receipt, deliveryId, kind: 'bounced', detail: `550 <${EMAIL}>`, suppress: 'bounced' });
    await secondPass();
    expect(await kept()).toEqual([]);
    expect(await suppressedAt(tenant)).toEqual([hashed(tenant, EMAIL.toLowerCase()), hashed(tenant, PHONE)].toSorted());
    expect((await tenant.delivery(inFlightId)).state).toBe('bounced');
    const counts = await app.sql.query(
      `select total, succeeded, failed, suppressed, cancelled from notifications where id = $1`,
      [inFlight.id],
    );
    expect(counts.rows).toEqual([{ total: 1, succeeded: 0, failed: 1, suppressed: 0, cancelled: 0 }]);
    // The other recipient of the bulk send and of the topic keeps everything.
    const inbox = await app.sql.query(`select body from inbox_items where recipient_id = 'somebody-else'`);
    expect(inbox.rows).toEqual([{ body: 'Hello all' }, { body: 'Hello all' }]);
    expect((await tenant.call('GET', '/api/v1/topics/all')).body.subscribers).toBe(1);
    const jobs = await app.sql.query(`select input->'exclude' as exclude, cursor from jobs where id = $1`, [excluding]);
    expect(jobs.rows).toEqual([{ exclude: ['x'], cursor: { after: '' } }]);
  });
});

describe('a recipient known only because sends exclude them', () => {
  it.each(['notifications', 'schedules'])('is erased from %s', async (collection) => {
    const tenant = await app.tenant();
    await tenant.call('PUT', '/api/v1/topics/all', { name: 'All' });
    const content = { title: 'Hello', body: 'Hello all' };
    const send = { topic: 'all', channel: 'in_app', content, exclude: ['excluded-one', 'x'] };
    const later = new Date(Date.now() + 3_600_000).toISOString();
    const made =
      collection === 'schedules'
        ? await tenant.call('POST', '/api/v1/schedules', { rrule: 'FREQ=DAILY', timezone: 'UTC', notification: send })
        : await tenant.call('POST', '/api/v1/notifications', { ...send, scheduled_at: later });
    expect(made.status).toBeLessThan(300);
    const erase = async (): Promise<number> => (await tenant.call('DELETE', '/api/v1/recipients/excluded-one')).status;
    expect(await erase()).toBe(200);
    const { rows } = await app.sql.query(
      `select input->'exclude' as exclude from jobs where tenant_id = $1
       union all select notification->'exclude' from schedules where tenant_id = $1`,
      [tenant.id],
    );
    expect(rows).toEqual([{ exclude: ['x'] }]);
    expect(await erase()).toBe(404);
  });
});

describe('an address that bounced is erased', () => {
  const recipient = '/api/v1/recipients/bounced';

  /** A recipient whose delivery bounced. The endpoint has not taken the event about it. */
  async function bounce(address: string, send: Record<string, unknown>, email: string | null): Promise<Tenant> {
    const tenant = await app.tenant();
    const hook = await receiver();
    hook.behave({ status: 503, body: 'later' });
    await tenant.call('POST', '/api/v1/webhooks', { url: `${hook.url}/hook`, events: ['suppression.created'] });
    await tenant.call('PUT', recipient, { email });
    const body = { recipient_id: 'bounced', channel: 'email', content: CONTENT.email, ...send };
    const { id } = await sendUntil(tenant, 'sent', body);
    const receipt = {
      tenantId: tenant.id,
      accountId: null,
      deliveryId: id,
      kind: 'bounced',
      suppress: 'bounced',
    } as const;
    await new ReceiptsStore(database).apply({ ...receipt, detail: `550 <${address}> unknown` });
    await until('the notification about it waits', async () => {
      const { rows } = await app.sql.query(
        `select from notifications n join deliveries d on d.notification_id = n.id
         join due_deliveries q on q.delivery_id = d.id
         where n.tenant_id = $1 and n.type = 'suppression.created' and q.retries > 0`,
        [tenant.id],
      );
      return rows.length === 1;
    });
    await app.sql.query(
      `with account as (
         insert into provider_accounts (tenant_id, id, name, provider, channel, credentials_sealed, credentials_masked, enabled)
         values ($1, gen_random_uuid(), 'Refusing', 'smtp', 'email', '', '{}', false) returning tenant_id, id
       )
       insert into provider_account_health (tenant_id, account_id, breaker, detail)
       select tenant_id, id, 'open', $2 from account`,
      [tenant.id, `550 <${address}> unknown`],
    );
    expect(await places([address])).toEqual(
      expect.arrayContaining([
        'events.data',
        'notifications.payload',
        'provider_account_health.detail',
        'suppressions.address',
        'suppressions.detail',
      ]),
    );
    return tenant;
  }

  it('if a send named it in mixed case', async () => {
    const address = 'Dan.Mixed@Example.com';
    const tenant = await bounce(address, { recipient_address: address }, null);
    expect((await tenant.call('DELETE', recipient)).status).toBe(200);
    await secondPass();
    expect(await kept([address])).toEqual([]);
    expect(await suppressedAt(tenant)).toEqual([hashed(tenant, address.toLowerCase())]);
  });

  it('if the profile has another one since', async () => {
    const address = 'Eve.Old@Example.com';
    const tenant = await bounce(address, {}, address);
    await tenant.call('PUT', recipient, { email: 'eve.new@example.com' });
    expect((await tenant.call('DELETE', recipient)).status).toBe(200);
    await secondPass();
    expect(await kept([address])).toEqual([]);
    expect(await suppressedAt(tenant)).toEqual([hashed(tenant, address.toLowerCase())]);
    const { rows } = await app.sql.query('select delivery_id from suppressions where tenant_id = $1', [tenant.id]);
    expect(rows).toEqual([{ delivery_id: null }]);
  });

  it.each([
    ['events', 'delete from events where tenant_id = $1'],
    ['notifications about it', `delete from notifications where tenant_id = $1 and type = 'suppression.created'`],
  ])('if it is no longer suppressed either and there are no %s', async (what, remove) => {
    const address = `Fay.${what.split(' ')[0]}@Example.com`;
    const tenant = await bounce(address, {}, address);
    await tenant.call('PUT', recipient, { email: 'fay.new@example.com' });
    const { body } = await tenant.call('GET', '/api/v1/suppressions');
    expect((await tenant.call('DELETE', `/api/v1/suppressions/${body.data[0].id}`)).status).toBe(204);
    await app.sql.query(remove, [tenant.id]);
    expect((await tenant.call('DELETE', recipient)).status).toBe(200);
    await secondPass();
    expect(await kept([address])).toEqual([]);
  });
});

describe('an erasure', () => {
  it('deletes stored answers with an address inside a longer text, in any case', async () => {
    const tenant = await app.tenant();
    const content = { subject: 'To {{e}}', text: 'See https://example.com/?to={{e}}', html: '<p>Dear {{e}},</p>' };
    const template = { key: 'preview', channel: 'email', locale: 'en', content };
    const made = await tenant.call('POST', '/api/v1/templates', template, { 'Idempotency-Key': 'template' });
    expect([made.status, made.body.detail]).toEqual([201, undefined]);
    await tenant.call('PUT', '/api/v1/recipients/read', { email: "Read.O'Brien+1@example.com" });
    const preview = async (key: string, payload: Record<string, string>): Promise<[number, string]> => {
      const path = `/api/v1/templates/${made.body.id}/preview`;
      const { status, body } = await tenant.call('POST', path, { payload }, { 'Idempotency-Key': key });
      return [status, body.code];
    };
    const payloads = ["read.o'brien+1@EXAMPLE.com", 'another@example.com'].map((e) => ({ e }));
    for (const [at, payload] of payloads.entries()) expect((await preview(`key-${at}`, payload))[0]).toBe(200);
    expect((await tenant.call('DELETE', '/api/v1/recipients/read')).status).toBe(200);
    // In its first minute, a key without an answer belongs to a request that may still run.
    await app.sql.query(`update idempotency_keys set created_at = now() - interval '1 hour'`);
    expect(await preview('key-0', payloads[0]!)).toEqual([409, 'idempotency_unknown']);
    expect((await preview('key-1', payloads[1]!))[0]).toBe(200);
  });

  it('does not touch what the same person does afterwards', async () => {
    const tenant = await app.tenant();
    await createRecipient(tenant);
    expect((await tenant.call('DELETE', `/api/v1/recipients/${ID}`)).status).toBe(200);
    await createRecipient(tenant);
    await sendUntil(tenant, 'sent', message('in_app'));
    await secondPass();
    expect((await tenant.call('GET', `/api/v1/recipients/${ID}`)).body.email).toBe(EMAIL);
    const { rows } = await app.sql.query(
      'select recipient_id, payload from notifications where tenant_id = $1 and endpoint_id is null',
      [tenant.id],
    );
    expect(rows).toEqual([{ recipient_id: ID, payload: { name: VALUE } }]);
    const inbox = await app.sql.query('select recipient_id from inbox_items where tenant_id = $1', [tenant.id]);
    expect(inbox.rows).toEqual([{ recipient_id: ID }]);
  });

  it('is completed by a worker if its process was lost', async () => {
    const tenant = await app.tenant();
    await createRecipient(tenant);
    const device = { token: 'token-of-another', platform: 'ios' };
    await tenant.call('PUT', '/api/v1/recipients/another', {});
    await tenant.call('POST', '/api/v1/recipients/another/devices', device, { 'Idempotency-Key': 'another' });
    await sendUntil(tenant, 'sent', message('email'));
    const answers = async (): Promise<string[]> => {
      const { rows } = await app.sql.query(
        'select key from idempotency_keys where tenant_id = $1 and response_sealed is not null',
        [tenant.id],
      );
      return rows.map(({ key }) => key);
    };
    expect(await answers()).toHaveLength(2);
    const lost = Object.create(database, {
      pipelineForTenant: {
        value: async (tenantId: string, statements: { text: string }[]) => {
          if (statements.some(({ text }) => text.includes('delete from inbox_items'))) throw new Error('killed');
          return await database.pipelineForTenant(tenantId, statements);
        },
      },
    }) as Database;
    await expect(
      new ErasuresStore(lost, new SecretBox(app.config.masterKey), app.keys).erase(tenant.id, ID, null),
    ).rejects.toThrow('killed');
    await secondPass();
    expect(await answers()).toEqual(['another']);
  });

  it('waits for a request that is changing the recipient, and erases what it wrote', async () => {
    const tenant = await app.tenant();
    await tenant.call('PUT', `/api/v1/recipients/${ID}`, { email: EMAIL });
    const request = await connect(app.databaseUrl);
    open.push(() => request.end());
    await request.query('begin');
    await request.query('update recipients set phone = $2 where tenant_id = $1', [tenant.id, PHONE]);
    await request.query('insert into preferences (tenant_id, recipient_id) values ($1, $2)', [tenant.id, ID]);
    const erased = tenant.call('DELETE', `/api/v1/recipients/${ID}`);
    await untilWaitingForLock(app.sql, 1);
    await request.query('commit');
    expect((await erased).body.erased).toMatchObject({ profile: 1, preferences: 1 });
    const { rows } = await app.sql.query(
      `select recipient_id from preferences where tenant_id = $1 union all
       select addresses::text from erasures where tenant_id = $1`,
      [tenant.id],
    );
    expect(rows).toHaveLength(1);
    expect(rows[0].recipient_id).toContain(PHONE);
  });

  it('waits for a request that gives a profile to a recipient who has only preferences', async () => {
    const tenant = await app.tenant();
    await tenant.call('PUT', `/api/v1/recipients/${ID}/preferences`, { channels: { sms: true } });
    const request = await connect(app.databaseUrl);
    open.push(() => request.end());
    await request.query('begin');
    await request.query('insert into recipients (tenant_id, id, email) values ($1, $2, $3)', [tenant.id, ID, EMAIL]);
    await request.query('update preferences set channels = $2 where tenant_id = $1', [tenant.id, { sms: false }]);
    const erased = tenant.call('DELETE', `/api/v1/recipients/${ID}`);
    await untilWaitingForLock(app.sql, 1);
    await request.query('commit');
    expect((await erased).body.erased).toMatchObject({ profile: 1, preferences: 1 });
    const { rows } = await app.sql.query(
      `select id from recipients where tenant_id = $1 union all
       select recipient_id from preferences where tenant_id = $1`,
      [tenant.id],
    );
    expect(rows).toEqual([]);
  });

  it('locks a topic before the recipient, as a request that subscribes to it does', async () => {
    const tenant = await app.tenant();
    await tenant.call('PUT', '/api/v1/topics/news', { name: 'News' });
    await tenant.call('POST', '/api/v1/topics/news/subscriptions', { recipient_ids: [ID] });
    const request = await connect(app.databaseUrl);
    open.push(() => request.end());
    await request.query('begin');
    await request.query('select from topics where tenant_id = $1 for no key update', [tenant.id]);
    const erased = tenant.call('DELETE', `/api/v1/recipients/${ID}`);
    await untilWaitingForLock(app.sql, 1);
    await request.query('select from recipients where tenant_id = $1 for update nowait', [tenant.id]);
    await request.query('commit');
    expect((await erased).body.erased).toMatchObject({ profile: 1, subscriptions: 1 });
  });

  it('of a recipient with many notifications is done in short transactions', async () => {
    const tenant = await app.tenant();
    const ids = Array.from({ length: 2_500 }, () => newId());
    await app.sql.query(
      `insert into notifications (tenant_id, id, recipient_id, category, channels, priority, total, payload)
       select $1, id, 'many', 'default', '{email}', 5, 1, '{}' from unnest($2::uuid[]) as id`,
      [tenant.id, ids],
    );
    await app.sql.query(
      `insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, address)
       select $1, id, id, 'many', 'email', 'many@example.com' from unnest($2::uuid[]) as id`,
      [tenant.id, ids],
    );
    await app.sql.query(
      `insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at)
       select $1, id, 'email', 2, now() + interval '1 day' from unnest($2::uuid[]) as id`,
      [tenant.id, ids],
    );
    const { body } = await tenant.call('DELETE', '/api/v1/recipients/many');
    expect(body.erased).toMatchObject({ notifications: 2_500, deliveries: 2_500, cancelled: 2_500 });
    const { rows } = await app.sql.query(
      `select final_status, count(*)::int from notifications where tenant_id = $1 group by 1`,
      [tenant.id],
    );
    expect(rows).toEqual([{ final_status: 'cancelled', count: 2_500 }]);
    // Each batch is a transaction of its own.
    const versions = await app.sql.query(
      `select count(distinct xmin::text)::int as transactions from notifications where tenant_id = $1`,
      [tenant.id],
    );
    expect(versions.rows[0].transactions).toBe(5);
  });
});
