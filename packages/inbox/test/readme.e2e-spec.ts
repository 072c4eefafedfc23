// The page of the two READMEs, as it stands, against the running API.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type InboxPages, PACKAGE, startInboxPages } from './inbox-page.js';

let pages: InboxPages;

beforeAll(async () => {
  pages = await startInboxPages();
}, 120_000);
afterAll(() => pages?.stop());

const blocksOf = (path: string, language: string): string[] =>
  [...readFileSync(join(PACKAGE, path), 'utf8').matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map(
    ([, code]) => code!,
  );

it('puts the inbox into an empty page with ten lines, and an item arrives live', async () => {
  const [code] = blocksOf('README.md', 'html');
  const [ofRepository] = blocksOf('../../README.md', 'html');
  expect(ofRepository).toBe(code);
  expect(code!.trim().split('\n').length).toBeLessThanOrEqual(10);
  pages.files.set('/inbox-token', await pages.token('reader'));
  // The reader's own address of the API is the only change.
  const html = code!.replace('https://carillon.example.com', pages.url);
  const page = await pages.open('reader', html, {}, { isWholePage: true });
  await page.getByRole('button', { name: 'Notifications' }).click();
  await page.getByText('No notifications yet.').waitFor();
  await pages.send('reader', 'Hello live');
  await page.getByRole('heading', { name: 'Hello live' }).waitFor();
  await page.getByRole('button', { name: 'Notifications, 1 unread' }).waitFor();
  expect(pages.faults).toEqual([]);
}, 60_000);
