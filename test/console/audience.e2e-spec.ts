// Topics, jobs, suppressions, categories and the mailbox in the console.

import { expect, it } from 'vitest';
import { until } from '#testing';
import { CONTENT } from '../test-environment.js';
import { startStories } from './browser.js';

const story = startStories();
/** Of a story with several pages, on a busy machine. */
const TIMEOUT_MS = 60_000;

it(
  'a tenant creates a topic with a slash in its key, subscribes recipients, finds one and removes it',
  async () => {
    const tenant = await story.environment.tenant();
    const page = await story.signIn(tenant.apiKey, '/topics');
    await page.getByRole('button', { name: 'Create a topic' }).click();
    await page.getByRole('textbox', { name: 'Key' }).fill('orders/eu');
    await page.getByRole('textbox', { name: 'Name' }).fill('Orders in Europe');
    await page.getByRole('button', { name: 'Create', exact: true }).click();
    await page.getByRole('heading', { name: 'Orders in Europe' }).waitFor();
    await page.getByRole('button', { name: 'Add recipients' }).click();
    await page.getByRole('textbox', { name: 'Recipients' }).fill('ann\nbob, cid\nann');
    await page.getByText('3 recipients', { exact: true }).waitFor();
    await page.getByRole('checkbox', { name: 'E-mail' }).check();
    await story.axe(page);
    await page.getByRole('button', { name: 'Subscribe' }).click();
    await page.getByText('3 recipients subscribed').waitFor();
    await page.getByRole('link', { name: 'cid' }).waitFor();
    await story.inspect(page, 'topic');
    await page.getByRole('textbox', { name: 'Recipient', exact: true }).fill('bob');
    await expect.poll(() => page.getByRole('link', { name: 'ann' }).count()).toBe(0);
    await page.getByRole('button', { name: 'Remove' }).click();
    await page.getByRole('button', { name: 'Unsubscribe' }).click();
    await page.getByText('bob is unsubscribed').waitFor();
    await page.getByText('Nothing matches').waitFor();
    const { body } = await tenant.call('GET', '/api/v1/topics/orders%2Feu/subscriptions');
    expect(body.data).toMatchObject([
      { recipient_id: 'ann', channels: ['email'] },
      { recipient_id: 'cid', channels: ['email'] },
    ]);
  },
  TIMEOUT_MS,
);

it(
  'a tenant follows an upload, and reads which lines were rejected',
  async () => {
    const tenant = await story.environment.tenant();
    const page = await story.signIn(tenant.apiKey, '/jobs');
    await page.getByRole('link', { name: 'Upload recipients' }).click();
    await page.getByText('/api/v1/notifications/stream').waitFor();
    await story.inspect(page, 'upload');
    const lines = [
      { channel: 'in_app', content: { title: 'Hello', body: 'There' } },
      { recipient_id: 'ann' },
      { recipient_id: '' },
      { recipient_id: 'bob' },
    ];
    const answer = await fetch(`${story.environment.url}/api/v1/notifications/stream`, {
      method: 'POST',
      body: lines.map((line) => JSON.stringify(line)).join('\n'),
      headers: { 'X-API-Key': tenant.apiKey, 'Content-Type': 'application/x-ndjson' },
    });
    expect(answer.status).toBe(202);
    await page.getByRole('link', { name: 'Jobs' }).first().click();
    await page.getByRole('link', { name: 'Upload', exact: true }).click();
    await page.getByText('3 of 3 items').waitFor();
    await page.getByRole('button', { name: 'Refresh' }).click();
    await page.getByRole('table').getByText('recipient_id').first().waitFor();
    await story.inspect(page, 'job');
    await page.getByRole('link', { name: 'Jobs' }).first().click();
    await page.getByRole('link', { name: 'Upload', exact: true }).waitFor();
  },
  TIMEOUT_MS,
);

it(
  'a tenant suppresses an address, finds it, and removes it after a warning',
  async () => {
    const tenant = await story.environment.tenant();
    const page = await story.signIn(tenant.apiKey, '/suppressions');
    await page.getByRole('button', { name: 'Suppress an address' }).click();
    await page.getByRole('dialog').getByRole('textbox', { name: 'Address' }).fill('ann@example.com');
    await page.getByRole('button', { name: 'Suppress', exact: true }).click();
    await page.getByText('ann@example.com gets nothing more').waitFor();
    await page.getByLabel('Address', { exact: true }).fill('ann@example.com');
    await page.getByRole('table').getByText('Added by hand').waitFor();
    await page.getByRole('button', { name: 'Remove', exact: true }).click();
    await page.getByText('Somebody has added it by hand').waitFor();
    await story.axe(page);
    await page.getByRole('button', { name: 'Remove the suppression' }).click();
    await page.getByText('Nothing matches').waitFor();
    expect((await tenant.call('GET', '/api/v1/suppressions')).body.data).toEqual([]);
  },
  TIMEOUT_MS,
);

it(
  'a tenant creates a category, enforces a channel, and sees the use of its quota',
  async () => {
    const tenant = await story.environment.tenant({ deliveries_per_day: 10 });
    const page = await story.signIn(tenant.apiKey, '/categories');
    await page.getByRole('button', { name: 'Create a category' }).click();
    await page.getByRole('textbox', { name: 'Key' }).fill('security');
    await page.getByRole('textbox', { name: 'Name' }).fill('Security');
    await page.getByRole('switch', { name: 'Mandatory' }).check({ force: true });
    await story.axe(page);
    await page.getByRole('button', { name: 'Create', exact: true }).click();
    await page.getByText('The category Security is saved').waitFor();
    await page.getByRole('tab', { name: 'Preference rules' }).click();
    const chat = page.getByRole('radiogroup', { name: 'Enforced: all categories, Chat' });
    await chat.getByText('off').click();
    await page.getByRole('button', { name: 'Save the rules' }).click();
    await page.getByText('The rules are saved').waitFor();
    await story.inspect(page, 'preference-rules');
    expect((await tenant.call('GET', '/api/v1/preference-rules')).body).toMatchObject({
      enforced: { channels: { chat: false } },
    });
    await page.getByRole('tab', { name: 'Quota and caps' }).click();
    await page.getByText('0 of 10 deliveries').waitFor();
    await story.inspect(page, 'quota');
  },
  TIMEOUT_MS,
);

it(
  'a tenant reads a captured message, whose scripts do not run',
  async () => {
    const tenant = await story.environment.tenant();
    const html = '<h1>Hello</h1><script>parent.document.title = "taken"</script>';
    await tenant.send({
      recipient_id: 'ann',
      recipient_address: 'ann@example.com',
      channel: 'email',
      content: { ...CONTENT.email, subject: 'Hello Ann', html },
    });
    await until('it is captured', async () => (await tenant.call('GET', '/api/v1/mailbox')).body.data.length === 1);
    const page = await story.signIn(tenant.apiKey, '/mailbox');
    story.expectFault(/Blocked script execution|sandbox/);
    await page.getByRole('link', { name: 'Hello Ann' }).click();
    await page.frameLocator('iframe[title="Message"]').getByRole('heading', { name: 'Hello' }).waitFor();
    expect(await page.title()).toBe('Hello Ann · Carillon');
    await story.inspect(page, 'mailbox-message');
  },
  TIMEOUT_MS,
);
