// Builds the bundle, the wrappers, the languages and their types into dist/, and copies the bundle to the pages of the
// API. Needs the generated types of packages/client.

import { spawnSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { build } from 'vite';

const LANGUAGES = ['ar', 'de', 'en', 'es', 'fr'].map((language) => `texts/${language}`);
/** The entries, and what their types import; the other declarations belong to the inside. */
const PUBLIC_TYPES = ['index', 'react', 'vue', 'element-api', 'texts/inbox-texts', ...LANGUAGES];
const OF_PAGES = '../../dist/apps/inbox/inbox.js';

process.chdir(import.meta.dirname);
rmSync('dist', { recursive: true, force: true });
await bundle({ inbox: 'src/index.ts' });
const languages = Object.fromEntries(LANGUAGES.map((name) => [name, `src/${name}.ts`]));
await bundle({ react: 'src/react.ts', vue: 'src/vue.ts', server: 'src/server.ts', ...languages });
compileTypes();
cpSync('dist/inbox.js', OF_PAGES);

/** The wrappers import the bundle by its name, so that a page has it once. */
async function bundle(entry) {
  await build({
    configFile: false,
    logLevel: 'warn',
    build: {
      lib: { entry, formats: ['es'] },
      emptyOutDir: false,
      target: 'es2022',
      rolldownOptions: {
        external: ['react', 'vue', '@carillon/inbox'],
        // Vite keeps the white space of libraries.
        output: { entryFileNames: '[name].js', minify: true },
      },
    },
  });
}

function compileTypes() {
  const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.json'], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
  for (const name of PUBLIC_TYPES) cpSync(`dist/declarations/inbox/src/${name}.d.ts`, `dist/${name}.d.ts`);
  rmSync('dist/declarations', { recursive: true });
}
