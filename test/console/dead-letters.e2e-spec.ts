// Dead letters in the console, for a tenant and for operators of two roles.

import { expect, it } from 'vitest';
import { until } from '#testing';
import { CONTENT, type Tenant } from '../test-environment.js';
import { startStories } from './browser.js';

const story = startStories();
/** Of a story with several pages, on a busy machine. */
const TIMEOUT_MS = 60_000;

/** The sandbox rejects this address. */
async function failTo(tenant: Tenant, recipients: readonly string[]): Promise<void> {
  const { body } = await tenant.call('POST', '/api/v1/notifications/bulk', {
    channel: 'email',
    content: CONTENT.email,
    recipients: recipients.map((recipient_id) => ({ recipient_id, recipient_address: 'rejected@simulator.test' })),
  });
  expect(body.accepted.length).toBe(recipients.length);
  await until('they are dead letters', async () => {
    const answer = await tenant.call('GET', '/api/v1/dead-letters/count');
    return answer.body.count === recipients.length;
  });
}

it(
  'a tenant groups dead letters by reason, replays one, discards one, and replays the rest after a dry run',
  async () => {
    const tenant = await story.environment.tenant();
    await failTo(tenant, ['ann', 'bob', 'cid', 'dan']);
    const page = await story.signIn(tenant.apiKey, '/dead-letters');
    await page.getByRole('button', { name: '4 Rejected' }).click();
    await page.getByRole('link', { name: 'ann' }).waitFor();

    await page.getByRole('link', { name: 'ann' }).click();
    await page.getByText('Simulated: the content is refused').waitFor();
    await story.inspect(page, 'dead-letter');
    await page.getByRole('button', { name: 'Replay' }).click();
    await page.getByText('The delivery is back in the queue').waitFor();

    await page.getByRole('link', { name: 'Dead letters' }).first().click();
    await page.getByRole('link', { name: 'bob' }).click();
    await page.getByRole('button', { name: 'Discard' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Discard' }).click();
    await page.getByText('The dead letter is discarded').waitFor();

    await until('the replayed delivery has failed again', async () => {
      const { body } = await tenant.call('GET', '/api/v1/dead-letters?unreplayed=true');
      return body.data.length === 3;
    });
    await page.getByRole('button', { name: 'Replay all…' }).click();
    await page.getByText('Dry run: 3 match').waitFor();
    await story.axe(page);
    // So slow that it cannot end before it is stopped.
    await page.getByLabel('Items a second').fill('0.05');
    await page.getByRole('button', { name: 'Start the replay' }).click();
    await page.getByText('Pace: 0.05 a second').waitFor();
    await story.axe(page);
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByRole('button', { name: 'Stop the job' }).click();
    await page.getByText('The job is stopped').waitFor();
    await page.getByText('cancelled', { exact: true }).waitFor();
    await story.inspect(page, 'dead-letter-replay');
    const { body } = await tenant.call('GET', '/api/v1/jobs?kind=dead_letter_replay');
    expect(body.data).toMatchObject([{ state: 'cancelled', total: 3 }]);
  },
  TIMEOUT_MS,
);

it(
  "an operator pauses and resumes a replay of one tenant's dead letters",
  async () => {
    const tenant = await story.environment.tenant();
    await failTo(
      tenant,
      Array.from({ length: 5 }, (_, index) => `person-${index}`),
    );
    const path = `/platform/dead-letters?tenant_id=${tenant.id}`;
    const page = await story.signIn(story.environment.config.adminToken, path);
    await page.getByRole('button', { name: '5 Rejected' }).waitFor();
    await page.getByRole('button', { name: 'Replay all…' }).click();
    await page.getByText('Dry run: 5 match').waitFor();
    await page.getByLabel('Items a second').fill('0.2');
    await page.getByRole('button', { name: 'Start the replay' }).click();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText('The job is paused').waitFor();
    await page.getByRole('button', { name: 'Pace' }).click();
    await page.getByRole('dialog').getByLabel('Items a second').fill('');
    await page.getByRole('button', { name: 'Set the pace' }).click();
    await page.getByText('Pace: as fast as possible').waitFor();
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByText('5 of 5 items').waitFor();
    await page.getByText('finished', { exact: true }).waitFor();
  },
  TIMEOUT_MS,
);

it(
  'a key that may only read sees no action',
  async () => {
    const tenant = await story.environment.tenant({}, { scopes: ['dead_letters:read'] });
    const page = await story.signIn(tenant.apiKey, '/dead-letters');
    await page.getByText('No dead letters').waitFor();
    expect(await page.getByRole('button', { name: 'Replay all…' }).count()).toBe(0);
  },
  TIMEOUT_MS,
);
