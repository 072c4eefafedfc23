// For the stories of the console: one API with a worker and one Chromium for each test file.
//
//   const story = startStories();
//   it('…', async () => {
//     const tenant = await story.environment.tenant();
//     const page = await story.signIn(tenant.apiKey, '/deliveries');
//     await page.getByRole('heading', { name: 'Deliveries' }).waitFor();
//     await story.inspect(page, 'deliveries');
//   });

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { startTestEnvironment, type TestEnvironment, type TestEnvironmentOptions } from '../test-environment.js';
import { launchChromium } from './chromium.js';
import { checkAxe, checkPhone, SIZES, useColours } from './page-checks.js';
import { seedConsole } from './seed-console.ts';

/** `npm run console-stories`: deliveries of another tenant in the database of each test file. */
const OTHER_DELIVERIES = Number(process.env.CONSOLE_DELIVERIES ?? 0);
const IMAGES = join(import.meta.dirname, '../../docs/console');

type Size = keyof typeof SIZES;

/** Registers the hooks of a test file. */
export function startStories(options: TestEnvironmentOptions = {}): Stories {
  const stories = new Stories();
  beforeAll(async () => {
    stories.environment = await startTestEnvironment(options);
    if (OTHER_DELIVERIES > 0) {
      const { databaseUrl, tenant } = stories.environment;
      await seedConsole({ databaseUrl, tenantId: (await tenant()).id, deliveries: OTHER_DELIVERIES });
    }
    stories.browser = await launchChromium();
  }, 600_000);
  afterEach(async ({ task }) => await stories.endOfTest(task.result?.state === 'fail'));
  afterAll(async () => {
    await stories.browser?.close();
    await stories.environment?.stop();
  }, 600_000);
  return stories;
}

class Stories {
  environment!: TestEnvironment;
  browser!: Browser;
  private contexts: BrowserContext[] = [];
  private faults: string[] = [];
  private expected: RegExp[] = [];

  /**
   * Opens a path of the server, such as `/console`, with the storage of a new browser. An error on the page, a message
   * of level `error` and a request to another server fail the test.
   */
  async open(path: string): Promise<Page> {
    const context = await this.browser.newContext({
      viewport: SIZES.desk,
      colorScheme: 'light',
      reducedMotion: 'reduce',
      permissions: ['clipboard-read', 'clipboard-write'],
    });
    context.setDefaultTimeout(15_000);
    this.contexts.push(context);
    const page = await context.newPage();
    page.on('pageerror', (error) => this.faults.push(error.stack ?? error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') this.faults.push(`${message.text()} (${message.location().url})`);
    });
    page.on('request', (request) => {
      const url = request.url();
      if (/^https?:/.test(url) && !url.startsWith(this.environment.url)) this.faults.push(`a request to ${url}`);
    });
    await page.goto(this.environment.url + path);
    return page;
  }

  /** Faults that the test is about, such as `/status of 422/`: Chromium reports failed requests as errors. */
  expectFault(fault: RegExp): void {
    this.expected.push(fault);
  }

  /**
   * Signs in through the form with an API key or an operator's token, and waits for the pages. `path` is below
   * the tenant (`/deliveries`), or for an operator below `/console` (`/t/<tenant id>/deliveries`, `/platform/tenants`).
   */
  async signIn(secret: string, path = ''): Promise<Page> {
    const isOperator = secret === this.environment.config.adminToken;
    const page = await this.open(isOperator ? `/console${path}` : '/console');
    await this.fillSignIn(page, secret);
    await page.getByRole('button', { name: 'Account' }).waitFor();
    if (!isOperator && path !== '') await this.goTo(page, path);
    return page;
  }

  /** Fills in and sends the form that is shown. */
  async fillSignIn(page: Page, secret: string): Promise<void> {
    const isOperator = secret === this.environment.config.adminToken;
    await page
      .getByRole('radiogroup')
      .getByText(isOperator ? 'Operator' : 'API key', { exact: true })
      .click();
    await page.getByRole('textbox', { name: isOperator ? "Operator's token" : 'API key of your tenant' }).fill(secret);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  }

  /** Opens a view of the tenant that the page shows: `/deliveries`. */
  async goTo(page: Page, path: string): Promise<void> {
    const scope = /\/console(\/t\/[^/]+|\/platform)/.exec(page.url())?.[1];
    if (scope === undefined) throw new Error(`${page.url()} shows no tenant`);
    await page.goto(`${this.environment.url}/console${scope}${path}`);
  }

  /**
   * All checks of what a page looks like: axe in light and dark, nothing wider than a phone, and the screenshots if
   * they are asked for. Call it once the content is there. Leaves the page as it was.
   */
  async inspect(page: Page, name: string): Promise<void> {
    await this.axe(page);
    for (const scheme of ['light', 'dark'] as const) {
      await useColours(page, scheme);
      await this.screenshot(page, `${name}-${scheme}`, 'desk');
    }
    await this.phone(page, async () => {
      for (const scheme of ['dark', 'light'] as const) {
        await useColours(page, scheme);
        await this.screenshot(page, `${name}-${scheme}`, 'phone');
      }
    });
  }

  /** See `checkAxe`. */
  async axe(page: Page): Promise<void> {
    await checkAxe(page);
  }

  /** See `checkPhone`. */
  async phone(page: Page, look?: () => Promise<void>): Promise<void> {
    await checkPhone(page, look);
  }

  /** Writes docs/console/<name>-<size>.webp if `npm run console-images` runs the test. */
  private async screenshot(page: Page, name: string, size: Size): Promise<void> {
    if (process.env.CONSOLE_IMAGES === undefined) return;
    // Moves the pointer and the focus away, and waits for charts and editors to draw themselves.
    await page.mouse.move(0, 0);
    await page.waitForTimeout(500);
    await showMessages(page, false);
    const debug = await page.context().newCDPSession(page);
    const { data } = (await debug.send('Page.captureScreenshot', { format: 'webp', quality: 75 })) as { data: string };
    await debug.detach();
    await showMessages(page, true);
    await mkdir(IMAGES, { recursive: true });
    await writeFile(join(IMAGES, `${name}-${size}.webp`), Buffer.from(data, 'base64'));
  }

  async endOfTest(hasFailed: boolean): Promise<void> {
    const { faults, expected, contexts } = this;
    [this.faults, this.expected, this.contexts] = [[], [], []];
    if (hasFailed) for (const page of contexts.flatMap((context) => context.pages())) await describePage(page);
    await Promise.all(contexts.map((context) => context.close()));
    expect(faults.filter((fault) => !expected.some((pattern) => pattern.test(fault)))).toEqual([]);
  }
}

/** For the log of a test that has failed. */
async function describePage(page: Page): Promise<void> {
  const text = await page.locator('body').innerText({ timeout: 1_000 }).catch(String);
  console.log(`The page ${page.url()} showed:\n${text.slice(0, 2_000)}`);
}

/** A message such as "The profile is saved" would cover a part of the page in a screenshot. */
async function showMessages(page: Page, shown: boolean): Promise<void> {
  await page.evaluate(`document.querySelectorAll('.mantine-Notifications-root')
    .forEach((messages) => { messages.style.visibility = '${shown ? '' : 'hidden'}'; })`);
}
