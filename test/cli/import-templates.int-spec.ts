// `carillon import templates` as a process, with MJML and HTML, against the real API.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Json, startTestEnvironment, type Tenant, type TestEnvironment } from '../test-environment.js';
import { accessTo, type CommandResult, carillon } from './run-carillon.js';

let environment: TestEnvironment;
let tenant: Tenant;
let root: string;
let emails: string;

beforeAll(async () => {
  environment = await startTestEnvironment({ worker: false });
  tenant = await environment.tenant();
  root = mkdtempSync(join(tmpdir(), 'carillon-emails-'));
});
beforeEach(() => {
  emails = mkdtempSync(join(root, 'emails-'));
});
afterAll(async () => {
  await environment?.stop();
  rmSync(root, { recursive: true, force: true });
});

const run = async (...more: string[]): Promise<CommandResult> =>
  await carillon(['import', 'templates', emails, '--json', ...more], accessTo(environment, tenant));
const template = async (key: string, locale = 'en'): Promise<Json> =>
  (await tenant.call('GET', `/api/v1/templates/${key}?locale=${locale}`)).body;

const mjml = (body: string, title = 'Hello {{name}}'): string =>
  `<mjml><mj-head><mj-title>${title}</mj-title></mj-head>\n<mj-body>${body}</mj-body></mjml>`;
const section = (text: string): string => `<mj-section><mj-column>${text}</mj-column></mj-section>`;

it('compiles MJML with its variables and blocks, takes HTML as it is, and makes a version only for a change', async () => {
  writeFileSync(
    join(emails, 'welcome.mjml'),
    mjml(
      `<mj-include path="./parts/_footer.mjml" />${section(
        '<mj-raw>{{#each items}}</mj-raw><mj-text>{{this}} {{#if ../vip}}VIP{{/if}}</mj-text><mj-raw>{{/each}}</mj-raw>' +
          '<mj-button href="https://example.com/{{id}}" background-color="{{color}}">Go</mj-button>',
      )}`,
    ),
  );
  mkdirSync(join(emails, 'parts'));
  writeFileSync(join(emails, 'parts/_footer.mjml'), section('<mj-text>Bye {{name}}</mj-text>'));
  writeFileSync(
    join(emails, 'receipt.de.html'),
    '<html><title>Rechnung &amp;\n {{nr}}</title><p>Guten Tag {{name}}</p></html>',
  );
  const dry = await run();
  expect([dry.code, dry.json()]).toMatchObject([0, { dry_run: true, failures: [], differences: [{}, {}] }]);
  expect((await tenant.call('GET', '/api/v1/templates')).body.data).toEqual([]);

  const done = await run('--yes');
  expect(
    done
      .json()
      .differences.map(({ name, change }: Json) => `${name} ${change}`)
      .toSorted(),
  ).toEqual(['receipt/email.de created', 'welcome/email.en created']);
  expect((await template('receipt', 'de')).content).toMatchObject({ subject: 'Rechnung & {{nr}}' });
  const { content } = await template('welcome');
  expect(content.subject).toBe('Hello {{name}}');
  const payload = { name: 'Ann', id: 7, vip: true, color: '#123456', items: ['one', 'two'] };
  const preview = await tenant.call('POST', '/api/v1/templates/welcome/preview', { payload });
  expect(preview.body.message.html).toMatch(/one\s+VIP[\s\S]+two\s+VIP[\s\S]+https:\/\/example\.com\/7/);
  // The product makes the text of a message from its HTML.
  expect(preview.body.message.text).toMatch(/Bye Ann[\s\S]+one VIP[\s\S]+two VIP/);

  expect((await run('--yes')).json()).toMatchObject({ differences: [], failures: [] });
  expect((await template('welcome')).version).toBe(1);
  const { id } = await template('receipt', 'de');
  const sample = { sample_payload: { nr: 1, name: 'Ann' } };
  await tenant.call('PUT', `/api/v1/templates/${id}`, {
    key: 'receipt',
    channel: 'email',
    locale: 'de',
    content: { ...(await template('receipt', 'de')).content, from: 'shop@example.com' },
    ...sample,
  });
  writeFileSync(join(emails, 'receipt.de.html'), '<title>Rechnung {{nr}}</title><p>Hallo {{name}}</p>');
  expect((await run('--yes')).json().differences).toMatchObject([{ name: 'receipt/email.de', change: 'changed' }]);
  expect(await template('receipt', 'de')).toMatchObject({
    version: 3,
    content: { subject: 'Rechnung {{nr}}', from: 'shop@example.com' },
    ...sample,
  });
}, 60_000);

it('refuses files with their reason, and imports the others', async () => {
  const secret = join(root, 'secret.html');
  writeFileSync(secret, '<title>Secret</title>the secret');
  const files: Record<string, string | Buffer> = {
    'fine.html': '<title>Fine</title>{{#each items as |item|}}{{item}}{{/each}}',
    'liquid.html': '<title>A</title>\n<p>{{ name | default: "you" }}</p>',
    'liquid-tag.mjml': mjml(section('<mj-text>\n{% if a %}x{% endif %}</mj-text>')),
    'outside.mjml': mjml('<mj-include path="../secret.html" type="html" />'),
    'absolute.mjml': mjml(`<mj-include path="${secret}" type="html" />`),
    'missing.mjml': mjml('<mj-include path="./none.mjml" />'),
    'dropped.mjml': mjml(`\n{{#if vip}}\n${section('<mj-text>x</mj-text>')}\n{{/if}}`),
    'broken.mjml': '<mjml><mj-body><mj-section>',
    'unknown-tag.mjml': mjml('<mj-nonsense>x</mj-nonsense>'),
    'untitled.html': '<p>x</p>',
    'binary.html': Buffer.from([0x3c, 0xff, 0xfe]),
    'big.html': `<title>Big</title>${'x'.repeat(1024 * 1024)}`,
    'syntax.html': '<title>S</title>\n{{#if}}',
    'spaces in name.html': '<title>N</title>x',
    'fine.htm': '<title>Fine</title>',
    'ignored.txt': 'x',
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(emails, name), content);
  symlinkSync(secret, join(emails, 'link.html'));
  const done = await run('--yes');
  const { failures, differences } = done.json();
  expect(done.code).toBe(5);
  expect(differences.map(({ name }: Json) => name)).toEqual(['fine/email.en']);
  const found = Object.fromEntries(
    failures.map(({ name, message }: Json) => [name.replace(`${emails}/`, ''), message]),
  );
  const include = 'includes a file that is outside the folder, or is missing';
  expect(found).toEqual({
    'liquid.html': 'line 2: {{ name | default: "you" }} is Liquid: write Handlebars',
    'liquid-tag.mjml': 'line 3: {% if a %} is Liquid: write Handlebars',
    'outside.mjml': include,
    'absolute.mjml': include,
    'missing.mjml': include,
    'dropped.mjml': expect.stringMatching(/^line 3: MJML drops \{\{#if vip\}\}: put it inside <mj-raw>/),
    'broken.mjml': expect.stringMatching(/MJML|mjml|title/),
    'unknown-tag.mjml': expect.stringMatching(/^line 2, mj-nonsense: /),
    'untitled.html': 'has no <title> (MJML: <mj-title>), which becomes the subject',
    'binary.html': 'is not UTF-8',
    'big.html': 'has more than 1024 kB',
    'syntax/email.en': expect.stringContaining('/content/html'),
    'spaces in name.html': expect.stringContaining('cannot be a key: "spaces in name"'),
    'fine.html': 'another file is fine/email.en too',
    'link.html': 'is a link to a file outside the folder',
  });
  expect(JSON.stringify((await tenant.call('GET', '/api/v1/templates')).body)).not.toContain('the secret');
}, 60_000);

it('names a path without e-mails, and takes single files', async () => {
  const access = accessTo(environment, tenant);
  expect((await run()).error().message).toContain('There is no .mjml, .html, .htm file');
  expect((await carillon(['import', 'templates', '/nowhere'], access)).code).toBe(2);
  const file = join(emails, 'single.html');
  writeFileSync(file, '<title>Single</title>x');
  const text = await carillon(['import', 'templates', file, '--locale', 'fr'], access);
  expect([text.code, text.stdout]).toEqual([
    0,
    expect.stringContaining('Templates: 1 would be created, 0 changed, 0 refused.'),
  ]);
});
