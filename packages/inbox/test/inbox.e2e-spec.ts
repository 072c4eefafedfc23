// The built component in Chromium against the running API: what a reader sees and does.

import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../../libs/testing/src/index.js';
import { element, eventually, type InboxPages, isLive, startInboxPages } from './inbox-page.js';

let pages: InboxPages;

beforeAll(async () => {
  pages = await startInboxPages();
}, 120_000);
afterAll(() => pages?.stop());
beforeEach(() => pages.faults.splice(0));

const as = (recipientId: string) => ({ 'X-Recipient-ID': recipientId });
const countsOf = async (recipientId: string) =>
  (await pages.tenant.call('GET', '/api/v1/inbox/counts', undefined, as(recipientId))).body;
const idsOf = async (recipientId: string): Promise<string[]> =>
  (await pages.tenant.call('GET', '/api/v1/inbox', undefined, as(recipientId))).body.data.map(
    ({ id }: { id: string }) => id,
  );
const titles = (page: Page): Promise<string[]> => page.getByRole('listitem').getByRole('heading').allTextContents();
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const bell = (page: Page) => page.getByRole('button', { name: /^Notifications/ });

describe('the bell', { timeout: 60_000 }, () => {
  it('shows the unread items, opens the list, marks it seen, and gets items live', async () => {
    await pages.send('ann', 'one');
    const page = await pages.open('ann', element(pages.url));
    await button(page, 'Notifications, 1 unread').click();
    await page.getByRole('heading', { name: 'one' }).waitFor();
    expect(await page.getByRole('dialog', { name: 'Notifications' }).isVisible()).toBe(true);
    await until('all are seen', async () => (await countsOf('ann')).unseen === 0);
    await pages.send('ann', 'two');
    await page.getByRole('heading', { name: 'two' }).waitFor();
    await button(page, 'Notifications, 2 unread').waitFor();
    expect(await titles(page)).toEqual(['two', 'one']);
    expect(pages.faults).toEqual([]);
  });

  it('shows a toast for a new item while the list is closed, until the item is read elsewhere', async () => {
    const page = await pages.open('bob', element(pages.url));
    await isLive(page);
    await pages.send('bob', 'Toasted');
    await button(page, 'Close: Toasted').click();
    await eventually(() => page.locator('.toast').count()).toBe(0);
    await pages.send('bob', 'Read elsewhere');
    await page.locator('.toast').getByText('Read elsewhere').waitFor();
    await pages.tenant.call('POST', `/api/v1/inbox/read-all`, {}, as('bob'));
    await eventually(() => page.locator('.toast').count()).toBe(0);
    const quiet = await pages.openBeside(page, element(pages.url, 'no-toasts'));
    await bell(quiet).waitFor();
    await pages.send('bob', 'Quiet');
    await button(quiet, 'Notifications, 1 unread').waitFor();
    expect(await quiet.locator('.toast').count()).toBe(0);
    expect(await quiet.getByText('New notification: Quiet').count()).toBe(1);
  });
});

describe('the list', { timeout: 60_000 }, () => {
  it('changes items in all tabs of the browser: read, unread, archive, move back, mark all read', async () => {
    for (const title of ['a', 'b', 'c'])
      await pages.send('cid', title, {}, { category: title === 'a' ? 'news' : 'default' });
    const page = await pages.open('cid', element(pages.url, 'mode="inline"'));
    const other = await pages.openBeside(page, element(pages.url, 'mode="inline"'));
    for (const one of [page, other]) await eventually(() => titles(one)).toEqual(['c', 'b', 'a']);
    await button(page, 'Mark read: c').click();
    await button(other, 'Mark unread: c').waitFor();
    await other.getByRole('tab', { name: 'Unread' }).click();
    await eventually(() => titles(other)).toEqual(['b', 'a']);
    await button(page, 'Mark unread: c').click();
    await eventually(() => titles(other)).toEqual(['c', 'b', 'a']);
    await button(page, 'Archive: b').click();
    await eventually(() => titles(page)).toEqual(['c', 'a']);
    await eventually(() => titles(other)).toEqual(['c', 'a']);
    await other.getByRole('tab', { name: 'Archived' }).click();
    await eventually(() => titles(other)).toEqual(['b']);
    await button(other, 'Move back: b').click();
    await other.getByText('Nothing is archived.').waitFor();
    await eventually(() => titles(page)).toEqual(['c', 'b', 'a']);
    await button(page, 'Mark all read').click();
    await until('all are read', async () => (await countsOf('cid')).unread === 0);
    await other.getByRole('tab', { name: 'Unread' }).click();
    await other.getByText('You have read everything.').waitFor();
    await page.evaluate(`document.querySelector('carillon-inbox').categories = [{ key: 'news', label: 'News' }]`);
    await page.getByRole('tab', { name: 'News' }).click();
    await eventually(() => titles(page)).toEqual(['a']);
    expect(pages.faults).toEqual([]);
  });

  it('opens the link of an item and marks it read, unless a listener prevents it', async () => {
    await pages.send('dan', 'linked', { action_url: '/elsewhere' });
    pages.files.set('/elsewhere', 'Another page');
    const page = await pages.open('dan', element(pages.url, 'mode="inline"'));
    await page.evaluate(`document.addEventListener('carillon-open-item', (event) => {
      event.preventDefault();
      document.title = event.detail.item.action_url;
    }, { once: true })`);
    await page.getByRole('link', { name: 'linked' }).click();
    expect(await page.title()).toBe('/elsewhere');
    await until('it is read', async () => (await countsOf('dan')).unread === 0);
    await button(page, 'Mark unread: linked').click();
    await until('it is unread', async () => (await countsOf('dan')).unread === 1);
    await page.getByRole('link', { name: 'linked' }).click();
    await page.waitForURL('**/elsewhere');
    await until('it is read although the page is gone', async () => (await countsOf('dan')).unread === 0);
  });

  it('makes no link of an address that could run a script', async () => {
    for (const title of ['script', 'data', 'broken', 'mail']) await pages.send('eve', title);
    const page = await pages.open('eve', '');
    const urls = {
      script: ' java\nscript:alert(1)',
      data: 'data:text/html,x',
      broken: 'https://',
      mail: 'mailto:a@b.c',
    };
    // The API refuses such addresses; the component does not rely on it.
    await page.route('**/api/v1/inbox?*', async (route) => {
      const response = await route.fetch();
      const { data, ...rest } = await response.json();
      const changed = data.map((item: { title: keyof typeof urls }) => ({ ...item, action_url: urls[item.title] }));
      await route.fulfill({ response, json: { ...rest, data: changed } });
    });
    await page.setContent(element(pages.url, 'mode="inline"'));
    await eventually(() => titles(page)).toHaveLength(4);
    const links = await page.getByRole('listitem').getByRole('link').all();
    expect(await Promise.all(links.map((link) => link.getAttribute('href')))).toEqual(['mailto:a@b.c']);
  });

  it('says in words that it loads, is empty, failed, and that the token has ended', async () => {
    const page = await pages.open('fay', '');
    const gate = Promise.withResolvers<void>();
    await page.route('**/api/v1/inbox?*', async (route) => {
      await gate.promise;
      const headers = { 'Access-Control-Allow-Origin': '*', 'Access-Control-Allow-Headers': '*, Authorization' };
      const isPreflight = route.request().method() === 'OPTIONS';
      await route.fulfill({ status: isPreflight ? 204 : 400, headers, json: { code: 'malformed_json', detail: 'no' } });
    });
    await page.setContent(element(pages.url, 'mode="inline"'));
    await page.getByText('Loading…').waitFor();
    gate.resolve();
    await page.getByText('The notifications could not be loaded.').waitFor();
    await page.unrouteAll();
    await button(page, 'Try again').click();
    await page.getByText('No notifications yet.').waitFor();
    const given = await pages.openBeside(
      page,
      `<carillon-inbox mode="inline" url="${pages.url}" token="${await pages.token('fay')}">
      </carillon-inbox><script type="module" src="/inbox.js"></script>`,
    );
    await given.getByText('No notifications yet.').waitFor();
    await pages.tenant.call('DELETE', '/api/v1/recipients/fay');
    await given.getByText('You are signed out here. Reload the page.').waitFor();
  });
});

describe('without a connection', { timeout: 60_000 }, () => {
  it('keeps changes and sends them later, and shows everything that has happened meanwhile, in order and once', async () => {
    for (const title of ['a', 'b', 'c', 'd']) await pages.send('gus', title);
    const page = await pages.open('gus', element(pages.url, 'mode="inline"'));
    await eventually(() => titles(page)).toEqual(['d', 'c', 'b', 'a']);
    await page.context().setOffline(true);
    await page.getByText('You are offline.').waitFor();
    await button(page, 'Mark read: d').click();
    await button(page, 'Archive: c').click();
    await eventually(() => titles(page)).toEqual(['d', 'b', 'a']);
    const [, , , a] = await idsOf('gus');
    await pages.tenant.call('POST', `/api/v1/inbox/${a}/archive`, {}, as('gus'));
    for (const title of ['e', 'f']) await pages.send('gus', title);
    await until('the server has five', async () => (await countsOf('gus')).unread === 5);
    await page.context().setOffline(false);
    await eventually(() => titles(page)).toEqual(['f', 'e', 'd', 'b']);
    await until('the changes arrive', async () => (await idsOf('gus')).length === 4);
    await eventually(async () => (await countsOf('gus')).unread).toBe(3);
    await page.getByText('3 unread').waitFor();
    expect(await page.getByText('You are offline.').count()).toBe(0);
  });

  it('does not mark items as read that have arrived since "mark all read"', async () => {
    for (const title of ['a', 'b']) await pages.send('ida', title);
    const page = await pages.open('ida', element(pages.url, 'mode="inline"'));
    await eventually(() => titles(page)).toEqual(['b', 'a']);
    await page.context().setOffline(true);
    await page.getByText('You are offline.').waitFor();
    await button(page, 'Mark all read').click();
    await pages.send('ida', 'c');
    await until('the server has three', async () => (await countsOf('ida')).unread === 3);
    await page.context().setOffline(false);
    await button(page, 'Mark read: c').waitFor();
    await eventually(async () => (await countsOf('ida')).unread).toBe(1);
    await button(page, 'Mark unread: a').waitFor();
  });

  it('keeps changes while the page moves the element, and while its own server has no token', async () => {
    await pages.send('jon', 'a');
    const page = await pages.open('jon', element(pages.url, 'mode="inline"'));
    await eventually(() => titles(page)).toEqual(['a']);
    await page.context().setOffline(true);
    await page.getByText('You are offline.').waitFor();
    await button(page, 'Mark read: a').click();
    await page.evaluate(`document.body.append(document.querySelector('carillon-inbox'))`);
    await page.context().setOffline(false);
    await eventually(async () => (await countsOf('jon')).unread).toBe(0);
    await isLive(page);
    await page.evaluate(`(() => {
      const { newToken } = window;
      window.newToken = async () => {
        if (window.isBackAgain) return await newToken();
        throw new TypeError('Failed to fetch');
      };
    })()`);
    await pages.tenant.call('POST', '/api/v1/recipients/jon/inbox-token/revoke', {});
    await page.getByText('Connecting again…').waitFor();
    await button(page, 'Mark unread: a').click();
    await page.waitForTimeout(500);
    await page.evaluate('window.isBackAgain = true');
    await eventually(async () => (await countsOf('jon')).unread).toBe(1);
    expect(await page.getByRole('alert').count()).toBe(0);
  });

  it('connects again after its connections were killed, and misses nothing', async () => {
    const page = await pages.open('hal', element(pages.url, 'mode="inline"'));
    await page.getByText('No notifications yet.').waitFor();
    pages.proxy.reset();
    await page.getByText('Connecting again…').waitFor();
    await pages.send('hal', 'meanwhile');
    pages.proxy.pass();
    await page.getByRole('heading', { name: 'meanwhile' }).waitFor();
    await eventually(() => page.getByText('Connecting again…').count()).toBe(0);
    expect(await titles(page)).toEqual(['meanwhile']);
  });
});
