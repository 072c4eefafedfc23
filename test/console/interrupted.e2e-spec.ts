// Text that is being written is kept while others save, the session ends, another tab signs in, or a page cannot be
// loaded.

import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { startStories } from './browser.js';

const story = startStories({ worker: false });

/** After this time a page reads again when its window gets the focus. */
const STALE_MS = 5_200;

const lookElsewhere = (page: Page): Promise<unknown> =>
  page.evaluate(`document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))`);
const subject = (page: Page) => page.getByRole('textbox', { name: 'Subject' });
const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();
const mail = (text: string) => ({ content: { subject: text, text } });

describe('what is being written', { timeout: 60_000 }, () => {
  it('stays while others save: in an editor, which says so, and in a dialog', async () => {
    const tenant = await story.environment.tenant();
    const template = { key: 'mail', channel: 'email', ...mail('First') };
    const { body: created } = await tenant.call('POST', '/api/v1/templates', template);
    const schedule = {
      rrule: 'FREQ=DAILY;BYHOUR=9;BYMINUTE=0',
      timezone: 'UTC',
      notification: { recipient_id: 'ann', channel: 'in_app', content: { title: 'Day', body: 'Report' } },
    };
    const { body: daily } = await tenant.call('POST', '/api/v1/schedules', schedule);
    const page = await story.signIn(tenant.apiKey, `/templates/${created.id}`);
    await subject(page).fill('Mine');
    const other = await page.context().newPage();
    await other.goto(page.url().replace(/\/t\/.*/, `/t/${tenant.id}/schedules/${daily.id}`));
    await other.getByRole('button', { name: 'Edit' }).click();
    await other.getByRole('textbox', { name: 'Rule' }).fill('FREQ=DAILY;BYHOUR=11;BYMINUTE=0');
    await tenant.call('PUT', `/api/v1/templates/${created.id}`, mail('Theirs'));
    const later = { ...schedule, rrule: 'FREQ=DAILY;BYHOUR=10;BYMINUTE=0' };
    await tenant.call('PATCH', `/api/v1/schedules/${daily.id}`, later);
    await page.waitForTimeout(STALE_MS);
    await lookElsewhere(page);
    await lookElsewhere(other);
    await page.getByText('A newer version has been saved').waitFor();
    expect(await subject(page).inputValue()).toBe('Mine');
    await other.getByText('at 10:00').waitFor({ state: 'attached' });
    expect(await other.getByRole('textbox', { name: 'Rule' }).inputValue()).toBe('FREQ=DAILY;BYHOUR=11;BYMINUTE=0');
    await page.getByRole('button', { name: 'Discard my changes and show the newest' }).click();
    await expect.poll(() => subject(page).inputValue()).toBe('Theirs');
    await subject(page).fill('Mine again');
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await page.getByText('Version 3 is saved').waitFor();
    expect(await page.getByText('A newer version has been saved').count()).toBe(0);
  });

  it('is there again after the session has ended and the same key has signed in', async () => {
    const tenant = await story.environment.tenant();
    const { body: created } = await tenant.call('POST', '/api/v1/templates', {
      key: 'mail',
      channel: 'email',
      ...mail('First'),
    });
    const page = await story.signIn(tenant.apiKey, `/templates/${created.id}`);
    await subject(page).fill('Mine');
    await page.context().clearCookies();
    story.expectFault(/status of 401/);
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await heading(page, 'Sign in to Carillon');
    await page.getByText('Your session has ended.').waitFor();
    await story.axe(page);
    await story.fillSignIn(page, tenant.apiKey);
    await heading(page, 'mail');
    expect(await subject(page).inputValue()).toBe('Mine');
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await page.getByText('Version 2 is saved').waitFor();
  });
});

describe('a template', { timeout: 60_000 }, () => {
  it('is edited also if its preview fails; lines that end as in Windows are no change', async () => {
    const tenant = await story.environment.tenant();
    const blocks = [{ type: 'section', fields: {} }];
    const html = '<p>\r\nHello\r\n</p>';
    const chat = { key: 'chat', channel: 'chat', content: { text: 'Text', blocks } };
    const windows = { key: 'windows', channel: 'email', content: { subject: 'Hello', html } };
    const { body: first } = await tenant.call('POST', '/api/v1/templates', chat);
    const { body: second } = await tenant.call('POST', '/api/v1/templates', windows);
    story.expectFault(/./);
    const page = await story.signIn(tenant.apiKey, `/templates/${first.id}`);
    await page.getByText('This message cannot be shown').waitFor();
    await page.getByRole('button', { name: 'Save', exact: true }).waitFor();
    await story.goTo(page, `/templates/${second.id}`);
    await page.getByRole('textbox', { name: 'HTML' }).waitFor();
    await page.waitForTimeout(300);
    expect(await page.getByRole('button', { name: 'Discard changes' }).count()).toBe(0);
  });
});

describe('two tabs', { timeout: 60_000 }, () => {
  it('never show the page of one tenant with the session of another', async () => {
    const [first, second] = [await story.environment.tenant(), await story.environment.tenant()];
    const page = await story.signIn(first.apiKey, '/templates');
    await page.getByText('No templates yet').waitFor();
    const other = await page.context().newPage();
    await other.goto(page.url());
    await other.getByRole('button', { name: 'Account' }).click();
    await other.getByRole('menuitem', { name: 'Sign out' }).click();
    await heading(other, 'Sign in to Carillon');
    await heading(page, 'Sign in to Carillon');
    await story.fillSignIn(other, second.apiKey);
    await other.getByRole('button', { name: 'Account' }).waitFor();
    await page.waitForURL(`**/t/${second.id}/**`);
  });
});

describe('a list', { timeout: 60_000 }, () => {
  it('shows the second page when Next is clicked twice, and keeps a space that is typed', async () => {
    const tenant = await story.environment.tenant();
    for (let topic = 0; topic < 120; topic += 1)
      await tenant.call('PUT', `/api/v1/topics/t${topic}`, { name: `Topic ${topic}` });
    const page = await story.signIn(tenant.apiKey, '/topics');
    await page.route('**/api/v1/topics?*cursor=*', async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      await route.continue();
    });
    await page.getByRole('link', { name: 'Next' }).click();
    await page.getByText('Page 2').waitFor();
    await page.getByRole('link', { name: 'Next' }).click({ force: true });
    await page.getByRole('link', { name: 'First page' }).waitFor();
    await page.waitForTimeout(800);
    expect(await page.getByText('Page 2').count()).toBe(1);
    await page.getByRole('link', { name: 'Next' }).click();
    await page.getByText('Page 3').waitFor();
    await page.getByRole('button', { name: 'Previous' }).click();
    await page.getByRole('button', { name: 'Previous' }).click();
    await page.getByText('Page 1').waitFor();
    await page.goto(`${story.environment.url}/console/t/${tenant.id}/deliveries`);
    const recipient = page.getByRole('search').getByRole('textbox', { name: 'Recipient' });
    await recipient.pressSequentially('an');
    await page.waitForURL('**recipient_id=an');
    await recipient.pressSequentially('n ');
    await page.waitForURL('**recipient_id=ann+');
    await page.waitForTimeout(200);
    await recipient.pressSequentially('b');
    await page.waitForURL('**recipient_id=ann+b');
  });
});

describe('a page that cannot be loaded', { timeout: 60_000 }, () => {
  it('says so beside the navigation; the overview does not claim that nothing needs attention', async () => {
    const tenant = await story.environment.tenant();
    const page = await story.signIn(tenant.apiKey, '/topics');
    await page.getByText('No topics yet').waitFor();
    story.expectFault(/./);
    await page.route('**/console/assets/**', (route) => route.abort());
    await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'Webhooks' }).click();
    await page.getByText('This page cannot be shown').waitFor();
    await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'Topics' }).click();
    await page.getByText('No topics yet').waitFor();
    await page.unrouteAll();
    await page.route('**/api/v1/webhooks?*', (route) => route.fulfill({ status: 503, body: '' }));
    await page.goto(`${story.environment.url}/console/t/${tenant.id}/overview`);
    await page.getByRole('region', { name: 'Needs attention' }).getByRole('alert').waitFor();
    expect(await page.getByText('Nothing.', { exact: true }).count()).toBe(0);
  });
});
