// Schedules in the console, with the calendar of their occurrences.

import { expect, it } from 'vitest';
import { startStories } from './browser.js';

const story = startStories();
/** Of a story with several pages, on a busy machine. */
const TIMEOUT_MS = 60_000;

it(
  'a tenant creates a weekly schedule with the fields, sees it in the calendar, pauses and deletes it',
  async () => {
    const tenant = await story.environment.tenant();
    const page = await story.signIn(tenant.apiKey, '/schedules');
    await page.getByRole('button', { name: 'Create a schedule' }).click();
    await page.getByText('Thu', { exact: true }).click();
    await page.getByLabel('At', { exact: true }).fill('08:30');
    const rule = page.getByRole('textbox', { name: 'Rule' });
    expect(await rule.inputValue()).toBe('FREQ=WEEKLY;BYDAY=MO,TH;BYHOUR=8;BYMINUTE=30');
    await page.getByRole('textbox', { name: 'Send' }).fill('{"recipient_id": "ann"}');
    story.expectFault(/status of 422/);
    await page.getByRole('button', { name: 'Create', exact: true }).click();
    await page.getByRole('alert').getByText('channel').waitFor();
    await story.axe(page);
    const send = { recipient_id: 'ann', channel: 'in_app', content: { title: 'Week', body: 'Yours' } };
    await page.getByRole('textbox', { name: 'Send' }).fill(JSON.stringify(send));
    await page.getByRole('button', { name: 'Create', exact: true }).click();
    await page.getByRole('heading', { name: 'inbox to ann' }).waitFor();
    await page.getByText('each week on Mon, Thu at 08:30').waitFor();
    await page
      .getByRole('button', { name: /, 1 occurrence$/ })
      .first()
      .waitFor();
    await story.inspect(page, 'schedule');
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText('The schedule is paused').waitFor();
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByText('The schedule is resumed').waitFor();
    await page.getByRole('button', { name: 'Delete' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('No schedules yet').waitFor();
  },
  TIMEOUT_MS,
);

it(
  'the calendar has the days of the server, and explains what a change of the clocks does',
  async () => {
    const tenant = await story.environment.tenant();
    const year = new Date().getUTCFullYear() + 1;
    // The last Sunday of March.
    const day = 31 - new Date(Date.UTC(year, 2, 31)).getUTCDay();
    const { body: schedule } = await tenant.call('POST', '/api/v1/schedules', {
      rrule: 'FREQ=DAILY;BYHOUR=2;BYMINUTE=30',
      starts_at_local: `${year}-03-01T00:00:00`,
      timezone: 'Europe/Paris',
      notification: { recipient_id: 'ann', channel: 'in_app', content: { title: 'Night', body: 'Report' } },
    });
    const page = await story.signIn(tenant.apiKey, `/schedules/${schedule.id}`);
    await page.getByText('31 occurrences in this month').waitFor();
    await page.getByText(`On March ${day} clocks go forward by an hour`).waitFor();
    await page.getByRole('button', { name: `Sunday, March ${day}, 1 occurrence` }).click();
    await page.getByText('Clocks skip 02:30 on this day.').waitFor();
    await page.getByText('03:30 AM').first().waitFor();
    await story.inspect(page, 'schedule-clocks');
  },
  TIMEOUT_MS,
);
