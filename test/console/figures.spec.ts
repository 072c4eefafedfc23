// The files that a browser loads for the first view of the console, from the manifest of its build.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const DIST = join(import.meta.dirname, '../../dist/apps/console');
const FIRST_LOAD_BYTES = 300_000;
/** Editors, charts and calendars are loaded on the pages that use them. */
const LAZY_BYTES = 200_000;

interface Chunk {
  file: string;
  imports?: string[];
  css?: string[];
  isEntry?: boolean;
}

const manifest = JSON.parse(readFileSync(join(DIST, '.vite/manifest.json'), 'utf8')) as Record<string, Chunk>;
const gzipBytes = (file: string): number => statSync(join(DIST, `${file}.gz`)).size;

/** The files of chunks with those that they import. */
function filesOf(names: readonly string[], seen = new Set<string>()): Set<string> {
  for (const name of names) {
    const { file, css = [], imports = [] } = manifest[name]!;
    if (seen.has(file)) continue;
    for (const path of [file, ...css]) seen.add(path);
    filesOf(imports, seen);
  }
  return seen;
}

describe('the build of the console', () => {
  it.each([
    ['the overview with its charts', ['views/overview/overview.tsx', 'chart/plot.tsx']],
    ["the operator's overview", ['views/platform-overview/platform-overview.tsx', 'chart/plot.tsx']],
    ['the search for deliveries', ['views/deliveries/deliveries.tsx']],
  ])('loads less than 300 kB, gzip, to show %s first', (_view, sources) => {
    const files = filesOf(['index.html', ...sources.map((source) => `src/${source}`)]);
    const bytes = ['index.html', ...files].map(gzipBytes).reduce((sum, size) => sum + size, 0);
    console.log(`${files.size} files, ${bytes} bytes`);
    expect(bytes).toBeGreaterThan(100_000);
    expect(bytes).toBeLessThan(FIRST_LOAD_BYTES);
  });

  it('has the styles of every component that it shows', () => {
    const require = createRequire(import.meta.url);
    const built = (extension: string): string =>
      readdirSync(join(DIST, 'assets'))
        .filter((file) => file.endsWith(extension))
        .map((file) => readFileSync(join(DIST, 'assets', file), 'utf8'))
        .join();
    const [scripts, styles] = [built('.js'), built('.css')];
    const all = readFileSync(require.resolve('@mantine/core/styles.css'), 'utf8');
    const classes = [...new Set([...all.matchAll(/\.(m_[0-9a-f]+)/g)].map(([, name]) => name!))];
    const shown = classes.filter((name) => scripts.includes(name));
    expect(shown.length).toBeGreaterThan(100);
    expect(shown.filter((name) => !styles.includes(name))).toEqual([]);
  });

  it('has no file that is larger than the limit for what is loaded on demand', () => {
    const first = filesOf(['index.html']);
    const large = Object.values(manifest)
      .filter(({ file }) => !first.has(file))
      .map(({ file }) => [file, gzipBytes(file)] as const)
      .filter(([, size]) => size > LAZY_BYTES);
    expect(large).toEqual([]);
  });
});
