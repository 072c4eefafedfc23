// Small applications in React and Vue, built from the package as it is installed.

import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, type InboxPages, PACKAGE, startInboxPages } from './inbox-page.js';

const MODULES = join(PACKAGE, '../../node_modules');

const REACT = `
import { createElement as h, StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { CarillonInbox } from '@carillon/inbox/react';
import de from '@carillon/inbox/texts/de';

function App() {
  const [unread, setUnread] = useState(0);
  const [opened, setOpened] = useState('');
  const [isGone, setGone] = useState(false);
  const onOpenItem = (event) => {
    event.preventDefault();
    setOpened(event.detail.item.title);
  };
  const properties = { url: window.apiUrl, tokenProvider: window.newToken, texts: de, mode: 'inline', onOpenItem,
    onUnread: (event) => setUnread(event.detail.unread) };
  return h('div', null, h('output', null, unread + opened), isGone ? null : h(CarillonInbox, properties),
    h('button', { onClick: () => setGone(true) }, 'Remove'));
}
createRoot(document.getElementById('app')).render(h(StrictMode, null, h(App)));`;

const VUE = `
import { createApp, h, ref } from 'vue';
import { CarillonInbox } from '@carillon/inbox/vue';
import de from '@carillon/inbox/texts/de';

const [unread, opened, isGone] = [ref(0), ref(''), ref(false)];
const onOpenItem = (event) => {
  event.preventDefault();
  opened.value = event.detail.item.title;
};
const properties = { url: window.apiUrl, tokenProvider: window.newToken, texts: de, mode: 'inline', onOpenItem,
  onUnread: (event) => { unread.value = event.detail.unread; } };
createApp({
  render: () => h('div', [h('output', unread.value + opened.value), isGone.value ? null : h(CarillonInbox, properties),
    h('button', { onClick: () => { isGone.value = true; } }, 'Remove')]),
}).mount('#app');`;

let pages: InboxPages;
let folder: string;

beforeAll(async () => {
  pages = await startInboxPages();
  folder = mkdtempSync(join(tmpdir(), 'carillon-wrappers-'));
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, '@carillon'), { recursive: true });
  for (const part of ['dist', 'package.json'])
    cpSync(join(PACKAGE, part), join(modules, '@carillon/inbox', part), { recursive: true });
  for (const name of ['react', 'react-dom', 'vue']) symlinkSync(join(MODULES, name), join(modules, name), 'dir');
  for (const [name, code] of Object.entries({ react: REACT, vue: VUE }))
    writeFileSync(join(folder, `${name}.js`), code);
  await build({
    configFile: false,
    logLevel: 'warn',
    root: folder,
    build: {
      rolldownOptions: {
        input: { react: join(folder, 'react.js'), vue: join(folder, 'vue.js') },
        output: { entryFileNames: '[name].js', chunkFileNames: 'chunk-[name].js' },
      },
    },
  });
  for (const name of readdirSync(join(folder, 'dist')))
    pages.files.set(`/${name}`, readFileSync(join(folder, 'dist', name), 'utf8'));
}, 180_000);
afterAll(async () => {
  await pages?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('the wrapper', { timeout: 60_000 }, () => {
  for (const name of ['react', 'vue'])
    it(`for ${name} passes properties, reports events, and disconnects when it is removed`, async () => {
      await pages.send(name, 'one');
      const page = await pages.open(
        name,
        `<div id="app"></div><script>window.apiUrl = '${pages.url}';</script><script type="module" src="/${name}.js"></script>`,
      );
      await page.getByRole('region', { name: 'Mitteilungen' }).waitFor();
      await page.getByText('1 ungelesen').waitFor();
      await eventually(() => page.locator('output').innerText()).toBe('1');
      await page.getByRole('button', { name: 'one', exact: true }).click();
      await eventually(() => page.locator('output').innerText()).toBe('0one');
      await page.getByRole('button', { name: 'Remove' }).click();
      expect(await page.locator('carillon-inbox').count()).toBe(0);
      await pages.send(name, 'two');
      expect(await page.locator('output').innerText()).toBe('0one');
      expect(pages.faults).toEqual([]);
    });
});
