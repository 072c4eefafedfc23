// The frame around the views: sign-in and sign-out, navigation, tenants, colours, and an API that cannot be reached.

import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { startStories } from './browser.js';

const story = startStories({ worker: false });

const views = (page: Page) => page.getByRole('navigation', { name: 'Views' });
const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name, exact: true }).waitFor();

async function signOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Account' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await heading(page, 'Sign in to Carillon');
}

describe('signing in', { timeout: 60_000 }, () => {
  it('says why a key is not accepted; the right one leads to the page that was asked for', async () => {
    const tenant = await story.environment.tenant();
    const path = `/console/t/${tenant.id}/notifications?status=failed`;
    const page = await story.open(path);
    await heading(page, 'Sign in to Carillon');
    await story.inspect(page, 'sign-in');
    story.expectFault(/status of 401/);
    await story.fillSignIn(page, `${tenant.apiKey}x`);
    expect(await page.getByRole('alert').innerText()).toMatch(/^Not signed in\s.*API key/);
    await story.axe(page);
    await story.fillSignIn(page, tenant.apiKey);
    await heading(page, 'Notifications');
    expect(page.url()).toBe(story.environment.url + path);
    await page.getByText('Nothing matches').waitFor();
  });

  it('lasts in the other tabs of the browser, and signing out ends it in all of them', async () => {
    const tenant = await story.environment.tenant();
    const page = await story.signIn(tenant.apiKey, '/notifications');
    const other = await page.context().newPage();
    await other.goto(page.url());
    await heading(other, 'Notifications');
    await signOut(page);
    expect(await page.evaluate('document.cookie + JSON.stringify({ ...localStorage })')).not.toContain(tenant.apiKey);
    await heading(other, 'Sign in to Carillon');
  });

  it('keeps saved filters for the same person only, and no longer than until the sign-out', async () => {
    const tenant = await story.environment.tenant();
    const page = await story.signIn(tenant.apiKey, '/notifications?status=failed');
    const saved = page.getByRole('button', { name: 'Saved filters' });
    const stored = async () => await page.evaluate('JSON.stringify({ ...localStorage })');
    const save = async (): Promise<void> => {
      await page.getByRole('button', { name: 'Save filters' }).click();
      await page.getByRole('textbox', { name: 'Name' }).fill('About Ann');
      await page.getByRole('button', { name: 'Save', exact: true }).click();
      await saved.waitFor();
      expect(await stored()).toContain('About Ann');
    };
    const signInAgain = async (secret: string): Promise<void> => {
      await page.context().clearCookies();
      await page.reload();
      await heading(page, 'Sign in to Carillon');
      await story.fillSignIn(page, secret);
      await heading(page, 'Notifications');
    };
    await save();
    await signInAgain(tenant.apiKey);
    await saved.waitFor();
    await signInAgain(story.environment.config.adminToken);
    await page.getByRole('button', { name: 'Save filters' }).waitFor();
    expect(await saved.count()).toBe(0);
    expect(await stored()).not.toContain('About Ann');
    await save();
    await signOut(page);
    expect(await stored()).not.toContain('About Ann');
  });

  it('ends with the key', async () => {
    const { environment } = story;
    const tenant = await environment.tenant();
    const page = await story.signIn(tenant.apiKey);
    const keys = `/internal/tenants/${tenant.id}/api-keys`;
    const { data } = (await environment.operator('GET', keys)).body;
    await environment.operator('DELETE', `${keys}/${data[0].id}`);
    story.expectFault(/status of 401/);
    await expect
      .poll(
        async () => {
          await page.reload();
          return await page.getByRole('heading', { level: 1 }).innerText();
        },
        { timeout: 30_000, interval: 1_000 },
      )
      .toBe('Sign in to Carillon');
  });
});

describe('the pages', { timeout: 60_000 }, () => {
  it('are used with the keyboard alone', async () => {
    const tenant = await story.environment.tenant();
    const page = await story.open(`/console/t/${tenant.id}/notifications`);
    // The field of the key has the focus.
    await page.getByRole('textbox', { name: 'API key of your tenant' }).waitFor();
    await page.keyboard.type(tenant.apiKey);
    await page.keyboard.press('Enter');
    await heading(page, 'Notifications');
    await page.locator('body').press('Tab');
    const skip = page.getByRole('link', { name: 'Skip to the content' });
    expect(await skip.evaluate((link) => link.matches(':focus'))).toBe(true);
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    expect(await page.evaluate("document.activeElement.closest('main') !== null")).toBe(true);
    await views(page).getByRole('link').last().focus();
    const label = await views(page).getByRole('link').last().innerText();
    await page.keyboard.press('Enter');
    await expect.poll(() => views(page).locator('[aria-current=page]').innerText()).toBe(label);
    await page.getByRole('button', { name: 'Account' }).press('Enter');
    await page.getByRole('menuitem', { name: 'Sign out' }).press('Enter');
    await heading(page, 'Sign in to Carillon');
  });

  it('keep the colours that a person chose', async () => {
    const tenant = await story.environment.tenant();
    const page = await story.signIn(tenant.apiKey, '/notifications');
    const scheme = () => page.locator('html').getAttribute('data-mantine-color-scheme');
    expect(await scheme()).toBe('light');
    await page.emulateMedia({ colorScheme: 'dark' });
    await expect.poll(scheme).toBe('dark');
    await page.getByRole('button', { name: 'Use light colours' }).click();
    await page.reload();
    await heading(page, 'Notifications');
    expect(await scheme()).toBe('light');
  });

  it('have a navigation that opens and closes on a phone', async () => {
    const tenant = await story.environment.tenant();
    const page = await story.signIn(tenant.apiKey, '/notifications');
    await story.phone(page, async () => {
      const link = views(page).getByRole('link', { name: 'Notifications' });
      expect(await link.isVisible()).toBe(false);
      await page.getByRole('button', { name: 'Open the navigation' }).click();
      await link.click();
      await link.waitFor({ state: 'hidden' });
      await heading(page, 'Notifications');
    });
  });

  it('say so if Carillon cannot be reached, and go on when it can', async () => {
    const tenant = await story.environment.tenant();
    const page = await story.signIn(tenant.apiKey, '/notifications');
    await page.getByText('No notifications yet').waitFor();
    story.expectFault(/ERR_INTERNET_DISCONNECTED|ERR_CONNECTION/);
    await page.route('**/api/v1/**', (route) => route.abort('connectionrefused'));
    await page.getByRole('button', { name: 'Refresh' }).click();
    const alert = page.getByRole('alert');
    await alert.getByText('Carillon cannot be reached').waitFor();
    await story.axe(page);
    await page.unroute('**/api/v1/**');
    await tenant.call('PUT', '/api/v1/recipients/ann', { email: 'ann@example.com' });
    const sent = await tenant.send({ recipient_id: 'ann', channel: 'email', content: { subject: 'Hi', text: 'Hi' } });
    await alert.getByRole('button', { name: 'Try again' }).click();
    await page.getByText(sent.id).waitFor();
    expect(await alert.count()).toBe(0);
  });
});

describe('who sees what', { timeout: 60_000 }, () => {
  it('shows a key with few scopes few views, and one without any a page that says so', async () => {
    const some = await story.environment.tenant({}, { scopes: ['templates:read'] });
    const page = await story.signIn(some.apiKey);
    expect(await views(page).getByRole('link', { name: 'Notifications' }).count()).toBe(0);
    expect(await page.getByText('Nothing to see').count()).toBe((await views(page).getByRole('link').count()) ? 0 : 1);
  });

  it('leads the address of another tenant to the tenant of the key', async () => {
    const [own, other] = [await story.environment.tenant(), await story.environment.tenant()];
    const page = await story.signIn(own.apiKey);
    await page.goto(`${story.environment.url}/console/t/${other.id}/notifications`);
    await page.waitForURL(`**/console/t/${own.id}/**`);
    await page.goto(`${story.environment.url}/console/platform/tenants`);
    await page.waitForURL(`**/console/t/${own.id}/**`);
    await page.goto(`${story.environment.url}/console/t/${own.id}/nothing`);
    await page.getByText('There is no such page').waitFor();
  });

  it('lets an operator change the tenant, whose data is then shown', async () => {
    const { environment } = story;
    const tenants = await Promise.all([environment.tenant(), environment.tenant()]);
    const names = ['Northwind', 'Contoso'];
    const sent: string[] = [];
    for (const [index, tenant] of tenants.entries()) {
      await environment.operator('PATCH', `/internal/tenants/${tenant.id}`, { name: names[index] });
      const content = { subject: 'Hi', text: 'Hi' };
      sent.push(
        (await tenant.send({ recipient_id: 'ann', channel: 'email', recipient_address: 'ann@example.com', content }))
          .id,
      );
    }
    const page = await story.signIn(environment.config.adminToken, `/t/${tenants[0]!.id}/notifications`);
    await page.getByText(sent[0]!).waitFor();
    const choice = page.getByRole('combobox', { name: 'Tenant' });
    await expect.poll(() => choice.inputValue()).toBe('Northwind');
    await choice.click();
    await page.getByRole('option', { name: 'Contoso' }).click();
    await page.waitForURL(new RegExp(`/console/t/${tenants[1]!.id}/`));
    await views(page).getByRole('link', { name: 'Notifications' }).click();
    await page.getByText(sent[1]!).waitFor();
    expect(await page.getByText(sent[0]!).count()).toBe(0);
    await choice.click();
    await page.getByRole('option', { name: 'All tenants' }).click();
    await page.waitForURL(/\/console\/platform\//);
    await views(page).getByRole('link', { name: 'Tenants' }).click();
    await heading(page, 'Tenants');
  });
});
