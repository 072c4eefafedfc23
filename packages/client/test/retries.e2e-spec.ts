// Retries against real connections that break and answers that are lost.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Carillon } from '@carillon/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTcpProxy, type TcpProxy } from '../../../libs/testing/src/index.js';
import { CONTENT, startTestEnvironment, type Tenant, type TestEnvironment } from '../../../test/test-environment.js';

const SENDS = 100;

let app: TestEnvironment;
let tenant: Tenant;
let proxy: TcpProxy;

beforeAll(async () => {
  app = await startTestEnvironment();
  tenant = await app.tenant();
  proxy = await startTcpProxy({ host: '127.0.0.1', port: Number(new URL(app.url).port) });
});
afterAll(async () => {
  await proxy?.close();
  await app?.stop();
});

describe('a retry storm', () => {
  it('makes one notification of each send, although connections break and answers are lost', async () => {
    let attempts = 0;
    const carillon = new Carillon({
      url: `http://127.0.0.1:${proxy.port}`,
      apiKey: tenant.apiKey,
      maxRetries: 30,
      fetch: (request) => {
        attempts += 1;
        return fetch(request);
      },
    });
    proxy.loseAnswers();
    const sends = Array.from({ length: SENDS }, async (_, index) =>
      carillon.notifications.send({
        body: { recipient_id: `storm-${index}`, channel: 'in_app', content: CONTENT.in_app, type: 'storm' },
      }),
    );
    // Every send fails at least once: nothing gets an answer before half of the attempts were in vain.
    while (attempts < 2 * SENDS) {
      for (const mode of ['loseAnswers', 'reset'] as const) {
        proxy[mode]();
        await delay(250);
      }
    }
    proxy.pass();
    const sent = await Promise.all(sends);
    const { rows } = await app.sql.query(
      `select count(*)::int as stored, count(distinct recipient_id)::int as recipients
         from notifications where tenant_id = $1 and type = 'storm'`,
      [tenant.id],
    );
    console.log(`retry storm: ${SENDS} sends, ${attempts} attempts, ${rows[0].stored} notifications`);
    expect(rows[0]).toEqual({ stored: SENDS, recipients: SENDS });
    expect(new Set(sent.map(({ id }) => id)).size).toBe(SENDS);
    expect(attempts).toBeGreaterThanOrEqual(2 * SENDS);
  }, 60_000);
});

describe('a client', () => {
  const body = { recipient_id: 'ann', channel: 'in_app' as const, content: CONTENT.in_app };

  it.each([
    { status: 503, code: 'unavailable', tries: 2 },
    { status: 502, code: '', tries: 2 },
    { status: 429, code: 'rate_limited', tries: 2 },
    { status: 408, code: '', tries: 2 },
    { status: 409, code: 'idempotency_in_flight', tries: 2 },
    { status: 409, code: 'conflict', tries: 1 },
    { status: 422, code: 'validation_failed', tries: 1 },
    { status: 500, code: 'internal', tries: 1 },
  ])('that gets $status $code tries $tries times, with the same key', async ({ status, code, tries }) => {
    const server = await startAnswers({ status, code });
    const carillon = new Carillon({ url: server.url, apiKey: 'car_test_x' });
    const call = carillon.notifications.send({ body });
    if (tries > 1) expect(await call).toEqual({ id: 'made' });
    else await expect(call).rejects.toMatchObject({ status, code });
    expect(server.keys).toHaveLength(tries);
    expect(new Set(server.keys).size).toBe(1);
    expect(server.keys[0]).toMatch(/^[0-9a-f-]{36}$/);
    await server.close();
  });

  it('obeys Retry-After, and gives up at once when it is later than the deadline', async () => {
    const server = await startAnswers({ status: 429, code: 'rate_limited', retryAfter: 1 });
    const start = performance.now();
    await new Carillon({ url: server.url, apiKey: 'car_test_x' }).notifications.send({ body });
    expect(performance.now() - start).toBeGreaterThan(900);
    const late = await startAnswers({ status: 429, code: 'rate_limited', retryAfter: 30 });
    const brief = new Carillon({ url: late.url, apiKey: 'car_test_x', deadlineMs: 5_000 });
    await expect(brief.notifications.send({ body })).rejects.toMatchObject({ retryAfterSeconds: 30, status: 429 });
    expect(performance.now() - start).toBeLessThan(4_000);
    await Promise.all([server.close(), late.close()]);
  });

  it('tries again when the answer breaks off', async () => {
    const server = await startAnswers({ status: 202, code: 'breaks off' });
    const carillon = new Carillon({ url: server.url, apiKey: 'car_test_x' });
    expect(await carillon.notifications.send({ body })).toEqual({ id: 'made' });
    expect(server.keys).toHaveLength(2);
    await server.close();
  });

  it("repeats with the caller's key in the header or in the body of the send", async () => {
    const server = await startAnswers({ status: 503, code: 'unavailable' });
    const carillon = new Carillon({ url: server.url, apiKey: 'car_test_x' });
    await carillon.notifications.send({ body: { ...body, idempotency_key: 'in the body' } });
    await carillon.notifications.send({ body, headers: { 'Idempotency-Key': 'in the header' } });
    expect(server.keys).toEqual(['in the body', 'in the body', 'in the header']);
    await server.close();
  });

  it('does not repeat a POST of the operator, which has no key', async () => {
    const server = await startAnswers({ status: 503, code: 'unavailable' });
    const carillon = new Carillon({ url: server.url, operatorToken: 'x' });
    await expect(carillon.tenants.create({ body: { name: 'New' } })).rejects.toMatchObject({ code: 'unavailable' });
    expect(server.keys).toEqual([undefined]);
    await server.close();
  });
});

/** The first answer is the error, or breaks off; the others are a success. `keys` has the Idempotency-Key of each request. */
async function startAnswers(first: { status: number; code: string; retryAfter?: number }) {
  const keys: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    keys.push(request.headers['idempotency-key'] as string | undefined);
    if (keys.length > 1) return response.setHeader('Content-Type', 'application/json').end('{"id":"made"}');
    const problem = JSON.stringify({ code: first.code, detail: 'Not now.', status: first.status });
    if (first.status < 300) {
      response.writeHead(first.status, { 'Content-Type': 'application/json', 'Content-Length': problem.length });
      return response.write(problem.slice(0, 5), () => response.destroy());
    }
    const isProblem = first.code !== '';
    response.writeHead(first.status, {
      'Content-Type': isProblem ? 'application/problem+json' : 'text/html',
      ...(first.retryAfter && { 'Retry-After': first.retryAfter }),
    });
    response.end(isProblem ? problem : '<h1>Sorry</h1>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    keys,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}
