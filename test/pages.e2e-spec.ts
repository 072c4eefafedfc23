import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../services/programs.ts';
import { type AllInOne, ended, startAllInOne } from './all-in-one.js';

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
  carillon?.child.kill('SIGTERM');
  if (carillon) await ended(carillon.child);
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
    const badge = inbox.getByRole('status', { name: 'unread items' });
    await expect.poll(() => badge.innerText()).toBe('1');
    expect(await inbox.title()).toContain('(1)');
    await mailbox.getByRole('heading', { name: 'Welcome, Alice' }).waitFor();
    expect(await mailbox.frameLocator('iframe').getByRole('heading').innerText()).toBe('Welcome, Alice');
    await inbox.getByRole('button', { name: 'Mark read', exact: true }).click();
    await expect.poll(() => badge.innerText()).toBe('0');
    await inbox.getByRole('button', { name: 'Send one' }).click();
    await expect.poll(() => badge.innerText()).toBe('1');
    await inbox.getByRole('button', { name: 'Mark all read' }).click();
    await expect.poll(() => badge.innerText()).toBe('0');
    await mailbox.getByRole('button', { name: 'Empty the mailbox' }).click();
    await mailbox.getByText('Nothing yet.').waitFor();
    // Nothing is wider than the screen, and every control has an accessible name.
    for (const page of [mailbox, inbox]) {
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
      for (const button of await page.getByRole('button').all())
        expect((await button.innerText()).length).toBeGreaterThan(3);
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

  it('and the API page shows the routes', async () => {
    const docs = await open('/docs');
    await docs.getByText('Send to a recipient').first().waitFor();
  });
});
