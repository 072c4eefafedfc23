// Every view of a tenant with many deliveries, each list with its first two pages. `npm run console-stories` has a
// million of them.

import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Tenant } from '../test-environment.js';
import { startStories } from './browser.js';
import { makeSealed } from './make-sealed.ts';
import { seedConsole } from './seed-console.ts';

/** Enough for two pages of most lists. */
const DELIVERIES = Number(process.env.CONSOLE_DELIVERIES ?? 1_000);

const story = startStories({ worker: false });
let tenant: Tenant;

beforeAll(async () => {
  tenant = await story.environment.tenant();
  await makeSealed((method, path, body) => tenant.call(method, path, body));
  await seedConsole({ databaseUrl: story.environment.databaseUrl, tenantId: tenant.id, deliveries: DELIVERIES });
}, 600_000);

/** Their own stories have more to show. */
const SHOWN_ELSEWHERE = ['Overview', 'Explain'];

/** The views in the navigation: their labels. */
async function viewsOf(page: Page): Promise<string[]> {
  return await page.getByRole('navigation', { name: 'Views' }).getByRole('link').allInnerTexts();
}

async function isLoaded(page: Page, view: string): Promise<void> {
  // Some of the operator say more: "Templates of the platform".
  await page.getByRole('heading', { level: 1, name: new RegExp(`^${view}`) }).waitFor();
  await page.getByRole('status', { name: 'Loading' }).first().waitFor({ state: 'detached' });
  expect(await page.getByRole('button', { name: 'Try again' }).count()).toBe(0);
}

/** Opens each view by its link. Returns the views that have a second page, and the number of rows of each list. */
async function lookAtEach(page: Page, prefix: string): Promise<{ paged: string[]; rows: Record<string, number> }> {
  const paged: string[] = [];
  const rows: Record<string, number> = {};
  for (const view of await viewsOf(page)) {
    await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: view, exact: true }).click();
    await isLoaded(page, view);
    rows[view] = await page.locator('table.list tbody tr').count();
    if (!SHOWN_ELSEWHERE.includes(view)) await story.inspect(page, prefix + view.toLowerCase().replaceAll(' ', '-'));
    const next = page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Next' });
    if ((await next.count()) === 0) continue;
    paged.push(view);
    const first = await page.locator('table.list tbody').innerText();
    // Not by the mouse: "59 seconds ago" becomes shorter, and the rows move.
    await next.press('Enter');
    await page.getByText('Page 2', { exact: true }).waitFor();
    await isLoaded(page, view);
    await expect.poll(() => page.locator('table.list tbody').innerText(), { timeout: 10_000 }).not.toBe(first);
  }
  return { paged, rows };
}

describe('every view', { timeout: 300_000 }, () => {
  it('of a tenant shows the first and the second page of its list', async () => {
    const page = await story.signIn(tenant.apiKey);
    const { paged, rows } = await lookAtEach(page, '');
    expect(paged).toEqual(expect.arrayContaining(['Deliveries', 'Notifications', 'Recipients']));
    const empty = Object.keys(rows).filter((view) => rows[view] === 0);
    expect(empty).toEqual(['Overview', 'Explain', 'Mailbox']);
    expect(Object.keys(rows).length).toBe(15);
  });

  it('of the operator shows its list', async () => {
    const page = await story.signIn(story.environment.config.adminToken, '/platform/overview');
    const { rows } = await lookAtEach(page, 'platform-');
    expect(Object.keys(rows)).toEqual(expect.arrayContaining(['Dead letters', 'Tenants', 'Audit log']));
  });
});
