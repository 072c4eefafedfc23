// Places in frequency caps and quotas that come back, and turns that become earlier, over HTTP against the real apps.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startSmtpSink, until } from '#testing';
import { CONTENT, type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

/** The number of connections of an SMTP account. */
const CONNECTIONS = 5;
const HOUR_MS = 3_600_000;
const RETRY_LATER = { retry_schedule_seconds: [600] };
const open: (() => Promise<unknown>)[] = [];
let app: TestEnvironment;
let tenant: Tenant;

beforeAll(async () => {
  // A provider has five seconds to answer.
  app = await startTestEnvironment({ environment: { LEASE_SECONDS: '15' } });
});
afterAll(() => app?.stop());
beforeEach(async () => {
  tenant = await app.tenant({ deliveries_per_day: 100, ...RETRY_LATER });
});
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function capped(...caps: Json[]): Promise<void> {
  expect((await tenant.call('PUT', '/api/v1/recipients/ann/preferences', { caps })).status).toBe(200);
}

async function send(channel: 'email' | 'push', more: Record<string, unknown> = {}): Promise<string> {
  const content = { ...CONTENT, push: { title: 'Hello', body: 'Hello there' } }[channel];
  const address = channel === 'push' ? 'device-of-ann' : 'ann@example.com';
  const sent = await tenant.send({ recipient_id: 'ann', channel, content, recipient_address: address, ...more });
  return sent.deliveries[0].id;
}

const reached = async (id: string, wanted: { state: string; reason?: string }, timeoutMs = 20_000): Promise<Json> =>
  await until(
    `it is ${Object.values(wanted).join(' ')}`,
    async () => {
      const delivery = await tenant.delivery(id);
      const { state, reason = delivery.reason } = wanted;
      return delivery.state === state && delivery.reason === reason && delivery;
    },
    timeoutMs,
  );

/** Holds a place of its recipient until it is cancelled. */
async function retrying(more: Record<string, unknown> = {}): Promise<string> {
  const id = await send('email', { recipient_address: 'down@simulator.test', ...more });
  await reached(id, { state: 'waiting', reason: 'retry' });
  return id;
}

const waiting = async (more: Record<string, unknown> = {}): Promise<string> => {
  const id = await send('push', more);
  await reached(id, { state: 'waiting', reason: 'frequency_cap' });
  return id;
};

async function cancel(id: string): Promise<void> {
  const { notification_id: notification } = await tenant.delivery(id);
  expect((await tenant.call('DELETE', `/api/v1/notifications/${notification}`)).status).toBe(200);
}

const used = async (): Promise<number> => (await tenant.call('GET', '/api/v1/quota')).body.day.used;
const hoursUntilDue = async (id: string): Promise<number> =>
  (Date.parse((await tenant.delivery(id)).due_at) - Date.now()) / HOUR_MS;

/** It may be decided again meanwhile, because of a change before it: it is then due at once for a moment. */
const untilDueIn = async (hours: number, id: string): Promise<unknown> =>
  await until(`it is due in ${hours} hours`, async () => Math.round(await hoursUntilDue(id)) === hours);

const ONE_AN_HOUR = { limit: 1, window_seconds: 3_600 };

describe('a cancelled delivery', () => {
  it('that waits for a connection to the provider gives back its place and its count', async () => {
    const sink = await startSmtpSink();
    open.push(() => sink.close());
    const credentials = { host: '127.0.0.1', port: sink.port, tls: 'none', from: 'Carillon <carillon@example.com>' };
    await tenant.call('POST', '/api/v1/provider-accounts', { name: 'SMTP', provider: 'smtp', credentials });
    sink.answerData('hang');
    for (let sent = 0; sent < CONNECTIONS; sent += 1)
      await send('email', { recipient_id: `r${sent}`, recipient_address: `r${sent}@example.com` });
    await until('all connections are busy', () => sink.log.length === CONNECTIONS);
    await capped({ ...ONE_AN_HOUR, on_excess: 'drop' });
    const unsent = await send('email');
    await until('it has its place', async () => (await used()) === CONNECTIONS + 1);
    await cancel(unsent);
    await reached(await send('push'), { state: 'sent' }, 2_000);
    // Its own count comes back when the wait for a connection ends.
    await until('the count is right', async () => (await used()) === CONNECTIONS + 1, 20_000);
    expect(sink.log).toHaveLength(CONNECTIONS);
  }, 40_000);

  it('of a send to a topic gives back its place and its count', async () => {
    await capped({ ...ONE_AN_HOUR, channel: 'email' });
    await tenant.call('PUT', '/api/v1/topics/news', { name: 'News' });
    await tenant.call('PUT', '/api/v1/recipients/ann', { email: 'down@simulator.test' });
    await tenant.call('PUT', '/api/v1/topics/news/subscriptions/ann', {});
    const topic = await tenant.send({ topic: 'news', channel: 'email', content: CONTENT.email });
    const first = await until('it has a delivery', async () => {
      const { body } = await tenant.call('GET', `/api/v1/notifications/${topic.id}/deliveries`);
      return body.data[0];
    });
    await reached(first.id, { state: 'waiting', reason: 'retry' });
    const next = await send('email');
    await reached(next, { state: 'waiting', reason: 'frequency_cap' });
    expect(await used()).toBe(1);
    expect((await tenant.call('DELETE', `/api/v1/notifications/${topic.id}`)).status).toBe(200);
    await reached(next, { state: 'sent' });
    expect(await used()).toBe(1);
  });

  it('gives its turn to those behind it', async () => {
    await capped(ONE_AN_HOUR);
    await reached(await send('push'), { state: 'sent' });
    const [second, third, fourth] = [await waiting(), await waiting(), await waiting()];
    await untilDueIn(3, fourth);
    await cancel(second);
    await untilDueIn(1, third);
    await untilDueIn(2, fourth);
  });
});

describe('a delivery with a turn', () => {
  it('that quiet hours hold gives its turn to those behind it', async () => {
    await tenant.call('PUT', '/api/v1/categories/urgent', { name: 'Urgent', bypass_quiet_hours: true });
    await capped(ONE_AN_HOUR);
    await reached(await send('push'), { state: 'sent' });
    const usual = await waiting();
    const urgent = await waiting({ category: 'urgent' });
    await untilDueIn(2, urgent);
    const now = Date.now();
    const clock = (ms: number): string => new Date(ms).toISOString().slice(11, 16);
    const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
    const quiet = { windows: [{ days, from: clock(now - HOUR_MS), to: clock(now + 10 * HOUR_MS) }] };
    const preferences = { caps: [ONE_AN_HOUR], quiet_hours: quiet };
    const answer = await tenant.call('PUT', '/api/v1/recipients/ann/preferences', preferences);
    expect([answer.status, answer.body.errors]).toEqual([200, undefined]);
    await reached(usual, { state: 'waiting', reason: 'quiet_hours' });
    await untilDueIn(1, urgent);
    // It has no turn that the cancellation would have to give back, and no place that it would take.
    await cancel(usual);
    await untilDueIn(1, urgent);
  });

  it('is sent when its category passes caps from now on, or when the cap is removed', async () => {
    await tenant.call('PUT', '/api/v1/categories/news', { name: 'News' });
    await capped(ONE_AN_HOUR);
    await reached(await send('push'), { state: 'sent' });
    const [usual, news] = [await waiting(), await waiting({ category: 'news' })];
    await tenant.call('PUT', '/api/v1/categories/news', { name: 'News', bypass_caps: true });
    await reached(news, { state: 'sent' });
    expect((await tenant.delivery(usual)).state).toBe('waiting');
    await capped();
    await reached(usual, { state: 'sent' });
  });

  it('leaves no later than a raised cap allows, in the order of the refusals', async () => {
    await capped(ONE_AN_HOUR);
    await reached(await send('push'), { state: 'sent' });
    const ids: string[] = [];
    for (let refused = 0; refused < 5; refused += 1) ids.push(await waiting());
    await capped({ ...ONE_AN_HOUR, limit: 2 });
    await reached(ids[0]!, { state: 'sent' });
    await until('all have their turns', async () => {
      const hours = await Promise.all(ids.slice(1).map(hoursUntilDue));
      return JSON.stringify(hours.map(Math.round)) === '[1,1,2,2]';
    });
  });

  it('is sent when the place of a delivery that the tenant cancels comes back', async () => {
    await capped(ONE_AN_HOUR);
    const first = await retrying();
    const second = await waiting();
    await cancel(first);
    await reached(second, { state: 'sent' });
    expect(await used()).toBe(1);
  });
});

describe('a delivery that the quota holds', () => {
  it('gives its place in caps to one that waits, and other tenants have caps and counts of their own', async () => {
    tenant = await app.tenant({ deliveries_per_day: 1, ...RETRY_LATER });
    await capped({ ...ONE_AN_HOUR, channel: 'email' });
    await reached(await send('push'), { state: 'sent' });
    const [first, second] = await Promise.all([send('email'), send('email')]);
    await reached(first, { state: 'waiting', reason: 'quota' });
    await reached(second, { state: 'waiting', reason: 'quota' });
    tenant = await app.tenant();
    await reached(await send('email'), { state: 'sent' });
  });
});
