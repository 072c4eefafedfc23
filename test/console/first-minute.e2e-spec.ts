// A newcomer opens the start page of `npm start` and goes through all steps.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort } from '../../services/programs.ts';
import { type AllInOne, startAllInOne } from '../all-in-one.js';
import { launchChromium } from './chromium.js';
import { checkAxe, checkPhone, SIZES } from './page-checks.js';

let home: string;
let carillon: AllInOne;
let browser: Browser;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'carillon-start-'));
  carillon = await startAllInOne(home, { PORT: String(await freePort()), METRICS_PORT: String(await freePort()) });
  browser = await launchChromium();
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await carillon?.stop();
  rmSync(home, { recursive: true, force: true });
});

/** The steps of a timeline in words, as they are shown. */
const steps = (page: Page, name: string) =>
  page.getByRole('list', { name, exact: true }).locator('strong').allInnerTexts();

it('the first minute: send, watch, see the inbox, see what goes wrong, explain, open the console', async () => {
  const context = await browser.newContext({
    viewport: SIZES.desk,
    reducedMotion: 'reduce',
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  await page.goto(carillon.url);
  await page.getByRole('heading', { name: 'Your first minute with Carillon' }).waitFor();

  // The command does what the button does.
  const command = page.getByRole('region', { name: 'Command: Send a notification' });
  expect(await command.innerText()).toContain('"channel": "email"');
  await page.getByRole('radio', { name: 'SMS' }).check();
  await page.getByRole('button', { name: 'Copy the command: Send a notification' }).click();
  await page.getByRole('button', { name: 'Send it' }).first().focus();
  await page.keyboard.press('Enter');
  await page.getByText('202 Accepted').waitFor();
  await page.getByText('Welcome, Alice!', { exact: true }).waitFor();
  const copied = () => page.evaluate('navigator.clipboard.readText()');
  await expect.poll(copied).toBe(await command.innerText());
  expect(await copied()).toContain('"channel": "sms"');

  // The e-mail, from the request to the mailbox.
  await page.getByRole('radio', { name: 'E-mail' }).check();
  await page.getByRole('button', { name: 'Send it' }).first().click();
  await page.getByText('To alice@example.com: Welcome, Alice').waitFor();
  expect(await page.frameLocator('iframe').getByRole('heading').innerText()).toBe('Welcome, Alice');
  const way = ['Accepted', 'Decided', 'Rendered', 'Attempt 1', 'Sent'];
  await expect.poll(() => steps(page, 'Steps of the delivery')).toEqual(way);

  // The inbox shows the item while the page is open.
  const item = page.locator('carillon-inbox').getByText('Welcome, Alice');
  expect(await item.count()).toBe(0);
  await page.getByRole('button', { name: 'Send to the inbox' }).click();
  await item.first().waitFor();

  const troubles: [choice: RegExp, last: string, why: RegExp][] = [
    [/bounces/, 'Bounced', /on the suppression list/],
    [/asks to wait/, 'Sent', /by attempt 2/],
    [/refuses/, 'Failed', /dead letters/],
  ];
  for (const [choice, last, why] of troubles) {
    await page.getByRole('radio', { name: choice }).check();
    await page.getByRole('button', { name: 'Send it' }).last().click();
    await page.getByText(why).waitFor();
    await expect.poll(async () => (await steps(page, 'Steps of the delivery that goes wrong')).at(-1)).toBe(last);
  }

  await page.getByRole('button', { name: 'Explain a send to Alice' }).click();
  await page.getByText('email: would be sent, as “Welcome, Alice”').waitFor();
  await expect.poll(() => page.getByText('Done', { exact: true }).count()).toBe(5);
  await checkAxe(page);
  await checkPhone(page);

  await page.getByRole('button', { name: 'Open the console' }).click();
  await page.getByRole('button', { name: 'Account' }).waitFor();
  expect(faults).toEqual([]);
}, 90_000);

it('says so if Carillon stops answering', async () => {
  const page = await browser.newPage();
  await page.goto(carillon.url);
  await page.route('**/api/v1/**', (route) => route.abort('connectionrefused'));
  await page.getByRole('button', { name: 'Send it' }).first().click();
  await page.getByText('Carillon cannot be reached').waitFor();
  await page.unroute('**/api/v1/**');
  await page.getByRole('button', { name: 'Send it' }).first().click();
  await page.getByText('202 Accepted').waitFor();
}, 60_000);
