import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '#testing';
import { examineAndStop } from './doctor-findings.js';
import {
  CONTENT,
  type Json,
  simulated,
  startTestEnvironment,
  type Tenant,
  type TestEnvironment,
} from './test-environment.js';

let app: TestEnvironment;
let tenant: Tenant;

beforeAll(async () => {
  app = await startTestEnvironment({ environment: { LEASE_SECONDS: '3' } });
  tenant = await app.tenant({ retry_schedule_seconds: [0.05, 0.05] });
});
afterAll(() => examineAndStop(app));

const FINAL = ['sent', 'delivered', 'bounced', 'unknown', 'suppressed', 'expired', 'cancelled', 'failed'];
const deliveryOf = (notification: Json): string => notification.deliveries[0].id;
const final = (notification: Json, state?: string, limitMs = 10_000): Promise<Json> =>
  until(
    `delivery ${deliveryOf(notification)} is ${state ?? 'final'}`,
    async () => {
      const found = await tenant.delivery(deliveryOf(notification));
      return (state ? found.state === state : FINAL.includes(found.state)) && found;
    },
    limitMs,
  );
const codes = (delivery: Json): string[] =>
  delivery.timeline.map(({ code, outcome }: Json) => (outcome ? `${code}:${outcome}` : code));

describe('the simulated outcomes', () => {
  it('ok: delivered by a receipt', async () => {
    const delivery = await final(await tenant.send(simulated('ok')), 'delivered');
    expect(codes(delivery)).toEqual(['accepted', 'attempt:sent', 'sent', 'delivered']);
    expect(delivery.delivered_at).not.toBeNull();
  });

  it('bounce: bounced, and the notification failed', async () => {
    const sent = await tenant.send(simulated('bounce'));
    await final(sent, 'bounced');
    expect(await tenant.notification(sent.id)).toMatchObject({ status: 'failed', counts: { bounced: 1 } });
  });

  it('complaint: a flag, not a state', async () => {
    const sent = await tenant.send(simulated('complaint'));
    const delivery = await until('the complaint is noted', async () => {
      const found = await tenant.delivery(deliveryOf(sent));
      return found.complained_at && found;
    });
    expect(delivery.state).toBe('sent');
  });

  it('flaky: sent at the third attempt, all three in the timeline', async () => {
    const delivery = await final(await tenant.send(simulated('flaky')), 'sent');
    expect(delivery).toMatchObject({ attempts: 3, provider: 'sandbox' });
    expect(codes(delivery)).toEqual(['accepted', 'attempt:transient', 'attempt:transient', 'attempt:sent', 'sent']);
    expect(delivery.timeline[1]).toMatchObject({
      attempt: 1,
      provider: 'sandbox',
      provider_code: 'simulated_flaky',
      duration_ms: expect.any(Number),
    });
  });

  it('down: in the dead letters after the schedule; replayed once', async () => {
    const sent = await tenant.send(simulated('down'));
    expect(await final(sent, 'failed')).toMatchObject({ reason: 'retries_exhausted', attempts: 3 });
    const { body: letters } = await app.operator(
      'GET',
      `/internal/dlq?tenant_id=${tenant.id}&reason=retries_exhausted&unreplayed=true`,
    );
    expect(letters.data).toMatchObject([
      {
        delivery_id: deliveryOf(sent),
        channel: 'email',
        provider: 'sandbox',
        code: 'simulated_down',
        attempts: 3,
        replayed_at: null,
      },
    ]);
    const [{ id }] = letters.data;
    const replayed = await Promise.all([
      app.operator('POST', `/internal/dlq/${id}/replay`),
      app.operator('POST', `/internal/dlq/${id}/replay`),
    ]);
    expect(replayed.map(({ status }) => status).sort()).toEqual([202, 409]);
    expect(replayed.find(({ status }) => status === 409)!.body.code).toBe('already_replayed');
    const again = await until('it failed again', async () => {
      const found = await tenant.delivery(deliveryOf(sent));
      return found.state === 'failed' && found.attempts === 6 && found;
    });
    expect(codes(again)).toContain('replayed');
    expect(
      (await app.operator('GET', `/internal/dlq?tenant_id=${tenant.id}&reason=retries_exhausted`)).body.data,
    ).toHaveLength(2);
    expect((await app.operator('DELETE', `/internal/dlq/${id}`)).status).toBe(204);
    expect((await app.operator('GET', `/internal/dlq/${id}`)).status).toBe(404);
    expect((await tenant.notification(sent.id)).status).toBe('failed');
  });

  it.each(['rejected', 'bad-address'])('%s: failed at once', async (word) => {
    const delivery = await final(await tenant.send(simulated(word)), 'failed');
    expect(delivery).toMatchObject({ attempts: 1, reason: word.replace('-', '_') });
  });

  it('throttled: waits for the requested time, and is sent', async () => {
    const sent = await tenant.send(simulated('throttled'));
    const waiting = await until('it is held', async () => {
      const found = await tenant.delivery(deliveryOf(sent));
      return found.reason === 'provider_limit' && found;
    });
    expect(waiting.state).toBe('waiting');
    const delivery = await final(sent, 'sent');
    const [first, second] = delivery.timeline
      .filter(({ code }: Json) => code === 'attempt')
      .map(({ at }: Json) => Date.parse(at));
    expect(second - first).toBeGreaterThanOrEqual(2_000);
    expect(second - first).toBeLessThan(6_000);
  });

  it('unknown: an e-mail is sent again by policy, an SMS is held as unknown', async () => {
    const sms = await tenant.send({
      recipient_id: 'u1',
      channel: 'sms',
      recipient_address: '+15005550008',
      content: CONTENT.sms,
    });
    const mail = await tenant.send(simulated('unknown'));
    expect(await final(sms, 'unknown', 15_000)).toMatchObject({ attempts: 1 });
    expect(await final(mail, 'failed', 15_000)).toMatchObject({ attempts: 3, reason: 'retries_exhausted' });
    expect((await tenant.notification(sms.id)).status).toBe('failed');
  });
});

describe('time', () => {
  it('a scheduled delivery is sent not before and at most a second after', async () => {
    const at = Date.now() + 2_000;
    const sent = await tenant.send({ ...simulated('ok', 'sched'), scheduled_at: new Date(at).toISOString() });
    expect(sent.deliveries[0]).toMatchObject({
      state: 'waiting',
      reason: 'scheduled',
      due_at: new Date(at).toISOString(),
    });
    const delivery = await final(sent, 'delivered');
    const sentAt = Date.parse(delivery.sent_at);
    expect(sentAt).toBeGreaterThanOrEqual(at);
    expect(sentAt).toBeLessThan(at + 1_000);
  });

  it('a cancelled delivery is never sent', async () => {
    const sent = await tenant.send({
      ...simulated('ok', 'cancel'),
      scheduled_at: new Date(Date.now() + 700).toISOString(),
    });
    const cancelled = await tenant.call('DELETE', `/api/v1/notifications/${sent.id}`);
    expect(cancelled).toMatchObject({ status: 200, body: { status: 'cancelled', counts: { cancelled: 1 } } });
    const marker = await tenant.send({
      ...simulated('ok', 'marker'),
      scheduled_at: new Date(Date.now() + 1_200).toISOString(),
    });
    await final(marker, 'delivered');
    const delivery = await tenant.delivery(deliveryOf(sent));
    expect(delivery).toMatchObject({ state: 'cancelled', attempts: 0 });
    expect(codes(delivery)).toEqual(['accepted', 'cancelled']);
    expect(
      (await tenant.call('GET', '/api/v1/notifications?deleted=true')).body.data.map(({ id }: Json) => id),
    ).toEqual([sent.id]);
    expect((await tenant.call('DELETE', `/api/v1/notifications/${sent.id}`)).body).toMatchObject({
      status: 409,
      code: 'too_late',
    });
  });

  it('a sent delivery cannot be cancelled', async () => {
    const sent = await tenant.send(simulated('ok', 'late'));
    await final(sent, 'delivered');
    expect((await tenant.call('DELETE', `/api/v1/notifications/${sent.id}`)).body).toMatchObject({
      status: 409,
      code: 'too_late',
      detail: expect.stringContaining('email is delivered'),
    });
  });

  it('if cancel and worker race, each delivery is either cancelled and not sent, or sent and not cancelled', async () => {
    const racer = await app.tenant({ recipient_limits: { email: { limit: 1_000, window_seconds: 60 } } });
    const sent = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        racer
          .send(simulated('ok', `race-${index}`))
          .then(async ({ id }) => ({ id, status: (await racer.call('DELETE', `/api/v1/notifications/${id}`)).status })),
      ),
    );
    await until(
      'all are final',
      async () =>
        (await racer.call('GET', '/api/v1/notifications?status=active&limit=1')).body.data.length === 0 &&
        (await racer.call('GET', '/api/v1/notifications?status=pending&limit=1')).body.data.length === 0,
    );
    const { rows } = await app.sql.query('select notification_id from mailbox_messages where tenant_id = $1', [
      racer.id,
    ]);
    const delivered = new Set(rows.map((row) => row.notification_id));
    for (const { id, status } of sent)
      expect([status, delivered.has(id)]).toEqual(status === 200 ? [200, false] : [409, true]);
  });

  it('expires instead of being sent late, also while it waits for a retry', async () => {
    const slow = await app.tenant({ retry_schedule_seconds: [600, 600] });
    const sent = await slow.send({
      ...simulated('down', 'exp'),
      expires_at: new Date(Date.now() + 1_000).toISOString(),
    });
    const delivery = await until('it is expired', async () => {
      const found = await slow.delivery(deliveryOf(sent));
      return found.state === 'expired' && found;
    });
    expect(delivery.attempts).toBeLessThanOrEqual(2);
    expect((await slow.notification(sent.id)).status).toBe('suppressed');
  });
});

describe('consent and limit', () => {
  it('a channel that is switched off is suppressed', async () => {
    expect(
      (await tenant.call('PUT', '/api/v1/recipients/shy/preferences', { channels: { email: false } })).status,
    ).toBe(200);
    const delivery = await final(await tenant.send(simulated('ok', 'shy')));
    expect(delivery).toMatchObject({ state: 'suppressed', reason: 'opted_out', attempts: 0 });
    expect(
      (await tenant.call('PUT', '/api/v1/recipients/shy/preferences', { channels: { fax: false } })).body,
    ).toMatchObject({ status: 422, errors: [{ message: expect.stringContaining('fax') }] });
  });

  it('deliveries beyond the limit are held, and sent when the window has moved', async () => {
    const limited = await app.tenant({ recipient_limits: { email: { limit: 2, window_seconds: 2 } } });
    const sent = await Promise.all(Array.from({ length: 3 }, () => limited.send(simulated('ok', 'busy'))));
    const held = await until('one is held', async () => {
      const deliveries = await Promise.all(sent.map((one) => limited.delivery(deliveryOf(one))));
      return deliveries.find(({ reason }) => reason === 'recipient_limit');
    });
    expect(held).toMatchObject({ state: 'waiting', attempts: 0 });
    expect(held.timeline.at(-1)).toMatchObject({
      code: 'held',
      reason: 'recipient_limit',
      detail: 'at most 2 on email in 2 s',
    });
    await until('it is sent after all', async () => (await limited.delivery(held.id)).state === 'delivered');
  });

  it('many deliveries beyond the limit are held once each, and sent in order', async () => {
    const limited = await app.tenant({ recipient_limits: { email: { limit: 2, window_seconds: 3 } } });
    // The Redis limiter first waits for sends of a tenant that it does not know; after this it knows the tenant.
    const first = await limited.send(simulated('ok', 'popular'));
    await until('the first is sent', async () => (await limited.notification(first.id)).status === 'sent');
    const recipients = Array.from({ length: 5 }, () => ({
      recipient_id: 'popular',
      recipient_address: 'ok@simulator.test',
    }));
    await limited.call('POST', '/api/v1/notifications/bulk', { channel: 'email', content: CONTENT.email, recipients });
    const mail = async (): Promise<{ notification_id: string }[]> =>
      (
        await app.sql.query('select notification_id from mailbox_messages where tenant_id = $1 order by id', [
          limited.id,
        ])
      ).rows;
    await until('all are sent', async () => (await mail()).length === 6, 12_000);
    const sent = (await mail()).map((row) => row.notification_id);
    expect(sent).toEqual(sent.toSorted());
    const { rows } = await app.sql.query(
      `select count(*)::int as held, count(distinct delivery_id)::int as deliveries from delivery_log where tenant_id = $1 and code = 'held'`,
      [limited.id],
    );
    expect(rows[0]).toEqual({ held: 4, deliveries: 4 });
  });

  it('a retry takes no second token', async () => {
    const limited = await app.tenant({
      recipient_limits: { email: { limit: 1, window_seconds: 600 } },
      retry_schedule_seconds: [0.05, 0.05],
    });
    const sent = await limited.send(simulated('flaky', 'once'));
    await until('it is sent', async () => (await limited.delivery(deliveryOf(sent))).state === 'sent');
  });

  it('a suspended tenant is refused, and its waiting deliveries are suppressed', async () => {
    const bad = await app.tenant();
    const sent = await bad.send({ ...simulated('ok', 's'), scheduled_at: new Date(Date.now() + 600).toISOString() });
    await app.operator('PATCH', `/internal/tenants/${bad.id}`, { status: 'suspended' });
    await until(
      'the key is refused',
      async () => (await bad.call('GET', '/api/v1/notifications')).body.code === 'forbidden',
    );
    await until(
      'it is suppressed',
      async () =>
        (
          await app.sql.query(
            `select from deliveries where id = $1 and state = 'suppressed' and reason = 'tenant_suspended'`,
            [deliveryOf(sent)],
          )
        ).rowCount === 1,
    );
  });
});

describe('a delivery that cannot be sent', () => {
  it('fails as render_error, naming the variable', async () => {
    await tenant.call('POST', '/api/v1/templates', {
      key: 'needs-name',
      channel: 'email',
      content: { subject: 'Hi {{name}}', text: 'x' },
    });
    const delivery = await final(
      await tenant.send({
        recipient_id: 'r',
        recipient_address: 'r@example.com',
        channel: 'email',
        template_id: 'needs-name',
      }),
      'failed',
    );
    expect(delivery).toMatchObject({ reason: 'render_error', attempts: 0 });
    expect(delivery.timeline.at(-1).detail).toContain('"name" is missing');
  });

  it('fails as no_provider without an account and a sandbox', async () => {
    const strict = await startTestEnvironment({ environment: { SANDBOX_FALLBACK: 'false' } });
    try {
      const live = await strict.tenant();
      const test = await strict.tenant({}, { mode: 'test' });
      const [a, b] = [await live.send(simulated('ok')), await test.send(simulated('ok'))];
      await until('the live one failed', async () => (await live.delivery(deliveryOf(a))).reason === 'no_provider');
      await until(
        'the test one reached the sandbox',
        async () => (await test.delivery(deliveryOf(b))).state === 'delivered',
      );
    } finally {
      await strict.stop();
    }
  });
});

describe('order', () => {
  it('is strict within an ordering key, even past a failure that is retried', async () => {
    const ordered = await app.tenant({
      retry_schedule_seconds: [0.3, 0.3],
      recipient_limits: { email: { limit: 1_000, window_seconds: 60 } },
    });
    const first = await ordered.send({ ...simulated('flaky', 'o'), ordering_key: 'case-1' });
    const rest: Json[] = [];
    for (let index = 0; index < 5; index += 1)
      rest.push(await ordered.send({ ...simulated('ok', 'o'), ordering_key: 'case-1' }));
    await until(
      'all are sent',
      async () => (await ordered.call('GET', '/api/v1/notifications?status=sent')).body.data.length === 6,
    );
    const { rows } = await app.sql.query(
      'select notification_id from mailbox_messages where tenant_id = $1 order by id',
      [ordered.id],
    );
    expect(rows.map((row) => row.notification_id)).toEqual([first, ...rest].map(({ id }) => id));
  });

  it('does not wait for the poll interval of 200 ms between two deliveries of a key', async () => {
    const ordered = await app.tenant({ recipient_limits: { email: { limit: 1_000, window_seconds: 60 } } });
    const count = 60;
    const { recipient_id, recipient_address, ...common } = simulated('ok', 'o');
    const recipients = Array.from({ length: count }, () => ({ recipient_id, recipient_address }));
    const body = { ...common, ordering_key: 'case-2', recipients };
    const { status, body: answer } = await ordered.call('POST', '/api/v1/notifications/bulk', body);
    expect([status, answer.rejected]).toEqual([202, []]);
    const isSent = async (): Promise<boolean> =>
      (await ordered.call('GET', '/api/v1/notifications?status=sent&limit=100')).body.data.length === count;
    await until('all are sent', isSent, (count * 200) / 2);
  });
});
