// The preference page in Chromium, as a recipient sees it on a phone, and over HTTP, as an attacker sees it.

import { existsSync } from 'node:fs';
import axe from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signPreferenceLink, signUnsubscription } from '#domain';
import { until } from '#testing';
import { http, type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);
const HOSTILE = `<img src=x onerror=alert(1)>"'&`;
const PUBLIC_URL = 'https://notify.example.com';

let app: TestEnvironment;
let tenant: Tenant;
let browser: Browser;
const faults: string[] = [];

beforeAll(async () => {
  app = await startTestEnvironment({ environment: { PUBLIC_URL } });
  tenant = await app.tenant({ brand: { name: 'Acme & Sons', color: '#ffd400' } });
  await tenant.call('PUT', '/api/v1/categories/news', { name: 'Product news' });
  await tenant.call('PUT', '/api/v1/categories/offers', { name: 'Offers', default_enabled: false });
  await tenant.call('PUT', '/api/v1/categories/bills', { name: 'Invoices', mandatory: true });
  await tenant.call('PUT', '/api/v1/preference-rules', {
    enforced: { channels: { chat: false }, categories: { offers: { channels: { sms: false } } } },
  });
  browser = await chromium.launch({
    executablePath: CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  });
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await app?.stop();
});

/** Creates the recipient and returns the path of the link. */
async function linkOf(recipient: string, profile: Json = {}, by = tenant): Promise<string> {
  await by.call('PUT', `/api/v1/recipients/${recipient}`, { email: `${recipient}@example.com`, ...profile });
  const { status, body } = await by.call('POST', `/api/v1/recipients/${recipient}/preferences-link`, {});
  expect(status).toBe(201);
  expect(body.url).toBe(PUBLIC_URL + body.path);
  return body.path;
}

async function open(path: string, options: Json = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 360, height: 740 }, ...options });
  const page = await context.newPage();
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  await page.goto(app.url + path);
  return page;
}

const box = (page: Page, category: string, channel: string) =>
  page.getByRole('group', { name: category, exact: true }).getByRole('checkbox', { name: channel, exact: true });
const save = async (page: Page): Promise<void> => await page.getByRole('button', { name: 'Save', exact: true }).click();

async function stateOf(recipient: string, category: string, by = tenant): Promise<unknown[]> {
  const content = { subject: 'Hello', text: 'Hello' };
  const { deliveries } = await by.send({ recipient_id: recipient, channel: 'email', content, category });
  const { state, reason } = await until('it is final', async () => {
    const delivery = await by.delivery(deliveries[0].id);
    return !['waiting', 'sending'].includes(delivery.state) && delivery;
  });
  return [state, reason];
}
const preferencesOf = async (recipient: string, by = tenant): Promise<Json> => {
  const { channels, categories } = (await by.call('GET', `/api/v1/recipients/${recipient}/preferences`)).body;
  return { channels, categories };
};

async function violations(page: Page): Promise<unknown> {
  await page.evaluate(axe.source);
  const { violations: found } = (await page.evaluate('axe.run()')) as { violations: Json[] };
  return found.map(({ id, nodes }) => [id, nodes.map(({ html }: Json) => html)]);
}

describe('on a phone without JavaScript', { timeout: 60_000 }, () => {
  const options = { javaScriptEnabled: false };

  it('what is switched off is honoured by the next send, and what is switched on again too', async () => {
    const page = await open(await linkOf('ann'), options);
    expect(await box(page, 'Product news', 'E-mail').isChecked()).toBe(true);
    expect(await box(page, 'Offers', 'E-mail').isChecked()).toBe(false);
    expect(await stateOf('ann', 'news')).toEqual(['sent', null]);
    await box(page, 'Product news', 'E-mail').uncheck();
    await box(page, 'Offers', 'E-mail').check();
    await save(page);
    await page.getByRole('status').getByText('Saved.').waitFor();
    expect(await box(page, 'Product news', 'E-mail').isChecked()).toBe(false);
    expect(await preferencesOf('ann')).toEqual({
      channels: {},
      categories: { news: { channels: { email: false } }, offers: { channels: { email: true } } },
    });
    expect(await stateOf('ann', 'news')).toEqual(['suppressed', 'unsubscribed']);
    expect(await stateOf('ann', 'offers')).toEqual(['sent', null]);
    // A reload shows the page again, and sends nothing.
    await page.reload();
    await box(page, 'Product news', 'E-mail').check();
    await save(page);
    expect(await stateOf('ann', 'news')).toEqual(['sent', null]);
  });

  it('mandatory and enforced choices are disabled and explained', async () => {
    const page = await open(await linkOf('ann'), options);
    for (const channel of ['E-mail', 'SMS']) {
      expect(await box(page, 'Invoices', channel).isDisabled()).toBe(true);
      expect(await box(page, 'Invoices', channel).isChecked()).toBe(true);
    }
    await page.getByText('Always sent: E-mail, SMS').waitFor();
    for (const category of ['Invoices', 'Other messages']) {
      expect(await box(page, category, 'Chat').isDisabled()).toBe(true);
      expect(await box(page, category, 'Chat').isChecked()).toBe(false);
    }
    const described = await box(page, 'Offers', 'SMS').getAttribute('aria-describedby');
    expect(await page.locator(`#${described}`).innerText()).toBe('Acme & Sons does not send it: SMS, Chat.');
  });

  it('unsubscribes from everything, and one choice comes back without the others', async () => {
    const page = await open(await linkOf('bob'), options);
    await page.getByRole('button', { name: 'Unsubscribe from everything' }).click();
    await page.getByRole('status').getByText('Done.').waitFor();
    for (const category of ['news', 'default', 'something new'])
      expect(await stateOf('bob', category), category).toEqual(['suppressed', 'opted_out']);
    expect(await stateOf('bob', 'bills')).toEqual(['sent', null]);
    await box(page, 'Product news', 'E-mail').check();
    await save(page);
    expect(await box(page, 'Product news', 'E-mail').isChecked()).toBe(true);
    expect(await box(page, 'Other messages', 'E-mail').isChecked()).toBe(false);
    expect(await box(page, 'Product news', 'SMS').isChecked()).toBe(false);
    expect(await stateOf('bob', 'news')).toEqual(['sent', null]);
    expect(await stateOf('bob', 'default')).toEqual(['suppressed', 'unsubscribed']);
  });

  it('a form that was open for long saves only what was changed on it', async () => {
    const path = await linkOf('carl');
    const [early, late] = [await open(path, options), await open(path, options)];
    await box(late, 'Product news', 'E-mail').uncheck();
    await save(late);
    await box(early, 'Offers', 'E-mail').check();
    await save(early);
    expect(await preferencesOf('carl')).toEqual({
      channels: {},
      categories: { news: { channels: { email: false } }, offers: { channels: { email: true } } },
    });
    expect(await box(early, 'Product news', 'E-mail').isChecked()).toBe(false);
  });

  it('a choice that was enforced meanwhile is an error at its field, and nothing is saved', async () => {
    const other = await app.tenant();
    await other.call('PUT', '/api/v1/categories/news', { name: 'Product news' });
    const page = await open(await linkOf('dora', {}, other), options);
    await other.call('PUT', '/api/v1/preference-rules', { enforced: { categories: { news: { enabled: true } } } });
    await box(page, 'Product news', 'E-mail').uncheck();
    await box(page, 'Other messages', 'E-mail').uncheck();
    await save(page);
    await page.getByRole('alert').getByText('Nothing was saved.').waitFor();
    const field = box(page, 'Product news', 'E-mail');
    expect(await field.getAttribute('aria-invalid')).toBe('true');
    await page.getByRole('group', { name: 'Product news' }).getByText('cannot be changed any more').waitFor();
    // The other choice is kept on the form.
    expect(await box(page, 'Other messages', 'E-mail').isChecked()).toBe(false);
    expect(await preferencesOf('dora', other)).toEqual({ channels: {}, categories: {} });
    await save(page);
    expect(await preferencesOf('dora', other)).toEqual({
      channels: {},
      categories: { default: { channels: { email: false } } },
    });
  });

  it('quiet hours and their zone are saved, hold the next send, and are an error where they are not valid', async () => {
    const other = await app.tenant({ timezone: 'Asia/Tokyo' });
    const page = await open(await linkOf('gina', {}, other), options);
    const hours = page.getByRole('group', { name: 'Quiet hours', exact: true });
    expect(await hours.getByRole('radio', { name: 'As Test has set them' }).isChecked()).toBe(true);
    const zone = hours.getByRole('combobox', { name: 'Time zone' });
    expect(await zone.locator('option:checked').innerText()).toBe('That of your profile: Asia/Tokyo');
    const stored = async () => (await other.call('GET', '/api/v1/recipients/gina/preferences')).body.quiet_hours;

    await hours.getByRole('radio', { name: 'These hours:' }).check();
    await hours.getByLabel('To', { exact: true }).fill('22:00');
    await save(page);
    await page.getByRole('alert').getByText('Nothing was saved.').waitFor();
    await hours.getByText('leave some time of the week free').waitFor();
    expect(await hours.getByLabel('To', { exact: true }).getAttribute('aria-invalid')).toBe('true');
    expect(await hours.getByLabel('To', { exact: true }).inputValue()).toBe('22:00');
    expect(await stored()).toBeNull();

    // All but one minute of each day.
    await hours.getByLabel('From', { exact: true }).fill('00:01');
    await hours.getByLabel('To', { exact: true }).fill('00:00');
    await zone.selectOption('Pacific/Auckland');
    await save(page);
    await page.getByRole('status').getByText('Saved.').waitFor();
    const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
    const windows = [{ days, from: '00:01', to: '00:00' }];
    expect(await stored()).toEqual({ timezone: 'Pacific/Auckland', windows });
    expect(await zone.inputValue()).toBe('Pacific/Auckland');
    const content = { subject: 'Hello', text: 'Hello' };
    const sent = await other.send({ recipient_id: 'gina', channel: 'email', content, category: 'default' });
    await until('it is held', async () => (await other.delivery(sent.deliveries[0].id)).reason === 'quiet_hours');

    await hours.getByRole('radio', { name: 'None', exact: true }).check();
    await save(page);
    expect(await stored()).toEqual({ windows: [] });
    await until('it is sent', async () => (await other.delivery(sent.deliveries[0].id)).state === 'sent');
  });

  it('hours with several windows are kept by a form that does not change them', async () => {
    const path = await linkOf('hugo');
    const windows = [
      { days: ['mon'], from: '22:00', to: '08:00' },
      { days: ['sun'], from: '12:00', to: '14:00' },
    ];
    await tenant.call('PUT', '/api/v1/recipients/hugo/preferences', { quiet_hours: { windows } });
    const page = await open(path, options);
    const keep = page.getByRole('radio', { name: 'The hours that are set now: 22:00–08:00, 12:00–14:00' });
    expect(await keep.isChecked()).toBe(true);
    await box(page, 'Product news', 'E-mail').uncheck();
    await save(page);
    const { body } = await tenant.call('GET', '/api/v1/recipients/hugo/preferences');
    expect(body).toMatchObject({ quiet_hours: { windows }, categories: { news: { channels: { email: false } } } });
  });

  it('the page of an unsubscribe link has the button for its category and all preferences', async () => {
    await linkOf('emma');
    const token = signUnsubscription(app.keys.unsubscribeKey, {
      tenantId: tenant.id,
      recipientId: 'emma',
      category: 'news',
      profileCreatedAt: await createdAt('emma'),
    });
    const page = await open(`/unsubscribe/${token}`, options);
    await box(page, 'Offers', 'E-mail').check();
    await save(page);
    await page.getByText('Saved.').waitFor();
    await page.goto(`${app.url}/unsubscribe/${token}`);
    await page.getByRole('button', { name: 'Unsubscribe', exact: true }).click();
    await page.getByText('You will no longer receive Product news').waitFor();
    expect(await preferencesOf('emma')).toEqual({
      channels: {},
      categories: { news: { enabled: false }, offers: { channels: { email: true } } },
    });
  });
});

describe('for everybody', { timeout: 60_000 }, () => {
  it('axe finds no violation, in light and dark mode, on each page, and nothing is wider than a phone', async () => {
    faults.length = 0;
    const path = await linkOf('finn');
    const [, recipient] = [await linkOf('gone'), 'gone'];
    const expired = signPreferenceLink(app.keys.unsubscribeKey, {
      tenantId: tenant.id,
      recipientId: recipient,
      profileCreatedAt: await createdAt(recipient),
      expiresAt: 1,
    });
    const unsubscribe = signUnsubscription(app.keys.unsubscribeKey, {
      tenantId: tenant.id,
      recipientId: 'finn',
      category: 'news',
      profileCreatedAt: await createdAt('finn'),
    });
    for (const colorScheme of ['light', 'dark'] as const)
      for (const [name, at] of Object.entries({
        page: path,
        saved: `${path}?done=saved`,
        unsubscribe: `/unsubscribe/${unsubscribe}`,
        expired: `/preferences/${expired}`,
      })) {
        const page = await open(at, { colorScheme });
        expect(await violations(page), `${name}, ${colorScheme}`).toEqual([]);
        expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
      }
    // The status 404 of the expired link is an error on the console.
    expect(faults.filter((fault) => !fault.includes('404'))).toEqual([]);
  });

  it('axe finds no violation on a rejected form, nor in Arabic, which runs from right to left', async () => {
    const page = await open(await linkOf('hala', { locale: 'ar-EG' }));
    expect(await page.locator('html').getAttribute('dir')).toBe('rtl');
    expect(await page.locator('html').getAttribute('lang')).toBe('ar');
    expect(await violations(page)).toEqual([]);
    await page.evaluate(`document.querySelector('input[value=email][name="on:bills"]').disabled = false`);
    await page.locator('input[value=email][name="on:news"]').uncheck();
    await page.getByRole('button', { name: 'حفظ', exact: true }).click();
    await page.getByRole('alert').waitFor();
    expect(await violations(page)).toEqual([]);
  });

  it.each([
    ['de', undefined, 'Ihre Einstellungen'],
    ['fr-CA', 'de', 'Vos préférences'],
    [null, 'pt-BR, es;q=0.8, en;q=0.1', 'Sus preferencias'],
    ['pt', 'xx', 'Your preferences'],
  ])('the language is of the locale %s, else of the browser (%s)', async (locale, accepted, title) => {
    const path = await linkOf('ines', { locale });
    const { body } = await http(app.url, 'GET', path, { headers: accepted ? { 'Accept-Language': accepted } : {} });
    expect(body).toContain(`<h1>${title}</h1>`);
  });
});

async function createdAt(recipient: string): Promise<number> {
  return Date.parse((await tenant.call('GET', `/api/v1/recipients/${recipient}`)).body.created_at);
}

describe('for attackers', () => {
  const post = async (path: string, body: Record<string, string> | string) =>
    await http(app.url, 'POST', path, {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: typeof body === 'string' ? body : new URLSearchParams(body).toString(),
    });
  const linkToken = (
    claims: Partial<Parameters<typeof signPreferenceLink>[1]>,
    key = app.keys.unsubscribeKey,
  ): string =>
    signPreferenceLink(key, {
      tenantId: tenant.id,
      recipientId: 'x',
      profileCreatedAt: 0,
      expiresAt: Date.now() / 1_000 + 60,
      ...claims,
    });

  it('no forged, expired or foreign token opens or changes anything', async () => {
    const path = await linkOf('victim');
    const [claims, signature] = path.slice('/preferences/'.length).split('.');
    const profileCreatedAt = await createdAt('victim');
    const other = await app.tenant();
    const unsubscribe = signUnsubscription(app.keys.unsubscribeKey, {
      tenantId: tenant.id,
      recipientId: 'victim',
      category: 'news',
      profileCreatedAt: await createdAt('victim'),
    });
    const forged = Buffer.from(JSON.stringify([tenant.id, 'ann', profileCreatedAt, 9_999_999_999])).toString(
      'base64url',
    );
    const refused = {
      'another recipient, old signature': `${forged}.${signature}`,
      'another key': linkToken({ recipientId: 'victim', profileCreatedAt }, Buffer.alloc(32, 1)),
      'no signature': `${claims}.`,
      'a longer one': `${claims}.${signature}.x`,
      'an unsubscribe token': unsubscribe,
      'another profile': linkToken({ recipientId: 'victim', profileCreatedAt: profileCreatedAt - 1 }),
      'another tenant': linkToken({ tenantId: other.id, recipientId: 'victim', profileCreatedAt }),
      'no tenant': linkToken({ tenantId: '01900000-0000-7000-8000-000000000000' }),
      expired: linkToken({ recipientId: 'victim', profileCreatedAt, expiresAt: Date.now() / 1_000 - 1 }),
    };
    for (const [name, token] of Object.entries(refused)) {
      expect((await http(app.url, 'GET', `/preferences/${token}`)).status, name).toBe(404);
      expect((await post(`/preferences/${token}`, { everything: 'off' })).status, name).toBe(404);
    }
    expect(await preferencesOf('victim')).toEqual({ channels: {}, categories: {} });
    expect((await http(app.url, 'POST', `/unsubscribe/${path.slice('/preferences/'.length)}`)).status).toBe(404);
  });

  it('the link of an erased recipient is dead, also when the id is used again', async () => {
    const path = await linkOf('erased');
    expect((await tenant.call('DELETE', '/api/v1/recipients/erased')).status).toBe(200);
    expect((await http(app.url, 'GET', path)).status).toBe(404);
    expect((await post(path, { everything: 'off' })).status).toBe(404);
    await tenant.call('PUT', '/api/v1/recipients/erased', { email: 'new@example.com' });
    expect((await http(app.url, 'GET', path)).status).toBe(404);
    expect(await preferencesOf('erased')).toEqual({ channels: {}, categories: {} });
    expect((await tenant.call('POST', '/api/v1/recipients/nobody/preferences-link', {})).status).toBe(404);
  });

  it('a large form is refused before it costs time, and invented categories are not stored', async () => {
    const path = await linkOf('flooded');
    const keys = (count: number): string => Array.from({ length: count }, (_, n) => `was:${n}`).join('&');
    const started = performance.now();
    expect([(await post(path, keys(20_000))).status, (await post(path, keys(9_000))).status]).toEqual([413, 422]);
    expect(performance.now() - started).toBeLessThan(1_000);
    expect((await post(path, { everything: 'off' })).status).toBe(200);
    const odd = 'was:%00&was:__proto__&was:constructor&was:%ED%A0%80';
    expect((await post(path, `was:default&on:default=email&${odd}&${keys(1_000)}`)).status).toBe(200);
    expect((await preferencesOf('flooded')).categories).toEqual({ default: { channels: { email: true } } });
  });

  it('an unsubscribe link of an erased recipient is dead, and one without the profile has its category only', async () => {
    await linkOf('moved');
    const [before, claims] = [
      await createdAt('moved'),
      { tenantId: tenant.id, recipientId: 'moved', category: 'news' },
    ];
    const sign = (profileCreatedAt: number | null): string =>
      `/unsubscribe/${signUnsubscription(app.keys.unsubscribeKey, { ...claims, profileCreatedAt })}`;
    const [bound, old] = [sign(before), sign(null)];
    expect((await http(app.url, 'GET', bound)).body).toContain('action="../preferences/');
    expect((await tenant.call('DELETE', '/api/v1/recipients/moved')).status).toBe(200);
    expect([(await post(bound, '')).status, (await post(old, '')).status]).toEqual([404, 200]);
    const { rows } = await app.sql.query(`select from preferences where recipient_id = 'moved'`);
    expect(rows).toEqual([]);
    await tenant.call('PUT', '/api/v1/recipients/moved', { email: 'new@example.com' });
    await tenant.call('PUT', '/api/v1/recipients/moved/preferences', { categories: { secret: { enabled: false } } });
    expect([(await http(app.url, 'GET', bound)).status, (await post(bound, '')).status]).toEqual([404, 404]);
    for (const { status, body } of [await http(app.url, 'GET', old), await post(old, '')]) {
      expect(status).toBe(200);
      expect(body).not.toContain('secret');
      expect(body).not.toContain('/preferences/');
    }
    expect((await preferencesOf('moved')).categories).toEqual({
      secret: { enabled: false },
      news: { enabled: false },
    });
  });

  it('the unsubscribe link in an e-mail is bound to the profile', async () => {
    await linkOf('mailed');
    const content = { subject: 'Hello', text: '{{unsubscribe_url}}' };
    const { deliveries } = await tenant.send({ recipient_id: 'mailed', channel: 'email', content, category: 'news' });
    const { message } = await until('it is sent', async () => {
      const { data } = (await tenant.call('GET', '/api/v1/mailbox?limit=200')).body;
      return data.find((one: Json) => one.delivery_id === deliveries[0].id);
    });
    const path = new URL(message.text.trim()).pathname;
    const page = await http(app.url, 'GET', path);
    expect([page.status, page.body.includes('action="../preferences/')]).toEqual([200, true]);
    await tenant.call('DELETE', '/api/v1/recipients/mailed');
    expect((await http(app.url, 'GET', path)).status).toBe(404);
  });

  it('no preference link is stored as the answer to an idempotency key', async () => {
    await linkOf('keyed');
    const { status } = await tenant.call(
      'POST',
      '/api/v1/recipients/keyed/preferences-link',
      {},
      {
        'Idempotency-Key': 'link-of-keyed',
      },
    );
    expect(status).toBe(201);
    const { rows } = await app.sql.query(`select from idempotency_keys where key like '%link-of-keyed%'`);
    expect(rows).toEqual([]);
  });

  it('names of categories and brands are text, and the page sends no referrer and is not stored', async () => {
    const other = await app.tenant({ brand: { name: HOSTILE } });
    await other.call('PUT', `/api/v1/categories/${encodeURIComponent(HOSTILE)}`, { name: HOSTILE });
    await other.call('PUT', '/api/v1/categories/must', { name: HOSTILE, mandatory: true });
    const path = await linkOf('zoe', {}, other);
    const { body, headers } = await http(app.url, 'GET', path);
    expect(body).not.toContain('<img');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    const policy = headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("form-action 'self'");
    expect(policy).not.toContain('script-src');
    faults.length = 0;
    const page = await open(path);
    await page.locator(`input[value=email]:not([disabled])`).first().uncheck();
    await save(page);
    await page.getByText('Saved.').waitFor();
    expect((await preferencesOf('zoe', other)).categories[HOSTILE]).toEqual({ channels: { email: false } });
    expect(await page.title()).toContain(HOSTILE);
    expect(faults).toEqual([]);
  }, 60_000);

  it('redirects to the page itself only, and repeats are harmless', async () => {
    const path = await linkOf('yann');
    const form = { 'was:news': 'email sms', 'on:news': 'sms' };
    for (let repeat = 0; repeat < 2; repeat += 1) {
      const raw = await fetch(app.url + path, {
        method: 'POST',
        body: new URLSearchParams({ ...form, done: 'https://evil.example', next: '//evil.example' }),
        redirect: 'manual',
      });
      expect([raw.status, raw.headers.get('location')]).toEqual([303, `..${path}?done=saved`]);
    }
    expect(await preferencesOf('yann')).toEqual({
      channels: {},
      categories: { news: { channels: { email: false } } },
    });
    const shown = await http(app.url, 'GET', `${path}?done=%3Cscript%3E&utm_source=mail`);
    expect([shown.status, shown.body.includes('script')]).toEqual([200, false]);
    for (const body of ['', '{', '{"a":1}', 'was:nothing=email', 'was:__proto__=&on:__proto__=email', '%%%=%']) {
      const raw = await fetch(app.url + path, { method: 'POST', body, redirect: 'manual' });
      expect([303, 422, 400], body).toContain(raw.status);
    }
    expect(await preferencesOf('yann')).toEqual({
      channels: {},
      categories: { news: { channels: { email: false } } },
    });
  });

  it('wrong links are limited per address, and one link per minute', async () => {
    const path = await linkOf('xena');
    const statuses = new Set<number>();
    for (let request = 0; request < 125; request += 1) statuses.add((await http(app.url, 'GET', path)).status);
    expect([...statuses]).toEqual([200, 429]);
    statuses.clear();
    for (let request = 0; request < 70; request += 1)
      statuses.add((await http(app.url, 'GET', '/preferences/nothing.x')).status);
    expect([...statuses]).toEqual([404, 429]);
  }, 60_000);

  it('a link of the test key concerns the test tenant only', async () => {
    const made = await app.operator('POST', `/internal/tenants/${tenant.id}/api-keys`, { name: 'test', mode: 'test' });
    const call: Tenant['call'] = (method, path, body) =>
      app.call(method, path, { headers: { 'X-API-Key': made.body.api_key }, body });
    await linkOf('ann');
    await call('PUT', '/api/v1/recipients/ann', { email: 'ann@example.com' });
    const before = await preferencesOf('ann');
    const { body } = await call('POST', '/api/v1/recipients/ann/preferences-link', {});
    expect((await post(body.path, { everything: 'off' })).status).not.toBe(404);
    expect((await call('GET', '/api/v1/recipients/ann/preferences')).body.channels.email).toBe(false);
    expect(await preferencesOf('ann')).toEqual(before);
  });
});
