// Names such as "PST" are refused; an earlier version stored them, so profiles and settings may have them.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '#testing';
import { CONTENT, type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

let app: TestEnvironment;
let tenant: Tenant;
let other: Tenant;

beforeAll(async () => {
  app = await startTestEnvironment();
  tenant = await app.tenant();
  other = await app.tenant();
  await tenant.call('PUT', '/api/v1/recipients/ann', { timezone: 'Europe/Paris', email: 'ann@example.com' });
  await app.sql.query(`update recipients set timezone = 'PST' where tenant_id = $1 and id = 'ann'`, [tenant.id]);
});
afterAll(() => app?.stop());

const toAnn = { recipient_id: 'ann', channel: 'in_app', content: CONTENT.in_app };
const windows = [{ days: ['mon'], from: '22:00', to: '23:00' }];

describe('a name that is no zone of IANA', () => {
  it.each<[string, string, string, Json]>([
    ['PUT', '/api/v1/recipients/bob', '/timezone', { timezone: 'PST' }],
    ['POST', '/api/v1/notifications', '/recipient/timezone', { ...toAnn, recipient_id: undefined }],
    [
      'PUT',
      '/api/v1/recipients/bob/preferences',
      '/quiet_hours/timezone',
      { quiet_hours: { windows, timezone: 'PST' } },
    ],
    ['POST', '/api/v1/schedules', '/timezone', { rrule: 'FREQ=DAILY', timezone: 'PST', notification: toAnn }],
  ])('is refused by %s %s', async (method, path, pointer, body) => {
    const sent = pointer === '/recipient/timezone' ? { ...body, recipient: { id: 'bob', timezone: 'PST' } } : body;
    const answer = await tenant.call(method, path, sent);
    expect([answer.status, answer.body.errors?.map((error: Json) => error.pointer)]).toEqual([422, [pointer]]);
    expect(answer.body.errors[0].message).toMatch(/IANA time zone like "Europe\/Paris".*"PST"/);
  });

  it('is refused in the settings of a tenant', async () => {
    const answer = await app.operator('PATCH', `/internal/tenants/${tenant.id}`, { settings: { timezone: 'JST' } });
    expect([answer.status, answer.body.errors[0].pointer]).toEqual([422, '/settings/timezone']);
  });
});

describe('a stored name that is no zone of IANA', () => {
  it('does not stop the schedules of anybody', async () => {
    const schedule = { rrule: 'FREQ=YEARLY', timezone: 'recipient', notification: toAnn };
    const made = [
      await tenant.call('POST', '/api/v1/schedules', schedule),
      await other.call('POST', '/api/v1/schedules', { ...schedule, timezone: 'UTC' }),
    ];
    expect(made.map(({ status }) => status)).toEqual([201, 201]);
    await app.sql.query(
      `update schedules set next_at = now(), next_local = to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS')`,
    );
    await until('both are fired', async () => {
      const { rows } = await app.sql.query('select from schedules where last_fired_at is not null');
      return rows.length === 2;
    });
  });

  it('counts caps in the zone of the tenant, else in UTC', async () => {
    await tenant.call('PUT', '/api/v1/recipients/ann/preferences', {
      caps: [{ limit: 3, per: 'day', on_excess: 'hold' }],
    });
    const sent = await tenant.send({ recipient_id: 'ann', channel: 'email', content: CONTENT.email });
    await until('it is sent', async () => (await tenant.notification(sent.id)).status === 'sent');
  });

  it('makes a local time one of the tenant, else of UTC, for one recipient and for the members of a topic', async () => {
    const local = new Date(Date.now() + 13 * 3_600_000).toISOString().slice(0, 19);
    const at = new Date(`${local}Z`).toISOString();
    const single = await tenant.send({ ...toAnn, scheduled_at_local: local });
    expect(single.scheduled_at).toBe(at);
    await tenant.call('PUT', '/api/v1/topics/all', { name: 'All' });
    await tenant.call('POST', '/api/v1/topics/all/subscriptions', { recipient_ids: ['ann', 'bob'] });
    const { channel, content } = toAnn;
    const { id } = await tenant.send({ topic: 'all', channel, content, scheduled_at_local: local });
    await until('it is expanded', async () => (await tenant.notification(id)).fan_out.state === 'finished');
    const { body } = await tenant.call('GET', `/api/v1/notifications/${id}/deliveries`);
    expect(body.data.map((delivery: Json) => delivery.due_at)).toEqual([at, at]);
  });

  it('counts quotas in UTC', async () => {
    const third = await app.tenant({ deliveries_per_day: 10 });
    await app.sql.query(`update tenants set settings = settings || '{"timezone": "CST"}' where id = $1`, [third.id]);
    expect((await third.call('GET', '/api/v1/quota')).status).toBe(200);
    const { id } = await third.send(toAnn);
    await until('it is sent', async () => (await third.notification(id)).status === 'sent');
  });
});
