// End to end: providers that fail, answer late and send receipts, with fake vendors that use the real protocols.

import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  browserSubscription,
  parseMail,
  type Received,
  reporters,
  type SmtpSink,
  startSmtpSink,
  startVendor,
  until,
  type Vendor,
  vendors,
} from '#testing';
import {
  type Answer,
  CONTENT,
  http,
  type Json,
  startTestEnvironment,
  type Tenant,
  type TestEnvironment,
} from './test-environment.js';

const PUBLIC_URL = 'https://notify.example.com';
const open: (() => Promise<unknown>)[] = [];
let app: TestEnvironment;

beforeAll(async () => {
  // The deadline is a third of the lease: a hanging send is aborted after two seconds.
  app = await startTestEnvironment({ environment: { PUBLIC_URL, LEASE_SECONDS: '6' } });
});
afterAll(() => app?.stop());
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function vendorOf(id: string): Promise<Vendor> {
  const vendor = await startVendor(vendors[id]!);
  open.push(() => vendor.close());
  return vendor;
}

async function account(tenant: Tenant, vendor: Vendor, more: Record<string, unknown> = {}): Promise<Json> {
  const { status, body } = await tenant.call('POST', '/api/v1/provider-accounts', {
    name: `${vendor.description.id} ${Math.random()}`,
    provider: vendor.description.id,
    credentials: vendor.credentials,
    ...more,
  });
  expect([status, body.detail]).toEqual([201, undefined]);
  return body;
}

const accountOf = async (tenant: Tenant, id: string): Promise<Json> =>
  (await tenant.call('GET', `/api/v1/provider-accounts/${id}`)).body;

const mail = (to: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  recipient_id: to,
  recipient_address: to,
  channel: 'email',
  content: CONTENT.email,
  ...more,
});

async function sendMany(tenant: Tenant, count: number, prefix: string): Promise<string[]> {
  const sent = await Promise.all(
    Array.from({ length: count }, (_, n) => tenant.send(mail(`${prefix}${n}@example.com`))),
  );
  return sent.map(({ deliveries }) => deliveries[0].id);
}

async function ended(tenant: Tenant, deliveryId: string, state: string, waitMs = 15_000): Promise<Json> {
  return await until(
    `${deliveryId} is ${state}`,
    async () => {
      const delivery = await tenant.delivery(deliveryId);
      return delivery.state === state && delivery;
    },
    waitMs,
  );
}

/** Posts a receipt, signed like the vendor's. */
async function report(
  vendor: Vendor,
  account: Json,
  tenant: Tenant,
  kind: 'delivered' | 'bounced' | 'complained',
  deliveryId: string,
): Promise<Answer> {
  const reporter = reporters[vendor.description.id]!;
  const options = { credentials: vendor.credentials, url: account.receipts_url, tenantId: tenant.id, deliveryId };
  const { headers, body } = reporter.report(kind, options);
  const path = (reporter.urlOf?.(options) ?? account.receipts_url).slice(PUBLIC_URL.length);
  return await http(app.url, 'POST', path, { headers, body });
}

describe('two e-mail accounts', () => {
  it('fail over while the first one fails; its breaker opens, and closes when it works again', async () => {
    const tenant = await app.tenant({ recipient_limits: { email: { limit: 1_000, window_seconds: 60 } } });
    const [first, second] = [await vendorOf('sendgrid'), await vendorOf('postmark')];
    const { id } = await account(tenant, first, { order: 1 });
    await account(tenant, second, { order: 2 });
    first.behave(first.description.refusals['out of order']!.reply);

    for (const deliveryId of await sendMany(tenant, 40, 'over')) {
      const delivery = await ended(tenant, deliveryId, 'sent');
      expect(delivery.provider).toBe('postmark');
      const tried = delivery.timeline.filter((entry: Json) => entry.code === 'attempt');
      // Deliveries that found the breaker open used the second account at once; the others have attempts at both.
      if (tried.length > 1) expect(tried.map((entry: Json) => entry.provider)).toEqual(['sendgrid', 'postmark']);
    }
    expect(second.sends).toHaveLength(40);
    const open = await until('the breaker is open', async () => {
      const { health } = await accountOf(tenant, id);
      return health.breaker === 'open' && health;
    });
    expect(open).toMatchObject({ code: '503' });
    const tried = first.sends.length;
    expect(tried).toBeLessThanOrEqual(40);
    for (const deliveryId of await sendMany(tenant, 10, 'later')) await ended(tenant, deliveryId, 'sent');
    // At most one probe.
    expect(first.sends.length - tried).toBeLessThanOrEqual(1);

    first.behave('accept');
    await until(
      'a probe closes the breaker',
      async () => {
        await tenant.send(mail('probe@example.com'));
        return (await accountOf(tenant, id)).health.breaker === 'closed';
      },
      20_000,
    );
    const [deliveryId] = await sendMany(tenant, 1, 'again');
    expect((await ended(tenant, deliveryId!, 'sent')).provider).toBe('sendgrid');
  }, 60_000);

  it('do not fail over after a hang: the outcome is unknown until a late receipt arrives', async () => {
    const tenant = await app.tenant();
    await tenant.call('PUT', '/api/v1/categories/invoices', { name: 'Invoices', unknown_outcome: 'hold' });
    const [first, second] = [await vendorOf('resend'), await vendorOf('postmark')];
    const made = await account(tenant, first, { order: 1 });
    await account(tenant, second, { order: 2 });
    first.behave('hang');
    const { deliveries } = await tenant.send(mail('hang@example.com', { category: 'invoices' }));
    const { id } = deliveries[0];
    const unknown = await ended(tenant, id, 'unknown');
    expect(unknown.timeline.filter((entry: Json) => entry.code === 'attempt')).toHaveLength(1);
    expect([first.sends.length, second.sends.length]).toEqual([1, 0]);
    expect(first.sends[0]!.headers['idempotency-key']).toBe(`${id}:1`);
    expect((await report(first, made, tenant, 'delivered', id)).status).toBe(200);
    await ended(tenant, id, 'delivered');
  }, 30_000);

  it('with the same credentials do not change the rejection of a message', async () => {
    const tenant = await app.tenant();
    const [first, second] = [await vendorOf('sendgrid'), await vendorOf('postmark')];
    await account(tenant, first, { order: 1 });
    await account(tenant, second, { order: 2 });
    first.behave(first.description.refusals['bad subject']!.reply);
    const { deliveries } = await tenant.send(mail('refused@example.com'));
    await ended(tenant, deliveries[0].id, 'failed');
    expect(second.sends).toHaveLength(0);
  }, 30_000);
});

describe('an unknown outcome', () => {
  it('is not retried if a receipt proves that it was delivered', async () => {
    const tenant = await app.tenant({ retry_schedule_seconds: [600, 600] });
    const vendor = await vendorOf('resend');
    const made = await account(tenant, vendor);
    const listener = await vendorOf('webhook');
    await tenant.call('POST', '/api/v1/webhooks', {
      url: `${listener.url}/hook`,
      events: ['delivery.sent', 'delivery.delivered', 'notification.finished'],
    });
    vendor.behave('reset');
    const late = await tenant.send(mail('late@example.com'));
    const { id } = late.deliveries[0];
    await until('it waits for its retry', async () => (await tenant.delivery(id)).reason === 'retry');
    expect((await report(vendor, made, tenant, 'delivered', id)).status).toBe(200);
    const delivered = await ended(tenant, id, 'delivered');
    expect(delivered).toMatchObject({ provider: 'resend', attempts: 1, reason: null, due_at: null });
    expect(delivered.timeline.map(({ code }: Json) => code)).toEqual([
      'accepted',
      'attempt',
      'sent',
      'settled',
      'delivered',
    ]);
    expect((await tenant.notification(late.id)).status).toBe('sent');
    await until('the tenant was told', () => listener.sends.length === 3);
    const told = listener.sends.map(({ body }) => (JSON.parse(body) as Json).type);
    expect(told.sort()).toEqual(['delivery.delivered', 'delivery.sent', 'notification.finished']);

    // And the other way round: the receipt arrives before the vendor's answer.
    vendor.behave('hang');
    const early = await tenant.send(mail('early@example.com'));
    const hanging = early.deliveries[0].id;
    await until('the vendor has it', () => vendor.sends.length === 2);
    expect((await report(vendor, made, tenant, 'bounced', hanging)).status).toBe(200);
    await ended(tenant, hanging, 'bounced');
    expect((await tenant.notification(early.id)).status).toBe('failed');
    expect(vendor.sends).toHaveLength(2);
  }, 30_000);

  it('of an earlier attempt does not stop the current one', async () => {
    const tenant = await app.tenant({ retry_schedule_seconds: [1, 600] });
    const vendor = await vendorOf('resend');
    const made = await account(tenant, vendor);
    vendor.behave('reset');
    const { deliveries } = await tenant.send(mail('again@example.com'));
    const { id } = deliveries[0];
    await until('the first try', () => vendor.sends.length === 1);
    vendor.behave('hang');
    await until('the second try is under way', () => vendor.sends.length === 2);
    await report(vendor, made, tenant, 'delivered', id);
    expect(await tenant.delivery(id)).toMatchObject({ state: 'sending', attempts: 2 });
    expect(await ended(tenant, id, 'delivered')).toMatchObject({ attempts: 2 });
  }, 30_000);

  it('can be resolved by an operator, once', async () => {
    const tenant = await app.tenant();
    const vendor = await vendorOf('twilio');
    await account(tenant, vendor);
    vendor.behave('reset');
    const sms = { channel: 'sms', content: CONTENT.sms };
    const [one, two] = [
      await tenant.send({ recipient_id: 'a', recipient_address: '+4915112345678', ...sms }),
      await tenant.send({ recipient_id: 'b', recipient_address: '+4915112345679', ...sms }),
    ];
    const settle = (id: string, body: unknown): Promise<Answer> =>
      tenant.call('POST', `/api/v1/deliveries/${id}/settle`, body);
    const [first, second] = [one.deliveries[0].id, two.deliveries[0].id];
    await ended(tenant, first, 'unknown');
    await ended(tenant, second, 'unknown');
    expect((await tenant.notification(one.id)).status).toBe('failed');
    const settled = await settle(first, { state: 'sent', note: 'seen in the console of the vendor' });
    expect(settled.body).toMatchObject({ state: 'sent' });
    const told = settled.body.timeline.find(({ code }: Json) => code === 'settled');
    expect(told).toMatchObject({
      code: 'settled',
      detail: 'seen in the console of the vendor',
    });
    expect((await tenant.notification(one.id)).status).toBe('sent');
    expect((await settle(first, { state: 'failed' })).body).toMatchObject({
      code: 'conflict',
      detail: expect.stringContaining('sent'),
    });
    expect((await settle(second, { state: 'failed' })).body.state).toBe('failed');
    const letters = await app.operator('GET', `/internal/dlq?tenant_id=${tenant.id}`);
    expect(letters.body.data).toMatchObject([{ delivery_id: second, code: 'settled' }]);
    expect((await settle(second, { state: 'delivered' })).status).toBe(422);
  }, 30_000);
});

describe('receipts', () => {
  it('of SES arrive through SNS: a bounce leads to bounced and a suppression entry, and the next e-mail is not sent', async () => {
    const tenant = await app.tenant();
    const vendor = await vendorOf('ses');
    const made = await account(tenant, vendor);
    expect(made.receipts_url).toBe(`${PUBLIC_URL}/receipts/ses/${made.id}`);
    const listener = await vendorOf('webhook');
    const endpoint = await tenant.call('POST', '/api/v1/webhooks', {
      url: `${listener.url}/hook`,
      events: ['delivery.bounced', 'suppression.created'],
    });
    const { deliveries } = await tenant.send(mail('Gone@Example.com'));
    const { id } = deliveries[0];
    await ended(tenant, id, 'sent');
    const sent = JSON.parse(vendor.sends[0]!.body) as Json;
    expect(sent.EmailTags).toEqual([
      { Name: 'carillon-tenant', Value: tenant.id },
      { Name: 'carillon-delivery', Value: id },
    ]);
    expect((await report(vendor, made, tenant, 'bounced', id)).body).toEqual({ taken: 1 });
    // However often it is repeated.
    expect((await report(vendor, made, tenant, 'bounced', id)).status).toBe(200);
    const delivery = await ended(tenant, id, 'bounced');
    expect(delivery.timeline.filter((entry: Json) => entry.code === 'bounced')).toHaveLength(1);
    const { body } = await tenant.call('GET', '/api/v1/suppressions?address=gone@example.com');
    expect(body.data).toMatchObject([
      { channel: 'email', address: 'gone@example.com', reason: 'bounced', delivery_id: id },
    ]);
    await until('the tenant was told', () => listener.sends.length === 2);
    const told = listener.sends.map(
      ({ headers, body: text }) => new Webhook(endpoint.body.secret).verify(text, headers) as Json,
    );
    expect(told.map(({ type }) => type).sort()).toEqual(['delivery.bounced', 'suppression.created']);
    expect(told.find(({ type }) => type === 'delivery.bounced').data).toMatchObject({
      delivery_id: id,
      state: 'bounced',
      provider: 'ses',
      code: 'smtp; 550 5.1.1 no such user',
    });
    const next = await tenant.send(mail('gone@example.com'));
    expect(await ended(tenant, next.deliveries[0].id, 'suppressed')).toMatchObject({ reason: 'suppression_list' });
    expect(vendor.sends).toHaveLength(1);

    expect((await tenant.call('DELETE', `/api/v1/suppressions/${body.data[0].id}`)).status).toBe(204);
    const after = await tenant.send(mail('gone@example.com'));
    await ended(tenant, after.deliveries[0].id, 'sent');
  }, 30_000);

  it('that are forged, for another account, or about another tenant change nothing', async () => {
    const [tenant, other] = [await app.tenant(), await app.tenant()];
    const vendor = await vendorOf('resend');
    const [made, theirs] = [await account(tenant, vendor), await account(other, vendor)];
    const { deliveries } = await tenant.send(mail('safe@example.com'));
    const { id } = deliveries[0];
    await ended(tenant, id, 'sent');
    // A valid signature of the wrong tenant.
    expect((await report(vendor, theirs, tenant, 'bounced', id)).status).toBe(200);
    const { headers, body } = reporters['resend']!.report('bounced', {
      credentials: {
        ...vendor.credentials,
        webhook_secret: `whsec_${Buffer.from('another secret').toString('base64')}`,
      },
      url: made.receipts_url,
      tenantId: tenant.id,
      deliveryId: id,
    });
    const path = made.receipts_url.slice(PUBLIC_URL.length);
    expect((await http(app.url, 'POST', path, { headers, body })).body.code).toBe('forbidden');
    expect((await http(app.url, 'POST', path.replace('resend', 'postmark'), { headers, body })).status).toBe(404);
    expect((await http(app.url, 'POST', path.replace(made.id, tenant.id), { headers, body })).status).toBe(404);
    expect((await http(app.url, 'POST', path, { body: '' })).status).toBe(403);
    expect((await tenant.delivery(id)).state).toBe('sent');
    expect((await tenant.call('GET', '/api/v1/suppressions')).body.data).toEqual([]);
  }, 30_000);

  it('that arrive before the record of the send wait for it', async () => {
    const tenant = await app.tenant();
    const vendor = await vendorOf('mailgun');
    const made = await account(tenant, vendor);
    let release = (): void => undefined;
    const reported = new Promise<void>((resolve) => {
      release = resolve;
    });
    let seen: Received | undefined;
    vendor.behave((request) => {
      seen = request;
      return { status: 503 };
    });
    const { deliveries } = await tenant.send(mail('early@example.com'));
    const { id } = deliveries[0];
    await until('it was tried', () => seen !== undefined);
    // It waits for its retry: not recorded as sent, whatever the vendor reports.
    expect((await report(vendor, made, tenant, 'delivered', id)).body).toEqual({ taken: 1 });
    expect((await tenant.delivery(id)).state).toBe('waiting');
    vendor.behave('accept');
    release();
    await reported;
    await ended(tenant, id, 'delivered', 25_000);
  }, 40_000);
});

describe("a vendor's feedback about an address", () => {
  it('a number that answered STOP gets no more messages', async () => {
    const tenant = await app.tenant();
    const vendor = await vendorOf('twilio');
    await account(tenant, vendor);
    vendor.behave(vendor.description.refusals['stopped']!.reply);
    const sms = { recipient_id: 'a', recipient_address: '+4915112345678', channel: 'sms', content: CONTENT.sms };
    const { deliveries } = await tenant.send(sms);
    expect(await ended(tenant, deliveries[0].id, 'failed')).toMatchObject({ reason: 'bad_address' });
    expect((await tenant.call('GET', '/api/v1/suppressions')).body.data).toMatchObject([
      { channel: 'sms', address: '+4915112345678', reason: 'unsubscribed' },
    ]);
    const next = await tenant.send(sms);
    expect(await ended(tenant, next.deliveries[0].id, 'suppressed')).toMatchObject({ reason: 'suppression_list' });
    // A mandatory category ignores unsubscriptions.
    await tenant.call('PUT', '/api/v1/categories/alarm', { name: 'Alarm', mandatory: true });
    vendor.behave('accept');
    const alarm = await tenant.send({ ...sms, category: 'alarm' });
    await ended(tenant, alarm.deliveries[0].id, 'sent');
    expect(vendor.sends).toHaveLength(2);
    expect(new URLSearchParams(vendor.sends[1]!.body).get('StatusCallback')).toMatch(
      /^https:\/\/notify\.example\.com\/receipts\/twilio\/.*reference=/,
    );
  }, 30_000);

  it('the sandbox simulates it without a suppression entry', async () => {
    const tenant = await app.tenant();
    for (let time = 0; time < 2; time += 1) {
      const { deliveries } = await tenant.send(mail('bad-address@simulator.test'));
      expect(await ended(tenant, deliveries[0].id, 'failed')).toMatchObject({ reason: 'bad_address' });
    }
    expect((await tenant.call('GET', '/api/v1/suppressions')).body.data).toEqual([]);
  }, 30_000);

  it('a device that is gone is removed, and the other device gets the message', async () => {
    const tenant = await app.tenant();
    const vendor = await vendorOf('fcm');
    await account(tenant, vendor);
    await tenant.call('PUT', '/api/v1/recipients/ann', {});
    for (const token of ['old-phone', 'new-phone'])
      await tenant.call('POST', '/api/v1/recipients/ann/devices', { token, platform: 'android' });
    vendor.behave(({ body }) =>
      body.includes('old-phone')
        ? vendor.description.refusals['unregistered']!.reply
        : { status: 200, body: { name: 'projects/p/messages/1' } },
    );
    const push = { recipient_id: 'ann', channel: 'push', content: { title: 'Hello', body: 'there' } };
    const { deliveries } = await tenant.send(push);
    await ended(tenant, deliveries[0].id, 'sent');
    const { body } = await tenant.call('GET', '/api/v1/recipients/ann/devices');
    expect(body.data.map(({ token }: Json) => token)).toEqual(['new-phone']);
    expect(vendor.sends).toHaveLength(2);
    const again = await tenant.send(push);
    await ended(tenant, again.deliveries[0].id, 'sent');
    expect(vendor.sends).toHaveLength(3);
  }, 30_000);

  it('a browser is reached through the account that supports it', async () => {
    const tenant = await app.tenant();
    const [phones, browsers] = [await vendorOf('fcm'), await vendorOf('web-push')];
    await account(tenant, phones, { order: 1 });
    await account(tenant, browsers, { order: 2 });
    await tenant.call('PUT', '/api/v1/recipients/bob', {});
    const subscription = browserSubscription(browsers.url);
    await tenant.call('POST', '/api/v1/recipients/bob/devices', { token: subscription, platform: 'web' });
    const { deliveries } = await tenant.send({
      recipient_id: 'bob',
      channel: 'push',
      content: { title: 'Hello', body: 'there' },
    });
    expect(await ended(tenant, deliveries[0].id, 'sent')).toMatchObject({ provider: 'web-push' });
    expect([phones.sends.length, browsers.sends.length]).toEqual([0, 1]);
    expect(browsers.sends[0]!.headers).toMatchObject({
      'content-encoding': 'aes128gcm',
      authorization: expect.stringMatching(/^vapid t=/),
    });
  }, 30_000);
});

describe('credentials that do not work', () => {
  it('hold the backlog instead of failing it; it is sent when they work', async () => {
    // A send that a busy machine delays beyond the two seconds of this lease is tried again soon.
    const tenant = await app.tenant({ retry_schedule_seconds: [1, 1, 1, 1, 1] });
    const vendor = await vendorOf('sendgrid');
    const made = await account(tenant, vendor);
    vendor.behave(vendor.description.refusals['wrong key']!.reply);
    const held = async (ids: string[]): Promise<void> => {
      const areHeld = async (): Promise<boolean> => {
        const found = await Promise.all(ids.map((id) => tenant.delivery(id)));
        return found.every(({ state, reason }) => state === 'waiting' && reason === 'provider_down');
      };
      await until('all are held', areHeld, 20_000);
    };
    await held(await sendMany(tenant, 3, 'first'));
    expect((await accountOf(tenant, made.id)).health).toMatchObject({
      breaker: 'open',
      detail: 'authorization required',
    });
    const overview = (await app.operator('GET', '/internal/overview')).body;
    expect(overview.breakers).toContainEqual(
      expect.objectContaining({ account_id: made.id, tenant_id: tenant.id, provider: 'sendgrid', breaker: 'open' }),
    );
    // A slow count is repeated in the background, so the overview may show an earlier one first.
    await until('the overview counts them', async () => {
      const { body } = await app.operator('GET', '/internal/overview');
      return body.channels.email.waiting >= 3;
    });
    const tried = vendor.sends.length;
    const triedAt = performance.now();
    const ids = await sendMany(tenant, 30, 'held');
    await held(ids);
    // A probe every five seconds, not one request per delivery.
    const probes = 1 + Math.ceil((performance.now() - triedAt) / 5_000);
    expect(vendor.sends.length - tried).toBeLessThanOrEqual(probes);
    // Nor were all claimed and released: they stay in the queue, and still show their reason.
    const takenUp = (await Promise.all(ids.map((id) => tenant.delivery(id)))).filter(({ timeline }) =>
      timeline.some((entry: Json) => entry.code === 'held'),
    );
    expect(takenUp.length).toBeLessThanOrEqual(16);
    // Deliveries that wait there too long expire.
    const { deliveries } = await tenant.send(
      mail('late@example.com', { expires_at: new Date(Date.now() + 1_000).toISOString() }),
    );
    await ended(tenant, deliveries[0].id, 'expired');
    expect((await accountOf(tenant, made.id)).health.breaker).not.toBe('closed');
    vendor.behave('accept');
    for (const id of ids) await ended(tenant, id, 'sent', 40_000);
    expect((await app.operator('GET', `/internal/dlq?tenant_id=${tenant.id}`)).body.data).toEqual([]);
  }, 120_000);
});

describe('the pace of an account', () => {
  it('holds across all workers', async () => {
    const tenant = await app.tenant({ recipient_limits: { email: { limit: 1_000, window_seconds: 60 } } });
    const vendor = await vendorOf('sendgrid');
    await account(tenant, vendor, { pace_per_second: 10 });
    const second = await app.startWorker();
    const startedAt = Date.now();
    for (const id of await sendMany(tenant, 40, 'paced')) await ended(tenant, id, 'sent', 30_000);
    const seconds = (vendor.sends.at(-1)!.at - startedAt) / 1_000;
    expect(vendor.sends).toHaveLength(40);
    // The fortieth is due 3.9 seconds after the first.
    expect(seconds).toBeGreaterThan(3.5);
    const times = vendor.sends.map(({ at }) => at);
    const most = Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 1_000).length));
    expect(most).toBeLessThanOrEqual(20);
    await second.stop();
  }, 60_000);
});

describe('one click', () => {
  let sink: SmtpSink;
  beforeAll(async () => {
    sink = await startSmtpSink();
  });
  afterAll(() => sink?.close());

  it('by a plain POST unsubscribes from that category only', async () => {
    const tenant = await app.tenant();
    await tenant.call('POST', '/api/v1/provider-accounts', {
      name: 'smtp',
      provider: 'smtp',
      credentials: { host: '127.0.0.1', port: sink.port, tls: 'none', from: 'Carillon <news@example.com>' },
    });
    await tenant.call('PUT', '/api/v1/categories/product%20news', { name: 'Product <news>' });
    await tenant.call('PUT', '/api/v1/categories/receipts', { name: 'Receipts', mandatory: true });
    await tenant.call('PUT', '/api/v1/recipients/ann', { email: 'ann@example.com' });
    const send = async (category: string): Promise<Json> => {
      const content = {
        subject: 'Hello',
        text: 'Leave: {{#if unsubscribe_url}}{{unsubscribe_url}}{{else}}no way{{/if}}',
      };
      const { deliveries } = await tenant.send({ recipient_id: 'ann', channel: 'email', content, category });
      return await until('it is final', async () => {
        const delivery = await tenant.delivery(deliveries[0].id);
        return !['waiting', 'sending'].includes(delivery.state) && delivery;
      });
    };
    expect((await send('product news')).state).toBe('sent');
    const first = await parseMail(sink.log.at(-1)!.raw);
    const raw = sink.log
      .at(-1)!
      .raw.toString()
      .replace(/\r\n\s+/g, ' ');
    expect(raw).toContain('List-Unsubscribe-Post: List-Unsubscribe=One-Click');
    expect(raw).toMatch(new RegExp(`^List-ID: <product-news\\.${tenant.id}\\.notify\\.example\\.com>`, 'im'));
    const link = /^List-Unsubscribe:\s*<([^>]+)>/im.exec(raw)![1]!.replaceAll(' ', '');
    expect(first.text).toContain(link);
    const path = link.slice(PUBLIC_URL.length);

    const shown = await http(app.url, 'GET', path);
    expect([shown.status, shown.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(shown.body).toContain('Product &#60;news&#62;');
    // A GET does not unsubscribe.
    expect((await send('product news')).state).toBe('sent');

    const click = () =>
      http(app.url, 'POST', path, {
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: 'List-Unsubscribe=One-Click',
      });
    expect([(await click()).status, (await click()).status]).toEqual([200, 200]);
    expect(await send('product news')).toMatchObject({ state: 'suppressed', reason: 'unsubscribed' });
    expect((await send('default')).state).toBe('sent');
    expect((await send('receipts')).state).toBe('sent');
    const must = sink.log.at(-1)!.raw.toString();
    expect(must).not.toMatch(/List-Unsubscribe/i);
    expect(must).toContain('no way');
    expect((await tenant.call('GET', '/api/v1/recipients/ann/preferences')).body).toEqual({
      channels: {},
      categories: { 'product news': { enabled: false } },
      quiet_hours: null,
      caps: [],
    });
    expect((await http(app.url, 'POST', `${path.slice(0, -2)}xx`)).status).toBe(404);
  }, 60_000);
});
