import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { parseMail, startSmtpSink, until } from '#testing';
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
  tenant = await app.tenant();
});
afterAll(() => app?.stop());

describe('recipients', () => {
  it('can be created, changed, listed and read', async () => {
    const put = await tenant.call('PUT', '/api/v1/recipients/ann%20%2F1', {
      email: 'ann@example.com',
      attributes: { plan: 'free', tags: { a: 1, b: 2 } },
    });
    expect([put.status, put.headers.get('location')]).toEqual([201, '/api/v1/recipients/ann%20%2F1']);
    expect(
      (
        await tenant.call('PUT', '/api/v1/recipients/ann%20%2F1', {
          email: 'ann@example.com',
          phone: '+15005550100',
          attributes: { plan: 'free', tags: { a: 1, b: 2 } },
        })
      ).status,
    ).toBe(200);
    const patched = await tenant.call('PATCH', '/api/v1/recipients/ann%20%2F1', {
      phone: null,
      locale: 'fr-CA',
      attributes: { tags: { b: null, c: 3 } },
    });
    expect(patched.body).toMatchObject({
      id: 'ann /1',
      email: 'ann@example.com',
      phone: null,
      locale: 'fr-CA',
      attributes: { plan: 'free', tags: { a: 1, c: 3 } },
    });
    for (const id of ['bob', 'cat']) await tenant.call('PUT', `/api/v1/recipients/${id}`, {});
    const first = (await tenant.call('GET', '/api/v1/recipients?limit=2')).body;
    expect(first.data.map(({ id }: Json) => id)).toEqual(['ann /1', 'bob']);
    expect((await tenant.call('GET', `/api/v1/recipients?limit=2&cursor=${first.next_cursor}`)).body).toMatchObject({
      data: [{ id: 'cat' }],
      next_cursor: null,
    });
    const wrong = await tenant.call('PUT', '/api/v1/recipients/x', {
      email: 'nope',
      phone: '12',
      timezone: 'Mars/Base',
      locale: 'klingon!',
    });
    expect(wrong.body.errors.map(({ pointer }: Json) => pointer).sort()).toEqual([
      '/email',
      '/locale',
      '/phone',
      '/timezone',
    ]);
    expect((await tenant.call('PATCH', '/api/v1/recipients/nobody', {})).status).toBe(404);
  });

  it('are found by their whole e-mail address or phone number', async () => {
    const found = async (query: string): Promise<string[]> => {
      const { status, body } = await tenant.call('GET', `/api/v1/recipients?${query}`);
      return status === 200 ? body.data.map(({ id }: Json) => id) : [`${status} ${body.errors[0].message}`];
    };
    const other = await app.tenant();
    await other.call('PUT', '/api/v1/recipients/theirs', { email: 'same@example.com', phone: '+15005550077' });
    for (const [id, phone] of [
      ['f1', '+15005550077'],
      ['f2', null],
      ['f3', '+15005550078'],
    ])
      await tenant.call('PUT', `/api/v1/recipients/${id}`, { email: 'same@example.com', phone });
    await tenant.call('PUT', '/api/v1/recipients/f4', { email: 'Same@Example.com' });
    expect(await found('email=same@example.com')).toEqual(['f1', 'f2', 'f3']);
    expect(await found('email=SAME@example.com')).toEqual(['f1', 'f2', 'f3']);
    expect(await found('email=Same@Example.com')).toEqual(['f1', 'f2', 'f3', 'f4']);
    expect(await found('phone=%2B15005550077')).toEqual(['f1']);
    expect(await found('phone=%2B15005550078&email=same@example.com')).toEqual(['f3']);
    expect(await found('phone=%2B15005550078&email=other@example.com')).toEqual([]);
    const page = (await tenant.call('GET', '/api/v1/recipients?email=same@example.com&limit=2')).body;
    expect(await found(`email=same@example.com&limit=2&cursor=${page.next_cursor}`)).toEqual(['f3']);
    expect(await found('phone=+15005550077')).toEqual(['f1']);
    expect(await found('phone=%2B1500')).toEqual([]);
    expect(await found('phone=0150')).toEqual([expect.stringMatching(/^422 must be a number like .*"0150"/)]);
    expect(await found('email=')).toEqual([expect.stringMatching(/^422 /)]);
  });

  it('have devices, which receive push messages', async () => {
    await tenant.call('PUT', '/api/v1/recipients/dev', {});
    const push = { recipient_id: 'dev', channel: 'push', content: { title: 'T', body: 'B' } };
    expect((await tenant.call('POST', '/api/v1/notifications', push)).body.code).toBe('no_address');
    for (const token of ['one', 'two'])
      expect((await tenant.call('POST', '/api/v1/recipients/dev/devices', { token, platform: 'ios' })).status).toBe(
        201,
      );
    expect(
      (await tenant.call('GET', '/api/v1/recipients/dev/devices')).body.data.map(({ token }: Json) => token),
    ).toEqual(['one', 'two']);
    const { id } = await tenant.send(push);
    await until('it is sent', async () => (await tenant.notification(id)).status === 'sent');
    expect(
      (await tenant.call('GET', '/api/v1/mailbox?channel=push')).body.data.map(({ to }: Json) => to).sort(),
    ).toEqual(['one', 'two']);
    expect((await tenant.call('DELETE', '/api/v1/recipients/dev/devices/one')).status).toBe(204);
    expect((await tenant.call('DELETE', '/api/v1/recipients/dev/devices/one')).status).toBe(404);
  });

  it('are erased everywhere, with a receipt', async () => {
    await tenant.call('PUT', '/api/v1/recipients/gone', { email: 'gone@example.com' });
    const sent = await tenant
      .send({ recipient_id: 'gone', channels: ['email', 'in_app'], template_id: 'x' })
      .catch(async () => {
        await tenant.call('POST', '/api/v1/templates', {
          key: 'x',
          channel: 'email',
          content: { subject: 'secret {{who}}', text: 'x' },
        });
        await tenant.call('POST', '/api/v1/templates', {
          key: 'x',
          channel: 'in_app',
          content: { title: 'x', body: 'x' },
        });
        return await tenant.send({
          recipient_id: 'gone',
          channels: ['email', 'in_app'],
          template_id: 'x',
          payload: { who: 'gone-payload' },
        });
      });
    await until('it is sent', async () => (await tenant.notification(sent.id)).status === 'sent');
    const later = await tenant.send({
      ...simulated('ok', 'gone'),
      scheduled_at: new Date(Date.now() + 3_600_000).toISOString(),
    });
    const receipt = await tenant.call('DELETE', '/api/v1/recipients/gone');
    expect(receipt.body).toMatchObject({
      id: 'gone',
      erased: { profile: 1, inbox_items: 1, notifications: 2, cancelled: 1, mailbox_messages: 1 },
    });
    expect((await tenant.notification(later.id)).status).toBe('cancelled');
    expect((await tenant.call('GET', '/api/v1/recipients/gone')).status).toBe(404);
    expect((await tenant.call('DELETE', '/api/v1/recipients/gone')).status).toBe(404);
    const { rows } = await app.sql.query(`select payload, content from notifications where recipient_id = 'erased'`);
    expect(rows).toEqual([
      { payload: null, content: null },
      { payload: null, content: null },
    ]);
  });
});

describe('templates', () => {
  it('can be created, versioned, previewed, listed and deleted, by id or key', async () => {
    const body = {
      key: 'order',
      channel: 'email',
      content: { subject: 'Order {{id}}', text: 'Total {{number total digits=2}}' },
      sample_payload: { id: 7, total: 3 },
    };
    const made = await tenant.call('POST', '/api/v1/templates', body);
    expect([made.status, made.body.version, made.body.locale]).toEqual([201, 1, 'en']);
    expect((await tenant.call('POST', '/api/v1/templates', body)).body.code).toBe('conflict');
    expect((await tenant.call('POST', '/api/v1/templates/order/preview', {})).body).toMatchObject({
      version: 1,
      message: { subject: 'Order 7', text: 'Total 3.00' },
    });
    const missing = await tenant.call('POST', '/api/v1/templates/order/preview', { payload: { id: 1 } });
    expect(missing.status).toBe(200);
    expect(
      (await tenant.call('POST', '/api/v1/templates/order/preview', { payload: { total: 1 } })).body,
    ).toMatchObject({
      status: 422,
      code: 'render_error',
      errors: [{ pointer: '/content/subject', message: expect.stringContaining('"id" is missing') }],
    });
    const next = await tenant.call('PUT', `/api/v1/templates/${made.body.id}`, {
      content: { subject: 'No. {{id}}', text: 'x' },
    });
    expect(next.body).toMatchObject({ version: 2, sample_payload: { id: 7 } });
    expect((await tenant.call('PUT', '/api/v1/templates/order', { channel: 'sms', content: {} })).status).toBe(404);
    const bad = await tenant.call('PUT', '/api/v1/templates/order', {
      content: { subject: '{{#if x}}', html: '{{> y}}' },
    });
    expect(bad.body.errors).toEqual([
      { pointer: '/content/subject', code: 'template_syntax', message: expect.stringMatching(/^line 1, column \d+: /) },
      {
        pointer: '/content/html',
        code: 'unknown_partial',
        message: 'line 1, column 1: there is no partial "y" for email',
      },
    ]);
    await tenant.call('POST', '/api/v1/templates', { ...body, locale: 'fr' });
    expect((await tenant.call('GET', '/api/v1/templates/order')).body).toMatchObject({
      status: 409,
      detail: expect.stringContaining('email/en, email/fr'),
    });
    expect((await tenant.call('GET', '/api/v1/templates/order?locale=fr')).body.locale).toBe('fr');
    expect(
      (await tenant.call('POST', '/api/v1/templates/order/preview', { locale: 'fr-CA', payload: { id: 1, total: 1 } }))
        .body.locale,
    ).toBe('fr');
    expect((await tenant.call('GET', '/api/v1/templates?key=order&limit=1')).body).toMatchObject({
      data: [{ locale: 'fr' }],
      next_cursor: expect.any(String),
    });
    expect((await tenant.call('DELETE', `/api/v1/templates/${made.body.id}`)).status).toBe(204);
    expect((await tenant.call('DELETE', `/api/v1/templates/${made.body.id}`)).status).toBe(404);
  });
});

describe('provider accounts', () => {
  it('hide their secrets, can be verified, and send through the real protocol', async () => {
    const password = 'hunter2-hunter2-hunter2';
    const sink = await startSmtpSink({ user: 'u', password });
    const mine = await app.tenant({ retry_schedule_seconds: [0.05] });
    const credentials = { host: '127.0.0.1', port: sink.port, tls: 'none', user: 'u', password, from: 'a@example.com' };
    const made = await mine.call('POST', '/api/v1/provider-accounts', { name: 'main', provider: 'smtp', credentials });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      channel: 'email',
      enabled: true,
      order: 0,
      credentials: { host: '127.0.0.1', password: '••••ter2' },
    });
    const account = `/api/v1/provider-accounts/${made.body.id}`;
    expect((await mine.call('POST', `${account}/verify`)).body).toEqual({
      ok: true,
      kind: null,
      code: null,
      detail: null,
    });
    const { rows } = await app.sql.query('select * from provider_accounts where id = $1', [made.body.id]);
    expect(JSON.stringify(rows)).not.toContain(password);

    const sent = await mine.send({
      recipient_id: 'r',
      recipient_address: 'r@example.com',
      channel: 'email',
      content: { subject: 'Grüß {{n}}', html: '<p>{{n}}</p>' },
      payload: { n: 'Gott' },
    });
    const done = await until('it is sent', async () => {
      const found = await mine.notification(sent.id);
      return found.status === 'sent' && found;
    });
    expect(done.deliveries[0]).toMatchObject({
      provider: 'smtp',
      attempts: 1,
      provider_message_id: expect.stringContaining('@example.com'),
    });
    expect(sink.log[0]!.to).toEqual(['r@example.com']);
    expect((await parseMail(sink.log[0]!.raw)).subject).toBe('Grüß Gott');

    expect((await mine.call('PATCH', account, { credentials: { ...credentials, password: 'wrong' } })).status).toBe(
      200,
    );
    expect((await mine.call('POST', `${account}/verify`)).body).toMatchObject({ ok: false, kind: 'misconfigured' });
    const failed = await mine.send({
      recipient_id: 'r',
      recipient_address: 'r@example.com',
      channel: 'email',
      content: CONTENT.email,
    });
    await until('the new credentials are used', async () => {
      const [delivery] = (await mine.notification(failed.id)).deliveries;
      // It waits for a correction of the account.
      return delivery.state === 'waiting' && delivery.reason === 'provider_down' && delivery.attempts === 1;
    });

    expect(
      (
        await mine.call('POST', '/api/v1/provider-accounts', {
          name: 'main',
          provider: 'sandbox',
          channel: 'sms',
          credentials: {},
        })
      ).body.code,
    ).toBe('conflict');
    const faulty = await mine.call('POST', '/api/v1/provider-accounts', {
      name: 'x',
      provider: 'smtp',
      credentials: { host: '', port: 'x', password: 12_345 },
    });
    expect(faulty.status).toBe(422);
    expect(JSON.stringify(faulty.body)).not.toContain('12345');
    expect(
      (await mine.call('POST', '/api/v1/provider-accounts', { name: 'x', provider: 'pigeon', credentials: {} })).body
        .errors[0].message,
    ).toMatch(/^must be one of sandbox, smtp, ses, .*, got "pigeon"$/);
    expect(
      (await mine.call('GET', '/api/v1/providers')).body.data.find(({ id }: Json) => id === 'smtp').credentials
        .properties.password,
    ).toMatchObject({ secret: true });
    expect((await mine.call('DELETE', account)).status).toBe(204);
    expect((await mine.call('GET', '/api/v1/provider-accounts')).body.data).toEqual([]);
    await sink.close();
  });

  it("fall back to the platform's, and a test key uses neither", async () => {
    const sink = await startSmtpSink();
    const credentials = { host: '127.0.0.1', port: sink.port, tls: 'none', from: 'platform@example.com' };
    const made = await app.operator('POST', '/internal/provider-accounts', {
      name: 'platform',
      provider: 'smtp',
      credentials,
    });
    expect(made.status).toBe(201);
    const [live, test] = [await app.tenant(), await app.tenant({}, { mode: 'test' })];
    const send = { recipient_id: 'r', recipient_address: 'r@example.com', channel: 'email', content: CONTENT.email };
    const [one, two] = [await live.send(send), await test.send(send)];
    await until(
      'both are sent',
      async () =>
        (await live.notification(one.id)).status === 'sent' && (await test.notification(two.id)).status === 'sent',
    );
    expect((await live.notification(one.id)).deliveries[0].provider).toBe('smtp');
    expect((await test.notification(two.id)).deliveries[0].provider).toBe('sandbox');
    expect(sink.log).toHaveLength(1);
    expect(
      (await app.operator('PATCH', `/internal/provider-accounts/${made.body.id}`, { enabled: false })).body.enabled,
    ).toBe(false);
    expect((await app.operator('GET', '/internal/provider-accounts')).body.data).toHaveLength(1);
    expect((await app.operator('DELETE', `/internal/provider-accounts/${made.body.id}`)).status).toBe(204);
    await sink.close();
  });
});

describe('the operator', () => {
  it('creates, lists and changes tenants; null resets a setting to its default', async () => {
    const made = await app.operator('POST', '/internal/tenants', { name: 'Acme', settings: { locale: 'fr' } });
    expect(made.status).toBe(201);
    const path = `/internal/tenants/${made.body.id}`;
    expect((await app.operator('PATCH', path, { settings: { requests_per_minute: 7 } })).body.settings).toEqual({
      locale: 'fr',
      requests_per_minute: 7,
    });
    expect((await app.operator('PATCH', path, { name: 'Acme 2', settings: { locale: null } })).body).toMatchObject({
      name: 'Acme 2',
      settings: { requests_per_minute: 7 },
    });
    expect((await app.operator('GET', '/internal/tenants?limit=1')).body.data[0].id).toBe(made.body.id);
    expect((await app.operator('PATCH', path, { settings: { nonsense: 1 } })).status).toBe(422);
    expect((await app.operator('GET', '/internal/tenants/01900000-0000-7000-8000-000000000000')).status).toBe(404);
  });
});

describe('fairness', () => {
  it("one tenant's burst does not delay another tenant until its end", async () => {
    const [noisy, quiet] = [
      await app.tenant({ recipient_limits: { email: { limit: 100_000, window_seconds: 60 } } }),
      await app.tenant(),
    ];
    const recipients = Array.from({ length: 1_000 }, (_, index) => ({
      recipient_id: `n${index}`,
      recipient_address: `n${index}@example.com`,
    }));
    for (let call = 0; call < 9; call += 1)
      await noisy.call('POST', '/api/v1/notifications/bulk', { channel: 'email', content: CONTENT.email, recipients });
    const { id } = await quiet.send({
      recipient_id: 'q',
      recipient_address: 'q@example.com',
      channel: 'email',
      content: CONTENT.email,
    });
    await until('the quiet one is sent', async () => (await quiet.notification(id)).status === 'sent');
    const left = async (): Promise<number> =>
      Number(
        (await app.sql.query('select count(*) from due_deliveries where tenant_id = $1', [noisy.id])).rows[0].count,
      );
    const { rows } = await app.sql.query<{ before: string }>(
      `select count(*) as before from deliveries d where d.tenant_id = $1 and d.sent_at < (select sent_at from deliveries where tenant_id = $2) and d.sent_at > (select created_at from deliveries where tenant_id = $2)`,
      [noisy.id, quiet.id],
    );
    // Deliveries that the worker holds or has read from a broker go first; the rest of the burst does not.
    expect(Number(rows[0]!.before)).toBeLessThan(inject('profile') === 'scale' ? 4_500 : 3_000);
    await until('the flood is over', async () => (await left()) === 0, 20_000);
  });
});

describe('a provider that hangs', () => {
  it('delays only the deliveries of its own tenant', async () => {
    const sink = await startSmtpSink();
    sink.answerData('hang');
    const [stuck, other] = [
      await app.tenant({ recipient_limits: { email: { limit: 100_000, window_seconds: 60 } } }),
      await app.tenant(),
    ];
    const credentials = { host: '127.0.0.1', port: sink.port, tls: 'none', from: 'a@example.com' };
    await stuck.call('POST', '/api/v1/provider-accounts', { name: 'stuck', provider: 'smtp', credentials });
    const recipients = Array.from({ length: 1_000 }, (_, index) => ({
      recipient_id: `n${index}`,
      recipient_address: `n${index}@example.com`,
    }));
    for (let call = 0; call < 2; call += 1)
      await stuck.call('POST', '/api/v1/notifications/bulk', { channel: 'email', content: CONTENT.email, recipients });
    await until('all its connections hang', () => sink.log.length === 5);
    const startedAt = performance.now();
    const { id } = await other.send({
      recipient_id: 'q',
      recipient_address: 'q@example.com',
      channel: 'email',
      content: CONTENT.email,
    });
    await until('the other is sent', async () => (await other.notification(id)).status === 'sent');
    // Much less than the ten seconds of each hanging send.
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    // The first claims found all slots in use; all others stayed in the queue. With a broker, more are claimed ahead.
    await delay(1_500);
    const { rows } = await app.sql.query(
      `select (select count(*)::int from due_deliveries where tenant_id = $1) as waiting,
              (select count(*)::int from delivery_log where tenant_id = $1 and code = 'held') as put_back`,
      [stuck.id],
    );
    expect(rows[0].waiting).toBe(2_000);
    expect(rows[0].put_back).toBeLessThan(inject('profile') === 'scale' ? 2_100 : 1_000);
    await app.operator('PATCH', `/internal/tenants/${stuck.id}`, { status: 'suspended' });
    sink.answerData(null);
    sink.release();
    await sink.close();
  });
});

describe('housekeeping', () => {
  it('deletes all old rows, however many, and nothing else', async () => {
    const { ExpiredRowsStore, Database } = await import('#database');
    const insert = `insert into idempotency_keys (tenant_id, key, body_hash, created_at) select $1, 'old-' || n || $2, '\\x00', now() - $3::interval from generate_series(1, $4) n`;
    await app.sql.query(insert, [tenant.id, 'a', '49 hours', 12_000]);
    await app.sql.query(insert, [tenant.id, 'b', '47 hours', 10]);
    const database = new Database({ url: app.databaseUrl, poolSize: 1 });
    let deleted = 0;
    const [keys] = new ExpiredRowsStore(database).cleanUps;
    await keys!.run((rows) => {
      deleted += rows;
    });
    expect(deleted).toBe(12_000);
    await database.close();
    const { rows } = await app.sql.query(`select count(*)::int as left from idempotency_keys where key like 'old-%'`);
    expect(rows[0].left).toBe(10);
  });
});

describe('the send path', () => {
  it('has no sequential scans', async () => {
    const hot = [
      'notifications',
      'deliveries',
      'due_deliveries',
      'attempts',
      'recipients',
      'inbox_items',
      'inbox_counters',
      'idempotency_keys',
      'rate_windows',
      'mailbox_messages',
    ];
    const scans = async (): Promise<Record<string, number>> => {
      await app.sql.query('select pg_stat_clear_snapshot()');
      const { rows } = await app.sql.query<{ name: string; scans: string }>(
        `select coalesce((select inhparent::regclass::text from pg_inherits where inhrelid = s.relid), s.relname) as name, sum(seq_scan) as scans
         from pg_stat_user_tables s group by 1`,
      );
      return Object.fromEntries(
        rows.filter(({ name }) => hot.includes(name)).map(({ name, scans: count }) => [name, Number(count)]),
      );
    };
    const many = await app.tenant({
      recipient_limits: {
        email: { limit: 100_000, window_seconds: 60 },
        in_app: { limit: 100_000, window_seconds: 60 },
      },
    });
    const go = async (prefix: string): Promise<void> => {
      for (const channel of ['email', 'in_app'] as const) {
        const recipients = Array.from({ length: 500 }, (_, index) => ({
          recipient: { id: `${prefix}${index}`, email: 'a@example.com' },
          idempotency_key: `${prefix}${channel}${index}`,
        }));
        await many.call('POST', '/api/v1/notifications/bulk', { channel, content: CONTENT[channel], recipients });
      }
      await until(
        'all are sent',
        async () =>
          (await app.sql.query('select from due_deliveries where tenant_id = $1 limit 1', [many.id])).rowCount === 0,
      );
    };
    await go('warm');
    // PostgreSQL publishes the counters of a backend after a second without work.
    const settle = async (): Promise<void> => {
      let last = '';
      await until('the statistics stand still', async () => {
        const now = JSON.stringify(await scans());
        const same = now === last;
        last = now;
        await new Promise((resolve) => setTimeout(resolve, 400));
        return same;
      });
    };
    await settle();
    const before = await scans();
    await go('hot');
    await settle();
    const after = await scans();
    // The test itself reads this table.
    const { due_deliveries: _byHand, ...rest } = Object.fromEntries(
      hot.map((name) => [name, after[name]! - before[name]!]),
    );
    expect(rest).toEqual(Object.fromEntries(Object.keys(rest).map((name) => [name, 0])));
  }, 30_000);
});
