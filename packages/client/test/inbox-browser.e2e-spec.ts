// The built inbox module in Chromium, as a page of another origin uses it.

import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTcpProxy, type TcpProxy } from '../../../libs/testing/src/index.js';
import { startTestEnvironment, type Tenant, type TestEnvironment } from '../../../test/test-environment.js';

const DIST = join(import.meta.dirname, '../dist');
const PAGE = `<!doctype html><ul></ul><output></output><script type="module">
  import { Inbox } from '/inbox/index.js';
  const { url, token } = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  const inbox = new Inbox({ url, token });
  const list = document.querySelector('ul');
  inbox.stream({
    onItem: ({ title }) => list.append(Object.assign(document.createElement('li'), { textContent: title })),
    onState: (state) => { document.querySelector('output').textContent = state; },
  }, 0);
</script>`;
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);

let app: TestEnvironment;
let tenant: Tenant;
let proxy: TcpProxy;
let browser: Browser;
let pages: Server;
let redirects = 0;

beforeAll(async () => {
  app = await startTestEnvironment();
  tenant = await app.tenant();
  proxy = await startTcpProxy({ host: '127.0.0.1', port: Number(new URL(app.url).port) });
  pages = createServer(({ url = '/' }, response) => {
    if (url.startsWith('/redirecting/')) {
      redirects += 1;
      return response.writeHead(307, { Location: '/' }).end();
    }
    const isPage = url === '/';
    response.setHeader('Content-Type', isPage ? 'text/html' : 'text/javascript');
    response.end(isPage ? PAGE : existsSync(DIST + url) ? readFileSync(DIST + url) : '');
  });
  await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve));
  browser = await chromium.launch({ executablePath: CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
}, 120_000);
afterAll(async () => {
  await browser?.close();
  pages?.close();
  await proxy?.close();
  await app?.stop();
});

it('lists live items, goes on after its connection was killed, and waits while the browser is offline', async () => {
  const send = (title: string) =>
    tenant.send({ recipient_id: 'ann', channel: 'in_app', content: { title, body: 'x' } });
  const { token } = (await tenant.call('POST', '/api/v1/recipients/ann/inbox-token', {})).body;
  const page = await browser.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  const state = page.locator('output');
  await send('one');
  const options = new URLSearchParams({ url: `http://127.0.0.1:${proxy.port}`, token });
  await page.goto(`http://127.0.0.1:${(pages.address() as AddressInfo).port}/#${options}`);
  await page.getByText('one').waitFor();
  proxy.reset();
  await state.getByText('waiting').or(state.getByText('connecting')).waitFor();
  await send('two');
  proxy.pass();
  await page.getByText('two').waitFor();
  await page.context().setOffline(true);
  await state.getByText('waiting').waitFor();
  await send('three');
  await page.context().setOffline(false);
  await page.getByText('three').waitFor();
  expect(await page.locator('li').allTextContents()).toEqual(['one', 'two', 'three']);
  expect(faults).toEqual([]);
}, 60_000);

it('does not follow a redirect, although the browser hides where it leads', async () => {
  const page = await browser.newPage();
  const origin = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
  await page.goto(origin);
  const error = await page.evaluate(`import('/inbox/index.js').then(({ Inbox }) =>
    new Inbox({ url: location.origin + '/redirecting', token: 'x' }).counts().catch((error) => ({ ...error })))`);
  expect(error).toMatchObject({
    code: 'unexpected_answer',
    detail: `${origin} answered with a redirect; set url to the address that answers itself`,
  });
  expect(redirects).toBe(1);
});
