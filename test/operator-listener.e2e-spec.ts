// The operator's listener: the matched route decides which listener answers, not the text of the URL. Raw sockets,
// because HTTP clients change the path before they send it.

import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../services/programs.ts';
import { startTestEnvironment, type TestEnvironment } from './test-environment.js';

let app: TestEnvironment;
let mainPort: number;
let internalPort: number;
let metricsPort: number;

beforeAll(async () => {
  [mainPort, internalPort, metricsPort] = [await freePort(), await freePort(), await freePort()];
  app = await startTestEnvironment({
    worker: false,
    environment: {
      HOST: '0.0.0.0',
      PORT: String(mainPort),
      INTERNAL_PORT: String(internalPort),
      METRICS_PORT: String(metricsPort),
    },
  });
});
afterAll(() => app?.stop());

interface RawAnswer {
  status: number;
  /** Without the parts that depend on the path or differ between two requests. */
  text: string;
}

interface Ask {
  token?: boolean;
  host?: string;
  method?: string;
}

async function ask(target: string, port: number, options: Ask = {}): Promise<RawAnswer> {
  const { token = true, host = '127.0.0.1', method = 'GET' } = options;
  const socket = connect(port, host);
  await once(socket, 'connect');
  const admin = token ? `X-Admin-Token: ${app.config.adminToken}\r\n` : '';
  socket.write(`${method} ${target} HTTP/1.1\r\nHost: localhost\r\n${admin}Connection: close\r\n\r\n`);
  const answer = await text(socket);
  const detail = JSON.stringify(`There is no route ${method} ${target.split('?')[0]}.`);
  return {
    status: Number(answer.split(' ')[1]),
    text: answer
      .replace(/^(x-request-id|date|content-length): .*$/gim, '')
      .replace(/"request_id":"[^"]*"/, '')
      .replace(`"detail":${detail}`, 'the path in the detail'),
  };
}

describe('an operator route', () => {
  it.each([
    '/internal/tenants',
    '/internal/tenants?limit=1',
    '/%69nternal/tenants',
    '/%69%6E%74%65%72%6E%61%6C/%74enants',
    '/internal/overview',
    'http://localhost/internal/tenants',
    'HTTP://localhost/internal/tenants',
  ])('%s is on its own listener only', async (target) => {
    const nowhere = await ask('/nowhere', mainPort);
    expect(nowhere.status).toBe(404);
    expect((await ask(target, internalPort)).status).toBe(200);
    expect((await ask(target, internalPort, { token: false })).status).toBe(401);
    for (const token of [true, false]) expect(await ask(target, mainPort, { token })).toEqual(nowhere);
  });

  it('is on neither listener in a spelling that no route matches, with one answer for all', async () => {
    const nowhere = await ask('/nowhere', mainPort);
    expect(await ask('/nowhere', internalPort)).toEqual(nowhere);
    for (const target of [
      '//internal/tenants',
      '///internal/tenants',
      '/internal//tenants',
      '/internal/tenants/',
      '/internal/./tenants',
      '/internal/../internal/tenants',
      '/x/../internal/tenants',
      '/./internal/tenants',
      '/%2e/internal/tenants',
      '/x/%2e%2e/internal/tenants',
      '/INTERNAL/tenants',
      '/Internal/Tenants',
      '/internal/tenants;x=1',
      '/internal;/tenants',
      '/internal%2Ftenants',
      '/%2569nternal/tenants',
      '/internal\\tenants',
      '/internal/%zz',
      '/nowhere/%zz',
      '/internal',
      '/internal/',
      '/internal/nothing',
      '/openapi.json/internal/tenants',
    ])
      for (const port of [mainPort, internalPort])
        expect(await ask(target, port), `${target} on ${port}`).toEqual(nowhere);
  });

  it.each(['HEAD', 'OPTIONS', 'PUT', 'DELETE', 'POST'])(
    'answers %s on the main listener like any other path',
    async (method) => {
      const nowhere = await ask('/nowhere', mainPort, { method });
      expect(nowhere.status).toBe(404);
      expect(await ask('/internal/tenants', mainPort, { method })).toEqual(nowhere);
    },
  );

  it('takes no WebSocket upgrade on the main listener', async () => {
    const upgrade = { token: true, method: 'GET' };
    const target = '/internal/tenants HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX:';
    expect((await ask(target, mainPort, upgrade)).status).toBe(404);
  });
});

describe('the listener of the operator', () => {
  it.each([
    '/livez',
    '/%6civez',
    '/readyz',
    '/openapi.json',
    '/docs',
    '/docs/',
    '/docs-json',
    '/docs/swagger-ui.css',
    '/',
  ])('has no %s', async (target) => {
    expect(await ask(target, internalPort)).toEqual(await ask('/nowhere', internalPort));
  });

  it('has no API of tenants, and no preflights', async () => {
    const path = '/api/v1/inbox';
    for (const method of ['GET', 'OPTIONS'])
      expect(await ask(path, internalPort, { method })).toEqual(await ask('/nowhere', internalPort, { method }));
    expect((await ask(path, mainPort)).status).toBe(401);
  });

  it('is on loopback unless INTERNAL_HOST is set, and so is the one of the metrics', async () => {
    const elsewhere = { host: '127.0.0.2' };
    expect((await ask('/livez', mainPort, elsewhere)).status).toBe(200);
    expect((await ask('/livez', metricsPort)).status).toBe(200);
    for (const port of [internalPort, metricsPort])
      await expect(ask('/livez', port, elsewhere)).rejects.toThrow('ECONNREFUSED');
  });

  it('may have the port of the API on another address', async () => {
    const port = await freePort();
    const split = await startTestEnvironment({
      worker: false,
      environment: {
        HOST: '127.0.0.1',
        PORT: String(port),
        INTERNAL_PORT: String(port),
        INTERNAL_HOST: '127.0.0.2',
      },
    });
    try {
      expect((await ask('/livez', port)).status).toBe(200);
      expect((await ask('/internal/tenants', port)).status).toBe(404);
      expect((await ask('/livez', port, { host: '127.0.0.2' })).status).toBe(404);
      expect((await ask('/internal/tenants', port, { host: '127.0.0.2', token: false })).status).toBe(401);
    } finally {
      await split.stop();
    }
  });
});
