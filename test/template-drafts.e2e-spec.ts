// The preview of versions that are not stored, as the console's editor needs it.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

let app: TestEnvironment;
let tenant: Tenant;

beforeAll(async () => {
  app = await startTestEnvironment();
  tenant = await app.tenant();
});
afterAll(() => app?.stop());

async function draft(body: Record<string, unknown>): Promise<[status: number, body: Json]> {
  const { status, body: answer } = await tenant.call('POST', '/api/v1/templates/preview', body);
  return [status, answer];
}

it('are rendered with the layout and the partials of today, and nothing is stored', async () => {
  const part = { channel: 'email', content: { html: '<i>{{company}}</i>' } };
  await tenant.call('POST', '/api/v1/templates', { key: 'footer', kind: 'partial', ...part });
  const content = { html: '<main>{{> @content}}</main>{{> footer}}' };
  await tenant.call('POST', '/api/v1/templates', { key: 'frame', kind: 'layout', channel: 'email', content });
  const [status, body] = await draft({
    channel: 'email',
    layout: 'frame',
    content: { subject: 'Hello {{name}}', html: '<b>{{name}}</b>' },
    payload: { name: 'Ann & Bob', company: 'Acme' },
  });
  expect([status, body.message.subject, body.message.html, body.payload_errors]).toEqual([
    200,
    'Hello Ann & Bob',
    '<main><b>Ann &amp; Bob</b></main><i>Acme</i>',
    [],
  ]);
  expect(body.message.text).toContain('Ann & Bob');
  const { data } = (await tenant.call('GET', '/api/v1/templates')).body;
  expect(data.map(({ key }: Json) => key).sort()).toEqual(['footer', 'frame']);
  const [, layout] = await draft({ channel: 'email', kind: 'layout', content: { html: '[{{> @content}}]' } });
  expect(layout.message.html).toBe('[[content]]');
});

it('count the segments of an SMS, and check the payload by the schema without refusing to render', async () => {
  const payload_schema = { type: 'object', properties: { n: { type: 'number' } }, required: ['who'] };
  const [status, body] = await draft({
    channel: 'sms',
    content: { text: `Привет {{n}}${'x'.repeat(70)}` },
    payload: { n: '1' },
    payload_schema,
  });
  expect([status, body.sms]).toEqual([200, { encoding: 'ucs2', segments: 2, units: 78 }]);
  expect(body.payload_errors.map(({ pointer, code }: Json) => [pointer, code]).sort()).toEqual([
    ['/payload/n', 'payload_schema'],
    ['/payload/who', 'required'],
  ]);
});

it('report every fault of the sources with line and column, and a missing variable', async () => {
  const [status, body] = await draft({
    channel: 'email',
    layout: 'none',
    content: { subject: '{{#if a}}', html: 'one\n  {{> nowhere}}' },
  });
  expect([status, body.code]).toEqual([422, 'validation_failed']);
  expect(body.errors.map(({ pointer }: Json) => pointer).sort()).toEqual([
    '/content/html',
    '/content/subject',
    '/layout',
  ]);
  expect(JSON.stringify(body.errors)).toContain('line 2, column 3: there is no partial');
  const [missing, problem] = await draft({ channel: 'sms', content: { text: 'Hi\n{{name}}' } });
  expect([missing, problem.code, problem.errors]).toEqual([
    422,
    'render_error',
    [
      {
        pointer: '/content/text',
        code: 'render_error',
        message: 'line 2, column 3: the variable "name" is missing from the payload',
      },
    ],
  ]);
});

it('are previewed by the operator too, for the platform', async () => {
  const { status, body } = await app.operator('POST', '/internal/templates/preview', {
    channel: 'push',
    content: { title: 'Hi {{name}}', body: 'There' },
    payload: { name: 'Ann' },
  });
  expect([status, body.message]).toEqual([200, { title: 'Hi Ann', body: 'There' }]);
});
