import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import fastify, { type FastifyInstance, type RouteShorthandOptions } from 'fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { answerClientError } from './client-error.js';
import { passStreams } from './streamed-body.js';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

/** Node ends requests after 200 ms, except those with a streamed body. */
async function start(limits: { idleMs: number; wholeMs: number }): Promise<FastifyInstance> {
  const server = fastify({
    requestTimeout: 200,
    http: { headersTimeout: 200, connectionsCheckingInterval: 20 },
    forceCloseConnections: true,
    clientErrorHandler: answerClientError,
  });
  open.push(server);
  passStreams(server, limits);
  const count = async ({ body }: { body: unknown }): Promise<{ bytes: number }> => {
    let bytes = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) bytes += chunk.length;
    return { bytes };
  };
  const streamed = { config: { streamedBody: true } } as RouteShorthandOptions;
  server.post('/stream', streamed, count);
  server.post('/json', () => 'done');
  await server.listen({ host: '127.0.0.1', port: 0 });
  return server;
}

/** Sends `parts` of a body of 100 bytes, with a pause before each, and returns what the server answers until it closes. */
async function send(server: FastifyInstance, path: string, parts: string[], pauseMs: number): Promise<string> {
  const { port } = server.server.address() as AddressInfo;
  const socket: Socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => {
    answer += String(chunk);
  });
  socket.on('error', () => undefined);
  const closed = once(socket, 'close');
  const type = path === '/json' ? 'application/json' : 'application/x-ndjson';
  const headers = `Host: x\r\nConnection: close\r\nContent-Type: ${type}\r\nContent-Length: 100`;
  socket.write(`POST ${path} HTTP/1.1\r\n${headers}\r\n\r\n`);
  for (const part of parts) {
    await delay(pauseMs);
    if (!socket.destroyed) socket.write(part);
  }
  await closed;
  return answer;
}

describe('a streamed body', () => {
  it('may take longer than other requests', async () => {
    const server = await start({ idleMs: 5_000, wholeMs: 5_000 });
    const parts = Array.from({ length: 10 }, () => '1234567890');
    const [streamed, other] = await Promise.all([send(server, '/stream', parts, 80), send(server, '/json', parts, 80)]);
    expect(streamed).toContain('{"bytes":100}');
    expect(other).toMatch(/^HTTP\/1.1 408 /);
  });

  it('ends with its connection when no byte arrives, or when it takes too long', async () => {
    const idle = await start({ idleMs: 300, wholeMs: 60_000 });
    expect(await send(idle, '/stream', ['begin'], 0)).toBe('');
    const whole = await start({ idleMs: 60_000, wholeMs: 300 });
    const parts = Array.from({ length: 20 }, () => 'slow');
    expect(await send(whole, '/stream', parts, 40)).toBe('');
  });
});
