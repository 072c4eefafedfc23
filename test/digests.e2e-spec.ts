// Digests over HTTP, with workers in this process and in processes that are killed.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connect, startSmtpSink, until } from '#testing';
import { type RunningProcess, startRole } from './processes.js';
import { profileEnvironment } from './profiles.js';
import { type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const LEASE_SECONDS = '3';

let app: TestEnvironment;
let tenant: Tenant;

beforeAll(async () => {
  app = await startTestEnvironment();
});
afterAll(() => app?.stop());
beforeEach(async () => {
  tenant = await newTenant(app);
});

const TEMPLATES = {
  email: {
    subject: '{{count}} comments',
    text: '{{#each items}}{{this.payload.n}}:{{this.title}}:{{this.type}} {{/each}}{{#if more}}+{{more}}{{/if}}',
  },
  in_app: { title: '{{count}} comments', body: '{{#each items}}{{this.text}};{{/each}}' },
};

async function newTenant(environment: TestEnvironment): Promise<Tenant> {
  const made = await environment.tenant({
    recipient_limits: { email: { limit: 1_000, window_seconds: 60 }, in_app: { limit: 1_000, window_seconds: 60 } },
  });
  for (const [channel, content] of Object.entries(TEMPLATES)) {
    const template = { key: 'daily', channel, content };
    expect((await made.call('POST', '/api/v1/templates', template)).status).toBe(201);
  }
  return made;
}

async function category(digest: object, changes: object = {}, of = tenant): Promise<void> {
  const body = { name: 'Comments', digest: { template_id: 'daily', ...digest }, ...changes };
  expect((await of.call('PUT', '/api/v1/categories/comments', body)).status).toBe(201);
}

const ITEM = { email: { subject: 'Comment {{n}}', text: 'Text {{n}}' }, in_app: { title: 'C {{n}}', body: 'B {{n}}' } };

async function sendItem(n: number, changes: Record<string, unknown> = {}, of = tenant): Promise<Json> {
  const channel = (changes['channel'] ?? 'email') as keyof typeof ITEM;
  return await of.send({
    recipient: { id: 'ann', email: 'ann@example.com' },
    channel,
    category: 'comments',
    type: 'comment.created',
    content: ITEM[channel],
    payload: { n },
    ...changes,
  });
}

const deliveryOf = async (notification: Json): Promise<Json> => await tenant.delivery(notification.deliveries[0].id);
const mailbox = async (of = tenant): Promise<Json[]> => (await of.call('GET', '/api/v1/mailbox')).body.data;
/** The number of due rows of the tenant, of items that are collected or of all. */
const countDue = async (sql: TestEnvironment['sql'], condition: string, of: Tenant): Promise<number> =>
  Number(
    (await sql.query(`select count(*) from due_deliveries where tenant_id = $1 and ${condition}`, [of.id])).rows[0]
      .count,
  );
const collected = async (count: number, { sql }: TestEnvironment, of = tenant): Promise<void> => {
  const condition = 'digest_id is not null and claim_id is null';
  await until(`${count} items are collected`, async () => (await countDue(sql, condition, of)) === count, 30_000);
};
const makeDue = async ({ sql }: TestEnvironment): Promise<void> => {
  await sql.query(
    `update due_deliveries set due_at = now() where tenant_id = $1 and due_at < 'infinity' and claim_id is null`,
    [tenant.id],
  );
};
const ended = async ({ sql }: TestEnvironment): Promise<void> => {
  await until('nothing waits', async () => (await countDue(sql, 'true', tenant)) === 0, 30_000);
};

it('sends the items of a window in one message, names it in each timeline, and touches no other tenant', async () => {
  await category({ window_seconds: 3_600 });
  const other = await newTenant(app);
  await category({ window_seconds: 3_600 }, {}, other);
  await sendItem(9, {}, other);
  const sent = [await sendItem(1), await sendItem(2), await sendItem(3)];
  await collected(3, app);
  const waiting = await Promise.all(sent.map((one) => deliveryOf(one)));
  expect(waiting.every(({ state, reason }) => state === 'waiting' && reason === 'digest')).toBe(true);
  const [leader, ...no] = waiting.filter(({ due_at: dueAt }) => dueAt !== null);
  expect(no).toEqual([]);
  expect(Date.parse(leader.due_at) - Date.now()).toBeGreaterThan(3_500_000);
  await makeDue(app);
  await ended(app);
  const [message, ...more] = await mailbox();
  expect(more).toEqual([]);
  expect(message.message).toMatchObject({
    subject: '3 comments',
    text: '1:Comment 1:comment.created 2:Comment 2:comment.created 3:Comment 3:comment.created ',
  });
  for (const one of sent) {
    const delivery = await deliveryOf(one);
    expect(delivery).toMatchObject({ state: 'sent', template_version: 1 });
    expect(delivery.timeline[1]).toMatchObject({ code: 'held', reason: 'digest', rule: 'category.digest' });
    if (delivery.id === leader.id) continue;
    expect(delivery.timeline.find(({ code }: Json) => code === 'digest')).toMatchObject({
      detail: `in the digest of delivery ${leader.id}`,
    });
    expect(delivery.attempts).toBe(0);
  }
  expect(await mailbox(other)).toEqual([]);
  await collected(1, app, other);
});

it('collects until a local time of the recipient', async () => {
  await category({ at_local: '09:00' });
  const recipient = { id: 'kim', email: 'kim@example.com', timezone: 'Pacific/Kiritimati' };
  const { due_at: dueAt } = await until('it is collected', async () => {
    const found = await deliveryOf(await sendItem(1, { recipient, idempotency_key: 'kim' }));
    return found.reason === 'digest' && found;
  });
  // Kiritimati is 14 hours ahead of UTC all year.
  expect(new Date(dueAt).toISOString()).toMatch(/T19:00:00\.000Z$/);
});

it('lists at most a hundred items and counts the others', async () => {
  await category({ window_seconds: 3_600 });
  const body = { channel: 'email', category: 'comments', content: ITEM.email };
  const recipients = Array.from({ length: 130 }, (_, n) => ({
    recipient: { id: 'ann', email: 'ann@example.com' },
    payload: { n },
  }));
  const answer = await tenant.call('POST', '/api/v1/notifications/bulk', { ...body, recipients });
  expect(answer.body.accepted).toHaveLength(130);
  await collected(130, app);
  await makeDue(app);
  await ended(app);
  const [message] = await mailbox();
  expect(message.message.subject).toBe('130 comments');
  expect(message.message.text.match(/:Comment/g)).toHaveLength(100);
  expect(message.message.text).toMatch(/\+30$/);
});

it('writes an in-app digest as one inbox item', async () => {
  await category({ window_seconds: 3_600 });
  await sendItem(1, { channel: 'in_app' });
  await sendItem(2, { channel: 'in_app' });
  await collected(2, app);
  await makeDue(app);
  await ended(app);
  const inbox = await tenant.call('GET', '/api/v1/inbox', undefined, { 'X-Recipient-ID': 'ann' });
  expect(inbox.body.data).toMatchObject([{ title: '2 comments', body: 'B 1;B 2;', category: 'comments' }]);
});

/** Quiet at all times but in one hour of a day that is not today. */
const alwaysQuiet = (): object => {
  const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
  const today = new Date().getUTCDay();
  const free = days[(today + 3) % 7]!;
  return {
    timezone: 'UTC',
    windows: [
      { days: days.filter((day) => day !== free), from: '00:00', to: '00:00' },
      { days: [free], from: '01:00', to: '00:00' },
    ],
  };
};
const combine = async (): Promise<void> => {
  const body = { name: 'Comments', on_hold: 'combine' };
  expect((await tenant.call('PUT', '/api/v1/categories/comments', body)).status).toBe(201);
};
const setHours = async (hours: object | undefined): Promise<void> => {
  const body = hours ? { quiet_hours: hours } : {};
  expect((await tenant.call('PUT', '/api/v1/recipients/ann/preferences', body)).status).toBe(200);
};

it('combines what quiet hours hold into one message at their end, or sooner if they change', async () => {
  await combine();
  await setHours(alwaysQuiet());
  const sent = [
    await sendItem(1),
    await sendItem(2),
    await sendItem(1, { channel: 'in_app' }),
    await sendItem(2, { channel: 'in_app' }),
  ];
  await collected(4, app);
  for (const one of sent) {
    const { state, reason, timeline } = await deliveryOf(one);
    expect({ state, reason }).toEqual({ state: 'waiting', reason: 'quiet_hours' });
    expect(timeline[1]).toMatchObject({ code: 'held', reason: 'quiet_hours', rule: 'recipient.quiet_hours' });
  }
  await setHours(undefined);
  await ended(app);
  const [message, ...more] = await mailbox();
  expect(more).toEqual([]);
  expect(message.message.subject).toBe('2 new notifications');
  expect(message.message.text).toBe('2 new notifications\n\n- Comment 1\n- Comment 2\n');
  expect(message.message.html).toContain('<li><strong>Comment 1</strong><br>Text 1</li>');
  const inbox = await tenant.call('GET', '/api/v1/inbox', undefined, { 'X-Recipient-ID': 'ann' });
  expect(inbox.body.data).toMatchObject([{ title: '2 new notifications', body: '- C 1\n- C 2\n' }]);
});

it('sends an item that is held alone as itself', async () => {
  await combine();
  await setHours(alwaysQuiet());
  await sendItem(7);
  await collected(1, app);
  await setHours(undefined);
  await ended(app);
  expect(await mailbox()).toMatchObject([{ message: { subject: 'Comment 7', text: 'Text 7' } }]);
});

it('keeps a digest that is due in quiet hours, which collects on', async () => {
  await category({ window_seconds: 3_600 });
  await sendItem(1);
  await collected(1, app);
  await setHours(alwaysQuiet());
  await makeDue(app);
  await until('it is held', async () => (await countDue(app.sql, `reason = 'quiet_hours'`, tenant)) === 1);
  await sendItem(2);
  await collected(2, app);
  await setHours(undefined);
  await ended(app);
  expect(await mailbox()).toMatchObject([{ message: { subject: '2 comments' } }]);
});

it('hands the digest over when the notification of its leader is cancelled', async () => {
  await category({ window_seconds: 3_600 });
  const sent = [await sendItem(1), await sendItem(2), await sendItem(3)];
  await collected(3, app);
  const waiting = await Promise.all(sent.map((one) => deliveryOf(one)));
  const leader = waiting.findIndex(({ due_at: dueAt }) => dueAt !== null);
  expect((await tenant.call('DELETE', `/api/v1/notifications/${sent[leader].id}`)).status).toBe(200);
  await makeDue(app);
  await ended(app);
  const [message, ...more] = await mailbox();
  expect(more).toEqual([]);
  expect(message.message.subject).toBe('2 comments');
  expect(message.message.text).not.toContain(`Comment ${leader + 1}`);
  expect(await deliveryOf(sent[leader])).toMatchObject({ state: 'cancelled' });
});

it('suppresses all items when the recipient has opted out meanwhile', async () => {
  await category({ window_seconds: 3_600 });
  const sent = [await sendItem(1), await sendItem(2)];
  await collected(2, app);
  const preferences = { channels: { email: false } };
  expect((await tenant.call('PUT', '/api/v1/recipients/ann/preferences', preferences)).status).toBe(200);
  await makeDue(app);
  await ended(app);
  expect(await mailbox()).toEqual([]);
  for (const one of sent) expect(await deliveryOf(one)).toMatchObject({ state: 'suppressed', reason: 'opted_out' });
});

it('ends with its items when the recipient is erased, and leaves nothing of them', async () => {
  await category({ window_seconds: 3_600 });
  await sendItem(1);
  await sendItem(2);
  await collected(2, app);
  expect((await tenant.call('DELETE', '/api/v1/recipients/ann')).status).toBeLessThan(300);
  await ended(app);
  const { rows } = await app.sql.query(
    `select (select count(*)::int from digests where tenant_id = $1) as digests,
            (select array_agg(state) from deliveries where tenant_id = $1) as states`,
    [tenant.id],
  );
  expect(rows[0]).toEqual({ digests: 0, states: ['cancelled', 'cancelled'] });
  expect(await mailbox()).toEqual([]);
});

it('does not collect ordered deliveries, addresses of a send, and channels for which the template does not exist', async () => {
  await category({ window_seconds: 3_600 });
  await sendItem(1, { ordering_key: 'one' });
  await sendItem(2, { recipient: undefined, recipient_id: 'bob', recipient_address: 'bob@example.com' });
  await sendItem(3, { recipient: { id: 'ann', phone: '+41791234567' }, channel: 'sms', content: { text: 'now' } });
  await ended(app);
  expect(await mailbox()).toHaveLength(3);
});

it('refuses a digest without a template, or with two times', async () => {
  const put = async (digest: object) => await tenant.call('PUT', '/api/v1/categories/x', { name: 'X', digest });
  const unknown = await put({ window_seconds: 60, template_id: 'nothing' });
  expect(unknown.status).toBe(422);
  expect(unknown.body.errors).toEqual([
    {
      pointer: '/digest/template_id',
      code: 'unknown_template',
      message: 'there is no template "nothing" for any channel',
    },
  ]);
  const both = await put({ window_seconds: 60, at_local: '09:00', template_id: 'daily' });
  expect(both.body.errors).toMatchObject([{ pointer: '/digest/window_seconds' }]);
});

describe('workers that are killed', () => {
  let stopped: TestEnvironment;
  const processes: RunningProcess[] = [];

  beforeAll(async () => {
    stopped = await startTestEnvironment({ worker: false });
  });
  afterAll(async () => {
    for (const running of processes) await running.kill();
    await stopped?.stop();
  });
  beforeEach(async () => {
    tenant = await newTenant(stopped);
  });

  async function startWorkerProcess(): Promise<RunningProcess> {
    const { databaseUrl, config } = stopped;
    const running = await startRole('worker', {
      ...profileEnvironment(databaseUrl),
      DATABASE_URL: databaseUrl,
      MASTER_KEY: config.masterKey.toString('hex'),
      ADMIN_TOKEN: config.adminToken,
      CARILLON_HOME: config.home,
      LEASE_SECONDS,
    });
    processes.push(running);
    return running;
  }

  const preparedItems = async (): Promise<number> =>
    Number(
      (
        await stopped.sql.query(
          `select count(*) from due_deliveries where tenant_id = $1 and claim_id is not null and due_at = 'infinity'`,
          [tenant.id],
        )
      ).rows[0].count,
    );
  const statesOf = async (): Promise<Record<string, number>> =>
    Object.fromEntries(
      (
        await stopped.sql.query(
          'select state, count(*)::int as n from deliveries where tenant_id = $1 group by 1 order by 1',
          [tenant.id],
        )
      ).rows.map(({ state, n }) => [state, n]),
    );

  it('between closing and recording: another worker writes the digest, once', async () => {
    await category({ window_seconds: 3_600 });
    const first = await startWorkerProcess();
    for (const n of [1, 2, 3]) await sendItem(n, { channel: 'in_app' });
    await collected(3, stopped);
    // The record of an inbox item waits for this lock.
    const lock = await connect(stopped.databaseUrl);
    await lock.query('begin; lock table inbox_counters in exclusive mode');
    await makeDue(stopped);
    await until('the digest is closed', async () => (await preparedItems()) === 2);
    await first.kill();
    await stopped.sql.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock'`,
    );
    await lock.end();
    expect(await statesOf()).toEqual({ waiting: 3 });
    const second = await startWorkerProcess();
    await ended(stopped);
    await second.kill();
    expect(await statesOf()).toEqual({ sent: 3 });
    const inbox = await tenant.call('GET', '/api/v1/inbox', undefined, { 'X-Recipient-ID': 'ann' });
    expect(inbox.body.data).toMatchObject([{ title: '3 comments', body: 'B 1;B 2;B 3;', seq: 1 }]);
  });

  it('during the send: the outcome of all its items is unknown, and no item is sent again', async () => {
    const vendor = await startSmtpSink();
    const account = {
      name: 'smtp',
      provider: 'smtp',
      credentials: { host: '127.0.0.1', port: vendor.port, tls: 'none', from: 'carillon@example.com' },
    };
    expect((await tenant.call('POST', '/api/v1/provider-accounts', account)).status).toBe(201);
    await category({ window_seconds: 3_600 }, { unknown_outcome: 'hold' });
    const first = await startWorkerProcess();
    const sent = [await sendItem(1), await sendItem(2)];
    await collected(2, stopped);
    vendor.answerData('hang');
    await makeDue(stopped);
    await until('the message has reached the vendor', () => vendor.log.length === 1);
    // It may be under way.
    for (const { id } of sent)
      expect((await tenant.call('DELETE', `/api/v1/notifications/${id}`)).body.code).toBe('too_late');
    await first.kill();
    const second = await startWorkerProcess();
    await ended(stopped);
    await second.kill();
    expect(await statesOf()).toEqual({ unknown: 2 });
    expect(vendor.log).toHaveLength(1);
    vendor.release();
    await vendor.close();
  });

  it('again and again: each recipient has all items exactly once', async () => {
    const [people, items] = [200, 4];
    await category({ window_seconds: 3_600 });
    let running = await startWorkerProcess();
    for (let n = 0; n < items; n++) {
      const recipients = Array.from({ length: people }, (_, at) => ({ recipient_id: `p${at}`, payload: { n } }));
      const body = { channel: 'in_app', category: 'comments', content: ITEM.in_app, recipients };
      expect((await tenant.call('POST', '/api/v1/notifications/bulk', body)).body.accepted).toHaveLength(people);
    }
    await collected(people * items, stopped);
    for (let kills = 0; kills < 3; kills++) {
      await makeDue(stopped);
      const before = (await statesOf())['sent'] ?? 0;
      await until('some are sent', async () => ((await statesOf())['sent'] ?? 0) > before || before === people * items);
      await running.kill();
      running = await startWorkerProcess();
    }
    await ended(stopped);
    await running.kill();
    const { rows } = await stopped.sql.query(
      'select recipient_id, body from inbox_items where tenant_id = $1 order by recipient_id',
      [tenant.id],
    );
    const listed = rows.flatMap(({ recipient_id: id, body }) =>
      [...body.matchAll(/B (\d)/g)].map(([, n]) => `${id} ${n}`),
    );
    expect(listed).toHaveLength(people * items);
    expect(new Set(listed).size).toBe(people * items);
    expect(await statesOf()).toEqual({ sent: people * items });
  }, 60_000);
});
