// Webhook endpoints in the console: create, test, rotate, delete.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startStories } from './browser.js';

const story = startStories();
/** Of a story with several pages, on a busy machine. */
const TIMEOUT_MS = 60_000;
const calls: { headers: Record<string, string>; body: string }[] = [];
const receiver = createServer(async (request, response) => {
  calls.push({ headers: request.headers as Record<string, string>, body: await text(request) });
  response.writeHead(204).end();
});
let url: string;

beforeAll(async () => {
  await new Promise<void>((done) => receiver.listen(0, '127.0.0.1', done));
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
});
afterAll(() => receiver.close());

it(
  'a tenant creates an endpoint, copies its secret, tests it, rotates the secret and deletes it',
  async () => {
    const tenant = await story.environment.tenant();
    const page = await story.signIn(tenant.apiKey, '/webhooks');
    await page.getByText('No endpoints yet').waitFor();
    await page.getByRole('button', { name: 'Create an endpoint' }).click();
    await page.getByRole('textbox', { name: 'URL' }).fill('http://10.0.0.1/hook');
    story.expectFault(/status of 422/);
    await page.getByRole('button', { name: 'Create', exact: true }).click();
    await page.getByRole('alert').getByText('url').waitFor();
    await page.getByRole('textbox', { name: 'URL' }).fill(url);
    await page.getByRole('textbox', { name: 'Description' }).fill('Orders service');
    await story.axe(page);
    await page.getByRole('button', { name: 'Create', exact: true }).click();
    const secret = await page.getByRole('textbox', { name: 'Secret' }).inputValue();
    expect(secret).toMatch(/^whsec_/);
    await page.getByRole('button', { name: 'Copy', exact: true }).click();
    await expect.poll(() => page.evaluate('navigator.clipboard.readText()')).toBe(secret);
    await story.axe(page);
    await page.getByRole('button', { name: 'I have stored it' }).click();
    await page.getByRole('link', { name: url }).waitFor();

    await page.getByRole('link', { name: url }).click();
    await page.getByRole('tab', { name: 'Test' }).click();
    await page.getByRole('button', { name: 'Send a test event' }).click();
    await page.getByText('The endpoint has accepted it').waitFor();
    const { headers, body } = calls[0]!;
    expect(new Webhook(secret).verify(body, headers)).toMatchObject({ type: 'webhook.test' });
    await story.inspect(page, 'webhook-test');
    await page.getByRole('tab', { name: 'Deliveries' }).click();
    await page.getByRole('link', { name: 'webhook.test' }).waitFor();
    await story.axe(page);
    await page.getByRole('tab', { name: 'Verify a call' }).click();
    await page.getByText('verifyWebhook(env.CARILLON_WEBHOOK_SECRET').waitFor();
    await story.axe(page);
    await page.getByRole('tab', { name: 'Replay' }).click();
    await page.getByRole('button', { name: 'Replay', exact: true }).click();
    await page.getByText('0 events', { exact: true }).waitFor();
    await story.axe(page);

    await page.getByRole('button', { name: 'Rotate the secret' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Rotate the secret' }).click();
    await expect.poll(() => page.getByRole('textbox', { name: 'Secret' }).inputValue()).not.toBe(secret);
    await page.getByRole('button', { name: 'I have stored it' }).click();

    await page.getByRole('button', { name: 'Delete' }).click();
    const dialog = page.getByRole('dialog', { name: 'Delete this endpoint?' });
    expect(await dialog.getByRole('button', { name: 'Delete' }).isDisabled()).toBe(true);
    await dialog.getByRole('textbox').fill('delete');
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await page.getByText('No endpoints yet').waitFor();
  },
  TIMEOUT_MS,
);
