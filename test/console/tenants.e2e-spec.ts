// Tenants, their keys and the audit log in the console, for operators.

import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import type { Json } from '../test-environment.js';
import { startStories } from './browser.js';

const story = startStories();
/** Of a story with several pages, on a busy machine. */
const TIMEOUT_MS = 60_000;

it(
  'an admin creates a tenant, changes its settings, makes, rotates and revokes a key, and suspends it',
  async () => {
    const { operator, config, call } = story.environment;
    const page = await story.signIn(config.adminToken, '/platform/tenants');
    await page.getByRole('button', { name: 'Create a tenant' }).click();
    await page.getByRole('textbox', { name: 'Name' }).fill('Acme');
    await page.getByRole('button', { name: 'Create', exact: true }).click();
    await page.getByRole('heading', { name: 'Acme' }).waitFor();

    await page.getByRole('button', { name: 'Create an API key' }).click();
    await page.getByRole('textbox', { name: 'Name' }).fill('Orders');
    await page.getByRole('button', { name: 'Read only' }).click();
    await story.axe(page);
    await page.getByRole('button', { name: 'Create', exact: true }).click();
    const key = await page.getByRole('textbox', { name: 'Secret' }).inputValue();
    const headers = { 'X-API-Key': key };
    expect((await call('GET', '/api/v1/topics', { headers })).status).toBe(200);
    expect((await call('PUT', '/api/v1/topics/a', { headers, body: { name: 'A' } })).status).toBe(403);
    await page.getByRole('button', { name: 'I have stored it' }).click();
    await story.inspect(page, 'api-keys');
    await page.getByRole('button', { name: 'Rotate' }).click();
    await page.getByRole('button', { name: 'Rotate the key' }).click();
    await page.getByRole('button', { name: 'I have stored it' }).click();
    await page
      .getByRole('row', { name: /expires/ })
      .getByRole('button', { name: 'Revoke' })
      .click();
    const dialog = page.getByRole('dialog', { name: 'Revoke Orders?' });
    await dialog.getByRole('textbox').fill(key.slice('car_live_'.length, 'car_live_'.length + 8));
    await dialog.getByRole('button', { name: 'Revoke the key' }).click();
    await page.getByText('The key Orders is revoked').waitFor();

    await page.getByRole('tab', { name: 'Settings' }).click();
    const name = page.getByRole('textbox', { name: 'Name' });
    await name.fill('Another');
    await page.getByRole('button', { name: 'Discard changes' }).click();
    expect(await name.inputValue()).toBe('Acme');
    await page.getByRole('textbox', { name: 'Deliveries a day' }).fill('100');
    await page.getByRole('textbox', { name: 'Time zone' }).fill('Europe/Nowhere');
    story.expectFault(/status of 422/);
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('alert').getByText('timezone').waitFor();
    await page.getByRole('textbox', { name: 'Time zone' }).fill('Europe/Paris');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('The settings are saved').waitFor();
    await story.inspect(page, 'tenant-settings');
    await page.getByRole('tab', { name: 'Overview' }).click();
    await page.getByText('0 of 100 deliveries').waitFor();

    await page.getByRole('button', { name: 'Suspend' }).click();
    await page.getByRole('dialog').getByRole('textbox').fill('Acme');
    await page.getByRole('button', { name: 'Suspend the tenant' }).click();
    await page.getByText('This tenant is suspended').waitFor();
    await story.inspect(page, 'tenant');
    const { body } = await operator('GET', '/internal/tenants?limit=1');
    expect(body.data[0]).toMatchObject({
      name: 'Acme',
      status: 'suspended',
      settings: { deliveries_per_day: 100, timezone: 'Europe/Paris' },
    });
  },
  TIMEOUT_MS,
);

it(
  'the audit log is filtered, shows what changed, and is downloaded',
  async () => {
    const tenant = await story.environment.tenant();
    const path = `/platform/audit?action=api_key.created&tenant_id=${tenant.id}`;
    const page = await story.signIn(story.environment.config.adminToken, path);
    await page.getByRole('button', { name: 'Details of api_key.created' }).first().click();
    await page.getByText('After', { exact: true }).last().waitFor();
    await story.axe(page);
    await page.getByRole('button', { name: 'Close' }).click();
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Export' }).click();
    const file = await download;
    expect(file.suggestedFilename()).toBe('audit.ndjson');
    const lines = (await readFile(await file.path(), 'utf8')).trim().split('\n');
    const entries = lines.map((line) => JSON.parse(line) as Json);
    expect(entries.map(({ action, tenant_id }) => [action, tenant_id])).toEqual([['api_key.created', tenant.id]]);
  },
  TIMEOUT_MS,
);
