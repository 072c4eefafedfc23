// Hostile requests, and requests with text that cannot be stored: refused with a named error, at little cost.

import { connect as connectTcp, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '#domain';
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
  app = await startTestEnvironment({ worker: false });
  tenant = await app.tenant();
});
afterAll(() => app?.stop());

/** One raw connection. */
async function connection(): Promise<{ socket: Socket; text: () => string }> {
  const { port } = new URL(app.url);
  let text = '';
  const socket = connectTcp(Number(port), '127.0.0.1');
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += chunk;
  });
  await new Promise((resolve) => socket.once('connect', resolve));
  return { socket, text: () => text };
}

const head = (path: string, headers: Record<string, string | number>): string =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`;

const BULK = '/api/v1/notifications/bulk';
const SEND = '/api/v1/notifications';

describe('a body is not read before its request is authorized', () => {
  it.each([
    ['without a key', BULK, () => ({ 'Content-Length': 4_800_000 }), 401],
    ['without the scope', BULK, () => ({ 'Content-Length': 4_800_000, 'X-API-Key': reader }), 403],
    ['without an operator token', '/internal/tenants', () => ({ 'Content-Length': 4_800_000 }), 401],
    ['to no route', '/api/v1/nothing', () => ({ 'Content-Length': 4_800_000 }), 404],
    ['of a size its route does not take', SEND, () => ({ 'Content-Length': 300_000, 'X-API-Key': tenant.apiKey }), 413],
  ])('%s: answered from the headers alone', async (_name, path, headers, status) => {
    const { socket, text } = await connection();
    socket.write(head(path, headers()));
    await until('it is answered', () => text().startsWith(`HTTP/1.1 ${status} `), 3_000);
    socket.destroy();
  });

  let reader: string;
  beforeAll(async () => {
    const { body } = await app.operator('POST', `/internal/tenants/${tenant.id}/api-keys`, {
      name: 'Reader',
      scopes: ['notifications:read'],
    });
    reader = body.api_key;
  });

  it('nor parsed: 401 for invalid JSON, too', async () => {
    expect((await app.call('POST', SEND, { body: '{"a":' })).status).toBe(401);
    expect((await app.call('POST', SEND, { body: '{"a":', headers: { 'X-API-Key': 'car_live_x' } })).status).toBe(401);
    expect((await app.call('POST', '/api/v1/nothing', { body: '{"a":' })).status).toBe(404);
  });

  it('the connection of a refused body is reused', async () => {
    const { socket, text } = await connection();
    socket.write(`${head(SEND, { 'Content-Length': 100_000 })}${' '.repeat(100_000)}`);
    await until('it is refused', () => text().startsWith('HTTP/1.1 401 '));
    socket.write('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await until('the next one is answered', () => text().includes('HTTP/1.1 200 '));
    socket.destroy();
  });

  it.each([
    ['headers of 1 MB', `GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(1_000_000)}`, 431],
    ['what is not HTTP', `${'no request\r\n'.repeat(50_000)}`, 400],
  ])('%s: a client that sends everything first gets the answer', async (_name, bytes, status) => {
    const { socket, text } = await connection();
    const faults: Error[] = [];
    socket.on('error', (error) => faults.push(error));
    let closed = false;
    socket.on('close', () => {
      closed = true;
    });
    socket.write(bytes);
    await until('the connection is closed', () => closed);
    expect(faults).toEqual([]);
    expect(text()).toMatch(new RegExp(`^HTTP/1.1 ${status} .*\r\n(?!HTTP)`));
    expect(text().match(/HTTP\/1.1/g)).toHaveLength(1);
  });

  it('an endless body is not read', async () => {
    const { socket, text } = await connection();
    let closed = false;
    socket.on('close', () => {
      closed = true;
    });
    socket.write(head(SEND, { 'Content-Length': 10_000_000_000 }));
    await until('it is refused and the connection closed', () => text().startsWith('HTTP/1.1 401 ') && closed);
    expect(text().toLowerCase()).toContain('connection: close');
  });
});

describe('depth and number of parts are counted before parsing', () => {
  it.each([
    ['nested too deep', '['.repeat(21), 'too_deep'],
    ['nested too deep behind strings with brackets and quotes', `{"a":"]]\\"]","b":${'{"c":'.repeat(20)}`, 'too_deep'],
    ['too many objects', `{"payload":{"a":[${'{},'.repeat(10_001)}`, 'too_many_values'],
  ])('%s', async (_name, text, code) => {
    // None of these is valid JSON: a parser would report malformed_json.
    expect((await tenant.call('POST', SEND, text)).body).toMatchObject({ status: 422, errors: [{ code }] });
  });

  it.each([
    ['keys', SEND, `{"payload":{${'"a":1,'.repeat(1_001)}`, 'too_many_keys'],
    ['numbers', SEND, `{"payload":{"a":[${'1,'.repeat(10_001)}`, 'too_many_values'],
    ['keys of a bulk send', BULK, `{"recipients":[{"payload":{${'"a":1,'.repeat(50_001)}`, 'too_many_keys'],
    ['numbers of a bulk send', BULK, `{"payload":{"a":[${'1,'.repeat(100_001)}`, 'too_many_values'],
  ])('too many %s', async (_name, path, text, code) => {
    expect((await tenant.call('POST', path, text)).body).toMatchObject({ status: 422, errors: [{ code }] });
  });

  it.each([
    ['nested too deep', 'application/json', '['.repeat(21), 'too_deep'],
    ['too many objects', 'text/plain; charset=UTF-8', ` {"a":[${'{},'.repeat(10_001)}`, 'too_many_values'],
    ['too many keys', 'application/json', `[{${'"a":1,'.repeat(50_001)}`, 'too_many_keys'],
    ['too many numbers', 'application/json', `[${'1,'.repeat(50_001)}`, 'too_many_values'],
  ])("also in a vendor's report, before its signature is checked: %s", async (_name, type, body, code) => {
    const answer = await app.call('POST', `/receipts/sendgrid/${newId()}`, {
      body,
      headers: { 'Content-Type': type },
    });
    expect(answer.body).toMatchObject({ status: 422, errors: [{ code }] });
  });

  it("the largest batch of a vendor's events is accepted", async () => {
    const event = Object.fromEntries(Array.from({ length: 20 }, (_, key) => [`field_number_${key}`, 'x']));
    const body = JSON.stringify(Array.from({ length: 1_900 }, () => event));
    expect(body.length).toBeGreaterThan(768 * 1024);
    expect((await app.call('POST', `/receipts/sendgrid/${newId()}`, { body })).body.code).toBe('not_found');
  });

  it('twenty levels are accepted, and brackets in strings do not count', async () => {
    const deep = (levels: number): Json => (levels === 0 ? 'x' : { a: deep(levels - 1) });
    const body = { ...simulated('ok'), payload: { ...deep(18), text: `${'['.repeat(50)}\\"{{{` } };
    expect((await tenant.call('POST', SEND, body)).status).toBe(202);
  });
});

describe('text that PostgreSQL cannot store is a validation error, never a 500', () => {
  const NUL = '\\u0000';
  const HALF = '\\ud83d';
  const send = JSON.stringify(simulated('ok')).slice(0, -1);
  it.each([
    ['POST', SEND, `${send},"payload":{"a":["x",{"b~/c":"x${NUL}"}]}}`, '/payload/a/1/b~0~1c'],
    ['POST', SEND, `${send},"payload":{"a":{"${NUL}":1}}}`, '/payload/a/\u0000'],
    ['POST', SEND, `${send},"payload":{"a":"${HALF} x"}}`, '/payload/a'],
    ['POST', SEND, `${send},"metadata":{"order":"${HALF}"}}`, '/metadata/order'],
    ['POST', SEND, `${send},"metadata":{"${HALF}":"x"}}`, '/metadata/\ud83d'],
    ['POST', SEND, `${send},"type":"${NUL}"}`, '/type'],
    ['POST', SEND, `${send},"ordering_key":"${HALF}"}`, '/ordering_key'],
    ['POST', SEND, `${send},"category":"a${NUL}"}`, '/category'],
    [
      'POST',
      SEND,
      `{"channel":"in_app","recipient":{"id":"a","attributes":{"x":"${NUL}"}}}`,
      '/recipient/attributes/x',
    ],
    ['POST', BULK, `{"channel":"in_app","recipients":[{"recipient_id":"a"}],"payload":{"x":"${NUL}"}}`, '/payload/x'],
    ['POST', '/api/v1/email', `{"message":"${NUL}","recipient":"a@example.com"}`, '/message'],
    ['POST', '/api/v1/templates', `{"key":"x","channel":"sms","content":{"text":"${NUL}"}}`, '/content/text'],
    ['PUT', '/api/v1/recipients/a', `{"attributes":{"x":"${HALF}"}}`, '/attributes/x'],
    ['PUT', '/api/v1/categories/a', `{"name":"${NUL}"}`, '/name'],
    ['PUT', '/api/v1/categories/a%00b', '{"name":"x"}', '/key'],
    ['GET', '/api/v1/templates/a%00b', undefined, '/id'],
    ['DELETE', '/api/v1/recipients/a%00', undefined, '/id'],
    ['GET', '/api/v1/notifications?type=a%00', undefined, '?type'],
    ['GET', '/api/v1/notifications?metadata[a%00]=b', undefined, '?metadata[a\u0000]'],
  ])('%s %s %s', async (method, path, body, pointer) => {
    const answer = await tenant.call(method, path, body);
    expect(answer.body).toMatchObject({ status: 422, code: 'validation_failed', errors: [{ pointer }] });
  });

  it('complete surrogate pairs and escaped backslashes are accepted', async () => {
    const text = `${send},"payload":{"a":"\\ud83d\\ude00 \\\\u0000 \\\\ud83d"}}`;
    expect((await tenant.call('POST', SEND, text)).status).toBe(202);
  });

  it('the recipient in the header is validated like any recipient id', async () => {
    const inbox = (id: string): Promise<Json> =>
      tenant.call('GET', '/api/v1/inbox', undefined, { 'X-Recipient-ID': id });
    expect((await inbox('x'.repeat(256))).body).toMatchObject({
      status: 422,
      errors: [{ pointer: 'X-Recipient-ID', code: 'invalid' }],
    });
    expect((await inbox('x'.repeat(255))).status).toBe(200);
  });

  it('an item of a bulk send may be as large as a single send', async () => {
    const item = (id: string, length: number): Json => ({
      recipient_id: id,
      payload: { x: 'x'.repeat(length), y: 'ü'.repeat(1_000) },
    });
    const { status, body } = await tenant.call('POST', BULK, {
      channel: 'in_app',
      content: CONTENT.in_app,
      recipients: [item('large', 260_095), item('largest', 250_000)],
    });
    expect([status, body.accepted]).toMatchObject([202, [{ index: 1 }]]);
    expect(body.rejected).toEqual([
      {
        index: 0,
        code: 'validation_failed',
        errors: [{ pointer: '/', code: 'too_large', message: 'has 262145 bytes of JSON, at most 262144 are allowed' }],
      },
    ]);
  });

  it('in one item of a bulk send, rejects only that item', async () => {
    const { body } = await tenant.call('POST', BULK, {
      channel: 'in_app',
      content: CONTENT.in_app,
      recipients: [
        { recipient_id: 'a' },
        { recipient_id: 'b', payload: { x: ['\u0000'] } },
        { recipient_id: 'c', payload: { '\ud83d': 1 } },
        { recipient_id: 'd', payload: Object.fromEntries(Array.from({ length: 1_001 }, (_, key) => [key, 1])) },
        { recipient_id: 'e' },
      ],
    });
    expect(body.accepted.map(({ index }: Json) => index)).toEqual([0, 4]);
    expect(body.rejected).toMatchObject([
      { index: 1, code: 'validation_failed', errors: [{ pointer: '/payload/x/0', code: 'invalid_text' }] },
      { index: 2, code: 'validation_failed', errors: [{ pointer: '/payload/\ud83d', code: 'invalid_text' }] },
      { index: 3, code: 'validation_failed', errors: [{ code: 'too_many_keys' }] },
    ]);
  });
});
