import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '#testing';
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
  app = await startTestEnvironment();
  tenant = await app.tenant({ retry_schedule_seconds: [0.05, 0.05] });
  await tenant.call('PUT', '/api/v1/recipients/user-123', {
    email: 'alice@example.com',
    phone: '+15005550100',
    locale: 'fr-CA',
  });
  await tenant.call('POST', '/api/v1/templates', {
    key: 'welcome',
    channel: 'email',
    content: { subject: 'Welcome, {{name}}', html: '<p>{{name}}</p>' },
  });
});
afterAll(() => app?.stop());

const settled = (id: string): Promise<Json> =>
  until(`notification ${id} is final`, async () => {
    const found = await tenant.notification(id);
    return !['pending', 'active'].includes(found.status) && found;
  });

describe('a minimal send', () => {
  it('is answered with 202 and the notification, and ends in the mailbox', async () => {
    const answer = await tenant.call('POST', '/api/v1/notifications', {
      recipient_id: 'user-123',
      channel: 'email',
      template_id: 'welcome',
      payload: { name: '<Alice>' },
    });
    expect(answer.status).toBe(202);
    expect(answer.headers.get('location')).toBe(`/api/v1/notifications/${answer.body.id}`);
    expect(answer.body).toMatchObject({
      status: 'pending',
      channels: ['email'],
      recipient_id: 'user-123',
      priority: 5,
      category: 'default',
      counts: { waiting: 1 },
      topic: null,
    });
    const done = await settled(answer.body.id);
    expect(done).toMatchObject({ status: 'sent', counts: { sent: 1 } });
    expect(done.deliveries[0]).toMatchObject({ state: 'sent', provider: 'sandbox', attempts: 1, template_version: 1 });
    const { body } = await tenant.call('GET', '/api/v1/mailbox?to=alice@example.com');
    expect(body.data[0]).toMatchObject({
      channel: 'email',
      delivery_id: done.deliveries[0].id,
      message: { subject: 'Welcome, <Alice>', html: '<p>&lt;Alice&gt;</p>' },
    });
    expect((await tenant.call('GET', `/api/v1/mailbox/${body.data[0].id}`)).body.message.subject).toBe(
      'Welcome, <Alice>',
    );
  });

  it('uses the best locale of a template by key, and a new version at once', async () => {
    await tenant.call('POST', '/api/v1/templates', {
      key: 'hi',
      channel: 'email',
      locale: 'en',
      content: { subject: 'Hi', text: 'x' },
    });
    await tenant.call('POST', '/api/v1/templates', {
      key: 'hi',
      channel: 'email',
      locale: 'fr',
      content: { subject: 'Salut', text: 'x' },
    });
    const send = { recipient_id: 'user-123', channel: 'email', template_id: 'hi' };
    await settled((await tenant.send(send)).id);
    const subject = async (): Promise<string> =>
      (await tenant.call('GET', '/api/v1/mailbox?limit=1')).body.data[0].message.subject;
    expect(await subject()).toBe('Salut');
    expect(
      (
        await tenant.call('PUT', '/api/v1/templates/hi?channel=email&locale=fr', {
          content: { subject: 'Bonjour', text: 'x' },
        })
      ).body.version,
    ).toBe(2);
    const done = await settled((await tenant.send(send)).id);
    expect(await subject()).toBe('Bonjour');
    expect(done.deliveries[0].template_version).toBe(2);
  });

  it('creates one delivery per channel', async () => {
    const { id } = await tenant
      .send({ recipient_id: 'user-123', channels: ['email', 'in_app'], content: undefined, template_id: 'both' })
      .catch(async () => {
        await tenant.call('POST', '/api/v1/templates', {
          key: 'both',
          channel: 'email',
          content: { subject: 'S', text: 'T' },
        });
        await tenant.call('POST', '/api/v1/templates', {
          key: 'both',
          channel: 'in_app',
          content: { title: 'S', body: 'T' },
        });
        return await tenant.send({ recipient_id: 'user-123', channels: ['email', 'in_app'], template_id: 'both' });
      });
    const done = await settled(id);
    expect(done.deliveries.map(({ channel, state }: Json) => [channel, state])).toEqual([
      ['email', 'sent'],
      ['in_app', 'sent'],
    ]);
  });

  it('stores an inline profile first', async () => {
    const { id } = await tenant.send({
      recipient: { id: 'new-one', email: 'new@example.com', attributes: { plan: 'pro' } },
      channel: 'email',
      content: CONTENT.email,
    });
    expect((await settled(id)).status).toBe('sent');
    expect((await tenant.call('GET', '/api/v1/recipients/new-one')).body).toMatchObject({
      email: 'new@example.com',
      attributes: { plan: 'pro' },
    });
  });

  it('has shorthands that do not interpret their text', async () => {
    const mail = await tenant.call('POST', '/api/v1/email', {
      message: 'Braces {{stay}} \\{{so}}',
      recipient: 'bob@example.com',
      subject: 'Hi {{x}}',
    });
    expect(mail.status).toBe(202);
    await settled(mail.body.id);
    expect((await tenant.call('GET', '/api/v1/mailbox?to=bob@example.com')).body.data[0].message).toEqual({
      subject: 'Hi {{x}}',
      text: 'Braces {{stay}} \\{{so}}',
    });
    const sms = await tenant.call('POST', '/api/v1/sms', { message: 'Hi', recipient: '+15005550123' });
    expect((await settled(sms.body.id)).deliveries[0]).toMatchObject({ channel: 'sms', state: 'sent' });
    const slack = await tenant.call('POST', '/api/v1/slack', { message: 'Hi' });
    expect((await settled(slack.body.id)).deliveries[0]).toMatchObject({ channel: 'chat', state: 'sent' });
    expect((await tenant.call('POST', '/api/v1/sms', { message: 'Hi', recipient: '0800' })).body).toMatchObject({
      status: 422,
      errors: [{ pointer: '/recipient_address', code: 'bad_address' }],
    });
  });
});

describe('validation errors are reported all at once', () => {
  it('with the value of each field', async () => {
    const answer = await tenant.call('POST', '/api/v1/notifications', {
      recipient_id: 'user-123',
      chanel: 'email',
      channels: ['fax'],
      priority: 11,
      scheduled_at: 'tomorrow',
    });
    expect(answer.status).toBe(422);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect(answer.body).toMatchObject({ code: 'validation_failed', status: 422, request_id: expect.any(String) });
    const faults = Object.fromEntries(answer.body.errors.map((fault: Json) => [fault.pointer, fault.message]));
    expect(Object.keys(faults).sort()).toEqual(['/chanel', '/channels/0', '/priority', '/scheduled_at']);
    expect(faults['/channels/0']).toContain('"fax"');
    expect(faults['/priority']).toContain('11');
    expect(faults['/scheduled_at']).toContain('"tomorrow"');
  });

  it.each([
    ['neither recipient nor channel nor content', {}, ['/recipient_id', '/channel', '/template_id']],
    [
      'both ways at once',
      {
        recipient_id: 'a',
        recipient: { id: 'a' },
        channel: 'email',
        channels: ['email'],
        template_id: 'x',
        content: {},
      },
      ['/recipient', '/channels', '/content'],
    ],
    [
      'a content of another shape',
      { recipient_id: 'user-123', channel: 'email', content: { subject: 'x', body: 'y' } },
      ['/content/body', '/content/text'],
    ],
    [
      'a content with a bad template',
      { recipient_id: 'user-123', channel: 'email', content: { subject: 'x', text: '{{#if}' } },
      ['/content/text'],
    ],
    [
      'an end before the start',
      { ...simulated('ok'), scheduled_at: '2027-01-02T00:00:00Z', expires_at: '2027-01-01T00:00:00Z' },
      ['/expires_at'],
    ],
    ['a schedule too far', { ...simulated('ok'), scheduled_at: '2029-01-02T00:00:00Z' }, ['/scheduled_at']],
    [
      'an address for two channels',
      { recipient_id: 'user-123', channels: ['email', 'sms'], recipient_address: 'a@b.example', template_id: 'both' },
      ['/recipient_address', '/template_id'],
    ],
  ])('%s', async (_name, body, pointers) => {
    const answer = await tenant.call('POST', '/api/v1/notifications', body);
    expect(answer.status).toBe(422);
    expect([...new Set(answer.body.errors.map((fault: Json) => fault.pointer))].sort()).toEqual([...pointers].sort());
  });

  it('with separate codes for a missing address and a missing template', async () => {
    expect(
      (
        await tenant.call('POST', '/api/v1/notifications', {
          recipient_id: 'nobody',
          channel: 'email',
          template_id: 'welcome',
        })
      ).body,
    ).toMatchObject({ status: 422, code: 'no_address', detail: expect.stringContaining('"nobody"') });
    expect(
      (
        await tenant.call('POST', '/api/v1/notifications', {
          recipient_id: 'user-123',
          channel: 'email',
          template_id: 'nope',
        })
      ).body,
    ).toMatchObject({ status: 422, code: 'unknown_template', detail: expect.stringContaining('"nope"') });
    expect(
      (
        await tenant.call('POST', '/api/v1/notifications', {
          recipient_id: 'user-123',
          channel: 'push',
          template_id: 'nope',
        })
      ).body,
    ).toMatchObject({ code: 'validation_failed', errors: [{ code: 'unknown_template' }, { code: 'no_address' }] });
  });

  it.each([
    ['no JSON', '{"a":', 400, 'malformed_json', {}],
    ['a prototype', '{"__proto__":{"a":1},"recipient_id":"x"}', 400, 'malformed_json', {}],
    ['a constructor', '{"constructor":{"prototype":{"a":1}}}', 400, 'malformed_json', {}],
    ['another type', 'a=1', 415, 'unsupported_media_type', { 'Content-Type': 'application/x-www-form-urlencoded' }],
    ['too much', JSON.stringify({ payload: { text: 'x'.repeat(300_000) } }), 413, 'payload_too_large', {}],
    ['too deep', `{"payload":${'{"a":'.repeat(30)}1${'}'.repeat(30)}}`, 422, 'validation_failed', {}],
    [
      'too many keys',
      JSON.stringify({ payload: Object.fromEntries(Array.from({ length: 1_200 }, (_, key) => [key, 1])) }),
      422,
      'validation_failed',
      {},
    ],
  ])('refuses %s', async (_name, body, status, code, headers) => {
    const answer = await tenant.call('POST', '/api/v1/notifications', body, headers);
    expect(answer.body).toMatchObject({ status, code });
  });
});

describe('bulk', () => {
  it('returns a result for each item', async () => {
    const answer = await tenant.call('POST', '/api/v1/notifications/bulk', {
      channel: 'email',
      template_id: 'welcome',
      payload: { name: 'you' },
      recipients: [
        { recipient_id: 'user-123' },
        { recipient_id: 'nobody' },
        { recipient: { id: 'b1', email: 'b1@example.com' }, payload: { name: 'B1' } },
        { recipient_id: 'x', nonsense: 1 },
      ],
    });
    expect(answer.status).toBe(202);
    expect(answer.body.accepted.map(({ index }: Json) => index)).toEqual([0, 2]);
    expect(answer.body.rejected).toMatchObject([
      { index: 1, code: 'no_address' },
      { index: 3, code: 'validation_failed', errors: [{ pointer: '/nonsense' }] },
    ]);
    await settled(answer.body.accepted[1].id);
    expect((await tenant.call('GET', '/api/v1/mailbox?to=b1@example.com')).body.data[0].message.subject).toBe(
      'Welcome, B1',
    );
  });

  it('returns 422 if no item is accepted, and the same response for a repeated key', async () => {
    const body = {
      channel: 'email',
      template_id: 'welcome',
      payload: { name: 'x' },
      recipients: [{ recipient_id: 'nobody' }],
    };
    expect((await tenant.call('POST', '/api/v1/notifications/bulk', body)).body).toMatchObject({
      status: 422,
      errors: [{ pointer: '/recipients/0/recipient_id' }],
    });
    const good = {
      ...body,
      recipients: [{ recipient_id: 'user-123' }, { recipient_id: 'user-123', payload: { name: 'again' } }],
    };
    const first = await tenant.call('POST', '/api/v1/notifications/bulk', good, { 'Idempotency-Key': 'bulk-1' });
    const second = await tenant.call('POST', '/api/v1/notifications/bulk', good, { 'Idempotency-Key': 'bulk-1' });
    expect(second.body).toEqual(first.body);
    expect(second.headers.get('idempotency-replayed')).toBe('true');
  });
});

describe('lists', () => {
  it('are filtered, paged by cursor and by offset, newest first', async () => {
    const other = await app.tenant();
    const ids: string[] = [];
    for (let index = 0; index < 5; index += 1) {
      ids.unshift(
        (
          await other.send({
            ...simulated('ok', `r${index % 2}`),
            type: `t${index % 2}`,
            metadata: { order: String(index) },
          })
        ).id,
      );
    }
    const list = async (query: string): Promise<Json> =>
      (await other.call('GET', `/api/v1/notifications?${query}`)).body;
    const idsOf = (page: Json): string[] => page.data.map(({ id }: Json) => id);
    const first = await list('limit=2');
    const second = await list(`limit=2&cursor=${first.next_cursor}`);
    const third = await list(`limit=2&cursor=${second.next_cursor}`);
    expect([...idsOf(first), ...idsOf(second), ...idsOf(third)]).toEqual(ids);
    expect(third.next_cursor).toBeNull();
    expect(idsOf(await list('limit=2&offset=3'))).toEqual(ids.slice(3));
    expect(idsOf(await list('type=t1'))).toEqual([ids[1], ids[3]]);
    expect(idsOf(await list('recipient_id=r0&metadata[order]=2'))).toEqual([ids[2]]);
    await until('all are sent', async () => (await list('status=sent')).data.length === 5);
    expect(idsOf(await list('status=failed'))).toEqual([]);
    expect(idsOf(await list('deleted=true'))).toEqual([]);
    expect(idsOf(await list('created_before=2020-01-01T00:00:00Z'))).toEqual([]);
    expect(
      (await other.call('GET', '/api/v1/notifications?limit=500&color=red')).body.errors
        .map(({ pointer }: Json) => pointer)
        .sort(),
    ).toEqual(['?color', '?limit']);
    expect((await other.call('GET', '/api/v1/notifications?cursor=nonsense')).body).toMatchObject({
      status: 422,
      errors: [{ pointer: '?cursor' }],
    });
    const deliveries = await other.call('GET', `/api/v1/notifications/${ids[0]}/deliveries?state=delivered`);
    expect(deliveries.body.data).toMatchObject([{ channel: 'email' }]);
  });
});
