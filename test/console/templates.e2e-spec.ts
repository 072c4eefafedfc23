// The template editor: preview while typing, faults at their place, versions with their differences, test send.

import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import type { Json } from '../test-environment.js';
import { startStories } from './browser.js';

const stories = startStories();
/** Each of them looks at several pages in two schemes and two sizes. */
const STORY_MS = 90_000;

/** Replaces the text of an editor. */
async function write(page: Page, label: string, text: string): Promise<void> {
  await page.getByRole('textbox', { name: label, exact: true }).click();
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.insertText(text);
}

it(
  'a person writes an e-mail, sees it as it will look, corrects a fault, and sends it to somebody',
  async () => {
    const tenant = await stories.environment.tenant();
    await tenant.call('PUT', '/api/v1/recipients/ann', { email: 'ok@simulator.test' });
    const page = await stories.signIn(tenant.apiKey, '/templates');
    await page.getByText('No templates yet').waitFor();
    await page.getByRole('button', { name: 'Create a template' }).click();
    await page.getByRole('dialog').getByRole('textbox', { name: 'Key' }).fill('order-shipped');
    await page.getByRole('button', { name: 'Continue' }).click();
    const mail = page.frameLocator('iframe[title="The e-mail"]');
    await mail.getByRole('heading', { name: 'Hello Ann' }).waitFor();
    stories.expectFault(/status of 422/);
    await write(page, 'HTML', '<p>Dear {{name}},</p>\n<p>{{#if gift}}A gift{{/unless}}</p>');
    await page.getByText('HTML, line 2').waitFor();
    await write(page, 'HTML', '<p>Dear {{name}},</p>\n<p>from {{shop.town}}</p>');
    await page.getByText('The template uses them: shop.town.').waitFor();
    await page.getByText('HTML, line 2, column 11').waitFor();
    await page.getByRole('button', { name: 'Add them' }).click();
    await mail.getByText('from town').waitFor();
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByText('order-shipped is created').waitFor();
    await page.getByRole('link', { name: 'Versions' }).waitFor();
    await mail.getByText('from town').waitFor();
    await stories.inspect(page, 'template');
    await page.getByRole('button', { name: 'Test send' }).click();
    await page.getByRole('dialog').getByRole('textbox', { name: 'Recipient' }).fill('ann');
    await page.getByRole('dialog').getByRole('button', { name: 'Send' }).click();
    await page.getByRole('link', { name: 'Watch the delivery' }).waitFor();
    const { data } = (await tenant.call('GET', '/api/v1/notifications')).body;
    expect(data.map((one: Json) => [one.recipient_id, one.type])).toEqual([['ann', 'console.test']]);
  },
  STORY_MS,
);

it(
  'sees the segments of an SMS, saves a second version, compares it with the first and goes back',
  async () => {
    const tenant = await stories.environment.tenant();
    const content = { text: 'Hello {{name}}' };
    const body = { key: 'code', channel: 'sms', content, sample_payload: { name: 'Ann' } };
    const { body: template } = await tenant.call('POST', '/api/v1/templates', body);
    const page = await stories.signIn(tenant.apiKey, `/templates/${template.id}`);
    await page.getByText('1 segment, GSM-7, 9 of 160 characters').waitFor();
    await write(page, 'Text', `Привет {{name}}${'!'.repeat(70)}`);
    await page.getByText('2 segments, UCS-2, 80 of 134 characters').waitFor();
    await page.getByRole('link', { name: 'Templates' }).first().click();
    await page.getByRole('dialog', { name: 'Leave without saving?' }).getByRole('button', { name: 'Stay' }).click();
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await page.getByText('Version 2 is saved').waitFor();
    await page.getByRole('link', { name: 'Versions' }).click();
    await page.locator('.cm-changedText').first().waitFor();
    await stories.inspect(page, 'template-versions');
    await page.getByRole('button', { name: 'Restore version 1' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Restore this version' }).click();
    await page.getByText('1 segment, GSM-7, 9 of 160 characters').waitFor();
    const { body: now } = await tenant.call('GET', `/api/v1/templates/${template.id}`);
    expect([now.version, now.content]).toEqual([3, content]);
  },
  STORY_MS,
);

it(
  'uses a template of the platform until it saves its own',
  async () => {
    const { environment } = stories;
    const tenant = await environment.tenant();
    const key = `shared-${tenant.id.slice(-6)}`;
    await environment.operator('POST', '/internal/templates', {
      key,
      channel: 'push',
      content: { title: 'A', body: 'B' },
    });
    const page = await stories.signIn(tenant.apiKey, `/templates?key=${key}`);
    await page.getByText('platform', { exact: true }).waitFor();
    await page.getByRole('link', { name: key }).click();
    await page.getByRole('textbox', { name: 'Title' }).fill('Ours');
    await page.getByRole('button', { name: 'Save as your own' }).click();
    await page.getByText('Version 1 is saved').waitFor();
    const { data } = (await tenant.call('GET', `/api/v1/templates?key=${key}`)).body;
    expect(data.map((one: Json) => [one.platform, one.content.title])).toEqual([[false, 'Ours']]);
    const operator = await stories.signIn(environment.config.adminToken, '/platform/templates');
    await operator.getByRole('link', { name: key }).click();
    await operator.getByRole('region', { name: 'Preview' }).getByText('B').waitFor();
  },
  STORY_MS,
);
