// A redirect may lead to another host, which must not get the credentials and the body of a request.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Carillon } from '@carillon/client';
import { Inbox } from '@carillon/client/inbox';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

let servers: Server[] = [];
/** Requests to the configured address, and to the host that it redirects to. */
let asked: string[];
let followed: IncomingMessage[];
let url: string;
let target: string;
let status: number;

beforeEach(async () => {
  [asked, followed, status] = [[], [], 307];
  target = await serve(
    createServer((request, response) => {
      followed.push(request);
      response.end('{}');
    }),
  );
  url = await serve(
    createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`);
      response.writeHead(status, { Location: `${target}${request.url}` }).end();
    }),
  );
});
afterEach(() => {
  for (const server of servers) server.close().closeAllConnections();
  servers = [];
});

async function serve(server: Server): Promise<string> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const refusal = (path: string, code = status) => ({
  name: 'CarillonError',
  code: 'unexpected_answer',
  status: code,
  detail: `${url} answered with a redirect to ${target}${path}; set url to the address that answers itself`,
});

describe('a redirect', () => {
  it.each([301, 302, 303, 307, 308])('with %i is an error, and no other host gets the request', async (redirect) => {
    status = redirect;
    const carillon = new Carillon({ url, apiKey: 'car_live_secret' });
    const body = { recipient_id: 'ann', channel: 'in_app' as const, content: { title: 'Hello', body: 'x' } };
    await expect(carillon.notifications.send({ body })).rejects.toMatchObject(refusal('/api/v1/notifications'));
    expect([asked, followed.length]).toEqual([['POST /api/v1/notifications'], 0]);
  });

  it('is an error for reads, uploads, streamed answers and requests of operators', async () => {
    const carillon = new Carillon({ url, apiKey: 'car_live_secret', operatorToken: 'secret' });
    const calls: Record<string, () => Promise<unknown>> = {
      '/api/v1/recipients/ann': () => carillon.recipients.get({ path: { id: 'ann' } }),
      '/api/v1/topics?limit=1': () => carillon.topics.list({ query: { limit: 1 }, redirect: 'follow' } as never),
      '/internal/tenants': () => carillon.tenants.create({ body: { name: 'New' } }),
      '/api/v1/notifications/stream': () => carillon.uploads.upload({ body: new Blob(['{"id":"ann"}\n']) as never }),
      '/api/v1/notifications': () => carillon.notifications.list({ parseAs: 'stream' } as never),
    };
    for (const [path, call] of Object.entries(calls)) await expect(call()).rejects.toMatchObject(refusal(path));
    expect([asked.length, followed.length]).toEqual([5, 0]);
  });

  it('is an error for requests of an inbox', async () => {
    const inbox = new Inbox({ url, token: 'secret' });
    await expect(inbox.counts()).rejects.toMatchObject(refusal('/api/v1/inbox/counts'));
    await expect(inbox.markAllRead()).rejects.toMatchObject(refusal('/api/v1/inbox/read-all'));
    expect([asked.length, followed.length]).toEqual([2, 0]);
  });

  it('does not give the token of a stream to another host', async () => {
    const states: string[] = [];
    const stream = new Inbox({ url, token: 'secret' }).stream({ onState: (state) => states.push(state) });
    await expect.poll(() => asked.filter((one) => one.includes('/inbox/counts')).length).toBeGreaterThan(0);
    await expect.poll(() => states.filter((state) => state === 'connecting').length).toBeGreaterThan(1);
    stream.close();
    expect(followed).toEqual([]);
  });
});
