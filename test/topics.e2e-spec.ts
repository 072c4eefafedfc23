// Topics, subscriptions and sends to a topic, over HTTP with a worker.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '#testing';
import { CONTENT, type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

let app: TestEnvironment;
let tenant: Tenant;
let topics = 0;

beforeAll(async () => {
  app = await startTestEnvironment();
  tenant = await app.tenant();
});
afterAll(() => app?.stop());

const pathOf = (key: string): string => `/api/v1/topics/${encodeURIComponent(key)}`;

/** A topic with members; those whose id begins with `no` have no address. */
async function newTopic(members: readonly string[], of = tenant): Promise<string> {
  topics += 1;
  const key = `topic ${topics}/all`;
  expect((await of.call('PUT', pathOf(key), { name: 'Topic' })).status).toBe(201);
  for (const id of members.filter((one) => !one.startsWith('no')))
    await of.call('PUT', `/api/v1/recipients/${id}`, { email: `${id}@example.com` });
  if (members.length > 0) {
    const answer = await of.call('POST', `${pathOf(key)}/subscriptions`, { recipient_ids: members });
    expect(answer.body).toEqual({ subscribed: members.length, already: 0 });
  }
  return key;
}

const sendTo = async (topic: string, more: Record<string, unknown> = {}): Promise<Json> =>
  await tenant.send({ topic, channel: 'email', content: CONTENT.email, ...more });

const finished = (id: string): Promise<Json> =>
  until('the notification is final', async () => {
    const notification = await tenant.notification(id);
    return ['pending', 'active'].includes(notification.status) ? null : notification;
  });

async function deliveriesOf(id: string): Promise<Json[]> {
  const { body } = await tenant.call('GET', `/api/v1/notifications/${id}/deliveries?limit=200`);
  return body.data;
}

describe('topics and subscriptions', () => {
  it('are created, listed, replaced and deleted under keys with slashes', async () => {
    const key = 'orders/eu 100%';
    const created = await tenant.call('PUT', pathOf(key), { name: 'Orders', description: 'In Europe' });
    expect(created.status).toBe(201);
    expect(created.headers.get('location')).toBe(pathOf(key));
    expect(created.body).toMatchObject({ key, name: 'Orders', description: 'In Europe', subscribers: 0 });
    expect((await tenant.call('PUT', pathOf(key), { name: 'Others' })).status).toBe(200);
    expect((await tenant.call('GET', pathOf(key))).body).toMatchObject({ name: 'Others', description: null });
    await tenant.call('PUT', `${pathOf(key)}/subscriptions/ann`, {});
    const { body } = await tenant.call('GET', '/api/v1/topics');
    expect(body.data).toContainEqual(expect.objectContaining({ key, subscribers: 1 }));
    expect((await tenant.call('DELETE', pathOf(key))).status).toBe(204);
    expect((await tenant.call('DELETE', pathOf(key))).status).toBe(404);
    expect((await tenant.call('GET', '/api/v1/recipients/ann/subscriptions')).body.data).toEqual([]);
    // A topic of the same key begins without members.
    expect((await tenant.call('PUT', pathOf(key), { name: 'New' })).body.subscribers).toBe(0);
    expect((await tenant.call('GET', `${pathOf(key)}/subscriptions`)).body.data).toEqual([]);
  });

  it('subscribe one, many, and those without a profile; unsubscribe one and many; the counter follows', async () => {
    const key = await newTopic(['a', 'b', 'no-profile']);
    expect((await tenant.call('GET', '/api/v1/recipients/no-profile')).body).toMatchObject({ email: null });
    const path = `${pathOf(key)}/subscriptions`;
    const more = await tenant.call('POST', path, { recipient_ids: ['b', 'c', 'c'], channels: ['sms'] });
    expect(more.body).toEqual({ subscribed: 1, already: 1 });
    expect((await tenant.call('PUT', `${path}/d`, { channels: ['email', 'in_app'] })).status).toBe(201);
    expect((await tenant.call('PUT', `${path}/d`, {})).status).toBe(200);
    const first = await tenant.call('GET', `${path}?limit=3`);
    const second = await tenant.call('GET', `${path}?limit=3&cursor=${first.body.next_cursor}`);
    const members = [...first.body.data, ...second.body.data];
    expect(members.map(({ recipient_id, channels }) => [recipient_id, channels])).toEqual([
      ['a', null],
      ['b', ['sms']],
      ['c', ['sms']],
      ['d', null],
      ['no-profile', null],
    ]);
    expect(second.body.next_cursor).toBeNull();
    expect((await tenant.call('GET', pathOf(key))).body.subscribers).toBe(5);
    expect((await tenant.call('DELETE', `${path}/a`)).status).toBe(204);
    expect((await tenant.call('DELETE', `${path}/a`)).status).toBe(404);
    const gone = await tenant.call('POST', `${pathOf(key)}/unsubscribe`, { recipient_ids: ['a', 'b', 'c', 'z'] });
    expect(gone.body).toEqual({ unsubscribed: 2 });
    expect((await tenant.call('GET', pathOf(key))).body.subscribers).toBe(2);
    expect((await tenant.call('GET', '/api/v1/recipients/d/subscriptions')).body.data).toMatchObject([
      { topic: key, recipient_id: 'd', channels: null },
    ]);
  });

  it('of another tenant are not visible, and too many recipients are refused', async () => {
    const key = await newTopic(['a']);
    const other = await app.tenant();
    for (const [method, path, body] of [
      ['GET', pathOf(key)],
      ['DELETE', pathOf(key)],
      ['GET', `${pathOf(key)}/subscriptions`],
      ['POST', `${pathOf(key)}/subscriptions`, { recipient_ids: ['a'] }],
      ['PUT', `${pathOf(key)}/subscriptions/a`, {}],
    ] as const)
      expect((await other.call(method, path, body)).status, path).toBe(404);
    const refused = await other.call('POST', '/api/v1/notifications', {
      topic: key,
      channel: 'email',
      content: CONTENT.email,
    });
    expect(refused.body).toMatchObject({ status: 422, errors: [{ pointer: '/topic', code: 'unknown_topic' }] });
    const ids = Array.from({ length: 1_001 }, (_, index) => `r${index}`);
    expect((await tenant.call('POST', `${pathOf(key)}/subscriptions`, { recipient_ids: ids })).status).toBe(422);
  });
});

describe('a send to a topic', () => {
  it('reaches each member once on each channel that the subscription allows; one without an address fails', async () => {
    const key = await newTopic(['ann', 'bob', 'carl', 'no-address']);
    await tenant.call('PUT', `${pathOf(key)}/subscriptions/bob`, { channels: ['in_app'] });
    await tenant.call('PUT', `${pathOf(key)}/subscriptions/carl`, { channels: ['sms'] });
    const texts = { email: { subject: 'Hello {{name}}', text: 'x' }, in_app: { title: 'Hello', body: '{{name}}' } };
    for (const [channel, content] of Object.entries(texts))
      await tenant.call('POST', '/api/v1/templates', { key: 'both', channel, content });
    const sent = await tenant.send({
      topic: key,
      channels: ['email', 'in_app'],
      template_id: 'both',
      payload: { name: 'all' },
      metadata: { campaign: 'c1' },
    });
    expect(sent).toMatchObject({
      status: 'pending',
      recipient_id: null,
      topic: key,
      deliveries: [],
      fan_out: { total: null, expanded: 0, state: 'running' },
    });
    const done = await finished(sent.id);
    expect(done).toMatchObject({
      status: 'failed',
      counts: { sent: 4, failed: 1 },
      fan_out: { total: 4, expanded: 4, state: 'finished' },
    });
    const deliveries = await deliveriesOf(sent.id);
    const found = deliveries.map(({ recipient_id, channel, state, reason }) => [recipient_id, channel, state, reason]);
    expect(found.sort()).toEqual([
      ['ann', 'email', 'sent', null],
      ['ann', 'in_app', 'sent', null],
      ['bob', 'in_app', 'sent', null],
      ['no-address', 'email', 'failed', 'no_address'],
      ['no-address', 'in_app', 'sent', null],
    ]);
    const { body: mail } = await tenant.call('GET', '/api/v1/mailbox?to=ann@example.com');
    expect(mail.data[0].message.subject).toBe('Hello all');
    const { body: list } = await tenant.call('GET', `/api/v1/notifications?topic=${encodeURIComponent(key)}`);
    expect(list.data.map(({ id }: Json) => id)).toEqual([sent.id]);
    expect(list.data[0]).toMatchObject({ counts: { sent: 4, failed: 1 }, deliveries: { length: 5 } });
  });

  it('leaves out excluded members, and answers a repetition as the first time', async () => {
    const key = await newTopic(['e1', 'e2', 'e3']);
    const body = { topic: key, channel: 'email', content: CONTENT.email, exclude: ['e2', 'unknown'] };
    const first = await tenant.call('POST', '/api/v1/notifications', body, { 'Idempotency-Key': key });
    await finished(first.body.id);
    const again = await tenant.call('POST', '/api/v1/notifications', body, { 'Idempotency-Key': key });
    expect(again.status).toBe(202);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(again.body).toEqual(first.body);
    const other = { ...body, exclude: [] };
    const mismatch = await tenant.call('POST', '/api/v1/notifications', other, { 'Idempotency-Key': key });
    expect(mismatch.body.code).toBe('idempotency_mismatch');
    const reached = (await deliveriesOf(first.body.id)).map(({ recipient_id }) => recipient_id);
    expect(reached.sort()).toEqual(['e1', 'e3']);
  });

  it('to a topic without members ends at once', async () => {
    const sent = await sendTo(await newTopic([]));
    const { counts, fan_out } = await finished(sent.id);
    // `toMatchObject` takes any object for an empty one.
    expect(counts).toEqual({});
    expect(fan_out).toMatchObject({ total: 0, expanded: 0, state: 'finished' });
  });

  it('begins at its time with the members of then', async () => {
    const key = await newTopic(['s1', 's2']);
    const sent = await sendTo(key, { scheduled_at: new Date(Date.now() + 1_500).toISOString() });
    await tenant.call('DELETE', `${pathOf(key)}/subscriptions/s1`);
    await tenant.call('PUT', `${pathOf(key)}/subscriptions/no-late`, {});
    await finished(sent.id);
    const deliveries = await deliveriesOf(sent.id);
    expect(deliveries.map(({ recipient_id }) => recipient_id).sort()).toEqual(['no-late', 's2']);
    expect(Date.parse(deliveries[0].created_at)).toBeGreaterThanOrEqual(Date.parse(sent.scheduled_at));
  });

  it('at a local time is due at that time of each member, and begins with the first zone of the world', async () => {
    await tenant.call('PUT', '/api/v1/recipients/no-tokyo', { timezone: 'Asia/Tokyo' });
    await tenant.call('PUT', '/api/v1/recipients/no-lima', { timezone: 'America/Lima' });
    const key = await newTopic(['no-tokyo', 'no-lima', 'no-zone']);
    const in13Hours = new Date(Date.now() + 13 * 3_600_000).toISOString().slice(0, 19);
    const common = { topic: key, channel: 'in_app', content: CONTENT.in_app };
    const sent = await tenant.send({ ...common, scheduled_at_local: in13Hours });
    await until('it is expanded', async () => (await tenant.notification(sent.id)).fan_out.state === 'finished');
    const due = (await deliveriesOf(sent.id)).map(({ recipient_id, due_at, reason }) => [recipient_id, due_at, reason]);
    const at = (offset: string): string => new Date(`${in13Hours}${offset}`).toISOString();
    expect(due.sort()).toEqual([
      ['no-lima', at('-05:00'), 'scheduled'],
      ['no-tokyo', at('+09:00'), 'scheduled'],
      ['no-zone', at('Z'), 'scheduled'],
    ]);
    const in15Hours = new Date(Date.now() + 15 * 3_600_000).toISOString().slice(0, 19);
    const { id } = await tenant.send({ ...common, scheduled_at_local: in15Hours });
    expect((await tenant.call('GET', `/api/v1/jobs/${id}`)).body.started_at).toBeNull();
    expect((await tenant.notification(id)).status).toBe('pending');
    for (const one of [sent.id, id]) await tenant.call('DELETE', `/api/v1/notifications/${one}`);
    expect(await finished(sent.id)).toMatchObject({ status: 'cancelled', counts: { cancelled: 3 } });
  });

  it('whose deliveries wait for each other is cancelled in batches', async () => {
    const members = Array.from({ length: 2_500 }, (_, index) => `no-o${String(index).padStart(4, '0')}`);
    const key = await newTopic(members.slice(0, 1_000));
    for (const first of [1_000, 2_000])
      await tenant.call('POST', `${pathOf(key)}/subscriptions`, { recipient_ids: members.slice(first, first + 1_000) });
    const sent = await sendTo(key, { channel: 'in_app', content: CONTENT.in_app, ordering_key: key });
    const { fan_out: done } = await until('it is expanded', async () => {
      const notification = await tenant.notification(sent.id);
      return notification.fan_out.state === 'finished' ? notification : null;
    });
    expect(done).toEqual({ total: 2_500, expanded: 2_500, state: 'finished' });
    const { counts } = await tenant.notification(sent.id);
    expect(counts.waiting + (counts.sent ?? 0)).toBe(2_500);
    const cancelled = await tenant.call('DELETE', `/api/v1/notifications/${sent.id}`);
    expect(cancelled.body).toMatchObject({ status: 'active', fan_out: { state: 'cancelled' } });
    const ended = await finished(sent.id);
    expect(ended.counts.cancelled + ended.counts.sent).toBe(2_500);
    expect(ended.counts.cancelled).toBeGreaterThan(1_000);
    const { rows } = await app.sql.query(
      `select count(*)::int as count, count(*) filter (where state = 'cancelled')::int as cancelled from deliveries
       where notification_id = $1`,
      [sent.id],
    );
    expect(rows).toEqual([{ count: 2_500, cancelled: ended.counts.cancelled }]);
    const { body: job } = await tenant.call('GET', `/api/v1/jobs/${sent.id}`);
    expect(job).toMatchObject({ state: 'cancelled', done: 2_500 });
    const [last] = (await deliveriesOf(sent.id)).filter(({ state }) => state === 'cancelled');
    const { timeline } = await tenant.delivery(last.id);
    expect(timeline.map(({ code }: Json) => code)).toEqual(['accepted', 'cancelled']);
  });

  it('is refused with fields that do not fit', async () => {
    const errorsOf = async (body: object): Promise<string[]> => {
      const answer = await tenant.call('POST', '/api/v1/notifications', {
        channel: 'email',
        content: CONTENT.email,
        ...body,
      });
      expect(answer.status).toBe(422);
      return answer.body.errors.map(({ pointer }: Json) => pointer);
    };
    expect(await errorsOf({ topic: 't', recipient_id: 'ann', recipient_address: 'a@example.com' })).toEqual([
      '/recipient_id',
      '/recipient_address',
    ]);
    expect(await errorsOf({ recipient_id: 'ann', exclude: [], spread_over_seconds: 3 })).toEqual([
      '/exclude',
      '/spread_over_seconds',
    ]);
    expect(await errorsOf({ topic: 't', spread_over_seconds: 90_000 })).toEqual(['/spread_over_seconds']);
    expect(await errorsOf({})).toEqual(['/recipient_id']);
  });
});

describe('a paced send', () => {
  it('is paused, keeps out late subscribers and those who left, is resumed, and changes its pace', async () => {
    const members = Array.from({ length: 30 }, (_, index) => `p${String(index).padStart(2, '0')}`);
    const key = await newTopic(members.map((id) => `no-${id}`));
    // One member a second.
    const sent = await sendTo(key, { channel: 'in_app', content: CONTENT.in_app, spread_over_seconds: 30 });
    await until('it has begun', async () => (await tenant.notification(sent.id)).fan_out.expanded > 0);
    const path = `/api/v1/notifications/${sent.id}`;
    const paused = (await tenant.call('POST', `${path}/pause`)).body;
    expect(paused).toMatchObject({ status: 'active', fan_out: { total: 30, state: 'paused' } });
    expect(paused.fan_out.expanded).toBeLessThan(10);
    const { waiting = 0, sent: alreadySent = 0 } = paused.counts;
    expect(waiting + alreadySent).toBe(paused.fan_out.expanded);
    await tenant.call('PUT', `${pathOf(key)}/subscriptions/no-p99`, {});
    await tenant.call('DELETE', `${pathOf(key)}/subscriptions/no-p29`);
    const { body: job } = await tenant.call('PATCH', `/api/v1/jobs/${sent.id}`, { pace_per_second: 1_000 });
    expect(job).toMatchObject({ id: sent.id, kind: 'topic_send', state: 'paused', notification_id: sent.id });
    expect((await tenant.call('POST', `${path}/resume`)).body.fan_out.state).toBe('running');
    expect(await finished(sent.id)).toMatchObject({ status: 'sent', counts: { sent: 29 } });
    expect((await tenant.call('POST', `${path}/pause`)).body.code).toBe('conflict');
    expect((await tenant.call('POST', `/api/v1/jobs/${sent.id}/cancel`)).body.code).toBe('too_late');
    const { body: jobs } = await tenant.call('GET', '/api/v1/jobs?state=finished&kind=topic_send&limit=1');
    expect(jobs.data).toMatchObject([{ id: sent.id, total: 29, done: 29 }]);
  });

  it('is cancelled: the job stops, waiting deliveries are cancelled, none is sent later', async () => {
    const members = Array.from({ length: 40 }, (_, index) => `no-c${String(index).padStart(2, '0')}`);
    const key = await newTopic(members);
    const due = new Date(Date.now() + 3_600_000).toISOString();
    const late = await sendTo(key, { channel: 'in_app', content: CONTENT.in_app, scheduled_at: due });
    expect((await tenant.call('DELETE', `/api/v1/notifications/${late.id}`)).body.fan_out.state).toBe('cancelled');
    expect(await finished(late.id)).toMatchObject({ status: 'cancelled' });

    const sent = await sendTo(key, { channel: 'in_app', content: CONTENT.in_app, spread_over_seconds: 40 });
    await until('it has begun', async () => (await tenant.notification(sent.id)).counts.sent > 0);
    expect((await tenant.call('DELETE', `/api/v1/notifications/${sent.id}`)).status).toBe(200);
    const done = await finished(sent.id);
    expect(done.fan_out.state).toBe('cancelled');
    expect(done.fan_out.expanded).toBeLessThan(20);
    expect((await tenant.call('DELETE', `/api/v1/notifications/${sent.id}`)).body.code).toBe('too_late');
  });
});
