// A time on the recipient's clock: the zone of the profile in the request, else of the stored profile, else of the
// tenant, else UTC.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { atLocalTime } from '#domain';
import { until } from '#testing';
import {
  CONTENT,
  type Json,
  simulated,
  startTestEnvironment,
  type Tenant,
  type TestEnvironment,
} from './test-environment.js';

const SEND = '/api/v1/notifications';
/** Summer in the south, winter in the north, within a year. */
const LOCAL = `${new Date(Date.now() + 300 * 86_400_000).toISOString().slice(0, 10)}T09:00:00`;
const instantIn = (zone: string): string => atLocalTime(LOCAL, zone).toISOString();

let app: TestEnvironment;
let tenant: Tenant;
let elsewhere: Tenant;

beforeAll(async () => {
  app = await startTestEnvironment();
  tenant = await app.tenant();
  elsewhere = await app.tenant({ timezone: 'America/New_York' });
  for (const one of [tenant, elsewhere]) {
    await one.call('PUT', '/api/v1/recipients/in-paris', { timezone: 'Europe/Paris' });
    await one.call('PUT', '/api/v1/recipients/in-tokyo', { timezone: 'Asia/Tokyo' });
    await one.call('PUT', '/api/v1/recipients/without-zone', { email: 'a@simulator.test' });
  }
});
afterAll(() => app?.stop());

const inApp = (more: Json): Json => ({
  channel: 'in_app',
  content: CONTENT.in_app,
  scheduled_at_local: LOCAL,
  ...more,
});

describe('a single send', () => {
  it.each([
    ['of the stored profile', () => tenant, { recipient_id: 'in-paris' }, 'Europe/Paris'],
    [
      'of the profile in the request, before the stored one',
      () => tenant,
      { recipient: { id: 'in-tokyo', timezone: 'Australia/Sydney' } },
      'Australia/Sydney',
    ],
    [
      'of the stored profile, if the one in the request has none',
      () => elsewhere,
      { recipient: { id: 'in-paris' } },
      'Europe/Paris',
    ],
    ['of the tenant, if the profile has none', () => elsewhere, { recipient_id: 'without-zone' }, 'America/New_York'],
    ['of the tenant, without a profile', () => elsewhere, { recipient_id: 'unknown' }, 'America/New_York'],
    ['UTC, if nobody has one', () => tenant, { recipient_id: 'without-zone' }, 'UTC'],
  ])('uses the zone %s', async (_, whose, recipient, zone) => {
    const sent = await whose().send(inApp(recipient));
    expect(sent.scheduled_at).toBe(instantIn(zone));
    expect(sent.deliveries[0]).toMatchObject({ state: 'waiting', reason: 'scheduled', due_at: instantIn(zone) });
    expect((await whose().notification(sent.id)).scheduled_at).toBe(instantIn(zone));
  });

  it('is sent at once if the local time has passed', async () => {
    const sent = await tenant.send({ ...simulated('ok'), scheduled_at_local: '2026-01-01T09:00:00' });
    await until('it is sent', async () => (await tenant.notification(sent.id)).status === 'sent');
  });

  it('is answered again for the same key, although the zone of the profile has changed', async () => {
    const body = inApp({ recipient_id: 'mover' });
    await tenant.call('PUT', '/api/v1/recipients/mover', { timezone: 'Europe/Paris' });
    const first = await tenant.send(body, { 'Idempotency-Key': 'local' });
    await tenant.call('PUT', '/api/v1/recipients/mover', { timezone: 'Asia/Tokyo' });
    expect(await tenant.send(body, { 'Idempotency-Key': 'local' })).toEqual(first);
    expect(first.scheduled_at).toBe(instantIn('Europe/Paris'));
  });

  it.each([
    ['with scheduled_at', { scheduled_at: '2026-12-24T09:00:00Z' }, '/scheduled_at_local', 'conflicting'],
    ['with an offset', { scheduled_at_local: '2026-12-24T09:00:00Z' }, '/scheduled_at_local', undefined],
    ['of a day that does not exist', { scheduled_at_local: '2027-02-29T09:00:00' }, '/scheduled_at_local', undefined],
    ['more than a year ahead', { scheduled_at_local: '2029-01-01T09:00:00' }, '/scheduled_at_local', 'too_far'],
    [
      'that is not before expires_at',
      { expires_at: new Date(Date.now() + 86_400_000).toISOString() },
      '/expires_at',
      'before_schedule',
    ],
  ])('refuses a local time %s', async (_, more, pointer, code) => {
    const answer = await tenant.call('POST', SEND, inApp({ recipient_id: 'in-paris', ...more }));
    expect(answer.status).toBe(422);
    expect(answer.body.errors).toEqual([expect.objectContaining({ pointer, ...(code !== undefined && { code }) })]);
  });
});

describe('a bulk send', () => {
  it('resolves the time for each recipient', async () => {
    const { body } = await elsewhere.call('POST', `${SEND}/bulk`, {
      channel: 'in_app',
      content: CONTENT.in_app,
      scheduled_at_local: LOCAL,
      recipients: [
        { recipient_id: 'in-paris' },
        { recipient: { id: 'new', timezone: 'Pacific/Auckland' } },
        { recipient_id: 'without-zone' },
      ],
    });
    const times = await Promise.all(
      body.accepted.map(async ({ id }: Json) => (await elsewhere.notification(id)).scheduled_at),
    );
    expect(times).toEqual(['Europe/Paris', 'Pacific/Auckland', 'America/New_York'].map(instantIn));
  });

  it('rejects only the recipients for whom it is after expires_at', async () => {
    // Between 09:00 in Auckland and 09:00 in Paris.
    const expiresAt = new Date(atLocalTime(LOCAL, 'Europe/Paris').getTime() - 3_600_000).toISOString();
    const { body } = await elsewhere.call('POST', `${SEND}/bulk`, {
      channel: 'in_app',
      content: CONTENT.in_app,
      scheduled_at_local: LOCAL,
      expires_at: expiresAt,
      recipients: [{ recipient_id: 'in-paris' }, { recipient: { id: 'kiwi', timezone: 'Pacific/Auckland' } }],
    });
    expect(body.accepted).toEqual([expect.objectContaining({ index: 1 })]);
    expect(body.rejected).toEqual([
      expect.objectContaining({ index: 0, errors: [expect.objectContaining({ pointer: '/expires_at' })] }),
    ]);
  });
});
