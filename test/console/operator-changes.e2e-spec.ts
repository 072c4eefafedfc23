// Every change by an operator for a tenant in the console is in the audit log, whatever the route.

import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestEnvironment, type Tenant, type TestEnvironment } from '../test-environment.js';
import { type Console, signIn } from './sign-in.ts';

let app: TestEnvironment;
let tenant: Tenant;
let session: Console;

beforeAll(async () => {
  app = await startTestEnvironment({ worker: false });
  tenant = await app.tenant();
  session = await signIn(app.url, { operator_token: app.config.adminToken });
});
afterAll(() => app?.stop());

const ADDRESS = 'ann@example.com';
const call = (method: string, path: string, body?: unknown, headers = {}): Promise<{ status: number }> =>
  session.call(method, path, body, { 'X-Carillon-Tenant': tenant.id, ...headers });

async function entries(): Promise<unknown[][]> {
  const { rows } = await app.sql.query(
    `select action, actor, subject, after->>'method' as method, after->>'route' as route
     from audit_log where tenant_id = $1 and actor = 'operator' order by id`,
    [tenant.id],
  );
  return rows.map(({ action, actor, subject, method, route }) => [action, actor, subject, method, route]);
}

it('names the operator and the route of each change, with recipients as hashes, and no reads', async () => {
  const known = (await entries()).length;
  const of = { 'X-Recipient-ID': ADDRESS };
  const inApp = { recipient_id: ADDRESS, channel: 'in_app', content: { title: 'T', body: 'B' } };
  const statuses = [
    await call('PUT', `/api/v1/recipients/${ADDRESS}`, { locale: 'en' }),
    await call('GET', `/api/v1/recipients/${ADDRESS}`),
    await call('POST', `/api/v1/recipients/${ADDRESS}/inbox-token`, {}),
    await call('PUT', '/api/v1/preferences', { channels: { sms: false } }, of),
    await call('GET', '/api/v1/preferences', undefined, of),
    await call('PUT', '/api/v1/topics/news', { name: 'News' }),
    await call('POST', '/api/v1/notifications', inApp),
    await call('POST', '/api/v1/notifications/explain', inApp),
    await call('PUT', '/api/v1/categories/news', { name: 'News' }),
  ];
  expect(statuses.map(({ status }) => Math.floor(status / 100))).toEqual(statuses.map(() => 2));
  const ann = `sha256:${createHash('sha256').update(`${tenant.id} ${ADDRESS}`).digest('hex')}`;
  const other = (subject: string, method: string, route: string) => [
    'tenant_data.changed',
    'operator',
    subject,
    method,
    route,
  ];
  expect((await entries()).slice(known)).toEqual([
    other(ann, 'PUT', '/api/v1/recipients/:id'),
    other(ann, 'POST', '/api/v1/recipients/:id/inbox-token'),
    other(ann, 'PUT', '/api/v1/preferences'),
    other('news', 'PUT', '/api/v1/topics/:key'),
    other(tenant.id, 'POST', '/api/v1/notifications'),
    ['category.changed', 'operator', 'news', null, null],
  ]);
});

it('does not fail for a path that the database cannot store', async () => {
  expect((await call('PUT', '/api/v1/topics/a%00b', { name: 'News' })).status).toBe(422);
});
