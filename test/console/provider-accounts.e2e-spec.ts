// Provider accounts: a form by the schema of the vendor, order, verification, changes that keep secrets.

import { expect, it } from 'vitest';
import type { Json } from '../test-environment.js';
import { startStories } from './browser.js';

const stories = startStories();
/** Each of them looks at several pages in two schemes and two sizes. */
const STORY_MS = 90_000;

it(
  'orders accounts, switches one off, verifies one and deletes it',
  async () => {
    const tenant = await stories.environment.tenant();
    for (const [order, name] of ['First', 'Second'].entries()) {
      const body = { name, order, provider: 'sandbox', channel: 'email', credentials: {} };
      await tenant.call('POST', '/api/v1/provider-accounts', body);
    }
    const page = await stories.signIn(tenant.apiKey, '/provider-accounts');
    await page.getByRole('button', { name: 'Move Second up' }).click();
    await page.getByText('The order is changed').waitFor();
    await page.getByRole('switch', { name: 'First is used' }).click({ force: true });
    await page.getByText('switched off').waitFor();
    const { data } = (await tenant.call('GET', '/api/v1/provider-accounts')).body;
    expect(data.map((one: Json) => [one.name, one.order, one.enabled]).sort()).toEqual([
      ['First', 1, false],
      ['Second', 0, true],
    ]);
    await page.getByRole('link', { name: 'Second' }).click();
    await page.getByRole('button', { name: 'Verify' }).click();
    await page.getByText('The vendor accepts the credentials').waitFor();
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('dialog').getByRole('textbox').fill('Second');
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('Second is deleted').waitFor();
    await page.getByRole('link', { name: 'First' }).waitFor();
  },
  STORY_MS,
);
