// The files of a template: template.json, and one <field>.hbs for each text of its content that has several lines.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { usageError } from '../exit-codes.js';

/** A template as it is in files: what the API answers, without ids, versions and times. */
export interface TemplateSource {
  key: string;
  channel: string;
  locale: string;
  kind: string;
  content: Record<string, unknown>;
  sample_payload: unknown;
  payload_schema: unknown;
  layout: string | null;
}

const JSON_FILE = 'template.json';
const TEXT_FILE = '.hbs';
/** The API allows no other keys and fields. They become names of files, so this is checked again. */
const KEY = /^[a-zA-Z0-9][a-zA-Z0-9._-]*$/;
const FIELD = /^[a-z_]+$/;
const FOLDER = /^([a-z_]+)\.([A-Za-z0-9-]+)$/;

export function templateName({ key, channel, locale }: Pick<TemplateSource, 'key' | 'channel' | 'locale'>): string {
  return `${key}/${channel}.${locale}`;
}

/** File names and contents. */
export function filesOf(source: TemplateSource): Map<string, string> {
  const { kind, layout, sample_payload, payload_schema } = source;
  const isText = ([name, value]: [string, unknown]): boolean =>
    FIELD.test(name) && typeof value === 'string' && value.includes('\n');
  const texts = Object.entries(source.content).filter(isText);
  const content = Object.fromEntries(Object.entries(source.content).filter((entry) => !isText(entry)));
  const json = `${JSON.stringify({ kind, layout, content, sample_payload, payload_schema }, null, 2)}\n`;
  return new Map([[JSON_FILE, json], ...texts.map(([name, text]) => [name + TEXT_FILE, text as string] as const)]);
}

/** Replaces the files of one template. */
export function writeTemplate(folder: string, source: TemplateSource): void {
  if (!KEY.test(source.key) || !FOLDER.test(`${source.channel}.${source.locale}`))
    throw new Error(`${JSON.stringify(templateName(source))} cannot be the name of a folder.`);
  const directory = join(folder, templateName(source));
  const files = filesOf(source);
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of files) writeFileSync(join(directory, name), text);
  // A text that has one line now would otherwise win over template.json.
  for (const name of readdirSync(directory))
    if (name.endsWith(TEXT_FILE) && !files.has(name)) rmSync(join(directory, name));
}

/** All templates of a folder, by name. Throws a usage error for a file that cannot be read. */
export function readTemplates(folder: string): Map<string, TemplateSource> {
  if (!existsSync(folder)) throw usageError(`There is no folder ${folder}.`);
  const found = new Map<string, TemplateSource>();
  for (const key of foldersIn(folder))
    for (const place of foldersIn(join(folder, key))) {
      const [, channel, locale] = FOLDER.exec(place) ?? [];
      if (channel === undefined || locale === undefined)
        throw usageError(`${join(folder, key, place)}: the folder must be named like email.en.`);
      const source = { key, channel, locale, ...readTemplate(join(folder, key, place)) };
      found.set(templateName(source), source);
    }
  return found;
}

function foldersIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort();
}

function readTemplate(directory: string): Omit<TemplateSource, 'key' | 'channel' | 'locale'> {
  const file = join(directory, JSON_FILE);
  let json: Partial<TemplateSource>;
  try {
    json = JSON.parse(readFileSync(file, 'utf8')) as Partial<TemplateSource>;
  } catch (error) {
    throw usageError(`${file}: ${(error as Error).message}`);
  }
  const texts = readdirSync(directory)
    .filter((name) => name.endsWith(TEXT_FILE))
    .map((name) => [name.slice(0, -TEXT_FILE.length), readFileSync(join(directory, name), 'utf8')]);
  return {
    kind: json.kind ?? 'template',
    content: { ...json.content, ...Object.fromEntries(texts) },
    sample_payload: json.sample_payload ?? null,
    payload_schema: json.payload_schema ?? null,
    layout: json.layout ?? null,
  };
}
