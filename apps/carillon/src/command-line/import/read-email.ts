// One file with an e-mail, in MJML or HTML, as the content of a template.

import { readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, extname, relative } from 'node:path';
import { convert } from 'html-to-text';
import { localeTag } from '#domain';
import { CommandError, exitCodes } from '../exit-codes.js';

const MAX_BYTES = 1024 * 1024;
/** The API allows no other keys. */
const KEY = /^[a-zA-Z0-9][a-zA-Z0-9._-]*$/;

export interface EmailFile {
  key: string;
  locale: string;
  subject: string;
  html: string;
}

/** Why a file cannot be imported. */
export class FileFault extends Error {}

/** `folder` limits what MJML includes. Throws FileFault. */
export async function readEmail(path: string, folder: string, defaultLocale: string): Promise<EmailFile> {
  const { key, locale } = nameOf(path, defaultLocale);
  const source = sourceOf(path, folder);
  refuseLiquid(source);
  const html = extname(path) === '.mjml' ? await compiled(source, path, folder) : source;
  const title = /<title(?:\s[^>]{0,500})?>([\s\S]{0,2000}?)<\/title>/i.exec(html)?.[1] ?? '';
  const subject = convert(title, { wordwrap: false }).replaceAll(/\s+/g, ' ').trim();
  if (subject === '') throw new FileFault('has no <title> (MJML: <mj-title>), which becomes the subject');
  return { key, locale, subject, html };
}

/** `welcome.html` and `welcome.de.html`. */
function nameOf(path: string, defaultLocale: string): { key: string; locale: string } {
  const name = basename(path, extname(path));
  const [, key = name, tag] = /^(.+)\.([A-Za-z]{2,3}(?:-[A-Za-z0-9-]+)?)$/.exec(name) ?? [];
  const locale = tag === undefined ? undefined : localeTag.safeParse(tag).data;
  const used = locale === undefined ? name : key;
  if (!KEY.test(used))
    throw new FileFault(`cannot be a key: ${JSON.stringify(used)} must have letters, digits, . _ - only`);
  return { key: used, locale: locale ?? defaultLocale };
}

function sourceOf(path: string, folder: string): string {
  if (relative(realpathSync(folder), realpathSync(path)).startsWith('..'))
    throw new FileFault('is a link to a file outside the folder');
  if (statSync(path).size > MAX_BYTES) throw new FileFault(`has more than ${MAX_BYTES / 1024} kB`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    if (error instanceof TypeError) throw new FileFault('is not UTF-8');
    throw error;
  }
}

/**
 * Tags of Liquid, and its filters. A block of Handlebars may have a pipe: `{{#each items as |item|}}`. Without the
 * limits, a file of brackets would take minutes.
 */
const LIQUID = /\{%[\s\S]{0,300}?%\}|\{\{(?!\{?[~#])[^{}|]{0,1000}\|[^{}]{0,1000}\}\}/;

function refuseLiquid(source: string): void {
  const found = LIQUID.exec(source);
  if (found)
    throw new FileFault(`line ${lineAt(source, found.index)}: ${shortened(found[0])} is Liquid: write Handlebars`);
}

type Mjml = (
  source: string,
  options: object,
) => Promise<{ html: string; errors: { line: number; message: string; tagName: string }[] }>;

/**
 * Loaded for this only: it takes a third of a second, and the image does not have its 34 MB. When it is loaded, it runs
 * the code that a .mjmlconfig in the working directory names, which may be a folder with files of others.
 */
async function loadMjml(): Promise<Mjml> {
  const directory = process.cwd();
  process.chdir(import.meta.dirname);
  try {
    // @ts-expect-error: has no types
    return ((await import('mjml')) as { default: Mjml }).default;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    const how = 'MJML is not installed here: run the command in a clone after `npm ci`, or `npm install mjml@5`.';
    throw new CommandError(how, exitCodes.failed, { code: 'mjml_missing' });
  } finally {
    process.chdir(directory);
  }
}

async function compiled(source: string, path: string, folder: string): Promise<string> {
  const mjml = await loadMjml();
  let result: Awaited<ReturnType<Mjml>>;
  try {
    result = await mjml(source, {
      filePath: path,
      includePath: folder,
      ignoreIncludes: false,
      validationLevel: 'soft',
    });
  } catch (error) {
    throw new FileFault(`is not MJML: ${(error as Error).message}`);
  }
  // A variable is no colour, but becomes one.
  const faults = result.errors.filter(({ message }) => !/has invalid value: [^ ]*\{\{/.test(message));
  if (faults.length > 0)
    throw new FileFault(
      faults.map(({ line, tagName, message }) => `line ${line}, ${tagName}: ${message.trim()}`).join('; '),
    );
  // MJML leaves these comments, and no error.
  if (/<!-- mj-include (denied|fails)/.test(result.html))
    throw new FileFault('includes a file that is outside the folder, or is missing');
  checkExpressions(source, result.html);
  return result.html;
}

/** MJML drops text that stands where it expects a tag. */
function checkExpressions(source: string, html: string): void {
  const left = countOf(html);
  const counted = new Map<string, number>();
  for (const { 0: text, index } of source.matchAll(EXPRESSION)) {
    const seen = (counted.get(text) ?? 0) + 1;
    counted.set(text, seen);
    if (seen > (left.get(text) ?? 0))
      throw new FileFault(
        `line ${lineAt(source, index)}: MJML drops ${shortened(text)}: put it inside <mj-raw> or <mj-text>`,
      );
  }
}

const EXPRESSION = /\{\{\{?[\s\S]{0,2000}?\}?\}\}/g;

function countOf(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [one] of text.matchAll(EXPRESSION)) counts.set(one, (counts.get(one) ?? 0) + 1);
  return counts;
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
