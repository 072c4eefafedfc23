// Changes of provider accounts as the console makes them.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

let app: TestEnvironment;
let tenant: Tenant;

const SMTP = {
  host: 'smtp.example.com',
  port: 587,
  tls: 'starttls',
  user: 'ann',
  password: 'a very long password-1234',
  from: 'ann@example.com',
};

beforeAll(async () => {
  app = await startTestEnvironment();
  tenant = await app.tenant();
});
afterAll(() => app?.stop());

it('a secret that comes back masked keeps its value, but never for another server', async () => {
  const body = { name: 'Mail', provider: 'smtp', credentials: SMTP };
  const { body: account } = await tenant.call('POST', '/api/v1/provider-accounts', body);
  expect(account.credentials.password).toBe('••••1234');
  const change = async (credentials: Json): Promise<[number, Json]> => {
    const answer = await tenant.call('PATCH', `/api/v1/provider-accounts/${account.id}`, { credentials });
    return [answer.status, answer.body];
  };
  const [status, changed] = await change({ ...account.credentials, from: 'bob@example.com' });
  // A stored mask would be shown as four dots, because it is short.
  expect([status, changed.credentials]).toEqual([200, { ...SMTP, from: 'bob@example.com', password: '••••1234' }]);
  const [refused, problem] = await change({ ...account.credentials, host: 'evil.example' });
  expect([refused, problem.errors]).toEqual([
    422,
    [
      {
        pointer: '/credentials/password',
        code: 'required',
        message: 'must be entered again, because host changes',
      },
    ],
  ]);
  const [moved] = await change({ ...SMTP, host: 'other.example.com' });
  expect(moved).toBe(200);
});

it('the operator lists the providers and has the credentials of a platform account checked', async () => {
  const { body: list } = await app.operator('GET', '/internal/provider-accounts/providers');
  expect(list.data.find(({ id }: Json) => id === 'smtp').credentials.properties.password.secret).toBe(true);
  const body = { name: 'Platform', provider: 'sandbox', channel: 'email', credentials: {}, enabled: false };
  const { body: account } = await app.operator('POST', '/internal/provider-accounts', body);
  const { status, body: answer } = await app.operator('POST', `/internal/provider-accounts/${account.id}/verify`);
  expect([status, answer.ok]).toEqual([200, true]);
});
