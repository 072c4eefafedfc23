// Links between the pages of the documentation, and that every page can be found.

import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const PAGES = globSync(['*.md', 'docs/**/*.md', 'deployments/**/*.md', 'bench/**/*.md', 'packages/*/*.md'], {
  cwd: ROOT,
  exclude: (path) => path.includes('node_modules'),
});
/** Clicks from the README. */
const MOST_CLICKS = 3;

interface Link {
  /** Relative to the root. */
  path: string;
  anchor: string | null;
}

/** The text without code, in which brackets are no links and `#` begins no heading. */
function prose(page: string): string {
  const text = readFileSync(join(ROOT, page), 'utf8');
  return text.replaceAll(/^```.*?^```/gms, '');
}

/** The links to files of this repository. */
function linksOf(page: string): Link[] {
  const text = prose(page).replaceAll(/`[^`\n]*`/g, '');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [path, anchor] = target.split('#') as [string, string?];
      return { path: path === '' ? page : relative(ROOT, join(ROOT, dirname(page), path)), anchor: anchor ?? null };
    });
}

/** The anchors of the headings, as GitHub makes them: lower case, without punctuation, hyphens for spaces. */
function anchorsOf(page: string): string[] {
  return [...prose(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function isBroken({ path, anchor }: Link): boolean {
  if (!existsSync(join(ROOT, path))) return true;
  return anchor !== null && !(path.endsWith('.md') && anchorsOf(path).includes(anchor));
}

describe('the documentation', () => {
  it('shows each screenshot of the console, on a desk and a phone, in light and dark', () => {
    const page = readFileSync(join(ROOT, 'docs/console/README.md'), 'utf8');
    const shown = [...page.matchAll(/(?:src|srcset)="([^"]+)"/g)].map(([, file]) => file!).sort();
    expect(shown.length).toBeGreaterThan(100);
    expect(shown).toEqual(globSync('*.webp', { cwd: join(ROOT, 'docs/console') }).sort());
  });

  it('has no link to a page or a heading that does not exist', () => {
    const links = PAGES.flatMap((page) => linksOf(page).map((link) => ({ page, ...link })));
    expect(links.length).toBeGreaterThan(200);
    expect(links.filter(isBroken)).toEqual([]);
  });

  it(`has no page that is more than ${MOST_CLICKS} clicks away from the README`, () => {
    const found = new Set(['README.md']);
    for (let click = 0; click < MOST_CLICKS; click += 1)
      for (const page of [...found].filter((path) => path.endsWith('.md')))
        for (const { path } of linksOf(page)) found.add(path);
    expect(PAGES.filter((page) => !found.has(page))).toEqual([]);
  });

  it('lists every page in its index', () => {
    const listed = linksOf('docs/README.md').map(({ path }) => path);
    const pages = globSync('docs/*.{md,json,yaml}', { cwd: ROOT }).filter((page) => page !== 'docs/README.md');
    expect(pages.filter((page) => !listed.includes(page))).toEqual([]);
  });
});
