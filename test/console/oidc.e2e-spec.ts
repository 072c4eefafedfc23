// Sign-in of operators with OpenID Connect, against a real provider.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SecretBox } from '#database';
import { PLATFORM_TENANT_ID } from '#domain';
import { until } from '#testing';
import { freePort } from '../../services/programs.ts';
import { http, startTestEnvironment, type TestEnvironment } from '../test-environment.js';
import { CLIENT, type OidcIssuer, startIssuer } from './oidc-issuer.ts';
import { Browser, type Page } from './redirects.ts';
import { type Console, callerWith, signIn } from './sign-in.ts';

let issuer: OidcIssuer;
let app: TestEnvironment;
let issuerPort: number;
let browser: Browser;
const CALLBACK = '/console/oidc/callback';
const PLACE = { tenantId: PLATFORM_TENANT_ID, table: 'console_sessions', id: 'carillon_oidc' };

beforeAll(async () => {
  const [port, free] = [await freePort(), await freePort()];
  issuerPort = free;
  const url = `http://127.0.0.1:${port}`;
  issuer = await startIssuer({ port: issuerPort, redirectUri: url + CALLBACK });
  app = await startTestEnvironment({
    worker: false,
    environment: {
      PORT: String(port),
      CONSOLE_URL: url,
      OIDC_ISSUER: issuer.url,
      OIDC_CLIENT_ID: CLIENT.id,
      OIDC_CLIENT_SECRET: CLIENT.secret,
      OIDC_NAME: 'Example & Co',
      OIDC_VIEWER: 'support, guests',
      OIDC_OPERATOR: 'on-call',
      OIDC_ADMIN: 'platform-team',
    },
  });
});
afterAll(async () => {
  await app?.stop();
  await issuer?.stop();
});
beforeEach(() => {
  browser = new Browser();
  issuer.person = { sub: 'ann', email: 'ann@operators.example', roles: ['platform-team'] };
});

const start = (path = ''): string => `${app.url}/console/oidc/start${path}`;
/** Everything but the last step: the address with the code, which the browser has not called. */
const almost = async (of: Browser): Promise<string> => (await of.follow(start(), app.url + CALLBACK)).url;

/** Starts, but calls the provider with other parameters. Returns the answer of the callback. */
async function withParameters(change: (parameters: URLSearchParams) => void): Promise<Page> {
  const { headers } = await browser.get(start());
  const address = new URL(headers.get('location')!);
  change(address.searchParams);
  return await browser.follow(address.href);
}

const session = (of = browser): Omit<Console, 'body'> => callerWith(app.url, of.cookie('carillon_console') ?? 'x=y');

async function expectRefused(page: Page, status: number, text: string): Promise<void> {
  expect([page.status, page.headers.get('content-type')]).toEqual([status, 'text/html; charset=utf-8']);
  expect(page.text).toContain(text);
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(browser.cookie('carillon_console')).toBeUndefined();
}

describe('a sign-in with OIDC', () => {
  it('is offered with the name of the provider, and begins with PKCE, state and nonce', async () => {
    const { body } = await app.call('GET', '/console/session');
    expect(body).toEqual({ signed_in: false, oidc: { name: 'Example & Co' }, operator: true });
    const { status, headers } = await browser.get(start());
    const { origin, searchParams } = new URL(headers.get('location')!);
    expect([status, origin]).toEqual([303, issuer.url]);
    expect(Object.fromEntries(searchParams)).toMatchObject({
      client_id: CLIENT.id,
      redirect_uri: app.url + CALLBACK,
      response_type: 'code',
      code_challenge_method: 'S256',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
    });
    const cookie = headers.get('set-cookie')!;
    expect(cookie).toContain('; Path=/; Max-Age=600; HttpOnly; SameSite=Lax');
    for (const secret of ['state', 'nonce']) expect(cookie).not.toContain(searchParams.get(secret));
  });

  it('begins a session with the name and the role of the person, and shows the view that was asked for', async () => {
    const page = await browser.follow(start('?return_to=/console/deliveries%3Fstate%3Dfailed'), `${app.url}/console/d`);
    expect(page.url).toBe(`${app.url}/console/deliveries?state=failed`);
    const { body } = await session().call('GET', '/console/session');
    expect(body).toMatchObject({
      signed_in: true,
      kind: 'oidc',
      name: 'ann@operators.example',
      role: 'admin',
      tenant: null,
    });
    expect((await session().call('GET', '/internal/tenants')).status).toBe(200);
    expect(browser.cookie('carillon_oidc')).toBeUndefined();
  });

  it('ends the session that the browser had, although its cookie does not come back from the provider', async () => {
    const earlier = await signIn(app.url, { operator_token: app.config.adminToken });
    const status = async (): Promise<number> => (await earlier.call('GET', '/internal/tenants')).status;
    browser.setCookie(app.url, `${earlier.cookie}; Path=/; SameSite=Strict`);
    issuer.person = { sub: 'ann', roles: [] };
    expect((await browser.follow(start())).status).toBe(403);
    expect(await status()).toBe(200);
    issuer.person = { sub: 'ann', roles: ['support'] };
    await browser.follow(start());
    expect((await session().call('GET', '/console/session')).body.role).toBe('viewer');
    await until('the earlier session has ended', async () => (await status()) === 401);
  });

  it('has a cookie that only this host can set where people use https', async () => {
    const own = await startTestEnvironment({
      worker: false,
      environment: {
        TRUSTED_PROXIES: '127.0.0.1/32',
        CONSOLE_URL: 'https://console.example',
        OIDC_ISSUER: issuer.url,
        OIDC_CLIENT_ID: CLIENT.id,
        OIDC_ADMIN: 'x',
      },
    });
    try {
      const get = async (path: string, Cookie = ''): Promise<Response> =>
        await fetch(own.url + path, { redirect: 'manual', headers: { Cookie, 'X-Forwarded-Proto': 'https' } });
      const cookie = (await get('/console/oidc/start')).headers.get('set-cookie')!;
      expect(cookie).toMatch(/^__Host-carillon_oidc=[^;]+; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax; Secure$/);
      const [pair = ''] = cookie.split(';');
      expect(await (await get(CALLBACK, pair)).text()).toContain('The answer of the sign-in is not valid');
      const plain = await get(CALLBACK, pair.replace('__Host-', ''));
      expect(await plain.text()).toContain('it began in another browser');
      expect(plain.headers.get('set-cookie')).toMatch(/^__Host-carillon_oidc=; /);
    } finally {
      await own.stop();
    }
  });

  it.each([
    ['the highest of several', { roles: ['support', 'on-call', 'x'] }, 'operator'],
    ['a single text', { roles: 'guests' }, 'viewer'],
  ])('takes the role from %s', async (_case, claims, role) => {
    issuer.person = { sub: 'bob', ...claims };
    await browser.follow(start());
    expect((await session().call('GET', '/console/session')).body).toMatchObject({ role, name: 'bob' });
  });

  it('names a person by an address only if it is verified', async () => {
    const claims = { email: 'boss@operators.example', email_verified: false, preferred_username: 'eve' };
    issuer.person = { sub: 'eve-1', roles: ['support'], ...claims };
    await browser.follow(start());
    expect((await session().call('GET', '/console/session')).body.name).toBe('eve');
  });

  it('is in the audit log with name and subject, and so is every change', async () => {
    await browser.follow(start());
    await session().call('POST', '/internal/tenants', { name: 'Made by Ann' });
    await session().call('DELETE', '/console/session');
    const actor = 'operator:ann@operators.example';
    const { body } = await app.operator('GET', `/internal/audit?actor=${encodeURIComponent(actor)}&limit=3`);
    expect(body.data.map(({ action }: { action: string }) => action)).toEqual([
      'console.signed_out',
      'tenant.created',
      'console.signed_in',
    ]);
    expect(body.data[2].after).toEqual({ kind: 'oidc', name: 'ann@operators.example', role: 'admin', subject: 'ann' });
  });
});

describe('a sign-in with OIDC is refused', () => {
  it('without a role, on a page that says what is missing', async () => {
    for (const roles of [[], ['unknown'], undefined, 7, { admin: true }]) {
      issuer.person = { sub: 'mallory', email: '<b>@operators.example', roles };
      const page = await browser.follow(start());
      await expectRefused(page, 403, 'gives no role');
      expect(page.text).toContain('Example &#38; Co');
      expect(page.text).not.toContain('<b>');
    }
  });

  it('with another state', async () => {
    const address = new URL(await almost(browser));
    address.searchParams.set('state', 'x'.repeat(43));
    await expectRefused(await browser.get(address.href), 401, 'not valid');
    address.searchParams.delete('state');
    await expectRefused(await browser.get(address.href), 401, 'another browser');
  });

  it('with another nonce', async () => {
    await expectRefused(await withParameters((query) => query.set('nonce', 'another-nonce')), 401, 'not valid');
  });

  it('with the code of another sign-in', async () => {
    const other = new Browser();
    issuer.person = { sub: 'mallory', roles: ['platform-team'] };
    const stolen = new URL(await almost(other)).searchParams.get('code')!;
    issuer.person = { sub: 'ann', roles: ['platform-team'] };
    const address = new URL(await almost(browser));
    address.searchParams.set('code', stolen);
    await expectRefused(await browser.get(address.href), 401, 'not valid');
  });

  it('in another browser than the one that began it', async () => {
    const address = await almost(new Browser());
    await expectRefused(await browser.get(address), 401, 'another browser');
  });

  it('a second time with the same code', async () => {
    const address = await almost(browser);
    const pending = browser.cookie('carillon_oidc')!;
    expect((await browser.get(address)).status).toBe(303);
    browser = new Browser();
    browser.setCookie(app.url, pending);
    await expectRefused(await browser.get(address), 401, 'used before');
  });

  it('after ten minutes, and with a cookie that was changed', async () => {
    const address = await almost(browser);
    const box = new SecretBox(app.config.masterKey);
    const [name, sealed] = browser.cookie('carillon_oidc')!.split('=');
    const pending = JSON.parse(box.open(sealed!, PLACE));
    expect(pending.expiresAt - Date.now()).toBeGreaterThan(590_000);
    const expired = box.seal(JSON.stringify({ ...pending, expiresAt: Date.now() - 1 }), PLACE);
    const foreign = new SecretBox(Buffer.alloc(32, 7)).seal(JSON.stringify(pending), PLACE);
    for (const value of [expired, foreign, `${sealed}x`, 'x']) {
      browser.setCookie(app.url, `${name}=${value}`);
      await expectRefused(await browser.get(address), 401, '10 minutes');
    }
  });

  it('when the provider refuses it, with its reason', async () => {
    const page = await withParameters((query) => query.set('prompt', 'none'));
    await expectRefused(page, 401, 'refused the sign-in: login_required');
  });
});

describe('the end of sessions with OIDC', () => {
  it('comes when the values of roles are changed', async () => {
    await browser.follow(start());
    const hash = 'select credential_hash as hash from console_sessions where token_hash = $1';
    const { rows } = await app.sql.query(hash, [session().tokenHash]);
    expect((await session().call('GET', '/internal/tenants')).status).toBe(200);
    await app.sql.query('update console_sessions set credential_hash = $2 where token_hash = $1', [
      session().tokenHash,
      Buffer.from(rows[0].hash).fill(0, 0, 1),
    ]);
    await expect
      .poll(async () => (await session().call('GET', '/internal/tenants')).status, { timeout: 8_000 })
      .toBe(401);
  });
});

describe('an issuer that is away', () => {
  const settings = { OIDC_CLIENT_ID: CLIENT.id, OIDC_ADMIN: 'x', CONSOLE_URL: 'http://127.0.0.1:1' };

  it('does not keep the API from starting, and is named at the sign-in; failures are limited by address', async () => {
    const own = await startTestEnvironment({
      worker: false,
      environment: { ...settings, OIDC_ISSUER: `http://127.0.0.1:${await freePort()}` },
    });
    try {
      const page = await new Browser().get(`${own.url}/console/oidc/start`);
      expect([page.status, page.headers.get('retry-after')]).toEqual([503, '10']);
      expect(page.text).toContain('Single sign-on cannot be reached');
      const { status } = await http(own.url, 'POST', '/console/session', {
        body: { operator_token: own.config.adminToken },
      });
      expect(status).toBe(201);
      const failed = await Promise.all(Array.from({ length: 90 }, () => new Browser().get(own.url + CALLBACK)));
      expect(new Set(failed.map((each) => each.status))).toEqual(new Set([401, 429]));
    } finally {
      await own.stop();
    }
  });

  it('gets one request for all sign-ins that begin at the same time', async () => {
    let asked = 0;
    const slow = createServer((_request, response) => {
      asked += 1;
      setTimeout(() => response.writeHead(503).end(), 1_000);
    });
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
    const { port } = slow.address() as AddressInfo;
    const OIDC_ISSUER = `http://127.0.0.1:${port}`;
    const own = await startTestEnvironment({ worker: false, environment: { ...settings, OIDC_ISSUER } });
    try {
      const begun = Array.from({ length: 20 }, () => new Browser().get(`${own.url}/console/oidc/start`));
      expect((await Promise.all(begun)).map(({ status }) => status)).toEqual(begun.map(() => 503));
      expect(asked).toBe(1);
    } finally {
      await own.stop();
      slow.close();
    }
  });

  it('ends a sign-in that has begun with the same page, and later ones work again', async () => {
    const address = await almost(browser);
    await issuer.stop();
    await expectRefused(await browser.get(address), 503, 'cannot be reached');
    issuer = await startIssuer({ port: issuerPort, redirectUri: app.url + CALLBACK, claimsInIdToken: true });
    issuer.person = { sub: 'ann', roles: ['on-call'] };
    browser = new Browser();
    await browser.follow(start());
    expect((await session().call('GET', '/console/session')).body).toMatchObject({ role: 'operator' });
  });
});

it('does not exist without its settings', async () => {
  const own = await startTestEnvironment({ worker: false });
  try {
    for (const path of ['start', 'callback'])
      expect((await new Browser().get(`${own.url}/console/oidc/${path}`)).status).toBe(404);
  } finally {
    await own.stop();
  }
});
