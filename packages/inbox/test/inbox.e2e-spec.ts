// The built component in Chromium against the running API: what a reader sees and does.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../../libs/testing/src/index.js';
import { element, type InboxPages, startInboxPages } from './inbox-page.js';

let pages: InboxPages;

beforeAll(async () => {
  pages = await startInboxPages();
}, 120_000);
afterAll(() => pages?.stop());
beforeEach(() => pages.faults.splice(0));

const countsOf = async (recipientId: string) =>
  (await pages.tenant.call('GET', '/api/v1/inbox/counts', undefined, { 'X-Recipient-ID': recipientId })).body;

describe('the bell', { timeout: 60_000 }, () => {
  it('shows the unread items, opens the list, marks it seen, and gets items live', async () => {
    await pages.send('ann', 'one');
    const page = await pages.open('ann', element(pages.url));
    const bell = page.getByRole('button', { name: 'Notifications, 1 unread' });
    await bell.click();
    await page.getByRole('heading', { name: 'one' }).waitFor();
    expect(await page.getByRole('dialog', { name: 'Notifications' }).isVisible()).toBe(true);
    await until('all are seen', async () => (await countsOf('ann')).unseen === 0);
    await pages.send('ann', 'two');
    await page.getByRole('heading', { name: 'two' }).waitFor();
    await page.getByRole('button', { name: 'Notifications, 2 unread' }).waitFor();
    expect(await page.getByRole('listitem').getByRole('heading').allInnerTexts()).toEqual(['two', 'one']);
    expect(pages.faults).toEqual([]);
  });
});
