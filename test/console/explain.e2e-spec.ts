// Explains a send in the console.

import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { until } from '#testing';
import { CONTENT } from '../test-environment.js';
import { startStories } from './browser.js';

const story = startStories({ worker: false });

const steps = (page: Page) => page.getByRole('list', { name: 'Steps' });

describe('explain', { timeout: 60_000 }, () => {
  it('shows every step of a send that would go out, with the message', async () => {
    const tenant = await story.environment.tenant();
    await tenant.call('PUT', '/api/v1/recipients/ann', { email: 'ann@example.com' });
    const page = await story.signIn(tenant.apiKey, '/explain');
    await page.getByRole('textbox', { name: 'Recipient' }).fill('ann');
    await page.getByRole('radiogroup', { name: 'Content' }).getByText('Content').click();
    const content = page.getByRole('textbox', { name: 'Content (JSON)' });
    await content.fill('{"subject": ');
    await page.getByText(/^is not JSON: /).waitFor();
    expect(await page.getByRole('button', { name: 'Explain' }).isDisabled()).toBe(true);
    await content.fill(JSON.stringify({ subject: 'Hello Ann', text: 'Hi' }));
    await page.getByRole('button', { name: 'Explain' }).click();
    const answer = page.getByRole('region', { name: 'e-mail to ann' });
    await answer.getByText('It would be handed to the provider.').waitFor();
    expect(await steps(page).getByRole('listitem').count()).toBe(8);
    await answer.getByText('"subject": "Hello Ann"').waitFor();
    await page.getByRole('button', { name: 'Copy as curl' }).click();
    const copied = () => page.evaluate('navigator.clipboard.readText()');
    await expect.poll(copied).toContain('/api/v1/notifications/explain');
    await story.inspect(page, 'explain');
    expect((await tenant.call('GET', '/api/v1/notifications')).body.data).toEqual([]);
  });

  it('marks the field that the API would refuse, in the words of the API', async () => {
    const tenant = await story.environment.tenant();
    const page = await story.signIn(tenant.apiKey, '/explain?recipient_id=ann');
    story.expectFault(/status of 422/);
    await page.getByRole('textbox', { name: 'Template' }).fill('nothing');
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.getByRole('alert').getByText('A send like this is not accepted').waitFor();
    const field = page.getByRole('textbox', { name: 'Template' });
    await until('the field is marked', async () => (await field.getAttribute('aria-invalid')) === 'true');
    await story.axe(page);
  });

  it('asks again about a delivery, and names the rule that decides now', async () => {
    const tenant = await story.environment.tenant();
    await tenant.call('PUT', '/api/v1/recipients/ann', { email: 'ann@example.com' });
    const sent = await tenant.send({ recipient_id: 'ann', channel: 'email', content: CONTENT.email });
    await tenant.call('PUT', '/api/v1/recipients/ann/preferences', { channels: { email: false } });
    const page = await story.signIn(tenant.apiKey, `/deliveries/${sent.deliveries[0].id}`);
    await page.getByRole('link', { name: 'Explain again' }).click();
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.getByText('The recipient has switched the channel off, or it is off by default.').waitFor();
    const consent = steps(page).getByRole('listitem').filter({ hasText: 'Consent.' });
    await consent.getByText('recipient.preferences').waitFor();
    await steps(page).getByRole('listitem').filter({ hasText: 'Provider.' }).getByText('Not reached.').waitFor();
  });
});
