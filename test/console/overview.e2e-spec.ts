// The first pages of a tenant and of the operator.

import type { Page } from 'playwright-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { CountDeliveriesStore, Database } from '#database';
import { until } from '#testing';
import { simulated, type Tenant } from '../test-environment.js';
import { startStories } from './browser.js';
import { seedConsole } from './seed-console.ts';

const story = startStories({ worker: false });
let seeded: Tenant;

beforeAll(async () => {
  const { environment } = story;
  seeded = await environment.tenant();
  await seedConsole({ databaseUrl: environment.databaseUrl, tenantId: seeded.id, deliveries: 3_000 });
  const database = new Database({ url: environment.databaseUrl, poolSize: 2 });
  // A worker counts a month of an existing installation over some minutes.
  const counts = new CountDeliveriesStore(database);
  for (let days = 0; days < 30; days = await countedDays()) await counts.run();
  await database.close();
  await environment.startWorker();
}, 120_000);

async function countedDays(): Promise<number> {
  const from = new Date(Date.now() - 30 * 86_400_000).toISOString();
  return (await seeded.call('GET', `/api/v1/statistics?interval=day&from=${from}`)).body.data.length;
}

const section = (page: Page, name: string) => page.getByRole('region', { name, exact: true });

describe('the overview of a tenant', { timeout: 60_000 }, () => {
  it('shows how to send the first notification until one is accepted', async () => {
    const tenant = await story.environment.tenant();
    const page = await story.signIn(tenant.apiKey);
    const first = section(page, 'Send your first notification');
    await first.getByRole('button', { name: 'Copy the command' }).click();
    const copiedBody = async (): Promise<string> =>
      /-d '(.+)'$/s.exec(await page.evaluate('navigator.clipboard.readText()'))?.[1] ?? '';
    await expect.poll(copiedBody).not.toBe('');
    await story.inspect(page, 'overview-empty');
    await tenant.send(JSON.parse(await copiedBody()));
    await first.waitFor({ state: 'detached', timeout: 15_000 });
  });

  it('draws a month of deliveries, as lines and as a table, and leads to those that failed', async () => {
    const page = await story.signIn(seeded.apiKey, '/overview');
    await page.getByRole('radiogroup', { name: 'Time shown' }).getByText('30 days').click();
    await page.waitForURL(/range=30d/);
    const chart = section(page, 'Deliveries');
    await chart.getByRole('img', { name: /^Deliveries\. Accepted: at most \d/ }).waitFor();
    await chart.locator('canvas').waitFor();
    await story.inspect(page, 'overview');
    await chart.getByRole('button', { name: 'Show as table' }).click();
    const rows = await chart.getByRole('table', { name: 'Deliveries' }).getByRole('row').count();
    expect(rows - 1).toBeGreaterThanOrEqual(28);
    await page.getByRole('link', { name: /^Failed, bounced or unknown: [1-9]/ }).click();
    await page.getByRole('heading', { level: 1, name: 'Deliveries' }).waitFor();
    await page.waitForURL(/state=failed%2Cbounced%2Cunknown|state=failed,bounced,unknown/);
    await page.getByRole('table', { name: 'deliveries' }).getByRole('row').nth(1).waitFor();
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

  it("leads from an account that does not work to its page: among the platform's own, or of its tenant", async () => {
    const { environment } = story;
    const tenant = await environment.tenant();
    // Not used, so that the sandbox sends.
    const account = { provider: 'sandbox', channel: 'email', credentials: {}, enabled: false };
    await environment.operator('POST', '/internal/provider-accounts', { ...account, name: 'Of the platform' });
    await tenant.call('POST', '/api/v1/provider-accounts', { ...account, name: 'Of a tenant' });
    await environment.sql.query(
      `insert into provider_account_health (tenant_id, account_id, breaker)
       select tenant_id, id, 'open' from provider_accounts where name in ('Of the platform', 'Of a tenant')`,
    );
    const page = await story.signIn(environment.config.adminToken, '/platform/overview');
    const failing = section(page, 'Provider accounts that do not work');
    await failing.getByRole('link', { name: 'Of the platform' }).click();
    await page.getByRole('heading', { level: 1, name: 'Of the platform' }).waitFor();
    expect(new URL(page.url()).pathname).toMatch(/^\/console\/platform\/provider-accounts\//);
    await page.goBack();
    await failing.getByRole('link', { name: 'Of a tenant' }).click();
    await page.getByRole('heading', { level: 1, name: 'Of a tenant' }).waitFor();
    expect(new URL(page.url()).pathname).toMatch(`/console/t/${tenant.id}/provider-accounts/`);
  });
});
