// Responses to a retry with the same Idempotency-Key after the data have changed, or after a response was lost.

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { scopes } from '#domain';
import { startTcpProxy, type TcpProxy, until } from '#testing';
import {
  type Answer,
  CONTENT,
  type Json,
  simulated,
  startTestEnvironment,
  type Tenant,
  type TestEnvironment,
} from './test-environment.js';

const SEND = '/api/v1/notifications';
const BULK = '/api/v1/notifications/bulk';

let proxy: TcpProxy;
let app: TestEnvironment;
let tenant: Tenant;

beforeAll(async () => {
  const { hostname, port } = new URL(inject('postgresUrl'));
  proxy = await startTcpProxy({ host: hostname, port: Number(port) });
  app = await startTestEnvironment({ through: proxy.port, worker: false });
  tenant = await app.tenant();
});
afterAll(async () => {
  await app?.stop();
  await proxy?.close();
});

const keyed = (key: string, body: unknown, path = SEND): Promise<Answer> =>
  tenant.call('POST', path, body, { 'Idempotency-Key': key });
const count = async (table: string): Promise<number> =>
  (await app.sql.query(`select count(*)::int as n from ${table} where tenant_id = $1`, [tenant.id])).rows[0].n;
const isReplayOf = (again: Answer, first: Answer): void => {
  expect(again.body).toEqual(first.body);
  expect([first.status, again.status, again.headers.get('idempotency-replayed')]).toEqual([202, 202, 'true']);
  expect(again.headers.get('location')).toBe(first.headers.get('location'));
};

describe('a replay is answered before any other check', () => {
  it('when the address is gone from the profile', async () => {
    await tenant.call('PUT', '/api/v1/recipients/mover', { email: 'mover@example.com' });
    const body = { recipient_id: 'mover', channel: 'email', content: CONTENT.email };
    const first = await keyed('mover', body);
    await tenant.call('PUT', '/api/v1/recipients/mover', {});
    expect((await keyed('other key', body)).body.code).toBe('no_address');
    isReplayOf(await keyed('mover', body), first);
  });

  it('when the template is gone', async () => {
    const mine = await app.tenant();
    const template = { key: 'gone', channel: 'in_app', content: CONTENT.in_app };
    await mine.call('POST', '/api/v1/templates', template);
    const body = { recipient_id: 'a', channel: 'in_app', template_id: 'gone', idempotency_key: 'gone' };
    const first = await mine.call('POST', SEND, body);
    await mine.call('DELETE', '/api/v1/templates/gone');
    // An API that has just started has not seen the template.
    const { mine: fresh, stop } = await another(mine);
    expect((await fresh.call('POST', SEND, { ...body, idempotency_key: 'other' })).body.code).toBe('unknown_template');
    isReplayOf(await fresh.call('POST', SEND, body), first);
    const different = await fresh.call('POST', SEND, { ...body, type: 'x' });
    expect(different.body).toMatchObject({ status: 422, code: 'idempotency_mismatch' });
    await stop();
  });

  it('when expires_at has passed', async () => {
    const expires = new Date(Date.now() + 1_000).toISOString();
    const body = { ...simulated('ok'), expires_at: expires };
    const first = await keyed('late', body);
    await until('it has passed', () => Date.now() > Date.parse(expires));
    expect((await keyed('later', body)).body.errors).toMatchObject([{ code: 'in_the_past' }]);
    isReplayOf(await keyed('late', body), first);
  });

  it('in a bulk send: replayed items are accepted, the others get the current errors', async () => {
    const expires = new Date(Date.now() + 1_000).toISOString();
    const item = (name: string): Json => ({ recipient_id: name, idempotency_key: `item ${name}` });
    const body = { channel: 'in_app', content: CONTENT.in_app, expires_at: expires };
    const first = await tenant.call('POST', BULK, { ...body, recipients: [item('a'), item('b')] });
    expect(first.body.accepted).toHaveLength(2);
    await until('it has passed', () => Date.now() > Date.parse(expires));
    const again = await tenant.call('POST', BULK, { ...body, recipients: [item('a'), item('b')] });
    isReplayOf(again, first);
    const more = await tenant.call('POST', BULK, { ...body, recipients: [item('a'), item('c'), item('b')] });
    expect(more.body.accepted.map(({ index, id }: Json) => [index, id])).toEqual([
      [0, first.body.accepted[0].id],
      [2, first.body.accepted[1].id],
    ]);
    expect(more.body.rejected).toMatchObject([{ index: 1, errors: [{ code: 'in_the_past' }] }]);
    expect((await tenant.call('POST', BULK, { ...body, recipients: [item('c')] })).body).toMatchObject({
      status: 422,
      errors: [{ pointer: '/expires_at', code: 'in_the_past' }],
    });
  });
});

/** A second API on the same database, and the tenant's client for it. */
async function another(known: Tenant): Promise<{ mine: Tenant; stop(): Promise<void> }> {
  const { startApi } = await import('../apps/api/src/start-api.js');
  const { createLogger } = await import('#telemetry');
  const { http, MIGRATIONS, tenantWith } = await import('./test-environment.js');
  const api = await startApi(app.config, {
    logger: createLogger({ level: 'error', role: 'test' }),
    migrationsDirectory: MIGRATIONS,
    metricsFallback: true,
  });
  return {
    mine: tenantWith((method, path, options) => http(api.url, method, path, options), known.id, known.apiKey),
    stop: () => api.stop(),
  };
}

describe('a response that was lost after the commit', () => {
  it('of an accept: the 503 does not say that nothing was accepted, and the retry is a replay', async () => {
    const body = simulated('ok', 'lost-answer');
    const lost = proxy.loseAnswerTo('lost-answer');
    const first = await keyed('lost', body);
    await lost;
    expect(first.body).toMatchObject({ status: 503, code: 'unavailable' });
    expect(JSON.stringify(first.body)).not.toContain('nothing was accepted');
    expect(Number(first.headers.get('retry-after'))).toBeGreaterThan(0);
    const again = await keyed('lost', body);
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([202, 'true']);
  });

  it('of a bulk send: the shared content stays for the committed items', async () => {
    const inBatch = Array.from({ length: 500 }, (_, index) => ({
      recipient_id: `lost-${index}`,
      recipient_address: 'ok@simulator.test',
    }));
    // The item after the first batch of 500 is rejected: its recipient has no address.
    const body = { channel: 'email', content: CONTENT.email, recipients: [...inBatch, { recipient_id: 'nowhere' }] };
    const lost = proxy.loseAnswerTo('lost-499');
    const first = await keyed('lost bulk', body, BULK);
    await lost;
    expect(first.body).toMatchObject({ status: 503, code: 'unavailable' });
    const { rows } = await app.sql.query(
      `select count(*)::int as sent, count(s.id)::int as with_content
       from notifications n left join shared_contents s on s.tenant_id = n.tenant_id and s.id = n.shared_content_id
       where n.tenant_id = $1 and n.recipient_id like 'lost-%' and n.recipient_id <> 'lost-answer'`,
      [tenant.id],
    );
    expect(rows).toEqual([{ sent: 500, with_content: 500 }]);
    const again = await keyed('lost bulk', body, BULK);
    expect([again.status, again.body.accepted.length, again.body.rejected.length]).toEqual([202, 500, 1]);
  });

  it('of storing the response of another POST: the response is sent, and stored for the retry', async () => {
    const template = { key: 'kept', channel: 'sms', content: { text: 'x' } };
    const lost = proxy.loseAnswerTo('update idempotency_keys set response');
    const first = await keyed('template', template, '/api/v1/templates');
    await lost;
    expect(first.status).toBe(201);
    const again = await until('the answer is kept', async () => {
      const answer = await keyed('template', template, '/api/v1/templates');
      return answer.status !== 409 && answer;
    });
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([201, 'true']);
    expect(again.body).toEqual(first.body);
  });

  it('of the change by another POST: the key stays, and a retry does not repeat the change', async () => {
    const template = { key: 'unconfirmed', channel: 'sms', content: { text: 'x' } };
    const before = await count('templates');
    // As Prisma writes it, which the handler goes through; the key is taken with a small one.
    const lost = proxy.loseAnswerTo('COMMIT');
    const first = await keyed('unconfirmed', template, '/api/v1/templates');
    await lost;
    expect(first.body).toMatchObject({ status: 503, code: 'unavailable' });
    expect(await count('templates')).toBe(before + 1);
    expect((await keyed('unconfirmed', template, '/api/v1/templates')).body.code).toBe('idempotency_in_flight');
  });

  it('of storing the key of another POST: nothing has run, and the retry runs', async () => {
    const template = { key: 'not-begun', channel: 'sms', content: { text: 'x' } };
    const lost = proxy.loseAnswerTo('commit');
    const first = await keyed('not-begun-key', template, '/api/v1/templates');
    await lost;
    expect(first.body).toMatchObject({ status: 503, code: 'unavailable' });
    const again = await until('the key is free', async () => {
      const answer = await keyed('not-begun-key', template, '/api/v1/templates');
      return answer.status !== 409 && answer;
    });
    expect(again.status).toBe(201);
  });

  it('of a POST whose process crashed: never repeated, and reported as unknown', async () => {
    const webhook = { url: 'https://example.com/', events: ['inbox.item_read'] };
    const { bodyHashOf } = await import('../apps/api/src/http/idempotency.js');
    await app.sql.query(
      `insert into idempotency_keys (tenant_id, key, body_hash, created_at) values ($1, 'died', decode($2, 'hex'), now() - interval '2 minutes')`,
      [tenant.id, bodyHashOf(`POST /api/v1/webhooks ${[...scopes].sort().join()} `, webhook)],
    );
    expect((await keyed('died', webhook, '/api/v1/webhooks')).body).toMatchObject({
      status: 409,
      code: 'idempotency_unknown',
    });
    expect(await count('webhook_endpoints')).toBe(0);
  });
});

describe('the key of an inbox route', () => {
  it('is bound to the recipient in X-Recipient-ID', async () => {
    const readAll = (recipientId: string): Promise<Answer> =>
      tenant.call('POST', '/api/v1/inbox/read-all', undefined, {
        'X-Recipient-ID': recipientId,
        'Idempotency-Key': 'read-all',
      });
    expect((await readAll('ann')).status).toBe(204);
    expect((await readAll('ann')).headers.get('idempotency-replayed')).toBe('true');
    expect((await readAll('bob')).body).toMatchObject({ status: 422, code: 'idempotency_mismatch' });
  });
});
