// Pages with the built component in Chromium, as a server of another origin delivers them.

import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { expect } from 'vitest';
import { startTcpProxy, type TcpProxy } from '../../../libs/testing/src/index.js';
import { startTestEnvironment, type Tenant, type TestEnvironment } from '../../../test/test-environment.js';

export const PACKAGE = join(import.meta.dirname, '..');
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);
const SCOPES = ['inbox:read', 'inbox:write', 'preferences:write'];

interface PageOptions {
  /** Nothing is added to the HTML. */
  isWholePage?: boolean;
}

export interface InboxPages {
  app: TestEnvironment;
  tenant: Tenant;
  /** In front of the API. */
  proxy: TcpProxy;
  /** The address of the API through the proxy. */
  url: string;
  /** Errors that pages have thrown, or written to the console of the browser. */
  faults: string[];
  token(recipientId: string, body?: Record<string, unknown>): Promise<string>;
  send(recipientId: string, title: string, content?: Record<string, unknown>, more?: object): Promise<void>;
  /** Opens a page with this HTML, and with a function `newToken` that gets tokens of the recipient. */
  open(recipientId: string, html: string, options?: BrowserContextOptions, page?: PageOptions): Promise<Page>;
  /** Another page of the same browser, as another tab. */
  openBeside(page: Page, html: string): Promise<Page>;
  /** Serves further files by path. */
  files: Map<string, string>;
  stop(): Promise<void>;
}

const pageWith = (html: string): string => `<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>A page</title><link rel="icon" href="data:,"><main><h1>A page</h1>${html}</main></html>`;

/** The state of the stream is in the attribute `data-state` of the page's body. */
export const element = (url: string, attributes = ''): string => `
  <carillon-inbox url="${url}" ${attributes}></carillon-inbox>
  <script type="module">
    import '/inbox.js';
    const inbox = document.querySelector('carillon-inbox');
    inbox.addEventListener('carillon-state', ({ detail }) => { document.body.dataset.state = detail.state; });
    inbox.tokenProvider = () => newToken();
  </script>`;

/** `expect.poll` with the patience that browsers on a busy machine need. */
export const eventually = <T>(read: () => T) => expect.poll(read, { timeout: 15_000 });

export async function isLive(page: Page): Promise<void> {
  await page.locator('body[data-state=live]').waitFor();
}

export async function startInboxPages(): Promise<InboxPages> {
  const files = new Map<string, string>();
  const server = await serve(files);
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const app = await startTestEnvironment();
  const tenant = await app.tenant({
    recipient_limits: { in_app: { limit: 100_000, window_seconds: 60 } },
    allowed_origins: [origin],
  });
  const proxy = await startTcpProxy({ host: '127.0.0.1', port: Number(new URL(app.url).port) });
  const browser = await launch();
  const faults: string[] = [];
  const pages: InboxPages = {
    app,
    tenant,
    proxy,
    url: `http://127.0.0.1:${proxy.port}`,
    faults,
    files,
    token: async (recipientId, body = { scopes: SCOPES }) =>
      (await tenant.call('POST', `/api/v1/recipients/${recipientId}/inbox-token`, body)).body.token,
    send: async (recipientId, title, content = {}, more = {}) => {
      await tenant.send({
        recipient_id: recipientId,
        channel: 'in_app',
        content: { title, body: 'The text', ...content },
        ...more,
      });
    },
    open: async (recipientId, html, options = {}, { isWholePage = false } = {}) => {
      const context = await browser.newContext(options);
      await context.exposeFunction('newToken', () => pages.token(recipientId));
      return await goto(await context.newPage(), isWholePage ? html : pageWith(html));
    },
    openBeside: async (other, html) => await goto(await other.context().newPage(), pageWith(html)),
    stop: async () => {
      await browser.close();
      server.close();
      await proxy.close();
      await app.stop();
    },
  };
  let count = 0;
  async function goto(opened: Page, html: string): Promise<Page> {
    count += 1;
    files.set(`/${count}`, html);
    opened.on('pageerror', (error) => faults.push(error.message));
    opened.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
    await opened.goto(`${origin}/${count}`);
    return opened;
  }
  return pages;
}

export async function launch(): Promise<Browser> {
  return await chromium.launch({
    executablePath: CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync'],
  });
}

/** The files of `files`, and those of the built package. */
async function serve(files: Map<string, string>): Promise<Server> {
  const server = createServer(({ url = '/' }, response) => {
    const path = join(PACKAGE, 'dist', url);
    const file = files.get(url);
    const isScript = url.endsWith('.js');
    response.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html; charset=utf-8');
    // Browsers ask for it by themselves.
    if (url === '/favicon.ico') response.statusCode = 204;
    else if (file === undefined && !(isScript && existsSync(path))) response.statusCode = 404;
    response.end(file ?? (isScript && existsSync(path) ? readFileSync(path) : ''));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
