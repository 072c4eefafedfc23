// Preferences over HTTP: the tenant's rules, what they lead to, and recipients who change their own. The preference page
// is in preference-page.e2e-spec.ts.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '#testing';
import { type Answer, type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const RULES = '/api/v1/preference-rules';

let app: TestEnvironment;
let tenant: Tenant;

beforeAll(async () => {
  app = await startTestEnvironment();
  tenant = await app.tenant();
  await tenant.call('PUT', '/api/v1/recipients/ann', { email: 'ann@example.com' });
  await tenant.call('PUT', '/api/v1/categories/news', { name: 'News' });
  await tenant.call('PUT', '/api/v1/categories/bills', { name: 'Bills', mandatory: true });
});
afterAll(() => app?.stop());

/** Sends an e-mail and waits for its end. */
async function send(category: string, by = tenant): Promise<Json> {
  const content = { subject: 'Hello', text: 'Hello' };
  const { deliveries } = await by.send({ recipient_id: 'ann', channel: 'email', content, category });
  return await until('it is final', async () => {
    const delivery = await by.delivery(deliveries[0].id);
    return !['waiting', 'sending'].includes(delivery.state) && delivery;
  });
}
const decisionOf = ({ state, reason, timeline }: Json): unknown[] => [state, reason, timeline.at(-1).rule];
const setRules = async (rules: Json, by = tenant): Promise<Answer> => await by.call('PUT', RULES, rules);
const setOwn = async (own: Json): Promise<Answer> =>
  await tenant.call('PUT', '/api/v1/recipients/ann/preferences', own);
const effective = async (key: string, by = tenant): Promise<Json> =>
  (await by.call('GET', '/api/v1/recipients/ann/preferences/effective')).body.categories.find(
    (category: Json) => category.key === key,
  );
async function tokenOf(recipient: string, scopes?: string[], by = tenant): Promise<Record<string, string>> {
  const body = scopes ? { scopes } : {};
  const { token } = (await by.call('POST', `/api/v1/recipients/${recipient}/inbox-token`, body)).body;
  return { Authorization: `Bearer ${token}` };
}

it('the rules of a tenant are stored as they were given, audited, and honoured by the next send', async () => {
  expect((await tenant.call('GET', RULES)).body).toEqual({
    defaults: { channels: {}, categories: {} },
    enforced: { channels: {}, categories: {} },
  });
  expect((await send('news')).state).toBe('sent');
  const rules = {
    defaults: { channels: { sms: false }, categories: { news: { channels: { email: false } } } },
    enforced: { channels: {}, categories: { offers: { enabled: false } } },
  };
  expect(await setRules(rules)).toMatchObject({ status: 200, body: rules });
  expect((await tenant.call('GET', RULES)).body).toEqual(rules);
  const { rows } = await app.sql.query(`select before, after from audit_log where action = 'preference_rules.changed'`);
  expect(rows).toEqual([{ before: null, after: rules }]);

  expect(decisionOf(await send('news'))).toEqual(['suppressed', 'unsubscribed', 'tenant.defaults']);
  expect(decisionOf(await send('offers'))).toEqual(['suppressed', 'tenant_rule', 'tenant.enforced']);
  await setOwn({ categories: { news: { enabled: true }, offers: { enabled: true } } });
  expect((await send('news')).state).toBe('sent');
  expect((await send('offers')).state).toBe('suppressed');

  await setRules({ enforced: { channels: { email: false } } });
  for (const category of ['news', 'bills', 'default'])
    expect(decisionOf(await send(category)), category).toEqual(['suppressed', 'tenant_rule', 'tenant.enforced']);
  await setRules({ enforced: { categories: { news: { enabled: true } } } });
  await setOwn({ channels: { email: false }, categories: { news: { enabled: false } } });
  expect((await send('news')).state).toBe('sent');
  expect(decisionOf(await send('default'))).toEqual(['suppressed', 'opted_out', 'recipient.preferences']);
}, 60_000);

it('faults of rules name the field and the value', async () => {
  const answer = await setRules({ enforced: { channels: { email: 'no' }, topics: {} }, more: 1 });
  expect([answer.status, answer.body.code]).toEqual([422, 'validation_failed']);
  expect(answer.body.errors.map(({ pointer }: Json) => pointer).sort()).toEqual([
    '/enforced/channels/email',
    '/enforced/topics',
    '/more',
  ]);
});

it('the effective preferences name the rule, and say whether the recipient may change it', async () => {
  await setRules({
    defaults: { channels: { sms: false } },
    enforced: { channels: { push: false }, categories: { news: { channels: { email: true } } } },
  });
  await setOwn({ channels: { in_app: false }, categories: { own: { enabled: false } } });
  expect(await effective('news')).toEqual({
    key: 'news',
    name: 'News',
    channels: {
      email: { enabled: true, rule: 'tenant.enforced', changeable: false },
      sms: { enabled: false, rule: 'tenant.defaults', changeable: true },
      push: { enabled: false, rule: 'tenant.enforced', changeable: false },
      in_app: { enabled: false, rule: 'recipient.preferences', changeable: true },
      chat: { enabled: true, rule: 'category.default', changeable: true },
      webhook: { enabled: true, rule: 'category.default', changeable: true },
    },
  });
  expect((await effective('bills')).channels.sms).toEqual({
    enabled: true,
    rule: 'category.mandatory',
    changeable: false,
  });
  expect(await effective('own')).toMatchObject({ name: null, channels: { chat: { enabled: false } } });
  expect((await effective('default')).channels.chat.enabled).toBe(true);
});

it('a recipient reads and replaces the own preferences with a token that has the scope', async () => {
  await setRules({});
  const own = await tokenOf('ann', ['preferences:write']);
  const wanted = { channels: { sms: false }, categories: { news: { enabled: false } } };
  const put = await app.call('PUT', '/api/v1/preferences', { headers: own, body: wanted });
  expect([put.status, put.body]).toEqual([200, { ...wanted, quiet_hours: null, caps: [] }]);
  expect((await app.call('GET', '/api/v1/preferences', { headers: own })).body).toEqual(put.body);
  expect((await tenant.call('GET', '/api/v1/recipients/ann/preferences')).body).toEqual(put.body);
  expect(decisionOf(await send('news'))).toEqual(['suppressed', 'unsubscribed', 'recipient.preferences']);
  const { body: ownEffective } = await app.call('GET', '/api/v1/preferences/effective', { headers: own });
  expect(ownEffective).toEqual((await tenant.call('GET', '/api/v1/recipients/ann/preferences/effective')).body);
  expect(ownEffective.categories.find(({ key }: Json) => key === 'news').channels.email).toMatchObject({
    enabled: false,
  });
  const wrong = await app.call('PUT', '/api/v1/preferences', { headers: own, body: { channels: { fax: true } } });
  expect(wrong.status).toBe(422);

  // Not without asking for it, not for the inbox, not of another recipient.
  const usual = await tokenOf('ann');
  for (const method of ['GET', 'PUT']) {
    const refused = await app.call(method, '/api/v1/preferences', {
      headers: usual,
      ...(method === 'PUT' && { body: {} }),
    });
    expect([refused.status, refused.body.code], method).toEqual([403, 'forbidden']);
  }
  expect((await app.call('GET', '/api/v1/preferences/effective', { headers: usual })).status).toBe(403);
  expect((await app.call('GET', '/api/v1/inbox', { headers: own })).status).toBe(403);
  const bob = await app.call('GET', '/api/v1/preferences', { headers: await tokenOf('bob', ['preferences:write']) });
  expect(bob.body).toEqual({ channels: {}, categories: {}, quiet_hours: null, caps: [] });
});

it('a key without the scope mints no token with it', async () => {
  const { body } = await app.operator('POST', `/internal/tenants/${tenant.id}/api-keys`, {
    name: 'inbox only',
    scopes: ['inbox:read', 'inbox:write'],
  });
  const answer = await app.call('POST', '/api/v1/recipients/ann/inbox-token', {
    headers: { 'X-API-Key': body.api_key },
    body: { scopes: ['preferences:write'] },
  });
  expect([answer.status, answer.body.code]).toEqual([403, 'forbidden']);
});

it('rules of the tenant do not reach its test key, nor another tenant', async () => {
  await setRules({ enforced: { channels: { email: false } } });
  const made = await app.operator('POST', `/internal/tenants/${tenant.id}/api-keys`, { name: 'test', mode: 'test' });
  const headers = { 'X-API-Key': made.body.api_key };
  expect((await app.call('GET', RULES, { headers })).body.enforced.channels).toEqual({});
  const other = await app.tenant();
  expect((await other.call('GET', RULES)).body.enforced.channels).toEqual({});
  await other.call('PUT', '/api/v1/recipients/ann', { email: 'ann@example.com' });
  expect((await send('news', other)).state).toBe('sent');
  expect((await effective('default', other)).channels.email.rule).toBe('category.default');
}, 30_000);
