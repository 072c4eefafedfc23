// Every form that fills a page, while it is saved and after its save failed.

import type { Locator, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import type { Tenant } from '../test-environment.js';
import { startStories } from './browser.js';

const story = startStories({ worker: false });

interface StoredForm {
  /** Below `/console`. */
  path: string;
  /** Another client changes what the form shows. */
  changeElsewhere: () => Promise<unknown>;
}

interface PageForm {
  name: string;
  store: (tenant: Tenant) => Promise<StoredForm>;
  /** A text, a choice in a list, or the chosen one of several radio buttons. */
  field: (page: Page) => Locator;
  edit: (page: Page) => Promise<unknown>;
  save: string;
}

const textbox = (name: string) => (page: Page) => page.getByRole('textbox', { name, exact: true });
const smsOfNews = (page: Page) => page.getByRole('combobox', { name: 'Product news, sms' });
const defaultForEmail = (page: Page) => page.getByRole('radiogroup', { name: 'Defaults: all categories, E-mail' });

async function storeRecipient(tenant: Tenant): Promise<void> {
  await tenant.call('PUT', '/api/v1/categories/news', { name: 'Product news' });
  await tenant.call('PUT', '/api/v1/recipients/ann', { email: 'ann@example.com' });
}

const forms: PageForm[] = [
  {
    name: 'the profile of a recipient',
    store: async (tenant) => {
      await storeRecipient(tenant);
      return {
        path: `/t/${tenant.id}/recipients/ann`,
        changeElsewhere: () => tenant.call('PATCH', '/api/v1/recipients/ann', { phone: '+15005550002' }),
      };
    },
    field: textbox('E-mail'),
    edit: (page) => textbox('E-mail')(page).fill('mine@example.com'),
    save: 'Save',
  },
  {
    name: 'the preferences of a recipient',
    store: async (tenant) => {
      await storeRecipient(tenant);
      const theirs = { categories: { news: { channels: { email: false } } } };
      return {
        path: `/t/${tenant.id}/recipients/ann/preferences`,
        changeElsewhere: () => tenant.call('PUT', '/api/v1/recipients/ann/preferences', theirs),
      };
    },
    field: smsOfNews,
    edit: (page) => smsOfNews(page).selectOption('on'),
    save: 'Save preferences',
  },
  {
    name: 'the preference rules',
    store: async (tenant) => {
      const theirs = { defaults: {}, enforced: { channels: { chat: false } } };
      return {
        path: `/t/${tenant.id}/categories/rules`,
        changeElsewhere: () => tenant.call('PUT', '/api/v1/preference-rules', theirs),
      };
    },
    field: (page) => defaultForEmail(page).locator('input:checked'),
    edit: (page) => defaultForEmail(page).getByText('on', { exact: true }).click(),
    save: 'Save the rules',
  },
  {
    name: 'a provider account',
    store: async (tenant) => {
      const account = { name: 'First', provider: 'sandbox', channel: 'email', credentials: {} };
      const { body } = await tenant.call('POST', '/api/v1/provider-accounts', account);
      return {
        path: `/t/${tenant.id}/provider-accounts/${body.id}`,
        changeElsewhere: () => tenant.call('PATCH', `/api/v1/provider-accounts/${body.id}`, { name: 'Theirs' }),
      };
    },
    field: textbox('Name'),
    edit: (page) => textbox('Name')(page).fill('Mine'),
    save: 'Save',
  },
  {
    name: 'the settings of a tenant',
    store: async ({ id }) => ({
      path: `/platform/tenants/${id}/settings`,
      changeElsewhere: () => story.environment.operator('PATCH', `/internal/tenants/${id}`, { name: 'Theirs' }),
    }),
    field: textbox('Name'),
    edit: (page) => textbox('Name')(page).fill('Mine'),
    save: 'Save',
  },
  {
    name: 'a template',
    store: async (tenant) => {
      const contentOf = (html: string) => ({ content: { subject: 'Hello', html } });
      const template = { key: 'mail', channel: 'email', ...contentOf('<p>First</p>') };
      const { body } = await tenant.call('POST', '/api/v1/templates', template);
      return {
        path: `/t/${tenant.id}/templates/${body.id}`,
        changeElsewhere: () => tenant.call('PUT', `/api/v1/templates/${body.id}`, contentOf('<p>Theirs</p>')),
      };
    },
    field: textbox('HTML'),
    edit: (page) => textbox('HTML')(page).fill('<p>Mine</p>'),
    save: 'Save',
  },
];

const shownIn = (field: Locator): Promise<string> =>
  field.evaluate((element: { value?: string; innerText: string }) => element.value ?? element.innerText);
const save = (page: Page, { save: name }: PageForm) => page.getByRole('button', { name, exact: true }).click();
const isSaved = (page: Page) => page.getByText(/(is|are) saved/).waitFor();
const changedElsewhere = (page: Page) => page.getByText('A newer version has been saved');

/** The window gets the focus, and what the page has read is too old. */
const lookElsewhere = (page: Page): Promise<unknown> =>
  page.evaluate(`(() => {
    const now = Date.now;
    Date.now = () => now() + 10_000;
    document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));
  })()`);

/** `answer` decides when and how saves are answered. */
async function onSave(page: Page, answer: Parameters<Page['route']>[1]): Promise<void> {
  await page.route('**', (route, request) =>
    ['PUT', 'PATCH'].includes(request.method()) ? answer(route, request) : route.fallback(),
  );
}

async function open(form: PageForm): Promise<StoredForm & { page: Page }> {
  const stored = await form.store(await story.environment.tenant());
  const page = await story.signIn(story.environment.config.adminToken, stored.path);
  await form.field(page).waitFor({ state: 'attached' });
  return { ...stored, page };
}

for (const form of forms)
  describe(form.name, { timeout: 60_000 }, () => {
    it('keeps the edits if the save over another change fails, and shows the error', async () => {
      const { page, changeElsewhere } = await open(form);
      await form.edit(page);
      const mine = await shownIn(form.field(page));
      await changeElsewhere();
      await lookElsewhere(page);
      await changedElsewhere(page).waitFor();
      story.expectFault(/status of 422/);
      const problem = { code: 'validation_failed', detail: 'The test refuses it.', errors: [] };
      const body = JSON.stringify(problem);
      await onSave(page, (route) => route.fulfill({ status: 422, contentType: 'application/problem+json', body }));
      await save(page, form);
      await page.getByText(problem.detail).first().waitFor();
      expect(await shownIn(form.field(page))).toBe(mine);
      await changedElsewhere(page).waitFor();
      await page.unrouteAll();
      await save(page, form);
      await isSaved(page);
      await changedElsewhere(page).waitFor({ state: 'detached' });
      expect(await shownIn(form.field(page))).toBe(mine);
    });

    it('cannot be edited while it is saved, and does not take its own save for another change', async () => {
      const { page } = await open(form);
      await form.edit(page);
      const mine = await shownIn(form.field(page));
      await page.evaluate(`new MutationObserver(() => {
        if (document.body.innerText.includes('A newer version has been saved')) window.hasShownOther = true;
      }).observe(document.body, { subtree: true, childList: true })`);
      const { promise: released, resolve: release } = Promise.withResolvers<void>();
      const sent = page.waitForRequest((request) => ['PUT', 'PATCH'].includes(request.method()));
      await onSave(page, (route) => released.then(() => route.continue()));
      await save(page, form);
      await sent;
      await form.field(page).focus();
      await page.keyboard.press('ArrowDown');
      await page.keyboard.type('x');
      expect(await shownIn(form.field(page))).toBe(mine);
      release();
      await isSaved(page);
      await page.getByRole('button', { name: 'Discard changes' }).waitFor({ state: 'detached' });
      expect(await shownIn(form.field(page))).toBe(mine);
      expect(await page.evaluate('window.hasShownOther')).toBeUndefined();
    });
  });

describe('a save with the Enter key', { timeout: 60_000 }, () => {
  it('gives the focus back to the field if it fails', async () => {
    const form = forms[0]!;
    const { page } = await open(form);
    const email = form.field(page);
    await email.fill('not an address');
    story.expectFault(/status of 422/);
    await email.press('Enter');
    await page.getByText('must be one e-mail address').waitFor();
    await expect.poll(() => email.evaluate((field) => field.matches(':focus'))).toBe(true);
  });
});
