// The texts of validation errors: each names its field and its value, once.

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

let app: TestEnvironment;
let tenant: Tenant;

beforeAll(async () => {
  app = await startTestEnvironment();
  tenant = await app.tenant();
});
afterAll(() => app?.stop());

type Call = [method: string, path: string, body?: unknown];

async function problemOf([method, path, body]: Call): Promise<Json> {
  const answer = await tenant.call(method, `/api/v1/${path}`, body);
  expect(answer.status, path).toBe(422);
  return answer.body;
}

const send = (fields: Json): Call => ['POST', 'notifications', { channel: 'sms', content: { text: 'x' }, ...fields }];
const schedule = (rrule: string): Call => [
  'POST',
  'schedules',
  { rrule, timezone: 'UTC', notification: { recipient_id: 'a', channel: 'in_app', template_id: 'x' } },
];
const LONG = 'x'.repeat(1_601);

describe('a problem with one error has it in its detail, with the field and the value', () => {
  it.each<[string, Call]>([
    ['?limit: must be a whole number from 1 to 200, got "0"', ['GET', 'recipients?limit=0']],
    ['?limit: must be a whole number from 1 to 200, got "201"', ['GET', 'recipients?limit=201']],
    ['?limit: must be a whole number from 1 to 200, got "1.5"', ['GET', 'recipients?limit=1.5']],
    ['?offset: must be a whole number from 0 to 10000, got "-1"', ['GET', 'notifications?offset=-1']],
    ['/name: is required', ['PUT', 'topics/news', {}]],
    ['/name: must be a string, got null', ['PUT', 'topics/news', { name: null }]],
    ['/: must be an object, got []', ['PUT', 'topics/news', []]],
    ['/nme: there is no field "nme"', ['PUT', 'topics/news', { name: 'News', nme: 1 }]],
    ['/recipient_id: must not be empty, got ""', send({ recipient_id: '' })],
    ['/recipient_id: must not be . or .., got ".."', send({ recipient_id: '..' })],
    ['/token: must not be . or .., got "."', ['POST', 'recipients/a/devices', { token: '.', platform: 'ios' }]],
    ['/recipient_ids/0: must not be . or .., got "."', ['POST', 'topics/news/subscriptions', { recipient_ids: ['.'] }]],
    ['/channel: must be one of email, sms, push, in_app, chat, webhook, got "fax"', send(to({ channel: 'fax' }))],
    ['/channels: must not be empty, got []', send(to({ channel: undefined, channels: [] }))],
    ['/priority: must be at most 10, got 11', send(to({ priority: 11 }))],
    ['/payload: must be an object, got "x"', send(to({ payload: 'x' }))],
    ['/recipient_address: must be an E.164 number like +15005550000, got "1"', send(to({ recipient_address: '1' }))],
    [
      '/address: must be one e-mail address, got "nope"',
      ['POST', 'suppressions', { channel: 'email', address: 'nope' }],
    ],
    [`/phone: must be an E.164 number like +15005550000, got "1"`, ['PUT', 'recipients/a', { phone: '1' }]],
    [
      `/token: must have at most 1600 bytes, got "${LONG.slice(0, 76)}...`,
      ['POST', 'recipients/a/devices', { token: LONG, platform: 'ios' }],
    ],
    [
      `/token: must have at most 1600 bytes, got "${'é'.repeat(76)}...`,
      ['POST', 'recipients/a/devices', { token: 'é'.repeat(801), platform: 'ios' }],
    ],
    [
      '/rrule: BYHOUR must be a list of numbers from 0 to 23, got "FREQ=DAILY;BYHOUR=24"',
      schedule('FREQ=DAILY;BYHOUR=24'),
    ],
    [
      '/exdates/0: must be a local time like "2026-12-24T09:00:00" or a date, got "x"',
      ['POST', 'schedules', { ...(schedule('FREQ=DAILY')[2] as Json), exdates: ['x'] }],
    ],
    ['/id: must be a UUID, got "nope"', ['GET', 'notifications/nope']],
    [
      '/categories/: the name must not be empty, got ""',
      ['PUT', 'recipients/a/preferences', { categories: { '': { enabled: true } } }],
    ],
    [
      '/url: must not point into a private or special network, got "https://10.0.0.1/"',
      ['POST', 'webhooks', { url: 'https://10.0.0.1/', events: ['*'] }],
    ],
  ])('%s', async (detail, call) => {
    const { errors, ...problem } = await problemOf(call);
    expect(problem.detail).toBe(detail);
    expect(errors.map(({ pointer, message }: Json) => `${pointer}: ${message}`)).toEqual([detail]);
  });

  function to(fields: Json): Json {
    return { recipient_id: 'a', ...fields };
  }
});

it('a problem with several errors counts them in its detail, and lists each once', async () => {
  const { detail, errors } = await problemOf(['PUT', 'recipients/a', { email: `${LONG}`, phone: '', nme: 1 }]);
  expect(detail).toBe('The request has 3 errors.');
  expect(errors.map(({ pointer }: Json) => pointer).toSorted()).toEqual(['/email', '/nme', '/phone']);
});

it('the message about a credential has no value', async () => {
  const secret = randomUUID();
  const body = { name: 'x', provider: 'smtp', credentials: { host: 'mail.example.com', port: secret, nme: secret } };
  const problem = await problemOf(['POST', 'provider-accounts', body]);
  expect(problem.errors).toContainEqual({
    pointer: '/credentials/port',
    code: 'invalid_type',
    message: 'must be a number',
  });
  expect(JSON.stringify(problem)).not.toContain(secret);
});
