// The support question, and the pages of one delivery and of one notification.

import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { until } from '#testing';
import { CONTENT, type Json, simulated, type Tenant } from '../test-environment.js';
import { startStories } from './browser.js';

const story = startStories({ environment: { LEASE_SECONDS: '3' } });

const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
const verdict = (page: Page, name: string) => page.getByRole('region', { name, exact: true });

async function inState(tenant: Tenant, sent: Json, state: string): Promise<string> {
  const { id } = sent.deliveries[0];
  await until(`it is ${state}`, async () => (await tenant.delivery(id)).state === state);
  return id;
}

/** Sends an invoice to user-17, whose address is on the suppression list, and one to somebody else. */
async function suppressedInvoice(): Promise<{ tenant: Tenant; id: string; notification: string }> {
  const tenant = await story.environment.tenant();
  await tenant.call('PUT', '/api/v1/recipients/user-17', { email: 'ann@example.com' });
  await tenant.call('POST', '/api/v1/suppressions', { channel: 'email', address: 'ann@example.com' });
  const invoice = { channel: 'email', type: 'invoice', content: { subject: 'Your invoice', text: '12 EUR' } };
  const sent = await tenant.send({ ...invoice, recipient_id: 'user-17' });
  await tenant.send({ ...invoice, ...simulated('ok') });
  return { tenant, id: await inState(tenant, sent, 'suppressed'), notification: sent.id };
}

describe('why did user-17 not get the invoice?', { timeout: 60_000 }, () => {
  it('is answered after three clicks at most, and the answer leads to what is to be done', async () => {
    const { tenant } = await suppressedInvoice();
    const page = await story.signIn(tenant.apiKey);
    // 1: the search box of the header. 2: the delivery. The answer is there; 3: what is to be done.
    await page.getByRole('textbox', { name: 'Find anything' }).click();
    await page.keyboard.type('user-17');
    await page.keyboard.press('Enter');
    await page.getByRole('link', { name: 'Your invoice' }).waitFor();
    expect(await page.getByRole('link', { name: 'Your invoice' }).count()).toBe(1);
    await page.getByRole('link', { name: 'Your invoice' }).click();
    await heading(page, 'E-mail to user-17');
    const answer = verdict(page, 'Not sent, on purpose');
    await answer.getByText('The address is on the suppression list.', { exact: true }).waitFor();
    await answer.getByText('Remove the entry if the address works again.').waitFor();
    const steps = page.getByRole('list', { name: 'Timeline' }).getByRole('listitem');
    expect(await steps.count()).toBe(2);
    await steps.nth(1).getByText('Not sent, on purpose').waitFor();
    await story.inspect(page, 'delivery-suppressed');
    await answer.getByRole('link', { name: 'Open the suppression list' }).click();
    await heading(page, 'Suppressions');
    await page.getByRole('cell', { name: 'ann@example.com' }).waitFor();
  });

  it('is found by the address, by the id of the delivery and by that of the notification', async () => {
    const { tenant, id, notification } = await suppressedInvoice();
    const page = await story.signIn(tenant.apiKey);
    const search = async (text: string) => {
      await page.locator('body').press('/');
      await page.keyboard.type(text);
      await page.keyboard.press('Enter');
    };
    await page.getByRole('textbox', { name: 'Find anything' }).waitFor();
    await search('Ann@example.com');
    await page.getByRole('link', { name: 'Your invoice' }).waitFor();
    await search(id);
    await heading(page, 'E-mail to user-17');
    // The browser reports the look-up of a delivery that is not there.
    story.expectFault(/status of 404/);
    await search(notification);
    await heading(page, 'invoice');
    await page.getByRole('link', { name: 'e-mail' }).click();
    await heading(page, 'E-mail to user-17');
    await search('nobody');
    await page.getByText('Nothing matches').waitFor();
  });
});

describe('a delivery', { timeout: 60_000 }, () => {
  it('that failed shows the answer of the provider, and goes back into the queue from its page', async () => {
    const tenant = await story.environment.tenant();
    const id = await inState(tenant, await tenant.send(simulated('rejected')), 'failed');
    const page = await story.signIn(tenant.apiKey, `/deliveries/${id}`);
    const answer = verdict(page, 'Not sent: it failed');
    await answer.getByText('The provider refused the message, or it is larger than the channel allows.').waitFor();
    await story.inspect(page, 'delivery-failed');
    await answer.getByRole('button', { name: 'Replay' }).click();
    await page.getByText('The delivery is back in the queue').waitFor();
    await page.getByRole('list', { name: 'Timeline' }).getByText('Replayed').waitFor();
    expect((await tenant.delivery(id)).timeline.map(({ code }: Json) => code)).toContain('replayed');
  });

  it('with an unknown outcome is settled after a question, with the note of the person', async () => {
    const tenant = await story.environment.tenant();
    const sent = await tenant.send({
      channel: 'sms',
      recipient_id: 'ann',
      recipient_address: '+15005550008',
      content: CONTENT.sms,
    });
    const id = await inState(tenant, sent, 'unknown');
    const page = await story.signIn(tenant.apiKey, `/deliveries/${id}`);
    await verdict(page, 'The outcome is unknown').getByRole('button', { name: 'Settle as sent' }).click();
    const dialog = page.getByRole('dialog', { name: 'Settle as sent?' });
    await dialog.getByRole('textbox', { name: 'How you know' }).fill('The recipient answered');
    await story.axe(page);
    await dialog.getByRole('button', { name: 'Settle as sent' }).click();
    await page.getByRole('list', { name: 'Timeline' }).getByText('Settled as sent').waitFor();
    await page.getByText('“The recipient answered”').first().waitFor();
    expect((await tenant.delivery(id)).state).toBe('sent');
  });

  it('says how long it waits, has a command to copy, and is cancelled from its notification', async () => {
    const tenant = await story.environment.tenant();
    const scheduled_at = new Date(Date.now() + 7_500_000).toISOString();
    const sent = await tenant.send({
      channel: 'email',
      recipient_id: 'ann',
      recipient_address: 'ann@example.com',
      content: CONTENT.email,
      scheduled_at,
    });
    const page = await story.signIn(tenant.apiKey, `/notifications/${sent.id}`);
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel the notification' }).waitFor();
    await story.axe(page);
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel', exact: true }).click();
    await story.inspect(page, 'notification');
    await page.getByRole('link', { name: 'e-mail' }).click();
    await verdict(page, 'Not sent yet').getByText('It goes out in 2 hours').waitFor();
    await page.getByText('Show JSON').click();
    await page.getByRole('region', { name: 'JSON' }).getByText(scheduled_at).waitFor();
    await page.getByRole('button', { name: 'Copy as curl' }).click();
    const copied = () => page.evaluate('navigator.clipboard.readText()');
    await expect.poll(copied).toContain(`/api/v1/deliveries/${sent.deliveries[0].id}`);
    await page.goBack();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel the notification' }).click();
    await page.getByText('What had not been sent is cancelled').waitFor();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Cancel' }).waitFor({ state: 'detached' });
    expect((await tenant.delivery(sent.deliveries[0].id)).state).toBe('cancelled');
  });

  it('cannot be changed with a key that may only read', async () => {
    const tenant = await story.environment.tenant();
    const id = await inState(tenant, await tenant.send(simulated('rejected')), 'failed');
    const keys = `/internal/tenants/${tenant.id}/api-keys`;
    const scopes = ['notifications:read', 'dead_letters:read'];
    const reader = await story.environment.operator('POST', keys, { name: 'reader', scopes });
    const page = await story.signIn(reader.body.api_key, `/deliveries/${id}`);
    await verdict(page, 'Not sent: it failed').getByText('What to do:').waitFor();
    await page.getByRole('button', { name: 'Show JSON' }).waitFor();
    // A button to replay would come with the dead letter.
    await page.waitForLoadState('networkidle');
    expect(await page.getByRole('button', { name: 'Replay' }).count()).toBe(0);
    expect(await page.getByRole('link', { name: 'Explain again' }).count()).toBe(0);
  });

  it('that does not exist, or a search that the API refuses, says why', async () => {
    const tenant = await story.environment.tenant();
    story.expectFault(/status of (404|422)/);
    const page = await story.signIn(tenant.apiKey, '/deliveries/01a22d27-1cdb-759f-b59f-333e3e6beae0');
    await page.getByRole('alert').getByText('Not found').waitFor();
    await story.goTo(page, '/deliveries?state=lost');
    await page.getByRole('alert').getByText('Some values are not valid').waitFor();
  });
});
