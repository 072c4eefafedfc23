import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database, IdempotencyStore, SecretBox } from '#database';
import { newId, scopes } from '#domain';
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
let other: Tenant;

beforeAll(async () => {
  app = await startTestEnvironment();
  [tenant, other] = [await app.tenant(), await app.tenant()];
});
afterAll(() => app?.stop());

const count = async (tenantId: string): Promise<number> =>
  Number((await app.sql.query('select count(*) from notifications where tenant_id = $1', [tenantId])).rows[0].count);

describe('an idempotency key', () => {
  it('makes one notification of fifty parallel requests, with fifty equal answers', async () => {
    const body = { ...simulated('ok'), idempotency_key: 'order-7' };
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => tenant.call('POST', '/api/v1/notifications', body)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    expect(new Set(answers.map(({ body: answer }) => JSON.stringify(answer))).size).toBe(1);
    expect(answers.filter(({ headers }) => headers.get('idempotency-replayed') === 'true')).toHaveLength(49);
    expect(await count(tenant.id)).toBe(1);
  });

  it('returns the same text later, after the delivery has ended', async () => {
    const first = await tenant.call('POST', '/api/v1/notifications', simulated('ok'), { 'Idempotency-Key': 'later' });
    await expect.poll(async () => (await tenant.notification(first.body.id)).status).toBe('sent');
    const again = await tenant.call('POST', '/api/v1/notifications', simulated('ok'), { 'Idempotency-Key': 'later' });
    expect(again.body).toEqual(first.body);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
  });

  it('is refused with another body; the order of fields does not matter', async () => {
    const key = { 'Idempotency-Key': 'k' };
    const { body: first } = await tenant.call('POST', '/api/v1/notifications', simulated('ok'), key);
    const reordered = Object.fromEntries(Object.entries(simulated('ok')).reverse());
    expect((await tenant.call('POST', '/api/v1/notifications', reordered, key)).body.id).toBe(first.id);
    expect((await tenant.call('POST', '/api/v1/notifications', simulated('flaky'), key)).body).toMatchObject({
      status: 422,
      code: 'idempotency_mismatch',
    });
  });

  it('belongs to its tenant', async () => {
    const body = { ...simulated('ok'), idempotency_key: 'shared' };
    const [mine, theirs] = [
      await tenant.send(body),
      await other.send(simulated('flaky'), { 'Idempotency-Key': 'shared' }),
    ];
    expect(theirs.id).not.toBe(mine.id);
  });

  it("of a test API key is independent of a live one's", async () => {
    const { body: made } = await app.operator('POST', `/internal/tenants/${tenant.id}/api-keys`, {
      name: 'Test',
      mode: 'test',
    });
    const webhook = { url: 'https://example.com/', events: ['inbox.item_read'] };
    const item = { recipient_id: 'ok', recipient_address: 'ok@simulator.test' };
    for (const [path, body] of [
      ['/api/v1/notifications', simulated('ok')],
      ['/api/v1/notifications/bulk', { channel: 'email', content: CONTENT.email, recipients: [item] }],
      ['/api/v1/webhooks', webhook],
    ] as const)
      for (const [name, first, second] of [
        ['live first', tenant.apiKey, made.api_key],
        ['test first', made.api_key, tenant.apiKey],
      ] as const) {
        const send = (apiKey: string): Promise<Json> =>
          tenant.call('POST', path, body, { 'X-API-Key': apiKey, 'Idempotency-Key': `${path} ${name}` });
        expect([path, (await send(first)).status]).toEqual([path, path.endsWith('webhooks') ? 201 : 202]);
        const independent = await send(second);
        expect([independent.status, independent.headers.get('idempotency-replayed')]).toEqual([
          path.endsWith('webhooks') ? 201 : 202,
          null,
        ]);
        expect((await send(first)).headers.get('idempotency-replayed')).toBe('true');
      }
  });

  it('is not released by a request that ended late', async () => {
    const database = new Database({ url: app.databaseUrl, poolSize: 1 });
    const store = new IdempotencyStore(database, new SecretBox(app.config.masterKey));
    const [first, second] = [newId(), newId()];
    await store.begin(tenant.id, 'late', '00', first);
    await store.abandon(tenant.id, 'late', first);
    await store.begin(tenant.id, 'late', '00', second);
    await store.abandon(tenant.id, 'late', first);
    await store.complete(tenant.id, 'late', first, { status: 200, body: 'not mine', location: null });
    await expect(store.begin(tenant.id, 'late', '00', newId())).rejects.toMatchObject({
      code: 'idempotency_in_flight',
    });
    await database.close();
  });

  it('is not used by an invalid request', async () => {
    const key = { 'Idempotency-Key': 'faulty' };
    expect((await tenant.call('POST', '/api/v1/notifications', { channel: 'email' }, key)).status).toBe(422);
    expect((await tenant.call('POST', '/api/v1/notifications', simulated('ok'), key)).status).toBe(202);
  });

  it('works on every other POST too', async () => {
    const template = { key: 'once', channel: 'sms', content: { text: 'x' } };
    const first = await tenant.call('POST', '/api/v1/templates', template, { 'Idempotency-Key': 't1' });
    const second = await tenant.call('POST', '/api/v1/templates', template, { 'Idempotency-Key': 't1' });
    expect([first.status, second.status, second.headers.get('idempotency-replayed')]).toEqual([201, 201, 'true']);
    expect(second.body).toEqual(first.body);
    expect(second.headers.get('location')).toBe(first.headers.get('location'));
    expect(
      (await tenant.call('POST', '/api/v1/templates', { ...template, key: 'other' }, { 'Idempotency-Key': 't1' })).body
        .code,
    ).toBe('idempotency_mismatch');
    // Without the key, the same request is a conflict; the conflict is not stored.
    expect((await tenant.call('POST', '/api/v1/templates', template, { 'Idempotency-Key': 't2' })).body.code).toBe(
      'conflict',
    );
    await tenant.call('DELETE', '/api/v1/templates/once');
    expect((await tenant.call('POST', '/api/v1/templates', template, { 'Idempotency-Key': 't2' })).status).toBe(201);
  });

  it('stores the answer with its secrets sealed, for its own row only', async () => {
    const webhook = { url: 'https://example.com/', events: ['inbox.item_read'] };
    const post = (key: string): Promise<Json> =>
      tenant.call('POST', '/api/v1/webhooks', webhook, { 'Idempotency-Key': key });
    const mint = (key: string): Promise<Json> =>
      tenant.call('POST', '/api/v1/recipients/ann/inbox-token', {}, { 'Idempotency-Key': key });
    const [first, token] = [await post('sealed'), await mint('sealed-token')];
    expect(first.body.secret).toMatch(/^whsec_/);
    expect([(await post('sealed')).body, (await mint('sealed-token')).body]).toEqual([first.body, token.body]);
    const stored = await app.sql.query(`select row_to_json(k)::text as row from idempotency_keys k`);
    expect(stored.rows.length).toBeGreaterThan(1);
    for (const { row } of stored.rows)
      for (const secret of [first.body.secret, 'whsec_', token.body.token]) expect(row).not.toContain(secret);
    // The answer of one row is not readable in another one.
    await post('other');
    await app.sql.query(
      `update idempotency_keys set response_sealed =
         (select response_sealed from idempotency_keys where tenant_id = $1 and key = 'sealed')
       where tenant_id = $1 and key = 'other'`,
      [tenant.id],
    );
    expect((await post('other')).status).toBe(500);
  });

  it('does not hand the token that one key minted to a key with fewer scopes', async () => {
    const keyWith = async (scopes: string[]): Promise<string> =>
      (await app.operator('POST', `/internal/tenants/${tenant.id}/api-keys`, { name: 'x', scopes })).body.api_key;
    const mint = async (key: string): Promise<Json> =>
      await app.call('POST', '/api/v1/recipients/ann/inbox-token', {
        headers: { 'X-API-Key': key, 'Idempotency-Key': 'scopes' },
        body: {},
      });
    const [all, few] = [await keyWith(['inbox:read', 'inbox:write']), await keyWith(['inbox:write'])];
    expect((await mint(all)).status).toBe(201);
    expect((await mint(few)).body.code).toBe('idempotency_mismatch');
    // Another key with the same scopes, as after a rotation, gets the first answer.
    expect((await mint(await keyWith(['inbox:write', 'inbox:read']))).headers.get('idempotency-replayed')).toBe('true');
  });

  it('of a send stores no answer', async () => {
    await tenant.send(simulated('ok'), { 'Idempotency-Key': 'plain' });
    const { rows } = await app.sql.query(
      `select notification_id, response_sealed from idempotency_keys where tenant_id = $1 and key = 'plain'`,
      [tenant.id],
    );
    expect(rows).toEqual([{ notification_id: expect.any(String), response_sealed: null }]);
  });

  it('of a POST that is still running is reported', async () => {
    await app.sql.query(
      `insert into idempotency_keys (tenant_id, key, body_hash) values ($1, 'running', decode($2, 'hex'))`,
      [
        tenant.id,
        (await import('../apps/api/src/http/idempotency.js')).bodyHashOf(
          `POST /api/v1/templates ${[...scopes].sort().join()} `,
          {
            key: 'r',
            channel: 'sms',
            content: { text: 'x' },
          },
        ),
      ],
    );
    expect(
      (
        await tenant.call(
          'POST',
          '/api/v1/templates',
          { key: 'r', channel: 'sms', content: { text: 'x' } },
          { 'Idempotency-Key': 'running' },
        )
      ).body,
    ).toMatchObject({ status: 409, code: 'idempotency_in_flight' });
  });
});
