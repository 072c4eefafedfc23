// The answers of explain, which stores nothing.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '#testing';
import { CONTENT, type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

let app: TestEnvironment;
let tenant: Tenant;

beforeAll(async () => {
  app = await startTestEnvironment({ environment: { PUBLIC_URL: 'https://notify.example.com' } });
  tenant = await app.tenant();
});
afterAll(() => app?.stop());

const ADDRESS = 'ok@simulator.test';
const mail = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  recipient_id: 'ann',
  recipient_address: ADDRESS,
  channel: 'email',
  content: CONTENT.email,
  ...more,
});

async function explain(body: Record<string, unknown>, of = tenant): Promise<Json[]> {
  const { status, body: answer } = await of.call('POST', '/api/v1/notifications/explain', body);
  expect([status, answer.detail]).toEqual([200, undefined]);
  return answer.deliveries;
}

/** The number of rows of every table, except for the one in which the worker notes its passes. */
async function rowCounts(): Promise<Record<string, number>> {
  const { rows } = await app.sql.query<{ name: string }>(
    `select relname as name from pg_class
     where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
       and relname <> 'statistics_passes'`,
  );
  const counts: Record<string, number> = {};
  for (const { name } of rows)
    counts[name] = Number((await app.sql.query(`select count(*) as rows from "${name}"`)).rows[0].rows);
  return counts;
}

describe('explain', () => {
  it('shows a delivery that would be sent, with its rendered message and its accounts', async () => {
    await tenant.call('POST', '/api/v1/templates', {
      key: 'hello',
      channel: 'email',
      content: { subject: 'Hello {{name}}', text: '{{recipient.city}} {{unsubscribe_url}}' },
    });
    const account = { name: 'Main', provider: 'sandbox', channel: 'email', credentials: {} };
    expect((await tenant.call('POST', '/api/v1/provider-accounts', account)).status).toBe(201);
    const [delivery] = await explain({
      recipient: { id: 'inline', email: ADDRESS, attributes: { city: 'Bern' } },
      channel: 'email',
      template_id: 'hello',
      payload: { name: 'Ann' },
    });
    expect(delivery).toMatchObject({
      channel: 'email',
      recipient_id: 'inline',
      state: 'sent',
      reason: null,
      due_at: null,
      when_due: null,
      provider_order: [{ name: 'Main', provider: 'sandbox', owner: 'tenant', health: 'closed', permitted: true }],
      template_version: 1,
      message: { subject: 'Hello Ann', text: 'Bern https://notify.example.com/unsubscribe/placeholder' },
      errors: [],
    });
  });

  it('stores nothing, and takes no idempotency key', async () => {
    await explain(mail());
    const before = await rowCounts();
    const body = mail({ recipient: { id: 'new', email: ADDRESS }, recipient_id: undefined, idempotency_key: 'once' });
    await explain({ ...body, recipient_address: undefined });
    expect(await rowCounts()).toEqual(before);
    const sent = await tenant.call('POST', '/api/v1/notifications', { ...body, recipient_address: undefined });
    expect([sent.status, sent.headers.get('idempotency-replayed')]).toEqual([202, null]);
  });

  it('rejects what a send rejects, with the same errors', async () => {
    for (const body of [
      mail({ channel: 'fax' }),
      mail({ expires_at: '2020-01-01T00:00:00Z' }),
      mail({ content: undefined, template_id: 'none' }),
      mail({ recipient_address: undefined, recipient_id: 'nobody' }),
      mail({ content: { subject: '{{', text: 'x' } }),
    ]) {
      const [send, explained] = await Promise.all(
        ['', '/explain'].map((path) => tenant.call('POST', `/api/v1/notifications${path}`, body)),
      );
      expect(explained!.status).toBe(422);
      expect([explained!.body.code, explained!.body.errors]).toEqual([send!.body.code, send!.body.errors]);
    }
  });

  it('needs the scopes to read and to send', async () => {
    for (const scopes of [['notifications:read'], ['notifications:write']]) {
      const { body } = await app.operator('POST', `/internal/tenants/${tenant.id}/api-keys`, { name: 'Part', scopes });
      const options = { body: mail(), headers: { 'X-API-Key': body.api_key } };
      const answer = await app.call('POST', '/api/v1/notifications/explain', options);
      expect([answer.status, answer.body.code]).toEqual([403, 'forbidden']);
    }
  });

  it('shows a suppressed delivery with its message, and the rule', async () => {
    await tenant.call('POST', '/api/v1/suppressions', { channel: 'email', address: 'blocked@example.com' });
    const [delivery] = await explain(mail({ recipient_address: 'blocked@example.com' }));
    expect(delivery).toMatchObject({ state: 'suppressed', reason: 'suppression_list', message: CONTENT.email });
  });

  it('shows a scheduled delivery, and what is decided when it is due', async () => {
    const scheduledAt = new Date(Date.now() + 3_600_000).toISOString();
    const [delivery] = await explain(mail({ scheduled_at: scheduledAt, content: { subject: '{{x}}', text: 'x' } }));
    expect(delivery).toMatchObject({
      state: 'waiting',
      reason: 'scheduled',
      rule: 'send.scheduled_at',
      due_at: scheduledAt,
      when_due: { state: 'failed', reason: 'render_error', rule: 'template' },
      message: null,
      errors: [{ pointer: '/content/subject', code: 'render_error' }],
    });
  });

  it('shows a delivery that waits for its ordering key', async () => {
    const scheduledAt = new Date(Date.now() + 3_600_000).toISOString();
    await tenant.send(mail({ ordering_key: 'one', scheduled_at: scheduledAt }));
    const [delivery] = await explain(mail({ ordering_key: 'one' }));
    expect(delivery).toMatchObject({ state: 'waiting', reason: 'ordering', rule: 'send.ordering_key', due_at: null });
  });

  it('does not open what another tenant has', async () => {
    const other = await app.tenant();
    await other.call('PUT', '/api/v1/recipients/secret', { email: 'secret@example.com', attributes: { city: 'Bern' } });
    const body = {
      recipient_id: 'secret',
      channel: 'email',
      content: { subject: 'Hello', text: '{{recipient.city}}' },
    };
    expect((await tenant.call('POST', '/api/v1/notifications/explain', body)).body.code).toBe('no_address');
    expect((await explain(body, other))[0]).toMatchObject({ state: 'sent', message: { text: 'Bern' } });
    // With an address of the send, the profile of the same id is not read either.
    const [delivery] = await explain({ ...body, recipient_address: ADDRESS });
    expect(delivery).toMatchObject({ state: 'failed', reason: 'render_error', message: null });
  });

  it('takes no place of a limit', async () => {
    const limited = await app.tenant({ recipient_limits: { email: { limit: 1, window_seconds: 3_600 } } });
    for (let count = 0; count < 3; count += 1) await explain(mail(), limited);
    const { deliveries } = await limited.send(mail());
    await until('it is sent', async () => (await limited.delivery(deliveries[0].id)).sent_at !== null);
  });
});
