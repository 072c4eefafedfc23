import { once } from 'node:events';
import { request } from 'node:http';
import { createConnection } from 'node:net';
import type { Duplex } from 'node:stream';
import { SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type RawData, WebSocket } from 'ws';
import { until } from '#testing';
import { type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

let app: TestEnvironment;
let tenant: Tenant;
const open: WebSocket[] = [];

beforeAll(async () => {
  app = await startTestEnvironment();
  tenant = await app.tenant({ recipient_limits: { in_app: { limit: 100_000, window_seconds: 60 } } });
});
afterAll(async () => {
  for (const socket of open) socket.terminate();
  await app?.stop();
});

const token = async (recipientId: string, body: Record<string, unknown> = {}): Promise<string> =>
  (await tenant.call('POST', `/api/v1/recipients/${recipientId}/inbox-token`, body)).body.token;
const sendTo = (recipientId: string, title: string): Promise<Json> =>
  tenant.send({ recipient_id: recipientId, channel: 'in_app', content: { title, body: 'x' } });

interface Stream {
  frames: Json[];
  socket: WebSocket;
  frame(type: string, count?: number): Promise<Json>;
  closed: Promise<number>;
}

async function connect(recipientId: string, since?: number, bearer?: string): Promise<Stream> {
  const url = `${app.url.replace('http', 'ws')}/api/v1/inbox/stream${since === undefined ? '' : `?since=${since}`}`;
  const socket = new WebSocket(url, ['carillon.v1', bearer ?? (await token(recipientId))]);
  open.push(socket);
  const frames: Json[] = [];
  socket.on('message', (data: RawData) => frames.push(JSON.parse(String(data))));
  const closed = new Promise<number>((resolve) => socket.on('close', resolve));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return {
    frames,
    socket,
    closed,
    frame: (type, count = 1) =>
      until(`${count} ${type}`, () => frames.filter((frame) => frame.type === type)[count - 1]),
  };
}

describe('the live inbox', () => {
  it('gets ready, then an item sent over HTTP, within 100 ms', async () => {
    const { frame, frames } = await connect('ann');
    expect(await frame('ready')).toEqual({ type: 'ready', last_seq: 0, counts: { total: 0, unread: 0, unseen: 0 } });
    await sendTo('ann', 'warm up');
    await frame('item');
    // The fastest of five: a shared machine may be slow once, not five times.
    const times: number[] = [];
    for (let item = 2; item <= 6; item += 1) {
      const startedAt = performance.now();
      await sendTo('ann', 'live');
      await frame('item', item);
      times.push(performance.now() - startedAt);
    }
    // Through a broker there are three more hops.
    expect(Math.min(...times)).toBeLessThan(inject('profile') === 'scale' ? 300 : 100);
    expect((await frame('item', 2)).item).toMatchObject({
      seq: 2,
      title: 'live',
      body: 'x',
      category: 'default',
      read_at: null,
    });
    await until('the counts agree', () => frames.some(({ counts }) => counts?.unread === 6 && counts.total === 6));
    expect(frames[0].type).toBe('ready');
  });

  it('sends after a reconnect with since exactly what was missed, in order, once', async () => {
    const first = await connect('bob');
    await sendTo('bob', 'one');
    const { item } = await first.frame('item');
    first.socket.close();
    await first.closed;
    for (const title of ['two', 'three', 'four']) await sendTo('bob', title);
    await until(
      'they are there',
      async () =>
        (await app.sql.query(`select from inbox_items where tenant_id = $1 and recipient_id = 'bob'`, [tenant.id]))
          .rowCount === 4,
    );
    const second = await connect('bob', item.seq);
    await second.frame('item', 3);
    expect(await second.frame('counts')).toEqual({ type: 'counts', counts: { total: 4, unread: 4, unseen: 4 } });
    expect(second.frames[0]).toMatchObject({ type: 'ready', last_seq: 4 });
    await sendTo('bob', 'five');
    await second.frame('item', 4);
    expect(
      second.frames.filter(({ type }) => type === 'item').map((frame) => [frame.item.seq, frame.item.title]),
    ).toEqual([
      [2, 'two'],
      [3, 'three'],
      [4, 'four'],
      [5, 'five'],
    ]);
  });

  it('misses nothing and repeats nothing in a burst, on two tabs at once', async () => {
    const tabs = [await connect('eve', 0), await connect('eve', 0)];
    await Promise.all(Array.from({ length: 150 }, (_, index) => sendTo('eve', String(index))));
    for (const tab of tabs) {
      await tab.frame('item', 150);
      const seqs = tab.frames.filter(({ type }) => type === 'item').map((frame) => frame.item.seq);
      expect(seqs).toEqual(Array.from({ length: 150 }, (_, index) => index + 1));
    }
  });

  it('tells every tab what another has read', async () => {
    const [one, two] = [await connect('tab'), await connect('tab')];
    await Promise.all([one.frame('ready'), two.frame('ready')]);
    await sendTo('tab', 'x');
    const { item } = await one.frame('item');
    await two.frame('counts');
    const bearer = { Authorization: `Bearer ${await token('tab')}` };
    expect((await app.call('POST', `/api/v1/inbox/${item.id}/read`, { headers: bearer })).status).toBe(204);
    expect(await two.frame('item_changed')).toMatchObject({ id: item.id, seq: 1, read_at: expect.any(String) });
    expect(await two.frame('counts', 2)).toMatchObject({ counts: { unread: 0, unseen: 0, total: 1 } });
    expect((await app.call('POST', `/api/v1/inbox/${item.id}/read`, { headers: bearer })).status).toBe(204);
    expect((await app.call('GET', '/api/v1/inbox/counts', { headers: bearer })).body).toEqual({
      total: 1,
      unread: 0,
      unseen: 0,
    });
  });

  it('works over server-sent events, resumed by Last-Event-ID', async () => {
    await sendTo('sse', 'one');
    await sendTo('sse', 'two');
    await until(
      'both are there',
      async () =>
        (await app.sql.query(`select from inbox_items where tenant_id = $1 and recipient_id = 'sse'`, [tenant.id]))
          .rowCount === 2,
    );
    const controller = new AbortController();
    const response = await fetch(`${app.url}/api/v1/inbox/stream`, {
      headers: { Authorization: `Bearer ${await token('sse')}`, Accept: 'text/event-stream', 'Last-Event-ID': '1' },
      signal: controller.signal,
    });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    let text = '';
    const reading = (async () => {
      for await (const chunk of response.body!) text += Buffer.from(chunk).toString();
    })().catch(() => undefined);
    await until('the second item', () => text.includes('"two"'));
    await sendTo('sse', 'three');
    await until('the third item', () => text.includes('"three"'));
    controller.abort();
    await reading;
    expect(text).not.toContain('"one"');
    expect(text.match(/^event: \w+/gm)![0]).toBe('event: ready');
    expect(text).toMatch(/id: 3\nevent: item\ndata: \{"type":"item"/);
  });
});

describe('the inbox over HTTP', () => {
  it('lists, filters, pages, counts and changes', async () => {
    for (let index = 1; index <= 5; index += 1) await sendTo('lea', String(index));
    const as = { 'X-Recipient-ID': 'lea' };
    const list = async (query = ''): Promise<Json> =>
      (await tenant.call('GET', `/api/v1/inbox?${query}`, undefined, as)).body;
    const post = (path: string): Promise<Json> => tenant.call('POST', `/api/v1/inbox/${path}`, undefined, as);
    const counts = async (): Promise<Json> => (await tenant.call('GET', '/api/v1/inbox/counts', undefined, as)).body;
    await until('all five are there', async () => (await counts()).total === 5);
    const all = (await list()).data;
    expect(all.map(({ seq }: Json) => seq)).toEqual([5, 4, 3, 2, 1]);
    const first = await list('limit=2');
    expect((await list(`limit=2&cursor=${first.next_cursor}`)).data.map(({ seq }: Json) => seq)).toEqual([3, 2]);
    expect((await tenant.call('GET', '/api/v1/inbox?cursor=nonsense', undefined, as)).body).toMatchObject({
      status: 422,
      errors: [{ pointer: '?cursor' }],
    });
    expect((await list('after_seq=3')).data.map(({ seq }: Json) => seq)).toEqual([4, 5]);
    await post(`${all[0].id}/read`);
    await post(`${all[1].id}/seen`);
    await post(`${all[2].id}/archive`);
    expect(await counts()).toEqual({ total: 4, unread: 3, unseen: 2 });
    expect((await list('unread=true')).data.map(({ seq }: Json) => seq)).toEqual([4, 2, 1]);
    expect((await list('archived=true')).data.map(({ seq }: Json) => seq)).toEqual([3]);
    await post(`${all[0].id}/unread`);
    await post(`${all[2].id}/unarchive`);
    expect(await counts()).toEqual({ total: 5, unread: 5, unseen: 3 });
    await post('seen-all');
    expect(await counts()).toEqual({ total: 5, unread: 5, unseen: 0 });
    await post('read-all');
    expect(await counts()).toEqual({ total: 5, unread: 0, unseen: 0 });
    expect((await post('01900000-0000-7000-8000-000000000000/read')).body.code).toBe('not_found');
    expect(
      (await tenant.call('POST', `/api/v1/inbox/${all[0].id}/read`, undefined, { 'X-Recipient-ID': 'somebody-else' }))
        .status,
    ).toBe(404);
    expect((await tenant.call('GET', '/api/v1/inbox')).body).toMatchObject({
      status: 422,
      errors: [{ pointer: 'X-Recipient-ID' }],
    });
  });

  it('keeps counters exact while items arrive and are read at once', async () => {
    const as = { 'X-Recipient-ID': 'con' };
    await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        await sendTo('con', String(index));
        if (index % 4 === 0) await tenant.call('POST', '/api/v1/inbox/read-all', undefined, as);
      }),
    );
    await until(
      'all are there',
      async () => (await tenant.call('GET', '/api/v1/inbox/counts', undefined, as)).body.total === 40,
    );
    const { rows } = await app.sql.query(
      `select count(*)::int as total, count(*) filter (where read_at is null)::int as unread, count(*) filter (where seen_at is null)::int as unseen from inbox_items where tenant_id = $1 and recipient_id = 'con'`,
      [tenant.id],
    );
    expect((await tenant.call('GET', '/api/v1/inbox/counts', undefined, as)).body).toEqual(rows[0]);
  });
});

describe('authentication of the stream', () => {
  /** `held` keeps the socket open for the caller; `onAsked` is called when the request has been written. */
  const upgrade = (
    path: string,
    headers: Record<string, string> = {},
    held?: Duplex[],
    onAsked?: () => void,
  ): Promise<number> =>
    new Promise((resolve, reject) => {
      request(`${app.url}${path}`, {
        headers: {
          Connection: 'Upgrade',
          Upgrade: 'websocket',
          'Sec-WebSocket-Version': '13',
          'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64'),
          ...headers,
        },
      })
        .on('upgrade', (response, socket) => {
          if (held) held.push(socket);
          else socket.destroy();
          resolve(response.statusCode!);
        })
        .on('response', (response) => {
          response.resume();
          resolve(response.statusCode!);
        })
        .on('error', reject)
        .on('finish', () => onAsked?.())
        .end();
    });
  const stream = '/api/v1/inbox/stream';
  const bearer = (value: string): Record<string, string> => ({ Authorization: `Bearer ${value}` });

  it('answers 401 in the upgrade without a valid token', async () => {
    const good = await token('door');
    const claims = { tid: tenant.id, scope: 'inbox:read' };
    const foreign = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256' })
      .setAudience('inbox')
      .setSubject('door')
      .setJti('1')
      .setExpirationTime('5m')
      .sign(Buffer.alloc(32, 1));
    const none = new UnsecuredJWT(claims)
      .setAudience('inbox')
      .setSubject('door')
      .setJti('1')
      .setExpirationTime('5m')
      .encode();
    const [head, body, signature] = good.split('.') as [string, string, string];
    const tampered = [
      head,
      Buffer.from(Buffer.from(body, 'base64url').toString().replace('door', 'bob!')).toString('base64url'),
      signature,
    ].join('.');
    expect(await upgrade(stream)).toBe(401);
    for (const wrong of ['nonsense', foreign, none, tampered]) expect(await upgrade(stream, bearer(wrong))).toBe(401);
    expect(await upgrade(stream, bearer(good))).toBe(101);
    expect(await upgrade('/elsewhere', bearer(good))).toBe(404);
    expect(await upgrade(`${stream}?since=x`, bearer(good))).toBe(422);
    expect(await upgrade(stream, bearer(await token('door', { scopes: ['inbox:write'] })))).toBe(403);
  });

  it.each(['//?x', '/\\[', 'http://[/', '/nothing'])('answers 404 in an upgrade to %s', async (target) => {
    const { hostname, port } = new URL(app.url);
    const socket = createConnection(Number(port), hostname);
    socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString('latin1').split('\r\n')[0]).toBe('HTTP/1.1 404 Not Found');
    socket.destroy();
  });

  it('takes a token in the URL once', async () => {
    const once = await token('once');
    expect(await upgrade(`${stream}?token=${once}`)).toBe(101);
    expect(await upgrade(`${stream}?token=${once}`)).toBe(401);
  });

  it('opens at most fifty streams of a recipient, however many ask at once', async () => {
    const held: Duplex[] = [];
    let asked = 0;
    const headers = bearer(await token('many'));
    await app.operator('PATCH', `/internal/tenants/${tenant.id}`, { name: 'Asked at once' });
    // The API reads the tenant again. All upgrades wait for that read together.
    await app.sql.query('begin; lock table tenants in access exclusive mode');
    const upgrades = Promise.all(Array.from({ length: 80 }, () => upgrade(stream, headers, held, () => asked++)));
    await until('all have asked, and the read waits', async () => {
      const { rows } = await app.sql.query('select count(*)::int as count from pg_locks where not granted');
      return rows[0].count > 0 && asked === 80;
    });
    await app.sql.query('commit');
    const statuses = await upgrades;
    for (const socket of held) socket.destroy();
    expect(statuses.filter((status) => status === 101)).toHaveLength(50);
    expect(statuses.filter((status) => status === 429)).toHaveLength(30);
  });

  it('closes with 4001 when the token expires', async () => {
    const short = await shortToken('exp');
    const { closed } = await connect('exp', undefined, short);
    expect(await closed).toBe(4_001);
    expect(await upgrade(stream, bearer(short))).toBe(401);
  });

  it('ends server-sent events when the token expires', async () => {
    const events = await fetch(app.url + stream, { headers: bearer(await shortToken('exp')) });
    expect(await events.text()).toMatch(/^event: ready\n/);
  });

  it('has the rules of the inbox routes: suspension and origins', async () => {
    const strict = await app.tenant({ allowed_origins: ['https://app.example.com'] });
    const minted = (await strict.call('POST', '/api/v1/recipients/x/inbox-token', {})).body.token;
    const statuses = async (origin: string): Promise<number[]> => {
      const headers = { ...bearer(minted), Origin: origin };
      const events = await fetch(app.url + stream, { headers });
      await events.body?.cancel();
      return [
        (await app.call('GET', '/api/v1/inbox', { headers })).status,
        events.status,
        await upgrade(stream, headers),
      ];
    };
    expect(await statuses('https://evil.example')).toEqual([403, 403, 403]);
    expect(await statuses('https://app.example.com')).toEqual([200, 200, 101]);
    await app.operator('PATCH', `/internal/tenants/${strict.id}`, { status: 'suspended' });
    await expect.poll(() => statuses('https://app.example.com')).toEqual([403, 403, 403]);
  });

  /** Valid for two seconds; the API issues none that short. */
  async function shortToken(recipientId: string): Promise<string> {
    const { InboxTokens } = await import('../apps/api/src/access/inbox-tokens.js');
    return await new InboxTokens(app.keys).mint({
      tenantId: tenant.id,
      recipientId,
      scopes: ['inbox:read'],
      ttlSeconds: 2,
      keyId: null,
      revocation: 0,
    });
  }

  it('holds to the origins a tenant allows', async () => {
    const strict = await app.tenant({ allowed_origins: ['https://app.example.com'] });
    const bearerOf = async (): Promise<Record<string, string>> =>
      bearer((await strict.call('POST', '/api/v1/recipients/x/inbox-token', {})).body.token);
    expect(await upgrade(stream, { ...(await bearerOf()), Origin: 'https://evil.example' })).toBe(403);
    expect(await upgrade(stream, { ...(await bearerOf()), Origin: 'https://app.example.com' })).toBe(101);
  });

  it('ends a connection that floods or sends too much', async () => {
    const big = await connect('big');
    big.socket.send('x'.repeat(100_000));
    expect(await big.closed).toBe(1_009);
    const flood = await connect('flood');
    for (let index = 0; index < 150; index += 1) flood.socket.send('x');
    expect(await flood.closed).toBe(1_008);
  });

  it('closes a reader that does not read, and goes on without it', async () => {
    const socket = createConnection(Number(new URL(app.url).port), '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.write(
      `GET ${stream}?since=0 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\nAuthorization: Bearer ${await token('slow')}\r\n\r\n`,
    );
    await new Promise((resolve) => socket.once('data', resolve));
    socket.pause();
    let ended = false;
    socket.on('close', () => {
      ended = true;
    });
    const text = 'x'.repeat(60_000);
    await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        tenant.send({ recipient_id: 'slow', channel: 'in_app', content: { title: String(index), body: text } }),
      ),
    );
    await until(
      'the server has let go',
      async () => {
        const { streamCount } = await metrics();
        return streamCount === 0 || ended;
      },
      15_000,
    );
    socket.destroy();
  });

  const metrics = async (): Promise<{ streamCount: number }> => {
    for (const other of open) other.terminate();
    const { answerMetrics } = await import('#telemetry');
    const { createServer } = await import('node:http');
    const server = createServer(answerMetrics).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const text = await (await fetch(`http://127.0.0.1:${port}`)).text();
    server.close();
    return { streamCount: Number(/^carillon_inbox_streams\S* (\d+)/m.exec(text)?.[1]) };
  };
});

describe('an API that stops', () => {
  it('closes its streams so that clients connect again', async () => {
    const stopping = await startTestEnvironment({ worker: false });
    const mine = await stopping.tenant();
    const minted = await mine.call('POST', '/api/v1/recipients/ann/inbox-token', {});
    const path = '/api/v1/inbox/stream';
    const socket = new WebSocket(stopping.url.replace('http', 'ws') + path, ['carillon.v1', minted.body.token]);
    const closed = new Promise<number>((resolve) => socket.on('close', resolve));
    await new Promise((resolve, reject) => socket.once('message', resolve).once('error', reject));
    const events = await fetch(stopping.url + path, { headers: { Authorization: `Bearer ${minted.body.token}` } });
    const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const read = async (): Promise<boolean> => {
      const { done, value = '' } = await reader.read();
      text += value;
      return !done;
    };
    // The headers come before the first event.
    while (!text.includes('event: ready') && (await read()));
    const stopped = stopping.stop();
    expect(await closed).toBe(1_012);
    while (await read());
    expect(text).toMatch(/^event: ready\n.*retry: 1000\n\n$/s);
    await stopped;
    await expect(fetch(`${stopping.url}/livez`)).rejects.toThrow();
  });
});
