// For the stories of the console: one API with a worker and one Chromium for each test file.
//
//   const story = startStories();
//   it('…', async () => {
//     const tenant = await story.environment.tenant();
//     const page = await story.signIn(tenant.apiKey, '/deliveries');
//     await page.getByRole('heading', { name: 'Deliveries' }).waitFor();
//     await story.inspect(page, 'deliveries');
//   });

import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { AxeResults, RunOptions } from 'axe-core';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { startTestEnvironment, type TestEnvironment, type TestEnvironmentOptions } from '../test-environment.js';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);
const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'];
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const IMAGES = join(import.meta.dirname, '../../docs/console');
const SIZES = { desk: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

type Size = keyof typeof SIZES;

/** Registers the hooks of a test file. */
export function startStories(options: TestEnvironmentOptions = {}): Stories {
  const stories = new Stories();
  beforeAll(async () => {
    stories.environment = await startTestEnvironment(options);
    stories.browser = await chromium.launch({ executablePath: CHROMIUM ?? '/usr/bin/chromium', args: ARGUMENTS });
  }, 120_000);
  afterEach(async ({ task }) => await stories.endOfTest(task.result?.state === 'fail'));
  afterAll(async () => {
    await stories.browser?.close();
    await stories.environment?.stop();
  });
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
      await colours(page, scheme);
      await this.screenshot(page, `${name}-${scheme}`, 'desk');
    }
    await this.phone(page, async () => {
      for (const scheme of ['dark', 'light'] as const) {
        await colours(page, scheme);
        await this.screenshot(page, `${name}-${scheme}`, 'phone');
      }
    });
  }

  /** Fails for a violation of the WCAG 2.2, levels A and AA, and for contrast in the dark as well. */
  async axe(page: Page): Promise<void> {
    // Playwright evaluates through the debugger, so the Content-Security-Policy of the page stays as it is.
    await page.evaluate(AXE);
    const found = await violations(page, {});
    await colours(page, 'dark');
    found.push(...(await violations(page, { runOnly: ['color-contrast'] })).map((text) => `dark: ${text}`));
    await colours(page, 'light');
    expect(found).toEqual([]);
  }

  /** Fails if the page scrolls sideways at the width of a phone. `look` runs at that width. */
  async phone(page: Page, look: () => Promise<void> = async () => {}): Promise<void> {
    await page.setViewportSize(SIZES.phone);
    await expect.poll(() => page.evaluate(TOO_WIDE), { timeout: 3_000 }).toEqual([]);
    await look();
    await page.setViewportSize(SIZES.desk);
  }

  /** Writes docs/console/<name>-<size>.webp if `npm run console-images` runs the test. */
  private async screenshot(page: Page, name: string, size: Size): Promise<void> {
    if (process.env.CONSOLE_IMAGES === undefined) return;
    // Moves the pointer and the focus away, and waits for charts and editors to draw themselves.
    await page.mouse.move(0, 0);
    await page.waitForTimeout(500);
    const debug = await page.context().newCDPSession(page);
    const { data } = (await debug.send('Page.captureScreenshot', { format: 'webp', quality: 75 })) as { data: string };
    await debug.detach();
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

/** What sticks out of the page at the right. Empty if the page does not scroll sideways. */
const TOO_WIDE = `(() => {
  const page = document.documentElement;
  if (page.scrollWidth <= innerWidth) return [];
  const wide = [...document.querySelectorAll('body *')].filter((node) => node.getBoundingClientRect().right > innerWidth);
  return [page.scrollWidth + ' px', ...wide.slice(0, 8).map((node) => node.outerHTML.slice(0, 150))];
})()`;

/** For pages whose colours follow those of the system. Contrast is that of the colours after their transition. */
async function colours(page: Page, colorScheme: 'light' | 'dark'): Promise<void> {
  await page.emulateMedia({ colorScheme });
  await page.evaluate(`new Promise(requestAnimationFrame).then(() => {
    const transitions = document.getAnimations().filter((animation) => animation instanceof CSSTransition);
    return Promise.allSettled(transitions.map(({ finished }) => finished)).then(() => undefined);
  })`);
}

async function violations(page: Page, options: RunOptions): Promise<string[]> {
  // Tooltips, menus and messages are drawn at the end of the body, outside the landmarks.
  const rules = { region: { enabled: false } };
  const run = `axe.run(document, ${JSON.stringify({ resultTypes: ['violations'], rules, ...options })})`;
  const results = (await page.evaluate(run)) as AxeResults;
  return results.violations.map(({ id, help, nodes }) => {
    const where = nodes.slice(0, 3).map(({ html, any }) => `${html.slice(0, 200)} ${any[0]?.message ?? ''}`);
    return `${id}: ${help}: ${where.join(' | ')}`;
  });
}
