// The lines of TypeScript in the two READMEs, run as they stand.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestEnvironment, type TestEnvironment } from '../../../test/test-environment.js';

const PACKAGE = join(import.meta.dirname, '..');
const run = promisify(execFile);

let app: TestEnvironment;
let environment: Record<string, string>;

beforeAll(async () => {
  app = await startTestEnvironment();
  const tenant = await app.tenant();
  for (const [channel, content] of Object.entries({
    email: { subject: 'Hello {{name}}', text: 'Hello' },
    in_app: { title: 'Hello {{name}}', body: 'Hello' },
  }))
    await tenant.call('POST', '/api/v1/templates', { key: 'welcome', channel, content });
  environment = { CARILLON_URL: app.url, CARILLON_KEY: tenant.apiKey, WEBHOOK_SECRET: 'whsec_c2VjcmV0' };
});
afterAll(() => app?.stop());

const blocksOf = (path: string): string[] =>
  [...readFileSync(join(PACKAGE, path), 'utf8').matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code!);

/** In the folder of the package, so that its own name leads to the built package. */
async function outputOf(code: string): Promise<string> {
  const { stdout } = await run(process.execPath, ['--input-type=module-typescript', '--eval', code], {
    cwd: PACKAGE,
    env: { ...process.env, ...environment },
    timeout: 20_000,
  });
  return stdout;
}

it('run in the README of the package', async () => {
  const [calls, webhooks, inbox, ...others] = blocksOf('README.md');
  expect(others).toEqual([]);
  expect(await outputOf(calls!)).toMatch(/^[0-9a-f-]{36} \w+\n([0-9a-f-]{36} \w+\n)+unknown_template /);
  expect(await outputOf(webhooks!)).toBe('');
  expect(await outputOf(inbox!)).toBe('');
}, 60_000);

it('run in the README of the repository, and are at most ten', async () => {
  const [code, ...others] = blocksOf('../../README.md');
  expect(others).toEqual([]);
  expect(code!.trim().split('\n').length).toBeLessThanOrEqual(10);
  expect(await outputOf(code!)).toMatch(/^in_app (waiting|sending|sent) null\n$/);
}, 60_000);
