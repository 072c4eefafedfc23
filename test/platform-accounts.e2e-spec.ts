// Which tenants may use an account of the platform, and as whom.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '#domain';
import { type SmtpSink, startSmtpSink, startVendor, until, type Vendor, vendors } from '#testing';
import { CONTENT, type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const OWN = 'noreply@operator.example';
/** A change of an account reaches the worker as a hint. */
const WAIT = { timeout: 10_000 };

let app: TestEnvironment;
let tenant: Tenant;
let sink: SmtpSink;
const close: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  app = await startTestEnvironment({ environment: { SANDBOX_FALLBACK: 'false' } });
});
afterAll(() => app?.stop());
beforeEach(async () => {
  tenant = await app.tenant();
  sink = await startSmtpSink();
  close.push(() => sink.close());
});
afterEach(async () => {
  for (const { id } of (await app.operator('GET', '/internal/provider-accounts')).body.data)
    await app.operator('DELETE', `/internal/provider-accounts/${id}`);
  for (const one of close.splice(0)) await one();
});

async function platformAccount(body: Record<string, unknown>): Promise<Json> {
  const made = await app.operator('POST', '/internal/provider-accounts', { name: newId(), ...body });
  expect([made.status, made.body.detail]).toEqual([201, undefined]);
  return made.body;
}

const smtp = (more: Record<string, unknown> = {}, from = OWN): Record<string, unknown> => ({
  provider: 'smtp',
  credentials: { host: '127.0.0.1', port: sink.port, tls: 'none', from },
  ...more,
});

/** Sends through the platform's accounts and returns the finished delivery with its timeline. */
async function send(body: Record<string, unknown>, by: Tenant = tenant): Promise<Json> {
  const id = newId();
  const sent = await by.send({ recipient_id: id, ...body });
  return await until('the delivery is final', async () => {
    const delivery = await by.delivery(sent.deliveries[0].id);
    return ['sent', 'failed'].includes(delivery.state) && delivery;
  });
}

const mail = (from?: string): Record<string, unknown> => ({
  channel: 'email',
  recipient_address: `${newId()}@example.com`,
  content: { ...CONTENT.email, ...(from !== undefined && { from }) },
});

describe('an e-mail account of the platform', () => {
  it('sends as itself only, and refuses the sender of a template with a permanent reason', async () => {
    await platformAccount(smtp());
    expect((await send(mail())).state).toBe('sent');
    const key = `k-${newId()}`;
    await tenant.call('POST', '/api/v1/templates', {
      key,
      channel: 'email',
      content: { ...CONTENT.email, from: '{{who}}@operator.example' },
    });
    const { content: _content, ...addressed } = mail();
    const refused = await send({ ...addressed, template_id: key, payload: { who: 'security' } });
    expect(refused).toMatchObject({ state: 'failed', reason: 'sender_not_allowed', attempts: 0 });
    expect(refused.timeline.at(-1)).toMatchObject({
      code: 'failed',
      reason: 'sender_not_allowed',
      rule: 'provider_account.allowed',
      detail: expect.stringContaining('its allowed_from does not contain the sender of the message'),
    });
    expect(sink.log).toHaveLength(1);
  });

  it('sends as the senders of allowed_from; a change takes effect at once', async () => {
    const { id, ...made } = await platformAccount(smtp({ allowed_from: ['news@tenant.example', '@mail.example'] }));
    expect(made).toMatchObject({
      allowed_from: ['news@tenant.example', '@mail.example'],
      allowed_tenants: null,
      allowed_channels: null,
    });
    for (const from of ['News <news@tenant.example>', 'any@mail.example'])
      expect((await send(mail(from))).state).toBe('sent');
    expect((await send(mail('other@tenant.example'))).reason).toBe('sender_not_allowed');
    const path = `/internal/provider-accounts/${id}`;
    expect((await app.operator('GET', path)).body).toEqual({ id, ...made });
    expect((await app.operator('PATCH', path, { allowed_from: ['@tenant.example'] })).body.allowed_from).toEqual([
      '@tenant.example',
    ]);
    await expect.poll(async () => (await send(mail('other@tenant.example'))).state, WAIT).toBe('sent');
    await app.operator('PATCH', path, { allowed_from: null });
    await expect.poll(async () => (await send(mail('other@tenant.example'))).reason, WAIT).toBe('sender_not_allowed');
  });

  it('leaves the message to the next account that allows its sender', async () => {
    const second = await startSmtpSink();
    close.push(() => second.close());
    await platformAccount(smtp({ order: 1 }));
    const credentials = { host: '127.0.0.1', port: second.port, tls: 'none', from: 'second@operator.example' };
    await platformAccount({ provider: 'smtp', credentials, order: 2, allowed_from: ['@tenant.example'] });
    expect((await send(mail('us@tenant.example'))).state).toBe('sent');
    expect((await send(mail())).state).toBe('sent');
    expect([second.log, sink.log].map(([one]) => one?.from)).toEqual(['us@tenant.example', OWN]);
  });

  it('is used by the tenants of allowed_tenants only', async () => {
    const other = await app.tenant();
    const { id } = await platformAccount(smtp({ allowed_tenants: [tenant.id] }));
    expect((await send(mail())).state).toBe('sent');
    expect(await send(mail(), other)).toMatchObject({ state: 'failed', reason: 'no_provider' });
    await app.operator('PATCH', `/internal/provider-accounts/${id}`, { allowed_tenants: [tenant.id, other.id] });
    await expect.poll(async () => (await send(mail(), other)).state, WAIT).toBe('sent');
    await app.operator('PATCH', `/internal/provider-accounts/${id}`, { allowed_tenants: [] });
    await expect.poll(async () => (await send(mail())).reason, WAIT).toBe('no_provider');
  });

  it('does not restrict an account of the tenant itself', async () => {
    await platformAccount(smtp());
    await tenant.call('POST', '/api/v1/provider-accounts', { name: 'own', ...smtp() });
    expect((await send(mail('anyone@anywhere.example'))).state).toBe('sent');
  });
});

describe('a chat account of the platform', () => {
  const chat = (to?: string): Record<string, unknown> => ({
    channel: 'chat',
    content: { text: 'Hello' },
    ...(to !== undefined && { recipient_address: to }),
  });
  const posted = (vendor: Vendor, field: string): unknown[] =>
    vendor.sends.map(({ body }) => JSON.parse(body)[field] as unknown);

  async function vendorOf(id: string): Promise<Vendor> {
    const vendor = await startVendor(vendors[id]!);
    close.push(() => vendor.close());
    return vendor;
  }

  it('posts to its own Slack channel and to those of allowed_channels only', async () => {
    const slack = await vendorOf('slack');
    const credentials = { token: 'xoxb-secret-token-123456', channel: '#tenants', endpoint: slack.url };
    const { id } = await platformAccount({ provider: 'slack', pace_per_second: 1_000, credentials });
    expect((await send(chat())).state).toBe('sent');
    expect((await send(chat('tenants'))).state).toBe('sent');
    expect(await send(chat('#board'))).toMatchObject({ state: 'failed', reason: 'sender_not_allowed' });
    await app.operator('PATCH', `/internal/provider-accounts/${id}`, { allowed_channels: ['C0123', 'board'] });
    await expect.poll(async () => (await send(chat('#board'))).state, WAIT).toBe('sent');
    expect((await send(chat('C9999'))).reason).toBe('sender_not_allowed');
    expect(posted(slack, 'channel')).toEqual(['#tenants', 'tenants', '#board']);
  });

  it('writes to its own Telegram chat and to those of allowed_channels only', async () => {
    const telegram = await vendorOf('telegram');
    const { id } = await platformAccount({
      provider: 'telegram',
      credentials: { ...telegram.credentials, chat_id: '42' },
    });
    expect((await send(chat())).state).toBe('sent');
    expect((await send(chat('43'))).reason).toBe('sender_not_allowed');
    await app.operator('PATCH', `/internal/provider-accounts/${id}`, { allowed_channels: ['*'] });
    await expect.poll(async () => (await send(chat('43'))).state, WAIT).toBe('sent');
    expect(posted(telegram, 'chat_id')).toEqual(['42', '43']);
  });
});

describe('the lists of an account', () => {
  it('are checked, and each error names the field and the value', async () => {
    const nobody = newId();
    const wrong = async (body: Record<string, unknown>): Promise<Json> => {
      const { status, body: problem } = await app.operator('POST', '/internal/provider-accounts', {
        name: newId(),
        ...body,
      });
      expect(status).toBe(422);
      return problem.errors;
    };
    expect(await wrong(smtp({ allowed_from: ['@mail.example', 'mail.example'] }))).toEqual([
      {
        pointer: '/allowed_from/1',
        code: 'invalid',
        message: 'must be an address, @ and a domain, or *, got "mail.example"',
      },
    ]);
    expect(await wrong(smtp({ allowed_channels: ['#news'] }))).toMatchObject([
      { pointer: '/allowed_channels', message: expect.stringContaining('must be null for smtp') },
    ]);
    expect(await wrong(smtp({ allowed_tenants: [nobody] }))).toEqual([
      {
        pointer: '/allowed_tenants/0',
        code: 'unknown_tenant',
        message: `must be the id of a tenant, got "${nobody}"`,
      },
    ]);
    expect(await wrong(smtp({ allowed_tenants: ['x'] }))).toMatchObject([{ pointer: '/allowed_tenants/0' }]);
    const { id } = await platformAccount(smtp());
    const patched = await app.operator('PATCH', `/internal/provider-accounts/${id}`, { allowed_from: ['x'] });
    expect([patched.status, patched.body.errors[0].pointer]).toEqual([422, '/allowed_from/0']);
  });

  it('are no fields of an account of a tenant', async () => {
    const { status, body } = await tenant.call('POST', '/api/v1/provider-accounts', {
      name: 'own',
      ...smtp({ allowed_tenants: null }),
    });
    expect([status, body.errors[0].pointer]).toEqual([422, '/allowed_tenants']);
  });
});
