import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { ApiClient } from './api-client.js';

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

/** Answers each request with the next listener, and all later ones with the last. */
async function serverWith(...listeners: RequestListener[]): Promise<{ client: ApiClient; requests: () => number }> {
  let requests = 0;
  const server = createServer((request, response) => {
    listeners[Math.min(requests, listeners.length - 1)]!(request, response);
    requests += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  return { client: new ApiClient(`http://127.0.0.1:${port}`, {}), requests: () => requests };
}

const answer =
  (status: number, headers: Record<string, string> = {}): RequestListener =>
  (_request, response) =>
    response.writeHead(status, headers).end('{}');
const reset: RequestListener = (request) => request.socket.destroy();
const limited = answer(429, { 'Retry-After': '0' });
const post = { body: {}, isRepeatable: true };

describe('a request that goes on trying', { timeout: 20_000 }, () => {
  it('survives a lost connection and a proxy without a server', async () => {
    const { client, requests } = await serverWith(reset, answer(502), answer(200));
    await client.request('POST', '/x', { ...post, retryMs: 60_000 });
    expect(requests()).toBe(3);
  });

  it('waits for the limit of its key as long as that takes', async () => {
    const { client, requests } = await serverWith(...Array<RequestListener>(20).fill(limited), answer(200));
    await client.request('POST', '/x', { ...post, retryMs: 1 });
    expect(requests()).toBe(21);
  });

  it('ends after its time', async () => {
    const { client, requests } = await serverWith(reset);
    await expect(client.request('POST', '/x', { ...post, retryMs: 500 })).rejects.toThrow('cannot be reached');
    expect(requests()).toBe(2);
  });
});

it('another request fails at once without an answer, and after six answers of a limit', async () => {
  const away = await serverWith(reset);
  await expect(away.client.request('POST', '/x', post)).rejects.toThrow('cannot be reached');
  expect(away.requests()).toBe(1);
  const busy = await serverWith(limited);
  await expect(busy.client.request('GET', '/x')).rejects.toThrow('429');
  expect(busy.requests()).toBe(6);
});
