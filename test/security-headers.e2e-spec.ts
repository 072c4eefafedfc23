// The headers that every answer has, and CORS of the inbox routes.

import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signUnsubscription } from '#domain';
import { freePort } from '../services/programs.ts';
import { signIn } from './console/sign-in.ts';
import { startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const ORIGIN = 'https://app.example.com';

let app: TestEnvironment;
let tenant: Tenant;
let metricsPort: number;

beforeAll(async () => {
  metricsPort = await freePort();
  app = await startTestEnvironment({ worker: false, environment: { METRICS_PORT: String(metricsPort) } });
  tenant = await app.tenant({ allowed_origins: [ORIGIN, 'capacitor://localhost'] });
});
afterAll(() => app?.stop());

function expectSafe(headers: Headers, path: string): void {
  expect(headers.get('x-content-type-options'), path).toBe('nosniff');
  expect(headers.get('referrer-policy'), path).toBe('no-referrer');
  const policy = headers.get('content-security-policy');
  for (const directive of ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"])
    expect(policy?.split('; '), path).toContain(directive);
}

describe('every answer says how a browser may use it', () => {
  it.each([
    ['GET', '/', 404],
    ['GET', '/nowhere', 404],
    ['GET', '/nowhere/%zz', 404],
    ['PUT', '/livez', 404],
    ['GET', '/livez', 200],
    ['GET', '/readyz', 200],
    ['GET', '/openapi.json', 200],
    ['GET', '/docs', 200],
    ['GET', '/docs/', 200],
    ['GET', '/docs/index.html', 200],
    ['GET', '/docs/swagger-ui.css', 200],
    ['GET', '/docs/nothing.js', 404],
    ['GET', '/docs-json', 200],
    ['GET', '/internal/tenants', 401],
    ['GET', '/api/v1/notifications', 401],
    ['GET', '/api/v1/inbox', 401],
    ['OPTIONS', '/api/v1/inbox', 204],
    ['GET', '/unsubscribe/nothing', 404],
    ['POST', '/receipts/ses/nothing', 422],
  ])('%s %s', async (method, path, status) => {
    const answer = await app.call(method, path);
    expect(answer.status).toBe(status);
    expectSafe(answer.headers, path);
  });

  it('of a tenant: lists, sends, rejected bodies', async () => {
    const answers = [
      await tenant.call('GET', '/api/v1/notifications'),
      await tenant.call('POST', '/api/v1/notifications', '{'),
      await tenant.call('POST', '/api/v1/notifications', { nonsense: true }),
      await tenant.call('POST', '/api/v1/notifications', '<xml/>', { 'Content-Type': 'text/xml' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 400, 422, 415]);
    for (const { headers } of answers) expectSafe(headers, 'notifications');
  });

  it('reads of a tenant and of the operator stay in no cache: what they show depends on the credentials', async () => {
    const read = async (path: string, headers: Record<string, string>) => {
      const answer = await app.call('GET', path, { headers });
      return [path, answer.status, answer.headers.get('cache-control')];
    };
    const key = { 'X-API-Key': tenant.apiKey };
    const session = await signIn(app.url, { operator_token: app.config.adminToken });
    const own = { Cookie: session.cookie, 'X-Carillon-Console': '1', 'X-Carillon-Tenant': tenant.id };
    expect([
      await read('/api/v1/notifications', key),
      await read('/api/v1/notifications', own),
      await read('/api/v1/templates/missing', key),
      await read('/api/v1/inbox', { ...key, 'X-Recipient-ID': 'ann' }),
      await read('/internal/tenants', { 'X-Admin-Token': app.config.adminToken }),
      await read('/internal/tenants', {}),
    ]).toEqual([
      ['/api/v1/notifications', 200, 'no-store'],
      ['/api/v1/notifications', 200, 'no-store'],
      ['/api/v1/templates/missing', 404, 'no-store'],
      ['/api/v1/inbox', 200, 'no-store'],
      ['/internal/tenants', 200, 'no-store'],
      ['/internal/tenants', 401, 'no-store'],
    ]);
  });

  it('the unsubscribe pages allow their own form only', async () => {
    const key = app.keys.unsubscribeKey;
    const token = signUnsubscription(key, {
      tenantId: tenant.id,
      recipientId: 'x',
      category: 'default',
      profileCreatedAt: null,
    });
    for (const method of ['GET', 'POST']) {
      const { status, headers, body } = await app.call(method, `/unsubscribe/${token}`);
      expect([status, body]).toEqual([200, expect.stringContaining('<!doctype html>')]);
      expectSafe(headers, 'unsubscribe');
      expect(headers.get('content-security-policy')).toContain("form-action 'self'");
      expect(headers.get('content-security-policy')).not.toContain('script-src');
    }
  });

  it.each(['/metrics', '/livez', '/readyz', '/nowhere'])('%s of the metrics listener', async (path) => {
    expectSafe((await fetch(`http://127.0.0.1:${metricsPort}${path}`)).headers, path);
  });

  it('a refused upgrade', async () => {
    const socket = connect(Number(new URL(app.url).port), '127.0.0.1');
    const lines = ['GET /api/v1/inbox/stream HTTP/1.1', 'Host: x', 'Connection: Upgrade', 'Upgrade: websocket'];
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    const answer = await text(socket);
    expect(answer).toContain('HTTP/1.1 401');
    const headers = new Headers(
      answer
        .split('\r\n\r\n')[0]!
        .split('\r\n')
        .slice(1)
        .map((line) => line.split(': ') as [string, string]),
    );
    expectSafe(headers, 'upgrade');
  });
});

describe('CORS of the inbox', () => {
  const bearer = async (of = tenant, recipient = 'x'): Promise<Record<string, string>> => {
    const minted = await of.call('POST', `/api/v1/recipients/${recipient}/inbox-token`, {});
    return { Authorization: `Bearer ${minted.body.token}` };
  };
  const corsOf = (headers: Headers): string[] =>
    [...headers.keys()].filter((name) => name.startsWith('access-control-'));

  it.each([
    '/api/v1/inbox',
    '/api/v1/inbox/counts',
    '/api/v1/inbox/stream',
    '/api/v1/inbox/read-all',
    '/api/v1/inbox/7/read',
  ])(
    'answers the preflight of %s to every origin, without credentials and without the headers of API keys',
    async (path) => {
      const { status, headers, body } = await app.call('OPTIONS', path, {
        headers: { Origin: 'https://any.example', 'Access-Control-Request-Method': 'GET' },
      });
      expect([status, body]).toEqual([204, '']);
      expect(headers.get('access-control-allow-origin')).toBe('*');
      expect(headers.get('access-control-allow-methods')).toBe('GET, POST, PUT');
      expect(headers.get('access-control-allow-headers')).toContain('Authorization');
      expect(headers.get('access-control-allow-headers')).not.toMatch(/x-api-key|x-recipient-id|\*/i);
      expect(headers.get('access-control-allow-credentials')).toBeNull();
    },
  );

  it.each([
    '/api/v1/notifications',
    '/api/v1/recipients/x/inbox-token',
    '/internal/tenants',
    '/livez',
    '/openapi.json',
  ])('has no preflight for %s', async (path) => {
    const { status, headers } = await app.call('OPTIONS', path, { headers: { Origin: ORIGIN } });
    expect([status, corsOf(headers)]).toEqual([404, []]);
  });

  it('lets pages of a listed origin read answers and errors', async () => {
    const headers = { ...(await bearer()), Origin: ORIGIN };
    const answers = [
      await app.call('GET', '/api/v1/inbox', { headers }),
      await app.call('GET', '/api/v1/inbox?limit=x', { headers }),
      await app.call('POST', '/api/v1/inbox/read-all', { headers }),
      await app.call('POST', '/api/v1/inbox/01939d05-0000-7000-8000-000000000001/read', { headers }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 422, 204, 404]);
    for (const answer of answers) {
      expect(answer.headers.get('access-control-allow-origin')).toBe(ORIGIN);
      expect(answer.headers.get('access-control-expose-headers')).toMatch(/RateLimit.*Retry-After/);
      expect(answer.headers.get('access-control-allow-credentials')).toBeNull();
      expect(answer.headers.get('vary')).toBe('Origin');
    }
  });

  it('lets pages of a listed origin read server-sent events', async () => {
    const headers = { ...(await bearer()), Origin: ORIGIN };
    const events = await fetch(`${app.url}/api/v1/inbox/stream`, { headers });
    await events.body?.cancel();
    expect([events.status, events.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
    expect(events.headers.get('access-control-allow-origin')).toBe(ORIGIN);
    expect(events.headers.get('vary')).toBe('Origin');
    expect(events.headers.get('x-request-id')).toMatch(/./);
    expectSafe(events.headers, 'events');
  });

  it('knows origins of other schemes, and refuses the one of a sandboxed frame', async () => {
    const ask = async (Origin: string) =>
      await app.call('GET', '/api/v1/inbox', { headers: { ...(await bearer()), Origin } });
    const native = await ask('capacitor://localhost');
    expect([native.status, native.headers.get('access-control-allow-origin')]).toEqual([200, 'capacitor://localhost']);
    const framed = await ask('null');
    expect([framed.status, corsOf(framed.headers)]).toEqual([403, []]);
  });

  it('lets every page read that its token is not valid', async () => {
    const headers = { Authorization: 'Bearer nonsense', Origin: 'https://unlisted.example' };
    const answer = await app.call('GET', '/api/v1/inbox', { headers });
    expect([answer.status, answer.body.code, answer.headers.get('access-control-allow-origin')]).toEqual([
      401,
      'unauthenticated',
      '*',
    ]);
  });

  it('gives nothing to other origins, to tenants without the setting, to API keys and without an origin', async () => {
    const open = await app.tenant();
    const asks: [number, Record<string, string>][] = [
      [403, { ...(await bearer()), Origin: 'https://evil.example' }],
      [403, { ...(await bearer()), Origin: `${ORIGIN}.evil.example` }],
      [200, { ...(await bearer(open)), Origin: ORIGIN }],
      [200, { 'X-API-Key': tenant.apiKey, 'X-Recipient-ID': 'x', Origin: ORIGIN }],
      [200, { Authorization: `Bearer ${tenant.apiKey}`, 'X-Recipient-ID': 'x', Origin: ORIGIN }],
      [200, await bearer()],
    ];
    for (const [status, headers] of asks) {
      const answer = await app.call('GET', '/api/v1/inbox', { headers });
      expect([answer.status, corsOf(answer.headers), answer.headers.get('vary')]).toEqual([status, [], 'Origin']);
    }
    const other = await tenant.call('GET', '/api/v1/notifications', undefined, { Origin: ORIGIN });
    expect([other.status, corsOf(other.headers)]).toEqual([200, []]);
  });
});
