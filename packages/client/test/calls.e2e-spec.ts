// The answers and errors of calls, and the iterators over lists.

import { randomUUID } from 'node:crypto';
import { Carillon, CarillonError, type Notification, verifyWebhook } from '@carillon/client';
import { Inbox } from '@carillon/client/inbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTcpProxy, startVendor, until, vendors } from '../../../libs/testing/src/index.js';
import { CONTENT, startTestEnvironment, type Tenant, type TestEnvironment } from '../../../test/test-environment.js';

let app: TestEnvironment;
let tenant: Tenant;
let carillon: Carillon;

beforeAll(async () => {
  app = await startTestEnvironment();
  tenant = await app.tenant();
  carillon = new Carillon({ url: `${app.url}/`, apiKey: tenant.apiKey });
});
afterAll(() => app?.stop());

const email = (recipient_id: string) => ({
  recipient_id,
  recipient_address: 'ok@simulator.test',
  channel: 'email' as const,
  content: CONTENT.email,
});

async function thrownBy(call: Promise<unknown>): Promise<CarillonError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CarillonError);
  return error as CarillonError;
}

describe('a call', () => {
  it('returns the body of the answer, with its type', async () => {
    const sent: Notification = await carillon.notifications.send({ body: email('ann') });
    expect(sent.recipient_id).toBe('ann');
    const ann = await carillon.recipients.put({ path: { id: 'ann/1' }, body: { locale: 'fr' } });
    expect(ann.locale).toBe('fr');
    expect((await carillon.recipients.get({ path: { id: 'ann/1' } })).id).toBe('ann/1');
    const file = await carillon.recipients.export({ path: { id: 'ann/1' } });
    expect((await file.text()).split('\n')[0]).toContain('ann/1');
  });

  it('throws every fault of the request, with its place and the id of the request', async () => {
    // @ts-expect-error: the types know the channels
    const error = await thrownBy(carillon.notifications.send({ body: { ...email('ann'), channel: 'fax' } }));
    expect(error).toMatchObject({ name: 'CarillonError', code: 'validation_failed', status: 422 });
    expect(error.errors[0]!.pointer).toBe('/channel');
    const fault = '/channel: must be one of email, sms, push, in_app, chat, webhook, got "fax"';
    expect(error.message).toBe(`validation_failed: ${fault} (request ${error.requestId})`);
    // @ts-expect-error: the types know the fields
    const several = await thrownBy(carillon.recipients.put({ path: { id: 'ann' }, body: { phone: '1', x: 1 } }));
    expect(several.message.split('; ')).toHaveLength(2);
    expect(several.message).toMatch(/^validation_failed: The request has 2 errors\. .*\/phone: must be an E\.164/);
    expect((await thrownBy(carillon.notifications.get({ path: { id: randomUUID() } }))).code).toBe('not_found');
    const stranger = new Carillon({ url: app.url, apiKey: 'car_live_x' });
    expect((await thrownBy(stranger.quota.get())).code).toBe('unauthenticated');
  });

  it('names the option that is missing, as when its variable is not set', () => {
    const { url } = app;
    const missing = undefined as unknown as string;
    const words = 'url must be a URL like https://carillon.example.com, got';
    expect(() => new Carillon({ url: missing, apiKey: 'x' })).toThrow(`${words} undefined.`);
    expect(() => new Carillon({ url: 'carillon:8080', apiKey: 'x' })).toThrow(`${words} "carillon:8080".`);
    for (const apiKey of [missing, '']) expect(() => new Carillon({ url, apiKey })).toThrow('apiKey is missing.');
    expect(() => new Carillon({ url, fetch })).not.toThrow();
    expect(() => new Inbox({ url: missing, token: 'x' })).toThrow(`${words} undefined.`);
    expect(() => new Inbox({ url, token: missing })).toThrow('token is missing');
  });

  it("works with a recipient's token and with the operator's", async () => {
    const { token } = await carillon.recipients.inboxToken({ path: { id: 'ann' } });
    expect((await new Carillon({ url: app.url, recipientToken: token }).inbox.counts()).total).toBe(0);
    const operator = new Carillon({ url: app.url, operatorToken: app.config.adminToken });
    expect((await operator.tenants.get({ path: { id: tenant.id } })).id).toBe(tenant.id);
    expect((await thrownBy(operator.quota.get())).code).toBe('unauthenticated');
  });

  it('keeps the idempotency key of the caller, in the header and in the body', async () => {
    const body = email('keyed');
    const one = await carillon.notifications.send({ body, headers: { 'Idempotency-Key': 'in-the-header' } });
    const two = await carillon.notifications.send({ body, headers: { 'Idempotency-Key': 'in-the-header' } });
    expect(two.id).toBe(one.id);
    const three = await carillon.notifications.send({ body: { ...body, idempotency_key: 'in-the-body' } });
    const four = await carillon.notifications.send({ body: { ...body, idempotency_key: 'in-the-body' } });
    expect(four.id).toBe(three.id);
    expect(three.id).not.toBe(one.id);
  });

  it('uploads text and files', async () => {
    const lines = [{ channel: 'in_app', content: CONTENT.in_app }, { recipient_id: 'ann' }];
    const text = lines.map((line) => JSON.stringify(line)).join('\n');
    expect((await carillon.uploads.upload({ body: text })).total).toBe(1);
    expect((await carillon.uploads.upload({ body: new Blob([text]) })).total).toBe(1);
  });

  it('tells no connection from no answer, and stops when its signal is aborted', async () => {
    const proxy = await startTcpProxy({ host: '127.0.0.1', port: Number(new URL(app.url).port) });
    const url = `http://127.0.0.1:${proxy.port}`;
    const brief = new Carillon({ url, apiKey: tenant.apiKey, maxRetries: 1, timeoutMs: 300 });
    proxy.reset();
    expect(await thrownBy(brief.quota.get())).toMatchObject({ code: 'network_error', status: undefined });
    proxy.blackhole();
    expect(await thrownBy(brief.quota.get())).toMatchObject({ code: 'timeout', status: undefined });
    const patient = new Carillon({ url, apiKey: tenant.apiKey, deadlineMs: 500 });
    const start = performance.now();
    expect(await thrownBy(patient.quota.get())).toMatchObject({ code: 'timeout' });
    expect(performance.now() - start).toBeLessThan(2_000);
    const reason = new Error('no longer wanted');
    await expect(patient.quota.get({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const caller = new AbortController();
    const call = patient.quota.get({ signal: caller.signal });
    setImmediate(() => caller.abort(reason));
    await expect(call).rejects.toBe(reason);
    await proxy.close();
  });
});

describe('the iterators', () => {
  it('give every item of all pages, with its type', async () => {
    const expected = Array.from({ length: 7 }, (_, index) => `paged-${index}`);
    for (const id of expected) await carillon.notifications.send({ body: { ...email(id), type: 'paged' } });
    const seen: (string | null)[] = [];
    for await (const notification of carillon.each.notifications.list({ query: { type: 'paged', limit: 3 } })) {
      const { recipient_id }: Notification = notification;
      seen.push(recipient_id);
    }
    expect(seen).toEqual(expected.toReversed());
    // @ts-expect-error: not a list
    expect(carillon.each.notifications.send).toBeDefined();
  });

  it('stop asking when the caller stops', async () => {
    let requests = 0;
    const fetch = (request: Request): Promise<Response> => {
      requests += 1;
      return globalThis.fetch(request);
    };
    const counted = new Carillon({ url: app.url, apiKey: tenant.apiKey, fetch });
    for await (const _notification of counted.each.notifications.list({ query: { limit: 2 } })) break;
    expect(requests).toBe(1);
  });
});

describe('a webhook', () => {
  it('is verified with one of the secrets, as the API sends it, and has the type of its event', async () => {
    const vendor = await startVendor(vendors['webhook']!);
    const { id, secret } = await carillon.webhooks.create({
      body: { url: `${vendor.url}/hook`, events: ['delivery.sent'] },
    });
    const rotated = await carillon.webhooks.rotate({ path: { id } });
    await carillon.notifications.send({ body: email('hooked') });
    const { headers, body } = await until('the event has arrived', () =>
      vendor.sends.find((received) => received.body.includes('hooked')),
    );
    for (const secrets of [secret, [rotated.secret], ['whsec_bm90LXRoZS1zZWNyZXQ=', secret]]) {
      const event = verifyWebhook(secrets, headers, body);
      if (event.type !== 'delivery.sent') throw new Error(`got ${event.type}`);
      expect(event.data.recipient_id).toBe('hooked');
    }
    expect(() => verifyWebhook('whsec_bm90LXRoZS1zZWNyZXQ=', headers, body)).toThrow('No matching signature');
    expect(() => verifyWebhook(secret, headers, body.replace('hooked', 'forged'))).toThrow('No matching signature');
    const old = { ...headers, 'webhook-timestamp': String(Math.floor(Date.now() / 1_000) - 301) };
    expect(() => verifyWebhook(secret, old, body)).toThrow('too old');
    await vendor.close();
  });
});
