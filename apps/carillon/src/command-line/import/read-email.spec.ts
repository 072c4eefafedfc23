import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readEmail } from './read-email.js';

const before = process.cwd();
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'carillon-email-'));
  process.chdir(folder);
});
afterEach(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true, force: true });
});

it('runs no code of the folder that it is called in', async () => {
  writeFileSync('.mjmlconfig', JSON.stringify({ packages: ['./component.js'] }));
  writeFileSync('component.js', `require('node:fs').writeFileSync(${JSON.stringify(join(folder, 'ran'))}, '')`);
  writeFileSync('a.mjml', '<mjml><mj-head><mj-title>Hi</mj-title></mj-head><mj-body></mj-body></mjml>');
  expect(await readEmail('a.mjml', '.', 'en')).toMatchObject({ key: 'a', subject: 'Hi' });
  expect(existsSync('ran')).toBe(false);
});

// Without limits these take minutes.
it.each(['{%', '<title>', '<title', '{{|', `{{${'|'.repeat(1_000)}`])(
  'refuses a megabyte of %j soon',
  async (text) => {
    writeFileSync('a.html', text.repeat(Math.floor(1_000_000 / text.length)));
    await expect(readEmail('a.html', '.', 'en')).rejects.toThrow('has no <title>');
  },
  30_000,
);
