// Events to the tenants' own systems: real HTTP receivers, which verify signatures with the published library.

import { setTimeout as delay } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Received, startVendor, until, type Vendor, vendors } from '#testing';
import {
  CONTENT,
  type Json,
  simulated,
  startTestEnvironment,
  type Tenant,
  type TestEnvironment,
} from './test-environment.js';

const open: (() => Promise<unknown>)[] = [];
let app: TestEnvironment;

beforeAll(async () => {
  app = await startTestEnvironment({ environment: { LEASE_SECONDS: '6' } });
});
afterAll(() => app?.stop());
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function receiver(): Promise<Vendor> {
  const vendor = await startVendor(vendors['webhook']!);
  open.push(() => vendor.close());
  return vendor;
}

async function listen(tenant: Tenant, to: Vendor, more: Record<string, unknown> = {}): Promise<Json> {
  const { status, body } = await tenant.call('POST', '/api/v1/webhooks', {
    url: `${to.url}/hook`,
    events: ['*'],
    ...more,
  });
  expect([status, body.detail]).toEqual([201, undefined]);
  return body;
}

const heard = (vendor: Vendor): Json[] => vendor.sends.map(({ body }) => JSON.parse(body));
const verified = (secret: string, { headers, body }: Received): Json => new Webhook(secret).verify(body, headers);
const mail = (word: string): Record<string, unknown> => simulated(word, `person-${word}-${Math.random()}`);

describe('an endpoint', () => {
  it('gets only its event types, signed as Standard Webhooks specifies', async () => {
    const [tenant, other] = [await app.tenant(), await app.tenant()];
    const [hook, picky, theirs] = [await receiver(), await receiver(), await receiver()];
    const made = await listen(tenant, hook);
    expect(made.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    await listen(tenant, picky, { events: ['delivery.bounced'] });
    await listen(other, theirs);
    const sent = await tenant.send({ ...mail('bounce'), metadata: { order: '{{7}}' } });
    // In parallel, in any order.
    await until('it was told all three', () => hook.sends.length >= 3);
    await until('the other was told', () => picky.sends.length > 0);

    expect(
      heard(hook)
        .map(({ type }) => type)
        .sort(),
    ).toEqual(['delivery.bounced', 'delivery.sent', 'notification.finished']);
    expect(heard(picky).map(({ type }) => type)).toEqual(['delivery.bounced']);
    expect(theirs.sends).toEqual([]);
    for (const call of hook.sends) {
      const event = verified(made.secret, call);
      expect(Object.keys(event).sort()).toEqual(['data', 'timestamp', 'type']);
      expect(Math.abs(Date.now() - Date.parse(event.timestamp))).toBeLessThan(20_000);
      expect(() =>
        new Webhook(`whsec_${Buffer.alloc(32).toString('base64')}`).verify(call.body, call.headers as never),
      ).toThrow();
    }
    const bounced = heard(hook).find(({ type }) => type === 'delivery.bounced')!;
    expect(bounced.data).toMatchObject({
      notification_id: sent.id,
      delivery_id: sent.deliveries[0].id,
      state: 'bounced',
      channel: 'email',
    });
    // The same event has the same id for every endpoint.
    const idOf = (vendor: Vendor): string =>
      vendor.sends.find(({ body }) => body.includes('delivery.bounced'))!.headers['webhook-id']!;
    expect(idOf(hook)).toBe(idOf(picky));
    expect(new Set(hook.sends.map(({ headers }) => headers['webhook-id'])).size).toBe(3);

    const shown = (await tenant.call('GET', `/api/v1/webhooks/${made.id}`)).body;
    expect(shown).toMatchObject({ enabled: true, failing_since: null });
    expect(JSON.stringify(shown)).not.toContain('whsec_');
    // Deliveries to endpoints are not listed among the tenant's notifications, and emit no events.
    expect((await tenant.call('GET', '/api/v1/notifications')).body.data).toHaveLength(1);
    // The receiver gets it shortly before the record.
    const data = await until('both are on record', async () => {
      const { body } = await tenant.call('GET', `/api/v1/webhooks/${made.id}/deliveries?limit=2`);
      return body.data.every(({ state }: Json) => state === 'sent') && body.data;
    });
    expect(data).toMatchObject([{ state: 'sent', attempts: 1 }, { state: 'sent' }]);
    expect((await tenant.delivery(data[0].id)).timeline.map(({ code }: Json) => code)).toEqual([
      'accepted',
      'attempt',
      'sent',
    ]);
    expect((await other.call('GET', `/api/v1/webhooks/${made.id}/deliveries`)).status).toBe(404);
  }, 30_000);

  it('gets an event again with the same id and a new signature, until it accepts it', async () => {
    const tenant = await app.tenant();
    const hook = await receiver();
    const made = await listen(tenant, hook, { events: ['delivery.sent'] });
    hook.behave(() => (hook.sends.length === 1 ? { status: 500, body: 'oops' } : { status: 200 }));
    await tenant.send(mail('ok'));
    await until('it has it', () => hook.sends.length === 2, 15_000);
    const [first, second] = hook.sends as [Received, Received];
    expect(second.headers['webhook-id']).toBe(first.headers['webhook-id']);
    expect(second.body).toBe(first.body);
    verified(made.secret, second);
    const { body } = await tenant.call('GET', `/api/v1/webhooks/${made.id}/deliveries`);
    const delivery = await until('it is on record', async () => {
      const found = await tenant.delivery(body.data[0].id);
      return found.state === 'sent' && found;
    });
    expect(
      delivery.timeline
        .filter(({ code }: Json) => code === 'attempt')
        .map(({ outcome, detail }: Json) => [outcome, detail]),
    ).toEqual([
      ['transient', 'HTTP 500: oops'],
      ['sent', null],
    ]);
    expect((await tenant.call('GET', `/api/v1/webhooks/${made.id}`)).body.failing_since).toBeNull();
  }, 30_000);

  it('signs with both secrets while one is replaced', async () => {
    const tenant = await app.tenant();
    const hook = await receiver();
    const made = await listen(tenant, hook, { events: ['delivery.sent'] });
    const rotated = (await tenant.call('POST', `/api/v1/webhooks/${made.id}/rotate-secret`)).body;
    expect(rotated.secret).not.toBe(made.secret);
    expect(Date.parse(rotated.old_secret_valid_until) - Date.now()).toBeGreaterThan(23 * 3_600_000);
    const { delivery_id: id } = (await tenant.call('POST', `/api/v1/webhooks/${made.id}/test`)).body;
    await until('it was told', () => hook.sends.length === 1);
    for (const secret of [made.secret, rotated.secret])
      expect(verified(secret, hook.sends[0]!)).toMatchObject({ type: 'webhook.test', data: { webhook_id: made.id } });
    await until('it is on record', async () => (await tenant.delivery(id)).state === 'sent');
    // A day later the old one has expired.
    await app.sql.query(
      `update webhook_endpoints set old_secret_until = now() - interval '1 second', updated_at = now() where id = $1`,
      [made.id],
    );
    await tenant.call('PATCH', `/api/v1/webhooks/${made.id}`, { description: 'mine' });
    await tenant.call('POST', `/api/v1/webhooks/${made.id}/test`);
    await until('it was told again', () => hook.sends.length === 2);
    verified(rotated.secret, hook.sends[1]!);
    expect(() => verified(made.secret, hook.sends[1]!)).toThrow();
  }, 30_000);

  it('that answers 410 is disabled, another endpoint is notified, and a replay sends the missed events', async () => {
    const tenant = await app.tenant();
    const [hook, watcher] = [await receiver(), await receiver()];
    const made = await listen(tenant, hook, { events: ['delivery.sent'] });
    await listen(tenant, watcher, { events: ['webhook.disabled'] });
    const since = new Date().toISOString();
    hook.behave({ status: 410, body: 'gone' });
    await tenant.send(mail('ok'));
    const off = await until('it is off', async () => {
      const { body } = await tenant.call('GET', `/api/v1/webhooks/${made.id}`);
      return !body.enabled && body;
    });
    expect(off.disabled_reason).toBe('gone');
    await until('the other was told', () => watcher.sends.length === 1);
    expect(heard(watcher)[0]).toMatchObject({
      type: 'webhook.disabled',
      data: { webhook_id: made.id, reason: 'gone' },
    });
    const tried = hook.sends.length;
    await tenant.send(mail('ok'));
    await tenant.send(mail('ok'));
    await until('what happened meanwhile was handed out, to those who were there', async () => {
      const { rows } = await app.sql.query(
        `select count(*)::int as all, count(*) filter (where webhooks)::int as waiting from events where tenant_id = $1 and type = 'delivery.sent'`,
        [tenant.id],
      );
      return rows[0].all === 3 && rows[0].waiting === 0;
    });
    const dead = await until(
      'the first was given up',
      async () => {
        const { data } = (await tenant.call('GET', `/api/v1/webhooks/${made.id}/deliveries`)).body;
        return data.length === 1 && data[0].state === 'failed' && data[0];
      },
      25_000,
    );
    expect(dead.reason).toBe('misconfigured');
    expect(hook.sends).toHaveLength(tried);

    const replay = (only: string): Promise<Json> =>
      tenant.call('POST', `/api/v1/webhooks/${made.id}/replay`, { since, only });
    expect((await replay('failed')).body.code).toBe('conflict');
    hook.behave('accept');
    expect((await tenant.call('PATCH', `/api/v1/webhooks/${made.id}`, { enabled: true })).body).toMatchObject({
      enabled: true,
      disabled_reason: null,
    });
    expect((await replay('failed')).body).toEqual({ replayed: 1, more: false });
    await until('it has the one that failed', () => hook.sends.length === tried + 1);
    expect((await replay('missing')).body).toEqual({ replayed: 2, more: false });
    await until('it has those it never got', () => hook.sends.length === tried + 3);
    expect((await replay('missing')).body).toEqual({ replayed: 0, more: false });
    expect((await replay('failed')).body).toEqual({ replayed: 0, more: false });
    expect(new Set(hook.sends.map(({ headers }) => headers['webhook-id'])).size).toBe(3);
    const old = await tenant.call('POST', `/api/v1/webhooks/${made.id}/replay`, {
      since: '2020-01-01T00:00:00Z',
      only: 'missing',
    });
    expect(old.body.errors[0]).toMatchObject({ pointer: '/since', code: 'too_old' });
  }, 60_000);

  it('that has failed for five days is disabled by the next failure', async () => {
    const tenant = await app.tenant();
    const hook = await receiver();
    const made = await listen(tenant, hook, { events: ['delivery.sent'] });
    hook.behave({ status: 500 });
    await tenant.call('POST', `/api/v1/webhooks/${made.id}/test`);
    const failing = await until(
      'it is failing',
      async () => (await tenant.call('GET', `/api/v1/webhooks/${made.id}`)).body.failing_since,
    );
    expect(Date.now() - Date.parse(failing)).toBeLessThan(20_000);
    await app.sql.query(`update webhook_endpoints set failing_since = now() - interval '5 days' where id = $1`, [
      made.id,
    ]);
    await tenant.call('POST', `/api/v1/webhooks/${made.id}/test`);
    await until(
      'it is off',
      async () => {
        const { body } = await tenant.call('GET', `/api/v1/webhooks/${made.id}`);
        return !body.enabled && body.disabled_reason === 'failing';
      },
      20_000,
    );
  }, 40_000);

  it('that is disabled gets no more requests from any worker, retries included', async () => {
    const tenant = await app.tenant();
    const hook = await receiver();
    const second = await app.startWorker();
    const made = await listen(tenant, hook, { events: ['delivery.sent'] });
    hook.behave({ status: 500, body: 'not now' });
    for (let mails = 0; mails < 12; mails += 1) await tenant.send(mail('ok'));
    await until('each was tried', () => new Set(heard(hook).map(({ data }) => data.delivery_id)).size === 12);
    hook.behave({ status: 410, body: 'gone' });
    await until('one of them is tried again', async () => {
      const { body } = await tenant.call('GET', `/api/v1/webhooks/${made.id}`);
      return !body.enabled;
    });
    // The sends in flight.
    await delay(300);
    const tried = hook.sends.length;
    // Deliveries that have had their second attempt wait for minutes now.
    const settled = async (): Promise<boolean> => {
      const { body } = await tenant.call('GET', `/api/v1/webhooks/${made.id}/deliveries?limit=100`);
      return body.data.every(({ state, attempts }: Json) => state === 'failed' || attempts > 1);
    };
    await until('all were given up', settled, 20_000);
    expect(hook.sends.length).toBe(tried);
    await second.stop();
  }, 60_000);

  it("that hangs does not delay another tenant's, or another of its own tenant", async () => {
    const [tenant, other] = [await app.tenant(), await app.tenant()];
    const [dead, own, theirs] = [await receiver(), await receiver(), await receiver()];
    dead.behave('hang');
    await listen(tenant, dead);
    await listen(tenant, own, { events: ['delivery.sent'] });
    await listen(other, theirs, { events: ['delivery.sent'] });
    await Promise.all(Array.from({ length: 60 }, () => tenant.send(mail('ok'))));
    const startedAt = Date.now();
    await Promise.all(Array.from({ length: 10 }, () => other.send(mail('ok'))));
    await until("the other tenant's has all", () => theirs.sends.length === 10, 5_000);
    await until('its own other has all', () => own.sends.length === 60, 10_000);
    expect(Date.now() - startedAt).toBeLessThan(8_000);
    dead.behave('accept');
  }, 40_000);

  it("with ordering gets a recipient's events one after the other, despite a failure", async () => {
    const tenant = await app.tenant({ recipient_limits: { in_app: { limit: 1_000, window_seconds: 60 } } });
    const hook = await receiver();
    await listen(tenant, hook, { events: ['delivery.sent'], ordered: true });
    let failures = 0;
    hook.behave(() => (failures++ === 0 ? { status: 500 } : { status: 200 }));
    const ids: string[] = [];
    for (let n = 0; n < 5; n += 1) {
      const sent = await tenant.send({ recipient_id: 'ann', channel: 'in_app', content: CONTENT.in_app });
      ids.push(sent.deliveries[0].id);
      await until('it is sent', async () => (await tenant.delivery(sent.deliveries[0].id)).state === 'sent');
    }
    await until('all were told', () => hook.sends.length === 6, 25_000);
    const told = heard(hook).map(({ data }) => data.delivery_id);
    expect(told).toEqual([ids[0], ...ids]);
  }, 40_000);
});

describe('without endpoints', () => {
  it('no event is stored', async () => {
    const tenant = await app.tenant();
    const { id } = await tenant.send(mail('ok'));
    await until('it is sent', async () => (await tenant.notification(id)).status === 'sent');
    const { rows } = await app.sql.query('select type from events where tenant_id = $1 and kept', [tenant.id]);
    expect(rows).toEqual([]);
  }, 20_000);
});

describe('an address', () => {
  it.each([
    ['http://example.com/hook', /https/],
    ['https://169.254.169.254/latest/meta-data', /private or special/],
    ['https://user:password@example.com/', /user or password/],
    ['ftp://example.com/', /https/],
    ['not a url', /https/],
  ])(
    '%s is refused with the reason',
    async (url, words) => {
      const strict = await startTestEnvironment({
        worker: false,
        environment: { EGRESS_ALLOWED_CIDRS: '192.0.2.0/24' },
      });
      open.push(() => strict.stop());
      const tenant = await strict.tenant();
      const { status, body } = await tenant.call('POST', '/api/v1/webhooks', { url, events: ['*'] });
      expect(status).toBe(422);
      expect(body.errors[0]).toMatchObject({ pointer: '/url', message: expect.stringMatching(words) });
      expect(
        (await tenant.call('POST', '/api/v1/webhooks', { url: 'https://example.com/', events: ['delivery.eaten'] }))
          .body.errors[0].pointer,
      ).toBe('/events/0');
    },
    30_000,
  );
});
