// Checks of what a page looks like, for any page in Chromium.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults, RunOptions } from 'axe-core';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const SIZES = { desk: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

/** Fails for a violation of the WCAG 2.2, levels A and AA, and for contrast in the dark as well. */
export async function checkAxe(page: Page): Promise<void> {
  // Playwright evaluates through the debugger, so the Content-Security-Policy of the page stays as it is.
  await page.evaluate(AXE);
  const found = await violations(page, {});
  await useColours(page, 'dark');
  found.push(...(await violations(page, { runOnly: ['color-contrast'] })).map((text) => `dark: ${text}`));
  await useColours(page, 'light');
  expect(found).toEqual([]);
}

/** Fails if the page scrolls sideways at the width of a phone. `look` runs at that width. */
export async function checkPhone(page: Page, look: () => Promise<void> = async () => {}): Promise<void> {
  await page.setViewportSize(SIZES.phone);
  await expect.poll(() => page.evaluate(TOO_WIDE), { timeout: 3_000 }).toEqual([]);
  await look();
  await page.setViewportSize(SIZES.desk);
  await page.evaluate(IS_AT_REST);
}

/** After a change of the width, things move over some frames: a click in between would hit another place. */
const IS_AT_REST = `new Promise((done) => {
  const places = () => [...document.querySelectorAll('a, button, input')]
    .map((node) => Object.values(node.getBoundingClientRect().toJSON()).join()).join(' ');
  const startedAt = performance.now();
  let [last, since] = [places(), startedAt];
  requestAnimationFrame(function look(now) {
    const current = places();
    if (current !== last) [last, since] = [current, now];
    if (now - since > 150 || now - startedAt > 5_000) done();
    else requestAnimationFrame(look);
  });
})`;

/** For pages whose colours follow those of the system. Contrast is that of the colours after their transition. */
export async function useColours(page: Page, colorScheme: 'light' | 'dark'): Promise<void> {
  await page.emulateMedia({ colorScheme });
  await page.evaluate(`new Promise(requestAnimationFrame).then(() => {
    const transitions = document.getAnimations().filter((animation) => animation instanceof CSSTransition);
    return Promise.allSettled(transitions.map(({ finished }) => finished)).then(() => undefined);
  })`);
}

/** The elements that are wider than the page. Empty if the page does not scroll sideways. */
const TOO_WIDE = `(() => {
  const page = document.documentElement;
  if (page.scrollWidth <= innerWidth) return [];
  const nodes = [...document.querySelectorAll('body *')];
  const wide = nodes.filter((node) => node.getBoundingClientRect().right > innerWidth);
  return [page.scrollWidth + ' px', ...wide.slice(0, 8).map((node) => node.outerHTML.slice(0, 150))];
})()`;

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
