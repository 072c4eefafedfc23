// The contents of the package, as npm would publish it.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { ROOT, readJson, run, testPackage } from '../../../test/npm-package.js';

const PACKAGE = join(import.meta.dirname, '..');
const LANGUAGES = ['ar', 'de', 'en', 'es', 'fr'];

// `inbox.js` is for pages without a bundler.
const packed = testPackage(PACKAGE, ['--exclude-entrypoints', 'inbox.js']);

it('has the bundle, the wrappers, the languages and their types, and nothing else', () => {
  const code = ['inbox', 'react', 'vue', 'server', ...LANGUAGES.map((language) => `texts/${language}`)];
  const types = [
    'index',
    'element-api',
    'react',
    'vue',
    ...LANGUAGES.map((name) => `texts/${name}`),
    'texts/inbox-texts',
  ];
  const expected = [...code.map((name) => `dist/${name}.js`), ...types.map((name) => `dist/${name}.d.ts`)];
  expect(packed().toSorted()).toEqual([...expected, 'LICENSE', 'README.md', 'package.json'].toSorted());
});

it('is one file without imports, of less than 30 kB with Lit and the client', () => {
  const bundle = readFileSync(join(PACKAGE, 'dist/inbox.js'), 'utf8');
  const bytes = gzipSync(bundle).length;
  console.log(`inbox.js: ${bytes} bytes with gzip`);
  expect(bytes).toBeLessThan(30_000);
  expect(bundle).not.toMatch(/\bimport\b|from\s*["']/);
});

it('has languages with every text of the English one, none of them in the bundle', async () => {
  const textsOf = async (language: string): Promise<Record<string, unknown>> =>
    (await import(join(PACKAGE, `dist/texts/${language}.js`))).default;
  const english = await textsOf('en');
  const bundle = readFileSync(join(PACKAGE, 'dist/inbox.js'), 'utf8');
  for (const language of LANGUAGES) {
    const texts = await textsOf(language);
    expect(texts['lang']).toBe(language);
    expect(Object.keys(texts).toSorted()).toEqual(Object.keys(english).toSorted());
    expect(Object.keys(texts['channels'] as object)).toEqual(Object.keys(english['channels'] as object));
    for (const name of ['unreadCount', 'newItems']) {
      const { pluralCategories } = new Intl.PluralRules(language).resolvedOptions();
      // French has "many" for millions.
      const missing = pluralCategories.filter((form) => form !== 'many' && !(form in (texts[name] as object)));
      expect(language === 'ar' ? missing : missing.filter((form) => form !== 'other'), `${language} ${name}`).toEqual(
        [],
      );
    }
    expect(bundle.includes(texts['emptyUnread'] as string)).toBe(language === 'en');
  }
});

it('can be imported on a server, where React renders the element without its content', async () => {
  const code = `import { createElement } from 'react';
    import { renderToString } from 'react-dom/server';
    import { CarillonInbox } from '@carillon/inbox/react';
    import '@carillon/inbox/vue';
    console.log(renderToString(createElement(CarillonInbox, { url: 'https://api.example', dir: 'rtl' })));`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', code], { cwd: PACKAGE });
  expect(stdout).toContain('<carillon-inbox url="https://api.example" dir="rtl"></carillon-inbox>');
});

it('allows the versions of React and Vue that the repository tests', () => {
  const { peerDependencies } = readJson(join(PACKAGE, 'package.json'));
  const repository = readJson(join(ROOT, 'package.json'));
  const major = (range: string): string => /\d+/.exec(range)![0];
  for (const name of ['react', 'vue'])
    expect(major(repository.devDependencies[name])).toBe(major(peerDependencies[name]));
});
