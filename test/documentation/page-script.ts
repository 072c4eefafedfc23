// The shell lines of a page as one script for bash.

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

/** What a reader follows. A new page needs no change here. */
export const PAGES = globSync(['*.md', 'docs/**/*.md', 'deployments/**/*.md'], {
  cwd: ROOT,
  exclude: (path) => path.includes('node_modules'),
}).sort();

const LANGUAGES = ['sh', 'bash', 'shell', 'console'];

/** Lines of a shell block that do not run as they are. */
export interface ListedLine {
  page: string;
  /** One whole line, or several if it continues with a backslash. */
  line: string;
  reason: string;
  /** The file that checks the line instead. */
  checkedBy: string;
}

export interface Block {
  language: string;
  /** Of the first line inside, counted from 1. */
  line: number;
  text: string;
}

/** The fenced blocks. Throws an error for one without an end, and for fences of another kind. */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let open: { language: string; line: number; lines: string[] } | null = null;
  for (const [index, line] of markdown.split('\n').entries()) {
    if (/^\s*~~~/.test(line)) throw new Error(`line ${index + 1}: write fences as \`\`\``);
    const fence = /^\s*```(.*)$/.exec(line);
    if (!fence) open?.lines.push(line);
    else if (open) {
      blocks.push({ language: open.language, line: open.line, text: open.lines.join('\n') });
      open = null;
    } else open = { language: fence[1]!.trim(), line: index + 2, lines: [] };
  }
  if (open) throw new Error(`line ${open.line - 1}: the block has no end`);
  return blocks;
}

export function readPage(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8');
}

/** The lines of the shell blocks; of a `console` block those after a prompt. */
export function shellLines(page: string): { line: number; text: string }[] {
  return blocksOf(readPage(page))
    .filter(({ language }) => LANGUAGES.includes(language))
    .flatMap(({ language, line, text }) =>
      text.split('\n').map((one, index) => ({
        line: line + index,
        text: language !== 'console' ? one : /^[$>] /.test(one) ? one.slice(2) : '',
      })),
    )
    .filter(({ text }) => text.trim() !== '');
}

/** Placeholders, and values that a test cannot use, with their replacements. `port` is that of the API. */
const fills = (port: number): readonly (readonly [RegExp, string])[] => [
  // The one of the operator's routes with INTERNAL_PORT.
  [/\b(?:localhost|127\.0\.0\.1):80[89]0\b/g, `127.0.0.1:${port}`],
  [/\bcar_live_…/g, '"$(jq -r .apiKey .carillon/demo.json)"'],
  [/\b([A-Z_]+)=(?:postgresql:\/\/)?…/g, '$1="$$given_$1"'],
  [/\bPORT=9000\b/g, 'PORT=0'],
  [/--seconds 60\b/g, '--seconds 1'],
];

/** Whether the lines of the page have it, as whole lines. */
export function isOnPage({ page, line }: ListedLine): boolean {
  const lines = shellLines(page).map(({ text }) => text);
  return `\n${lines.join('\n')}\n`.includes(`\n${line}\n`);
}

/**
 * The page with everything but its shell lines left out, so that line numbers of errors are those of the page. Listed
 * lines are left out too, unless a function of page-functions.sh runs them in another way.
 */
export function scriptOf(page: string, listed: readonly ListedLine[], port: number): string {
  const lines: string[] = [''];
  for (const { line, text } of shellLines(page)) {
    while (lines.length < line) lines.push('');
    lines.push(text);
  }
  let script = `${lines.join('\n')}\n`;
  for (const one of listed)
    if (one.page === page && !one.checkedBy.endsWith('/page-functions.sh'))
      script = script.replaceAll(`\n${one.line}\n`, `\n${one.line.replaceAll(/[^\n]/g, '')}\n`);
  for (const [what, by] of fills(port)) script = script.replaceAll(what, by);
  script = script.slice(1);
  const unknown = script.split('\n').findIndex((text) => text.includes('…'));
  if (unknown >= 0) throw new Error(`${page}:${unknown + 1}: a placeholder without a value`);
  return script;
}
