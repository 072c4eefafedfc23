// Positions that a caller sends: Last-Event-ID, since, after_seq and cursors. Anything but a position is refused before
// it reaches a statement, and streams of other tenants go on.

import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '#testing';
import { type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const STREAM = '/api/v1/inbox/stream';
let app: TestEnvironment;
let tenant: Tenant;
let other: Tenant;

beforeAll(async () => {
  app = await startTestEnvironment();
  tenant = await app.tenant();
  other = await app.tenant();
});
afterAll(() => app?.stop());

const tokenOf = async (of: Tenant, recipientId: string): Promise<string> =>
  (await of.call('POST', `/api/v1/recipients/${recipientId}/inbox-token`, {})).body.token;
const sendTo = (to: Tenant, title: string): Promise<Json> =>
  to.send({ recipient_id: 'ann', channel: 'in_app', content: { title, body: 'x' } });

/** The status of a request, and its body unless it is a stream. */
function ask(path: string, headers: Record<string, string>): Promise<{ status: number; body: Json }> {
  return new Promise((resolve, reject) => {
    request(`${app.url}${path}`, { headers })
      .on('upgrade', (response, socket) => {
        socket.destroy();
        resolve({ status: response.statusCode!, body: null });
      })
      .on('response', (response) => {
        const status = response.statusCode!;
        if (status === 200) {
          response.destroy();
          resolve({ status, body: null });
          return;
        }
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status, body: JSON.parse(text) }));
      })
      .on('error', reject)
      .end();
  });
}

const UPGRADE = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64'),
};

const WRONG = [
  ...['1e+26', '1e3', '-1', '+1', '1.5', '0x10', 'NaN', 'Infinity', 'null', '1 2', '99999999999999999999'],
  ...['9007199254740993', '9223372036854775808', '٣', '1'.repeat(4_000)],
];

describe.each(WRONG)('the position %.30s', (position) => {
  const query = `?since=${encodeURIComponent(position)}`;

  it('is refused as Last-Event-ID, in an upgrade, and as a query', async () => {
    const bearer = { Authorization: `Bearer ${await tokenOf(tenant, 'ann')}` };
    // A header has bytes only.
    if (position !== '٣') {
      const { status, body } = await ask(STREAM, { ...bearer, 'Last-Event-ID': position });
      expect([status, body?.errors?.[0]?.pointer]).toEqual([422, 'Last-Event-ID']);
      expect(JSON.stringify(body).length).toBeLessThan(600);
    }
    const server = await ask(STREAM + query, bearer);
    expect([server.status, server.body?.errors?.[0]?.pointer]).toEqual([422, '?since']);
    const socket = await ask(STREAM + query, { ...bearer, ...UPGRADE });
    expect([socket.status, socket.body?.errors?.[0]?.pointer]).toEqual([422, '?since']);
    const list = await ask(`/api/v1/inbox?after_seq=${encodeURIComponent(position)}`, bearer);
    expect([list.status, list.body?.errors?.[0]?.pointer]).toEqual([422, '?after_seq']);
  });
});

describe('a position', () => {
  it('that is empty is refused in a query, and means none in Last-Event-ID', async () => {
    const bearer = { Authorization: `Bearer ${await tokenOf(tenant, 'ann')}` };
    expect((await ask(STREAM, { ...bearer, 'Last-Event-ID': '' })).status).toBe(200);
    expect((await ask(`${STREAM}?since=`, bearer)).status).toBe(422);
    expect((await ask(`${STREAM}?since=`, { ...bearer, ...UPGRADE })).status).toBe(422);
    expect((await ask(`${STREAM}?since=0`, bearer)).status).toBe(200);
    expect((await ask(`${STREAM}?since=999999999999999`, { ...bearer, ...UPGRADE })).status).toBe(101);
  });

  it('of one tenant does not stop the streams of another', async () => {
    const controller = new AbortController();
    const response = await fetch(`${app.url}${STREAM}?since=0`, {
      headers: { Authorization: `Bearer ${await tokenOf(other, 'ann')}` },
      signal: controller.signal,
    });
    let text = '';
    const reading = (async () => {
      for await (const chunk of response.body!) text += Buffer.from(chunk).toString();
    })().catch(() => undefined);
    await until('it is open', () => text.includes('event: ready'));
    const bearer = await tokenOf(tenant, 'ann');
    const attackers = Array.from({ length: 20 }, () => new AbortController());
    for (const { signal } of attackers)
      fetch(`${app.url}${STREAM}`, {
        headers: { Authorization: `Bearer ${bearer}`, 'Last-Event-ID': '1'.repeat(27) },
        signal,
      }).catch(() => undefined);
    // The attacker's streams read whenever an item arrives, in one statement with the stream of the other tenant.
    for (let count = 1; count <= 5; count += 1) {
      await Promise.all([sendTo(tenant, `mine ${count}`), sendTo(other, `theirs ${count}`)]);
      await until(`item ${count}`, () => text.includes(`"theirs ${count}"`), 2_000);
    }
    controller.abort();
    for (const attacker of attackers) attacker.abort();
    await reading;
  });

  it('within a cursor must be one that a list has made', async () => {
    const of = (text: string): string => Buffer.from(text).toString('base64url');
    for (const path of ['/api/v1/recipients', '/api/v1/categories', '/api/v1/notifications', '/api/v1/templates'])
      for (const cursor of [of('a\0b'), of('\0')])
        expect([path, (await tenant.call('GET', `${path}?cursor=${cursor}`)).status]).toEqual([path, 422]);
    for (const number of ['1e+26', '-1', '99999999999999999999', 'NaN', ''])
      expect(
        (await tenant.call('GET', `/api/v1/inbox?cursor=${of(number)}`, undefined, { 'X-Recipient-ID': 'ann' })).status,
        number,
      ).toBe(422);
  });
});
