// Quiet hours from the API to the outcome. Windows are made around the present time; only one test waits for an end.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '#domain';
import { until } from '#testing';
import { CONTENT, type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const NUMBER = '+33612345678';

let app: TestEnvironment;
let tenant: Tenant;
let ann: string;

beforeAll(async () => {
  app = await startTestEnvironment();
  tenant = await app.tenant({ quiet_hours_spread_seconds: 0 });
});
afterAll(() => app?.stop());
beforeEach(() => {
  ann = newId();
});

const clock = (time: number): string => new Date(time).toISOString().slice(11, 16);
/** Quiet from some time before now to `end`, each day. */
const quietUntil = (end: number): Json => ({
  windows: [{ days: DAYS, from: clock(Date.now() - 2 * HOUR), to: clock(end) }],
});
const quietNow = (): Json => quietUntil(Date.now() + 3 * HOUR);
const setHours = async (quietHours: Json, more: Json = {}): Promise<void> => {
  const body = { quiet_hours: quietHours, ...more };
  expect((await tenant.call('PUT', `/api/v1/recipients/${ann}/preferences`, body)).status).toBe(200);
};
const sms = (more: Json = {}): Json => ({
  recipient_id: ann,
  channel: 'sms',
  recipient_address: NUMBER,
  content: CONTENT.sms,
  ...more,
});
const send = async (more: Json = {}): Promise<string> => (await tenant.send(sms(more))).deliveries[0].id;
const reached = (id: string, state: string, from = tenant, limitMs = 10_000): Promise<Json> =>
  until(
    `the delivery is ${state}`,
    async () => {
      const found = await from.delivery(id);
      return found.state === state && found;
    },
    limitMs,
  );
const held = (id: string, from = tenant): Promise<Json> =>
  until('the delivery is held for quiet hours', async () => {
    const found = await from.delivery(id);
    return found.reason === 'quiet_hours' && found.state === 'waiting' && found;
  });
const category = async (policy: Json): Promise<string> => {
  const key = `category-${newId()}`;
  expect((await tenant.call('PUT', `/api/v1/categories/${key}`, { name: key, ...policy })).status).toBe(201);
  return key;
};

it('a held SMS leaves at the end of its window, and never inside', async () => {
  // At least ten seconds ahead.
  const end = Math.ceil((Date.now() + 10_000) / MINUTE) * MINUTE;
  await setHours(quietUntil(end));
  const id = await send();
  const waiting = await held(id);
  expect(Date.parse(waiting.due_at)).toBeGreaterThanOrEqual(end);
  expect(waiting.timeline.at(-1)).toMatchObject({
    code: 'held',
    reason: 'quiet_hours',
    rule: 'recipient.quiet_hours',
    detail: 'quiet hours of the recipient, in UTC',
    until: waiting.due_at,
  });
  // Whatever makes it due earlier: it is decided again, and held.
  await app.sql.query('update due_deliveries set due_at = now() where delivery_id = $1', [id]);
  await until('it is held again', async () => {
    const { timeline } = await tenant.delivery(id);
    return timeline.filter(({ code }: Json) => code === 'held').length === 2;
  });
  const sent = await until(
    'it is sent',
    async () => {
      const found = await tenant.delivery(id);
      return found.sent_at && found;
    },
    90_000,
  );
  expect(Date.parse(sent.sent_at)).toBeGreaterThanOrEqual(end);
  expect(Date.parse(sent.sent_at)).toBeLessThan(end + 15_000);
  expect(sent.attempts).toBe(1);
}, 120_000);

describe('the policy of the category', () => {
  it('bypass: a critical message passes while others wait', async () => {
    await setHours(quietNow());
    const critical = await send({ category: await category({ bypass_quiet_hours: true }) });
    const usual = await send();
    await until('it is sent', async () => (await tenant.delivery(critical)).sent_at);
    await held(usual);
  });

  it('drop: suppressed with the reason', async () => {
    await setHours(quietNow());
    const id = await send({ category: await category({ on_hold: 'drop' }) });
    expect(await reached(id, 'suppressed')).toMatchObject({ reason: 'quiet_hours', attempts: 0 });
  });

  it('downgrade: an inbox item instead, from the template of the inbox', async () => {
    const key = `both-${newId()}`;
    for (const channel of ['sms', 'in_app'] as const) {
      const body = { key, channel, content: CONTENT[channel] };
      expect((await tenant.call('POST', '/api/v1/templates', body)).status).toBe(201);
    }
    await setHours(quietNow());
    const { content: _none, ...request } = sms({
      template_id: key,
      category: await category({ on_hold: 'downgrade' }),
    });
    const { id } = await tenant.send(request);
    const done = await until('the notification is final', async () => {
      const found = await tenant.notification(id);
      return found.status === 'sent' && found;
    });
    const states = done.deliveries.map(({ channel, state, reason }: Json) => ({ channel, state, reason }));
    expect(states).toHaveLength(2);
    expect(states).toEqual(
      expect.arrayContaining([
        { channel: 'sms', state: 'suppressed', reason: 'quiet_hours' },
        { channel: 'in_app', state: 'sent', reason: null },
      ]),
    );
    const inbox = await tenant.call('GET', '/api/v1/inbox', undefined, { 'X-Recipient-ID': ann });
    expect(inbox.body.data).toMatchObject([{ title: CONTENT.in_app.title, body: CONTENT.in_app.body }]);
  });

  it('downgrade of inline content, which becomes that of the inbox, or waits if it has no title', async () => {
    await setHours(quietNow());
    const policy = await category({ on_hold: 'downgrade' });
    await held(await send({ category: policy }));
    const email = { channel: 'email', recipient_address: 'ann@example.com', content: CONTENT.email };
    await tenant.send({ recipient_id: ann, category: policy, ...email });
    const item = await until('it is in the inbox', async () => {
      const { body } = await tenant.call('GET', '/api/v1/inbox', undefined, { 'X-Recipient-ID': ann });
      return body.data[0];
    });
    expect(item).toMatchObject({ title: CONTENT.email.subject, body: CONTENT.email.text, category: policy });
  });
});

describe('while it is held', () => {
  it('a recipient who opts out gets nothing', async () => {
    await setHours(quietNow());
    const id = await send();
    await held(id);
    await setHours(null, { channels: { sms: false } });
    expect(await reached(id, 'suppressed')).toMatchObject({ reason: 'opted_out' });
  });

  it('it ends as expired when it expires', async () => {
    await setHours(quietNow());
    const id = await send({ expires_at: new Date(Date.now() + 3_000).toISOString() });
    await held(id);
    expect(await reached(id, 'expired')).toMatchObject({ attempts: 0 });
  });

  it('a change of the zone decides again, in both directions', async () => {
    const profile = (timezone: string): Promise<Json> => tenant.call('PUT', `/api/v1/recipients/${ann}`, { timezone });
    await profile('UTC');
    await setHours(quietNow());
    const id = await send();
    const first = Date.parse((await held(id)).due_at);
    // An hour behind UTC, the window ends an hour later.
    await profile('Etc/GMT+1');
    await until('it waits for an hour longer', async () => {
      const { due_at: dueAt } = await tenant.delivery(id);
      return dueAt !== null && Date.parse(dueAt) - first > HOUR - MINUTE;
    });
    // Four hours ahead, it is over.
    await profile('Etc/GMT-4');
    await until('it is sent', async () => (await tenant.delivery(id)).sent_at);
  });

  it("a change of the tenant's hours decides again", async () => {
    const other = await app.tenant({ quiet_hours: quietNow(), quiet_hours_spread_seconds: 0 });
    const id = (await other.send(sms())).deliveries[0].id;
    expect((await held(id, other)).timeline.at(-1)).toMatchObject({ rule: 'tenant.quiet_hours' });
    await app.operator('PATCH', `/internal/tenants/${other.id}`, { settings: { quiet_hours: null } });
    await until('it is sent', async () => (await other.delivery(id)).sent_at);
  });
});

describe("the operator's hours", () => {
  it("win over the recipient's empty hours and over a bypass, on their channel only", async () => {
    const strict = await app.tenant({ quiet_hours_floor: { sms: quietNow() } });
    const empty = { quiet_hours: { windows: [] } };
    await strict.call('PUT', `/api/v1/recipients/${ann}/preferences`, empty);
    await strict.call('PUT', '/api/v1/categories/critical', { name: 'Critical', bypass_quiet_hours: true });
    for (const changes of [{}, { category: 'critical' }]) {
      const { timeline } = await held((await strict.send(sms(changes))).deliveries[0].id, strict);
      expect(timeline.at(-1)).toMatchObject({ rule: 'operator.quiet_hours_floor' });
    }
    const email = { channel: 'email', recipient_address: 'ann@example.com', content: CONTENT.email };
    const { deliveries } = await strict.send({ recipient_id: ann, ...email });
    await until('the e-mail is sent', async () => (await strict.delivery(deliveries[0].id)).sent_at);
    // The same recipient of another tenant.
    const id = await send();
    await until('the SMS of the other tenant is sent', async () => (await tenant.delivery(id)).sent_at);
  });
});

it('rejects hours that make no sense, with the field and the value', async () => {
  const errorsOf = async (quietHours: Json): Promise<Json> =>
    (await tenant.call('PUT', `/api/v1/recipients/${ann}/preferences`, { quiet_hours: quietHours })).body.errors;
  const window = { days: DAYS, from: '22:00', to: '08:00' };
  expect(await errorsOf({ windows: [{ ...window, from: '25:00' }] })).toMatchObject([
    { pointer: '/quiet_hours/windows/0/from', message: 'must be a time of day like "22:00", got "25:00"' },
  ]);
  expect(await errorsOf({ windows: [window], timezone: 'Mars/Olympus' })).toMatchObject([
    { pointer: '/quiet_hours/timezone', message: 'must be an IANA time zone like "Europe/Paris", got "Mars/Olympus"' },
  ]);
  expect(await errorsOf({ windows: [window, { ...window, from: '08:00', to: '22:00' }] })).toMatchObject([
    {
      pointer: '/quiet_hours/windows',
      message: expect.stringMatching(/^must leave at least one minute of the week free, got \[\{"days":/),
    },
  ]);
  const floor = { settings: { quiet_hours_floor: { webhook: { windows: [window] } } } };
  const { status, body } = await app.operator('PATCH', `/internal/tenants/${tenant.id}`, floor);
  expect({ status, errors: body.errors }).toMatchObject({
    status: 422,
    errors: [
      {
        pointer: '/settings/quiet_hours_floor/webhook',
        message: expect.stringMatching(/^webhooks are not subject to quiet hours, got \{"windows":/),
      },
    ],
  });
});
