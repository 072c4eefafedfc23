// Frequency caps of recipients and tenants, and quotas of tenants, over HTTP against the real apps.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '#testing';
import { CONTENT, type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

let app: TestEnvironment;
let tenant: Tenant;

beforeAll(async () => {
  app = await startTestEnvironment();
});
afterAll(() => app?.stop());

const THREE_A_DAY = { limit: 3, per: 'day' };
/** Of a test that sends more than the channel allows by default. */
const MANY = { recipient_limits: { email: { limit: 1_000, window_seconds: 60 } } };

async function capped(cap: Record<string, unknown>, of = tenant, recipient = 'ann'): Promise<void> {
  const path = `/api/v1/recipients/${recipient}/preferences`;
  const answer = await of.call('PUT', path, { caps: [cap] });
  expect(answer.status).toBe(200);
}

async function send(channel: 'email' | 'push' | 'in_app', of = tenant, more: Record<string, unknown> = {}) {
  const addresses = { email: 'ann@example.com', push: 'device-of-ann', in_app: undefined };
  const content = { ...CONTENT, push: { title: 'Hello', body: 'Hello there' } }[channel];
  const sent = await of.send({
    recipient_id: 'ann',
    channel,
    content,
    ...(addresses[channel] && { recipient_address: addresses[channel] }),
    ...more,
  });
  return sent.deliveries[0].id as string;
}

/** The delivery once it was decided on. */
async function decided(id: string, of = tenant): Promise<Json> {
  return await until('it is decided', async () => {
    const delivery = await of.delivery(id);
    const isUnderWay = delivery.state === 'sending' || (delivery.state === 'waiting' && delivery.reason === null);
    return !isUnderWay && delivery;
  });
}

const stateOf = async (id: string, of = tenant): Promise<string> => {
  const { state, reason } = await decided(id, of);
  return state === 'waiting' || state === 'suppressed' ? `${state} ${reason}` : state;
};

/** Sends one after the other. */
async function statesOf(channels: ('email' | 'push')[], of = tenant): Promise<string[]> {
  const states: string[] = [];
  for (const channel of channels) states.push(await stateOf(await send(channel, of), of));
  return states;
}

describe('a cap of three a day', () => {
  it('counts e-mail and push of the recipient together, and holds the fourth until the next day', async () => {
    tenant = await app.tenant();
    await capped(THREE_A_DAY);
    expect(await statesOf(['email', 'push', 'email'])).toEqual(['sent', 'sent', 'sent']);
    const fourth = await decided(await send('push'));
    expect(fourth).toMatchObject({ state: 'waiting', reason: 'frequency_cap', attempts: 0 });
    const midnight = new Date();
    midnight.setUTCHours(24, 0, 0, 0);
    expect(Math.abs(Date.parse(fourth.due_at) - midnight.getTime())).toBeLessThan(2_000);
    expect(fourth.timeline.at(-1)).toMatchObject({
      code: 'held',
      reason: 'frequency_cap',
      rule: 'recipient.caps',
      detail: 'at most 3 a day in UTC',
    });
    // An item of the inbox interrupts nobody.
    expect(await stateOf(await send('in_app'))).toBe('sent');
  });

  it('drops the fourth if it says so, or if the category does', async () => {
    tenant = await app.tenant();
    await capped({ ...THREE_A_DAY, on_excess: 'drop' });
    expect(await statesOf(['email', 'push', 'email', 'push'])).toEqual([
      'sent',
      'sent',
      'sent',
      'suppressed frequency_cap',
    ]);
    await capped(THREE_A_DAY);
    await tenant.call('PUT', '/api/v1/categories/news', { name: 'News', on_cap: 'drop' });
    const dropped = await decided(await send('email', tenant, { category: 'news' }));
    expect(dropped).toMatchObject({ state: 'suppressed', reason: 'frequency_cap' });
    await tenant.call('PUT', '/api/v1/categories/alerts', { name: 'Alerts', bypass_caps: true });
    expect(await stateOf(await send('email', tenant, { category: 'alerts' }))).toBe('sent');
  });

  it('of the tenant applies to every recipient, each on its own, and not to another tenant', async () => {
    tenant = await app.tenant({ caps: [{ ...THREE_A_DAY, on_excess: 'drop' }] });
    const other = await app.tenant();
    expect(await statesOf(['email', 'email', 'push', 'push'])).toEqual([
      'sent',
      'sent',
      'sent',
      'suppressed frequency_cap',
    ]);
    expect(await stateOf(await send('email', tenant, { recipient_id: 'bob' }))).toBe('sent');
    expect(await statesOf(['email', 'email', 'push', 'push'], other)).toEqual(['sent', 'sent', 'sent', 'sent']);
  });

  it('gets the place of a failed send back, and a retry takes no second one', async () => {
    tenant = await app.tenant({ retry_schedule_seconds: [0.05, 0.05] });
    await capped({ ...THREE_A_DAY, on_excess: 'drop' });
    const flaky = await send('email', tenant, { recipient_address: 'flaky@simulator.test' });
    await until('it is sent', async () => (await tenant.delivery(flaky)).state === 'sent');
    expect(await stateOf(await send('push'))).toBe('sent');
    const failing = await send('email', tenant, { recipient_address: 'rejected@simulator.test' });
    await until('it has failed', async () => (await tenant.delivery(failing)).state === 'failed');
    await until('the next one is sent', async () => (await stateOf(await send('email'))) === 'sent', 5_000);
    expect(await stateOf(await send('email'))).toBe('suppressed frequency_cap');
  });

  it('gives a place that comes back to the delivery that waits for it', async () => {
    tenant = await app.tenant({ retry_schedule_seconds: [1] });
    await capped({ ...THREE_A_DAY, limit: 1 });
    const failing = await send('email', tenant, { recipient_address: 'down@simulator.test' });
    await until('it is tried again', async () => (await tenant.delivery(failing)).reason === 'retry');
    const waiting = await send('push');
    expect(await stateOf(waiting)).toBe('waiting frequency_cap');
    await until('it has failed', async () => (await tenant.delivery(failing)).state === 'failed');
    await until('the other is sent', async () => (await tenant.delivery(waiting)).state === 'sent');
  });

  it('gets the place of an expired delivery back', async () => {
    tenant = await app.tenant({ retry_schedule_seconds: [60, 60, 60] });
    await capped({ ...THREE_A_DAY, limit: 1, on_excess: 'drop' });
    const expiring = await send('email', tenant, {
      recipient_address: 'down@simulator.test',
      expires_at: new Date(Date.now() + 1_500).toISOString(),
    });
    const ended = await until('it has ended', async () => {
      const delivery = await tenant.delivery(expiring);
      return !['waiting', 'sending'].includes(delivery.state) && delivery;
    });
    expect(ended).toMatchObject({ state: 'expired' });
    await until('the next one is sent', async () => (await stateOf(await send('email'))) === 'sent', 5_000);
  });

  it('moves the fourth to the inbox if it says so, and holds it if it has no content for the inbox', async () => {
    tenant = await app.tenant();
    await capped({ ...THREE_A_DAY, on_excess: 'downgrade' });
    expect(await statesOf(['email', 'push', 'email'])).toEqual(['sent', 'sent', 'sent']);
    const fourth = await decided(await send('email'));
    expect(fourth).toMatchObject({ state: 'suppressed', reason: 'frequency_cap' });
    const all = await until('it is in the inbox', async () => {
      const { deliveries } = await tenant.notification(fourth.notification_id);
      return deliveries.some(({ state }: Json) => state === 'sent') && deliveries;
    });
    expect(all.map(({ channel, state }: Json) => `${channel} ${state}`).sort()).toEqual([
      'email suppressed',
      'in_app sent',
    ]);
    const html = { subject: 'Hello', html: '<p>Hello</p>' };
    expect(await stateOf(await send('email', tenant, { content: html }))).toBe('waiting frequency_cap');
  });

  it('that is raised sends what it held', async () => {
    tenant = await app.tenant();
    await capped({ ...THREE_A_DAY, limit: 1 });
    await decided(await send('email'));
    const second = await send('email');
    expect(await stateOf(second)).toBe('waiting frequency_cap');
    await capped({ ...THREE_A_DAY, limit: 2 });
    await until('it is sent', async () => (await tenant.delivery(second)).state === 'sent', 20_000);
  });

  it('gets the place of a cancelled delivery back', async () => {
    tenant = await app.tenant({ retry_schedule_seconds: [60] });
    await capped({ ...THREE_A_DAY, limit: 1 });
    const retrying = await send('email', tenant, { recipient_address: 'down@simulator.test' });
    await until('it is tried again', async () => (await tenant.delivery(retrying)).reason === 'retry');
    const [first, second] = [await send('push'), await send('push')];
    expect(await stateOf(first)).toBe('waiting frequency_cap');
    expect(await stateOf(second)).toBe('waiting frequency_cap');
    const cancel = async (id: string) =>
      tenant.call('DELETE', `/api/v1/notifications/${(await tenant.delivery(id)).notification_id}`);
    expect((await cancel(first)).status).toBe(200);
    expect((await cancel(retrying)).status).toBe(200);
    await until('the one that waits is sent', async () => (await tenant.delivery(second)).state === 'sent');
  });

  it('is never exceeded by 20 parallel sends through several workers', async () => {
    tenant = await app.tenant({ ...MANY, caps: [{ limit: 3, window_seconds: 3_600 }] });
    const workers = [await app.startWorker(), await app.startWorker()];
    const ids = await Promise.all(Array.from({ length: 20 }, (_, index) => send(index % 2 ? 'email' : 'push')));
    // The Redis limiter first waits for sends of a tenant that it does not know.
    const farAway = () => Date.now() + 60_000;
    const states = await until('each is sent or has its turn', async () => {
      const deliveries: Json[] = await Promise.all(ids.map((id) => tenant.delivery(id)));
      const isDecided = ({ state, due_at: due }: Json) => state === 'sent' || Date.parse(due) > farAway();
      return deliveries.every(isDecided) && deliveries.map(({ state, reason }) => `${state} ${reason}`);
    });
    expect(states.filter((state) => state === 'sent null')).toHaveLength(3);
    expect(states.filter((state) => state === 'waiting frequency_cap')).toHaveLength(17);
    for (const worker of workers) await worker.stop();
  });
});

describe('a quota', () => {
  it('holds deliveries until the next day, warns at 80 and 100 percent, and does not concern other tenants', async () => {
    const limited = await app.tenant({ ...MANY, deliveries_per_day: 5, deliveries_per_month: 1_000 });
    const other = await app.tenant(MANY);
    await limited.call('POST', '/api/v1/webhooks', { url: 'https://example.com/hook', events: ['quota.warning'] });
    tenant = limited;
    const failing = await send('email', limited, { recipient_address: 'rejected@simulator.test' });
    await until('it has failed', async () => (await limited.delivery(failing)).state === 'failed');
    const day = async () => (await limited.call('GET', '/api/v1/quota')).body.day;
    await until('it was given back', async () => (await day()).used === 0);
    const states: string[] = [];
    for (let sent = 0; sent < 7; sent += 1) states.push(await stateOf(await send('email')));
    expect(states).toEqual([...Array(5).fill('sent'), 'waiting quota', 'waiting quota']);
    expect(await day()).toMatchObject({ allowed: 5, used: 5, remaining: 0, ends_at: expect.any(String) });
    expect((await limited.call('GET', '/api/v1/quota')).body.month).toMatchObject({ used: 5, remaining: 995 });
    expect((await other.call('GET', '/api/v1/quota')).body).toEqual({ day: null, month: null });
    expect(await stateOf(await send('email', other), other)).toBe('sent');
    const { rows } = await app.sql.query(
      `select data->>'percent' as percent, data->>'used' as used from events
       where tenant_id = $1 and type = 'quota.warning' order by seq`,
      [limited.id],
    );
    expect(rows).toEqual([
      { percent: '80', used: '4' },
      { percent: '100', used: '5' },
    ]);
    const shown = await app.operator('GET', `/internal/tenants/${limited.id}`);
    expect(shown.body.quota.day).toMatchObject({ allowed: 5, used: 5, remaining: 0 });
    await app.operator('PATCH', `/internal/tenants/${limited.id}`, { settings: { deliveries_per_day: 8 } });
    await until('all are sent', async () => (await day()).used === 7, 20_000);
  });
});
