// The first pages of a tenant and of the operator.

import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { until } from '#testing';
import { simulated } from '../test-environment.js';
import { startStories } from './browser.js';

const story = startStories();

const section = (page: Page, name: string) => page.getByRole('region', { name, exact: true });

describe('the overview of a tenant', { timeout: 60_000 }, () => {
  it('shows how to send the first notification until one is accepted', async () => {
    const tenant = await story.environment.tenant();
    const page = await story.signIn(tenant.apiKey);
    const first = section(page, 'Send your first notification');
    await first.getByRole('button', { name: 'Copy the command' }).click();
    const command = await page.evaluate<string>('navigator.clipboard.readText()');
    await story.inspect(page, 'overview-empty');
    const [, body] = /-d '(.+)'$/s.exec(command)!;
    await tenant.send(JSON.parse(body!));
    await first.waitFor({ state: 'detached', timeout: 15_000 });
  });

  it('lists what needs attention, with links to the pages where it is done', async () => {
    const tenant = await story.environment.tenant();
    const sent = await tenant.send(simulated('rejected'));
    await until('it has failed', async () => (await tenant.delivery(sent.deliveries[0].id)).state === 'failed');
    const page = await story.signIn(tenant.apiKey, '/overview');
    await section(page, 'Needs attention').getByRole('link', { name: '1 dead letter' }).click();
    await page.getByRole('heading', { level: 1, name: 'Dead letters' }).waitFor();
  });
});

describe('the overview of the operator', { timeout: 60_000 }, () => {
  it('shows the queues of all tenants and leads to each of them', async () => {
    const tenant = await story.environment.tenant();
    await story.environment.operator('PATCH', `/internal/tenants/${tenant.id}`, { name: 'Northwind' });
    await tenant.send(simulated('rejected'));
    const page = await story.signIn(story.environment.config.adminToken, '/platform/overview');
    const figures = page.getByRole('list', { name: 'Queue' });
    await figures.getByText('Oldest due').waitFor();
    await section(page, 'Provider accounts that do not work').getByText('All provider accounts work.').waitFor();
    await section(page, 'Kafka messages that could not be processed').getByText('None.').waitFor();
    await section(page, 'Channels').getByRole('cell', { name: 'SMS' }).waitFor();
    expect(await section(page, 'Channels').getByRole('row').count()).toBe(7);
    await story.inspect(page, 'platform-overview');
    await page.getByRole('link', { name: /^Dead letters: [1-9]/ }).click();
    await page.getByRole('heading', { level: 1, name: 'Dead letters' }).waitFor();
  });
});
