import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database, PlatformKeys, SecretBox } from '#database';
import { signUnsubscription } from '#domain';
import { freePort } from '../services/programs.ts';
import { type AllInOne, startAllInOne } from './all-in-one.js';
import { http, tenantWith } from './test-environment.js';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);

let carillon: AllInOne;
let browser: Browser;
let home: string;
const faults: string[] = [];

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'carillon-pages-'));
  carillon = await startAllInOne(home, { PORT: String(await freePort()), METRICS_PORT: String(await freePort()) });
  browser = await chromium.launch({
    executablePath: CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await carillon?.stop();
  rmSync(home, { recursive: true, force: true });
});

async function open(path: string): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 390, height: 844 } });
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  await page.goto(carillon.url + path);
  return page;
}

describe('the two pages, on a phone', { timeout: 60_000 }, () => {
  it('the button of the inbox page adds an item and a badge, live; the mailbox page shows the e-mail, live', async () => {
    const [mailbox, inbox] = [await open('/mailbox'), await open('/demo')];
    await inbox.getByText('Live', { exact: true }).waitFor();
    await mailbox.getByText('Nothing yet.').waitFor();
    await inbox.getByRole('button', { name: 'Send one' }).click();
    await inbox.getByRole('heading', { name: 'Welcome, Alice' }).waitFor();
    const bell = inbox.locator('#bell').getByRole('button', { name: 'Notifications' });
    const unread = (): Promise<string | null> => bell.getAttribute('aria-label');
    await expect.poll(unread).toBe('Notifications, 1 unread');
    expect(await inbox.title()).toContain('(1)');
    await mailbox.getByRole('heading', { name: 'Welcome, Alice' }).waitFor();
    expect(await mailbox.frameLocator('iframe').getByRole('heading').innerText()).toBe('Welcome, Alice');
    await inbox.getByRole('button', { name: 'Mark read: Welcome, Alice' }).click();
    await expect.poll(unread).toBe('Notifications');
    await inbox.getByRole('button', { name: 'Send one' }).click();
    await expect.poll(unread).toBe('Notifications, 1 unread');
    await inbox.getByRole('button', { name: 'Mark all read' }).click();
    await expect.poll(unread).toBe('Notifications');
    await mailbox.getByRole('button', { name: 'Empty the mailbox' }).click();
    await mailbox.getByText('Nothing yet.').waitFor();
    // Nothing is wider than the screen, and every control has an accessible name.
    for (const page of [mailbox, inbox]) {
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
      for (const button of await page.getByRole('button').all())
        expect(((await button.getAttribute('aria-label')) ?? (await button.innerText())).length).toBeGreaterThan(2);
      expect(await page.locator('html').getAttribute('lang')).toBe('en');
    }
    expect(faults).toEqual([]);
  });

  it('the inbox survives a reload and a restart of the stream', async () => {
    const inbox = await open('/demo');
    await expect.poll(() => inbox.getByRole('listitem').count()).toBe(2);
    await inbox.context().setOffline(true);
    await inbox.context().setOffline(false);
    await carillon.tenant.send({
      recipient_id: 'user-123',
      channel: 'in_app',
      content: { title: 'After <b>all</b>', body: 'x' },
    });
    await inbox.getByRole('heading', { name: 'After <b>all</b>' }).waitFor();
    expect(await inbox.getByRole('listitem').count()).toBe(3);
  });

  it('and the API page shows the routes, under its Content-Security-Policy', async () => {
    for (const path of ['/docs', '/docs/']) {
      const docs = await open(path);
      await docs.getByText('Send to a recipient').first().click();
      await docs.getByRole('button', { name: 'Try it out' }).first().click();
      await docs.getByRole('button', { name: 'Execute' }).first().click();
      await docs.getByText('unauthenticated').first().waitFor();
    }
    // The answer 401 of the request is an error on the console, and so is a stream that the test before cut.
    expect(faults.filter((fault) => !/401|ERR_INTERNET_DISCONNECTED/.test(fault))).toEqual([]);
  });

  it('the unsubscribe page sends its form', async () => {
    const { masterKey } = JSON.parse(readFileSync(join(home, 'secrets.json'), 'utf8')) as { masterKey: string };
    const address = JSON.parse(readFileSync(join(home, 'postgres.json'), 'utf8')) as { port: number; password: string };
    const url = `postgresql://carillon:${address.password}@127.0.0.1:${address.port}/carillon`;
    const database = new Database({ url, poolSize: 1 });
    const keys = new PlatformKeys(database, new SecretBox(Buffer.from(masterKey, 'hex')));
    await keys.prepare();
    await database.close();
    const recipient = { tenantId: carillon.tenant.id, recipientId: 'user-123' };
    const claims = { ...recipient, category: 'default', profileCreatedAt: null };
    faults.length = 0;
    const page = await open(`/unsubscribe/${signUnsubscription(keys.unsubscribeKey, claims)}`);
    await page.getByRole('button', { name: 'Unsubscribe', exact: true }).click();
    await page.getByText('Done.').waitFor();
    expect(faults).toEqual([]);
  });
});

describe('a page of another origin', { timeout: 60_000 }, () => {
  const servers: Server[] = [];
  afterAll(() => {
    for (const server of servers) server.close();
  });

  async function serveEmptyPage(): Promise<string> {
    const server = createServer((_request, response) => response.setHeader('Content-Type', 'text/html').end('<p>'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    servers.push(server);
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  it('reads the inbox and its events with a token if the tenant lists the origin', async () => {
    const { adminToken } = JSON.parse(readFileSync(join(home, 'secrets.json'), 'utf8')) as { adminToken: string };
    const [listed, other] = [await serveEmptyPage(), await serveEmptyPage()];
    const operator = async (path: string, body: unknown) =>
      (await http(carillon.url, 'POST', path, { body, headers: { 'X-Admin-Token': adminToken } })).body;
    const made = await operator('/internal/tenants', { name: 'Browser', settings: { allowed_origins: [listed] } });
    const { api_key } = await operator(`/internal/tenants/${made.id}/api-keys`, { name: 'Browser' });
    const tenant = tenantWith((method, path, request) => http(carillon.url, method, path, request), made.id, api_key);
    const { token } = (await tenant.call('POST', '/api/v1/recipients/ann/inbox-token', {})).body;
    const results = async (origin: string, path: string, method: string, key?: string): Promise<unknown> => {
      const page = await browser.newPage();
      await page.goto(origin);
      const order = { url: carillon.url + path, method, token, key };
      return await page.evaluate(`(async ({ url, method, token, key }) => {
        try {
          const headers = key ? { 'X-API-Key': key, 'X-Recipient-ID': 'ann' } : { Authorization: 'Bearer ' + token };
          const response = await fetch(url, { method, headers });
          const { value } = (await response.body?.getReader().read()) ?? {};
          return response.status + ' ' + new TextDecoder().decode(value).slice(0, 12);
        } catch (error) {
          return error.name;
        }
      })(${JSON.stringify(order)})`);
    };
    expect(await results(listed, '/api/v1/inbox', 'GET')).toBe('200 {"data":[],"');
    expect(await results(listed, '/api/v1/inbox/stream', 'GET')).toBe('200 event: ready');
    expect(await results(listed, '/api/v1/inbox/read-all', 'POST')).toBe('204 ');
    expect(await results(listed, '/api/v1/inbox/nothing/read', 'POST')).toBe('422 {"type":"htt');
    expect(await results(other, '/api/v1/inbox', 'GET')).toBe('TypeError');
    expect(await results(listed, '/api/v1/inbox', 'GET', api_key)).toBe('TypeError');
    expect(await results(listed, '/api/v1/mailbox', 'GET', api_key)).toBe('TypeError');
  });
});
