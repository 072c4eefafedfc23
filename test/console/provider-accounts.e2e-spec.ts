// Provider accounts: a form by the schema of the vendor, order, verification, changes that keep secrets.

import { expect, it } from 'vitest';
import type { Json } from '../test-environment.js';
import { startStories } from './browser.js';

const stories = startStories();
/** Each of them looks at several pages in two schemes and two sizes. */
const STORY_MS = 90_000;

it(
  'a person adds an account by the form of the vendor, and changes it without entering the secret again',
  async () => {
    const tenant = await stories.environment.tenant();
    const page = await stories.signIn(tenant.apiKey, '/provider-accounts');
    await page.getByText('No provider accounts yet').waitFor();
    await page.getByRole('link', { name: 'Create a provider account' }).first().click();
    await page.getByRole('combobox', { name: 'Provider' }).click();
    await page.getByRole('option', { name: 'SMTP' }).click();
    await page.getByRole('textbox', { name: 'Name' }).fill('Our mail server');
    await page.getByRole('textbox', { name: 'host' }).fill('x'.repeat(300));
    await page.getByLabel('password', { exact: true }).fill('a very long password-1234');
    await page.getByRole('textbox', { name: 'from' }).fill('ann@example.com');
    await stories.inspect(page, 'provider-account-new');
    stories.expectFault(/status of 422/);
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByText('Some values are not valid').waitFor();
    await page.getByRole('textbox', { name: 'host' }).fill('smtp.example.com');
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByRole('heading', { name: 'Our mail server' }).waitFor();
    await page.getByRole('textbox', { name: 'user' }).fill('ann');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('The account is saved').waitFor();
    const { data } = (await tenant.call('GET', '/api/v1/provider-accounts')).body;
    expect(data[0].credentials).toMatchObject({ user: 'ann', password: '••••1234' });
    await page.getByRole('textbox', { name: 'host' }).fill('evil.example');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('must be entered again, because host changes').first().waitFor();
  },
  STORY_MS,
);

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
    await page.getByRole('switch', { name: 'First is used', disabled: false }).click({ force: true });
    await page.getByText('switched off').waitFor();
    const { data } = (await tenant.call('GET', '/api/v1/provider-accounts')).body;
    expect(data.map((one: Json) => [one.name, one.order, one.enabled]).sort()).toEqual([
      ['First', 1, false],
      ['Second', 0, true],
    ]);
    await page.getByRole('link', { name: 'Second' }).click();
    await page.getByRole('button', { name: 'Verify' }).click();
    await page.getByText('The provider accepts the credentials').waitFor();
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('dialog').getByRole('textbox').fill('Second');
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('Second is deleted').waitFor();
    await page.getByRole('link', { name: 'First' }).waitFor();
  },
  STORY_MS,
);

it(
  'the operator adds an account of the platform and says who may use it',
  async () => {
    const { environment } = stories;
    const tenant = await environment.tenant();
    const page = await stories.signIn(environment.config.adminToken, '/platform/provider-accounts/new');
    await page.getByRole('combobox', { name: 'Provider' }).click();
    await page.getByRole('option', { name: 'Sandbox' }).click();
    await page.getByRole('textbox', { name: 'Name' }).fill('For all');
    await page.getByRole('combobox', { name: 'Tenants that may use it' }).fill(tenant.id);
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByRole('heading', { name: 'For all' }).waitFor();
    await page.getByRole('button', { name: 'Verify' }).click();
    await page.getByText('The provider accepts the credentials').waitFor();
    const { data } = (await environment.operator('GET', '/internal/provider-accounts')).body;
    expect(data.map((one: Json) => [one.name, one.allowed_tenants])).toEqual([['For all', [tenant.id]]]);
  },
  STORY_MS,
);
