// npm run measure:console: how long a browser with an empty cache takes to show each view of a tenant, as a table in
// Markdown. For the tenant that `npm run seed:console` has made: set API_KEY.

import type { Browser, BrowserContextOptions } from 'playwright-core';
import { launchChromium } from './chromium.ts';

const { API_KEY: apiKey, CARILLON_URL: url = 'http://localhost:3000' } = process.env;
if (!apiKey) {
  console.error('Set API_KEY; CARILLON_URL has a default.');
  process.exit(1);
}

const LIMIT_MS = 1_000;
const ROUNDS = 5;
/** Looks before each frame until the title is there and nothing says "Loading". */
const TIMES = `new Promise((resolve) => {
  const isShown = () => document.querySelector('h1') && !document.querySelector('[role="status"][aria-label="Loading"]');
  const look = () => (isShown() ? resolve(times()) : requestAnimationFrame(look));
  const times = () => ({
    painted: performance.getEntriesByName('first-contentful-paint')[0].startTime,
    shown: performance.now(),
    bytes: ['navigation', 'resource'].flatMap((type) => performance.getEntriesByType(type))
      .reduce((sum, { transferSize }) => sum + transferSize, 0),
  });
  look();
})`;

interface Times {
  /** Milliseconds from the start of the navigation to the first paint with content. */
  painted: number;
  /** Milliseconds to the whole view with its data. */
  shown: number;
  /** Received, headers included. */
  bytes: number;
}

async function load(
  browser: Browser,
  path: string,
  state: NonNullable<BrowserContextOptions['storageState']>,
): Promise<Times> {
  const context = await browser.newContext({ storageState: state, viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  await page.goto(url + path, { waitUntil: 'commit' });
  const times = await page.evaluate<Times>(TIMES);
  await context.close();
  return times;
}

const browser = await launchChromium();
const first = await browser.newContext();
await first.request.post(`${url}/console/session`, { data: { api_key: apiKey } });
const session = await first.storageState();
const page = await first.newPage();
await page.goto(`${url}/console`);
const links = page.getByRole('navigation', { name: 'Views' }).getByRole('link');
await links.first().waitFor();
const views = await Promise.all((await links.all()).map(async (link) => (await link.getAttribute('href')) ?? ''));
await first.close();

const middle = (values: number[]): number => values.sort((left, right) => left - right)[Math.floor(values.length / 2)]!;

let slow = 0;
console.log('| view | first paint ms | whole view ms: median | slowest | kB received |\n|---|---|---|---|---|');
for (const path of views) {
  const times: Times[] = [];
  for (let round = 0; round < ROUNDS; round += 1) times.push(await load(browser, path, session));
  const shown = times.map((time) => time.shown);
  const slowest = Math.max(...shown);
  if (slowest > LIMIT_MS) slow += 1;
  const cells = [middle(times.map((time) => time.painted)), middle(shown), slowest, times[0]!.bytes / 1_000];
  console.log(`| \`${path.replace(/\/t\/[^/]+/, '')}\` | ${cells.map((cell) => cell.toFixed(0)).join(' | ')} |`);
}
await browser.close();
console.log(slow === 0 ? `\nAll within ${LIMIT_MS} ms.` : `\n${slow} beyond ${LIMIT_MS} ms.`);
