// Recurring sends over HTTP, fired by a worker.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '#testing';
import {
  CONTENT,
  http,
  type Json,
  startTestEnvironment,
  type Tenant,
  type TestEnvironment,
} from './test-environment.js';

const PATH = '/api/v1/schedules';

let app: TestEnvironment;
let tenant: Tenant;

beforeAll(async () => {
  app = await startTestEnvironment();
  tenant = await app.tenant();
  await tenant.call('PUT', '/api/v1/recipients/in-sydney', { timezone: 'Australia/Sydney' });
});
afterAll(() => app?.stop());

/** Each occurrence is one of 17,280 times. */
const ALL_MINUTES = `FREQ=YEARLY;BYMONTH=${numbers(1, 12)};BYHOUR=${numbers(0, 23)};BYMINUTE=${numbers(0, 59)};BYSETPOS=366`;
function numbers(first: number, last: number): string {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index).join(',');
}

const toAnn = { recipient_id: 'ann', channel: 'in_app', content: CONTENT.in_app };
const daily = (more: Json = {}): Json => ({
  rrule: 'FREQ=DAILY;BYHOUR=9;BYMINUTE=0',
  timezone: 'Europe/Paris',
  notification: toAnn,
  ...more,
});

async function create(body: Json, whose = tenant): Promise<Json> {
  const answer = await whose.call('POST', PATH, body);
  expect([answer.status, answer.body.errors]).toEqual([201, undefined]);
  expect(answer.headers.get('location')).toBe(`${PATH}/${answer.body.id}`);
  return answer.body;
}
const get = async (id: string): Promise<Json> => (await tenant.call('GET', `${PATH}/${id}`)).body;

/** Makes the next occurrence due, this many seconds ago. */
async function makeDue(id: string, secondsAgo = 0): Promise<void> {
  await app.sql.query(
    `update schedules set next_at = date_trunc('milliseconds', now()) - make_interval(secs => $2),
       next_local = to_char(now() - make_interval(secs => $2), 'YYYY-MM-DD"T"HH24:MI:SS')
     where id = $1`,
    [id, secondsAgo],
  );
}

const notificationsOf = async (id: string): Promise<Json[]> =>
  (
    await app.sql.query(
      `select n.id, n.recipient_id, n.topic from idempotency_keys k
       join notifications n on n.tenant_id = k.tenant_id and n.id = k.notification_id
       where k.key like 'schedule:' || $1 || ':%' order by n.id`,
      [id],
    )
  ).rows;

describe('a schedule', () => {
  it('answers with its next ten times, can be read, listed, changed, paused, resumed and deleted', async () => {
    const made = await create(daily({ exdates: ['2027-07-14'], misfire: 'skip' }));
    expect(made).toMatchObject({ state: 'active', misfire: 'skip', failures: 0, last_error: null });
    expect(made.next).toHaveLength(10);
    for (const time of made.next) expect(time).toMatch(/^\d{4}-\d\d-\d\dT0[78]:00:00\.000Z$/);
    expect(await get(made.id)).toEqual(made);
    expect((await tenant.call('GET', `${PATH}?limit=1`)).body.data).toEqual([{ ...made, next: made.next.slice(0, 1) }]);

    const change = { rrule: 'FREQ=WEEKLY;BYDAY=MO;BYHOUR=10', notification: { type: 'weekly', priority: 1 } };
    const changed = (await tenant.call('PATCH', `${PATH}/${made.id}`, change)).body;
    expect(changed).toMatchObject({ rrule: change.rrule, exdates: made.exdates, timezone: 'Europe/Paris' });
    expect(changed.notification).toMatchObject({ ...toAnn, type: 'weekly', priority: 1 });
    expect(changed.next.every((time: string) => new Date(time).getUTCDay() === 1)).toBe(true);

    const paused = await tenant.call('POST', `${PATH}/${made.id}/pause`);
    expect(paused.body).toMatchObject({ state: 'paused', next: [] });
    expect((await tenant.call('PATCH', `${PATH}/${made.id}`, { misfire: 'fire_once' })).body.state).toBe('paused');
    const resumed = await tenant.call('POST', `${PATH}/${made.id}/resume`);
    expect(resumed.body).toMatchObject({ state: 'active', next: changed.next });

    expect((await tenant.call('DELETE', `${PATH}/${made.id}`)).status).toBe(204);
    expect((await tenant.call('GET', `${PATH}/${made.id}`)).status).toBe(404);
    expect((await tenant.call('DELETE', `${PATH}/${made.id}`)).status).toBe(404);
  });

  it('needs a key that may send; other keys with its scope can pause and delete it', async () => {
    const key = await app.operator('POST', `/internal/tenants/${tenant.id}/api-keys`, {
      name: 'schedules only',
      scopes: ['schedules:write', 'schedules:read'],
    });
    const status = async (method: string, path: string, body?: Json): Promise<unknown> => {
      const headers = { 'X-API-Key': key.body.api_key };
      const answer = await http(app.url, method, path, { headers, body });
      return answer.status === 403 ? answer.body.detail : answer.status;
    };
    const { id } = await create(daily());
    const refused = expect.stringContaining('notifications:write');
    expect(await status('POST', PATH, daily())).toEqual(refused);
    expect(await status('PATCH', `${PATH}/${id}`, { rrule: 'FREQ=MINUTELY' })).toEqual(refused);
    expect(await status('POST', `${PATH}/${id}/pause`)).toBe(200);
    expect(await status('POST', `${PATH}/${id}/resume`)).toEqual(refused);
    expect(await get(id)).toMatchObject({ state: 'paused', rrule: daily().rrule });
    expect(await status('DELETE', `${PATH}/${id}`)).toBe(204);
  });

  it('in the zone of the recipient shows local times', async () => {
    const made = await create(daily({ timezone: 'recipient', notification: { ...toAnn, recipient_id: 'in-sydney' } }));
    expect(made.next).toHaveLength(10);
    for (const time of made.next) expect(time).toMatch(/^\d{4}-\d\d-\d\dT09:00:00$/);
    const { rows } = await app.sql.query('select next_at from schedules where id = $1', [made.id]);
    expect([22, 23]).toContain(rows[0].next_at.getUTCHours());
  });

  it.each([
    ['a rule that fires each second', { rrule: 'FREQ=SECONDLY' }, '/rrule', 'invalid'],
    ['a rule that is none', { rrule: 'every day' }, '/rrule', 'invalid'],
    ['a rule that chooses from all minutes', { rrule: ALL_MINUTES }, '/rrule', 'invalid'],
    ['a day that never comes', { rrule: 'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30' }, '/rrule', 'too_costly'],
    ['a rule that has ended', { rrule: 'FREQ=DAILY;UNTIL=20200101' }, '/rrule', 'no_occurrence'],
    ['an unknown zone', { timezone: 'Europe/Atlantis' }, '/timezone', undefined],
    ['a start with an offset', { starts_at_local: '2026-12-01T09:00:00Z' }, '/starts_at_local', undefined],
    ['an unknown misfire policy', { misfire: 'all' }, '/misfire', undefined],
    ['an unknown field', { every: 'day' }, '/every', 'unknown_field'],
    [
      'a time of the send',
      { notification: { ...toAnn, scheduled_at: '2026-12-24T09:00:00Z' } },
      '/notification/scheduled_at',
      'unknown_field',
    ],
    [
      'an unknown template',
      { notification: { recipient_id: 'ann', channel: 'in_app', template_id: 'missing' } },
      '/notification/template_id',
      'unknown_template',
    ],
    [
      'a content with a bad template',
      { notification: { ...toAnn, content: { title: '{{#if}', body: 'x' } } },
      '/notification/content/title',
      undefined,
    ],
    [
      'a recipient without an address',
      { notification: { recipient_id: 'nobody', channel: 'email', content: CONTENT.email } },
      '/notification/recipient_id',
      'no_address',
    ],
    [
      'an unknown topic',
      { notification: { topic: 'missing', channel: 'in_app', content: CONTENT.in_app } },
      '/notification/topic',
      'unknown_topic',
    ],
  ])('is refused with %s', async (_, more, pointer, code) => {
    const { status, body } = await tenant.call('POST', PATH, daily(more));
    expect(status).toBe(422);
    expect(body.errors[0]).toMatchObject({ pointer, ...(code !== undefined && { code }) });
  });

  it('with a COUNT is finished after its last occurrence', async () => {
    const made = await create(daily({ rrule: 'FREQ=DAILY;COUNT=2', starts_at_local: '2026-12-31T09:00:00' }));
    expect(made.next).toHaveLength(2);
    await app.sql.query(
      `update schedules set next_local = last_local, next_at = date_trunc('milliseconds', now()) where id = $1`,
      [made.id],
    );
    await until('it is finished', async () => (await get(made.id)).state === 'finished');
    expect(await get(made.id)).toMatchObject({ next: [], failures: 0 });
    expect(await notificationsOf(made.id)).toHaveLength(1);
    expect((await tenant.call('POST', `${PATH}/${made.id}/pause`)).status).toBe(409);
  });
});

describe('an occurrence', () => {
  it('is sent once, as a send of that moment, and the next one follows', async () => {
    const made = await create(daily({ notification: { ...toAnn, metadata: { from: 'schedule' } } }));
    await makeDue(made.id);
    const fired = await until('it is fired', async () => {
      const schedule = await get(made.id);
      return schedule.last_notification_id && schedule;
    });
    expect(fired.next).toEqual(made.next);
    expect(fired.last_missed_at).toBeNull();
    const sent = await until('it is sent', async () => {
      const notification = await tenant.notification(fired.last_notification_id);
      return notification.status === 'sent' && notification;
    });
    expect(sent).toMatchObject({ recipient_id: 'ann', metadata: { from: 'schedule' }, channels: ['in_app'] });
    expect(await notificationsOf(made.id)).toHaveLength(1);
  });

  it('is sent to the subscribers of a topic', async () => {
    await tenant.call('PUT', '/api/v1/topics/weekly', { name: 'Weekly' });
    await tenant.call('POST', '/api/v1/topics/weekly/subscriptions', { recipient_ids: ['bob', 'eve'] });
    const made = await create(daily({ notification: { topic: 'weekly', channel: 'in_app', content: CONTENT.in_app } }));
    await makeDue(made.id);
    const id = await until('it is fired', async () => (await get(made.id)).last_notification_id);
    await until('it is sent to both', async () => (await tenant.notification(id)).counts.sent === 2);
    expect(await notificationsOf(made.id)).toEqual([{ id, recipient_id: null, topic: 'weekly' }]);
  });

  it("is sent to the subscribers of a topic at each one's local time", async () => {
    await tenant.call('PUT', '/api/v1/recipients/first', { timezone: 'Pacific/Kiritimati' });
    await tenant.call('PUT', '/api/v1/topics/zones', { name: 'Zones' });
    await tenant.call('POST', '/api/v1/topics/zones/subscriptions', { recipient_ids: ['first', 'in-utc'] });
    const notification = { topic: 'zones', channel: 'in_app', content: CONTENT.in_app };
    const made = await create(daily({ timezone: 'recipient', notification }));
    expect(made.next[0]).toMatch(/T09:00:00$/);
    // Clocks in the first zone of the world, 14 hours ahead of UTC, have shown this time two seconds ago.
    const local = new Date(Date.now() + 14 * 3_600_000 - 2_000).toISOString().slice(0, 19);
    await app.sql.query('update schedules set next_local = $2, next_at = $3 where id = $1', [
      made.id,
      local,
      new Date(Date.parse(`${local}Z`) - 14 * 3_600_000),
    ]);
    const id = await until('it is fired', async () => (await get(made.id)).last_notification_id);
    const sent = await until('the first has it', async () => {
      const found = await tenant.notification(id);
      return found.counts.sent === 1 && found;
    });
    const waiting = sent.deliveries.find(({ recipient_id: recipient }: Json) => recipient === 'in-utc');
    expect(waiting).toMatchObject({ state: 'waiting', reason: 'scheduled', due_at: `${local}.000Z` });
  });

  it('that is missed is fired once, or skipped', async () => {
    // Half an hour away, so that none is in time.
    const minute = (new Date().getUTCMinutes() + 30) % 60;
    const hourly = { rrule: `FREQ=HOURLY;BYMINUTE=${minute}`, timezone: 'UTC' };
    const once = await create(daily(hourly));
    const skipped = await create(daily({ ...hourly, misfire: 'skip' }));
    for (const { id } of [once, skipped]) await makeDue(id, 5 * 3_600);
    const seen = await until('both are decided', async () => {
      const both = await Promise.all([get(once.id), get(skipped.id)]);
      return both.every(({ last_missed_at: missed }) => missed !== null) && both;
    });
    expect(seen.map(({ next }) => Date.parse(next[0]) > Date.now())).toEqual([true, true]);
    expect(await notificationsOf(once.id)).toHaveLength(1);
    expect(await notificationsOf(skipped.id)).toHaveLength(0);
  });

  it('that cannot be fired leaves its error; after ten in a row the schedule is paused', async () => {
    const template = { key: 'short-lived', channel: 'in_app', content: CONTENT.in_app };
    const { body } = await tenant.call('POST', '/api/v1/templates', template);
    const made = await create(
      daily({ notification: { recipient_id: 'ann', channel: 'in_app', template_id: 'short-lived' } }),
    );
    await tenant.call('DELETE', `/api/v1/templates/${body.id}`);
    await makeDue(made.id);
    const failed = await until('it has failed', async () => {
      const schedule = await get(made.id);
      return schedule.failures === 1 && schedule;
    });
    expect(failed).toMatchObject({ state: 'active', last_fired_at: null, next: made.next });
    expect(failed.last_error).toMatchObject({
      code: 'unknown_template',
      message: 'there is no template "short-lived" for in_app',
    });
    await app.sql.query('update schedules set failures = 9 where id = $1', [made.id]);
    await makeDue(made.id);
    await until('it is paused', async () => (await get(made.id)).state === 'paused');
    expect(await get(made.id)).toMatchObject({ failures: 10, next: [], last_error: { code: 'unknown_template' } });
    await tenant.call('POST', '/api/v1/templates', template);
    expect((await tenant.call('POST', `${PATH}/${made.id}/resume`)).body).toMatchObject({
      state: 'active',
      failures: 0,
    });
    await makeDue(made.id);
    await until('it is fired', async () => (await get(made.id)).last_notification_id !== null);
  });

  it('is not fired while the schedule is paused', async () => {
    const made = await create(daily());
    await tenant.call('POST', `${PATH}/${made.id}/pause`);
    const other = await create(daily());
    await makeDue(other.id);
    await until('the other is fired', async () => (await get(other.id)).last_notification_id !== null);
    expect(await notificationsOf(made.id)).toHaveLength(0);
  });
});

describe('a stored rule that is refused now', () => {
  const refused = 'FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=1,2,3,4,5,6,7;BYMINUTE=0,10,20,30,40,50;BYSETPOS=1';
  const rule_error = 'BYSETPOS chooses from 1050 times, at most 1000; shorten the lists';

  it('can be read, pauses the schedule with an error, and can be corrected', async () => {
    const made = await create(daily());
    expect(made.rule_error).toBeNull();
    await app.sql.query('update schedules set rrule = $2 where id = $1', [made.id, refused]);
    expect(await get(made.id)).toMatchObject({ state: 'active', rrule: refused, rule_error, next: [] });
    const { body } = await tenant.call('GET', PATH);
    expect(body.data.find(({ id }: Json) => id === made.id)).toMatchObject({ rule_error, next: [] });

    await makeDue(made.id);
    const paused = await until('it is paused', async () => {
      const schedule = await get(made.id);
      return schedule.state === 'paused' && schedule;
    });
    const message = `rrule ${rule_error}; change rrule and resume`;
    expect(paused).toMatchObject({ failures: 1, last_fired_at: null, last_error: { code: 'invalid_rule', message } });
    const resumed = await tenant.call('POST', `${PATH}/${made.id}/resume`);
    expect([resumed.status, resumed.body.detail]).toEqual([409, expect.stringContaining(rule_error)]);

    const untouched = await tenant.call('PATCH', `${PATH}/${made.id}`, { exdates: [] });
    expect([untouched.status, untouched.body.errors[0].pointer]).toEqual([422, '/rrule']);
    const corrected = await tenant.call('PATCH', `${PATH}/${made.id}`, { rrule: 'FREQ=DAILY' });
    expect([corrected.status, corrected.body]).toMatchObject([200, { rule_error: null, last_error: null }]);
    expect((await tenant.call('POST', `${PATH}/${made.id}/resume`)).body).toMatchObject({ state: 'active' });
  });
});
