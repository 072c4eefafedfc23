// One recipient in the console: profile, devices, preferences, inbox, export and erasure.

import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { until } from '#testing';
import type { Json, Tenant } from '../test-environment.js';
import { startStories } from './browser.js';

const stories = startStories();
/** Each of them looks at several pages in two schemes and two sizes. */
const STORY_MS = 90_000;

async function tenantWithAnn(): Promise<Tenant> {
  const tenant = await stories.environment.tenant();
  const made = async (method: string, path: string, body: Json): Promise<void> => {
    const { status } = await tenant.call(method, `/api/v1${path}`, body);
    expect(status).toBeLessThan(300);
  };
  await made('PUT', '/recipients/ann', {
    email: 'ann@example.com',
    attributes: { name: 'Ann', plan: 'pro' },
    timezone: 'Europe/Paris',
  });
  await made('POST', '/recipients/ann/devices', { token: 'a-token-of-fcm', platform: 'ios' });
  await made('PUT', '/categories/news', { name: 'Product news' });
  await made('PUT', '/categories/security', { name: 'Security', mandatory: true });
  await made('PUT', '/topics/orders', { name: 'Orders' });
  await made('PUT', '/topics/orders/subscriptions/ann', {});
  const content = { title: 'Your invoice is ready', body: 'For November', action_url: '/invoices/7' };
  const sent = await tenant.send({ recipient_id: 'ann', channel: 'in_app', content });
  await until('the item is in the inbox', async () => (await tenant.delivery(sent.deliveries[0].id)).state === 'sent');
  return tenant;
}

it(
  'a person finds a recipient, changes the profile and sees the faults beside the fields',
  async () => {
    const tenant = await tenantWithAnn();
    const page = await stories.signIn(tenant.apiKey, '/recipients');
    await page.getByRole('table').getByRole('link', { name: 'ann' }).waitFor();
    await tenant.call('PUT', '/api/v1/recipients/bob', { email: 'bob@example.com', phone: '+15005550001' });
    const phone = page.getByRole('textbox', { name: 'Phone' });
    await phone.fill('+15005550001');
    await page.getByRole('table').getByRole('link', { name: 'bob' }).waitFor();
    await page.getByRole('table').getByRole('link', { name: 'ann' }).waitFor({ state: 'detached' });
    await phone.fill('');
    await page.getByRole('table').getByRole('link', { name: 'ann' }).waitFor();
    await page.getByRole('textbox', { name: 'E-mail' }).fill('ann@example.com');
    await page.getByRole('table').getByRole('link', { name: 'bob' }).waitFor({ state: 'detached' });
    await page.getByRole('link', { name: 'ann' }).click();
    await page.getByRole('button', { name: 'Save' }).waitFor();
    const email = page.getByRole('textbox', { name: 'E-mail' });
    await stories.inspect(page, 'recipient-profile');
    stories.expectFault(/status of 422/);
    await email.fill('not an address');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('must be one e-mail address').waitFor();
    await page.getByRole('tab', { name: 'Preferences' }).click();
    await page.getByRole('dialog', { name: 'Leave without saving?' }).getByRole('button', { name: 'Stay' }).click();
    await email.fill('ann@example.org');
    await page.getByRole('textbox', { name: 'Attributes' }).fill('{"name": "Ann"}');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('The profile is saved').waitFor();
    const { body } = await tenant.call('GET', '/api/v1/recipients/ann');
    expect([body.email, body.attributes, body.timezone]).toEqual(['ann@example.org', { name: 'Ann' }, 'Europe/Paris']);
    await page.getByRole('tab', { name: 'Addresses and devices' }).click();
    await page.getByRole('button', { name: 'Remove' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await page.getByText('No devices').waitFor();
    await stories.inspect(page, 'recipient-addresses');
  },
  STORY_MS,
);

it(
  'sees which rule decides what they get, and changes it',
  async () => {
    const tenant = await tenantWithAnn();
    const page = await stories.signIn(tenant.apiKey, '/recipients/ann/preferences');
    const row = page.getByRole('row', { name: /Product news/ });
    await row.getByText('default of the category').first().waitFor();
    await page
      .getByRole('row', { name: /Security/ })
      .getByText('mandatory category')
      .first()
      .waitFor();
    await stories.inspect(page, 'recipient-preferences');
    await page.getByRole('combobox', { name: 'Product news, sms' }).selectOption('off');
    await page.getByRole('button', { name: 'Save preferences' }).click();
    await row.getByText('Not sent').waitFor();
    await row.getByText('their own choice').waitFor();
    const { body } = await tenant.call('GET', '/api/v1/recipients/ann/preferences');
    expect(body.categories).toEqual({ news: { channels: { sms: false } } });
    await page.getByRole('button', { name: 'Link to their page' }).click();
    const link = page.getByRole('link', { name: 'Open the page' });
    const href = await link.getAttribute('href');
    expect((await fetch(stories.environment.url + href)).status).toBe(200);
  },
  STORY_MS,
);

it(
  'sees the inbox, downloads everything that is stored, and erases the recipient',
  async () => {
    const tenant = await tenantWithAnn();
    const page = await stories.signIn(tenant.apiKey, '/recipients/ann/inbox');
    await page.getByText('Your invoice is ready').waitFor();
    await page.getByText('1 unread').waitFor();
    // The path is one of the app of the tenant, and not of the console.
    await page.getByText('/invoices/7', { exact: true }).waitFor();
    expect(await page.getByRole('link', { name: '/invoices/7' }).count()).toBe(0);
    await stories.inspect(page, 'recipient-inbox');
    await page.getByRole('button', { name: 'Create an inbox token' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Create' }).click();
    const token = await page.getByRole('dialog').locator('code').innerText();
    const headers = { Authorization: `Bearer ${token}` };
    const counts = async () => await fetch(`${stories.environment.url}/api/v1/inbox/counts`, { headers });
    expect((await (await counts()).json()) as Json).toMatchObject({ unread: 1 });
    await page.keyboard.press('Escape');
    const content = { title: 'Paid', body: 'Thank you', action_url: 'https://shop.example/invoices/7' };
    await tenant.send({ recipient_id: 'ann', channel: 'in_app', content });
    await until('it is in the inbox', async () => ((await (await counts()).json()) as Json).unread === 2);
    await page.getByRole('button', { name: 'Refresh' }).click();
    const link = page.getByRole('link', { name: content.action_url });
    expect(await link.getAttribute('href')).toBe(content.action_url);
    await page.getByRole('tab', { name: 'Subscriptions' }).click();
    await page.getByRole('link', { name: 'orders' }).waitFor();
    await page.getByRole('tab', { name: 'Export and erase' }).click();
    const saved = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download the export' }).click();
    const file = await (await saved).path();
    const lines = (await readFile(file, 'utf8')).trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as Json).kind)).toEqual(
      expect.arrayContaining(['export', 'profile', 'device', 'inbox_item', 'delivery', 'end']),
    );
    await page.getByText(`Saved: ${lines.length} lines`).waitFor();
    await stories.inspect(page, 'recipient-privacy');
    await page.getByRole('button', { name: 'Erase this recipient' }).click();
    const dialog = page.getByRole('dialog', { name: 'Erase ann?' });
    const erase = dialog.getByRole('button', { name: 'Erase' });
    expect(await erase.isDisabled()).toBe(true);
    await dialog.getByRole('textbox').fill('ann');
    await erase.click();
    await page.getByText('ann is erased').waitFor();
    expect((await tenant.call('GET', '/api/v1/recipients/ann')).status).toBe(404);
    expect((await counts()).status).toBe(401);
  },
  STORY_MS,
);
