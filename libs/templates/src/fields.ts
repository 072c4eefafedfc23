// The fields of a content. Each text in it is a source, at any depth.

import type { Channel, FieldKind, IncludedPart, Includes } from '#domain';
import { Budget } from './budget.ts';
import { CONTENT_NAME } from './check-source.ts';
import { evaluate } from './evaluate.ts';
import type { Root } from './payload.ts';
import { plainTextOf } from './plain-text.ts';
import type { Program } from './program.ts';
import { describeFault, TemplateFault } from './template-fault.ts';

export type Content = Record<string, unknown>;

/** A content with the partials and the layout that it includes. */
export class Composed {
  readonly content: Content;
  readonly includes: Includes | null;

  constructor(content: Content, includes: Includes | null) {
    this.content = content;
    this.includes = includes;
  }
}

/** The part of a channel that rendering needs. It can be sent between threads. */
export type FieldRules = Pick<Channel, 'fields' | 'maxSourceBytes' | 'textFrom'>;

export interface Source {
  /** RFC 6901 pointer within the content: `/subject`, `/data/url`. */
  pointer: string;
  text: string;
  kind: FieldKind;
}

const MAX_CONTENT_DEPTH = 20;
/** Texts, numbers, lists and objects in one content. */
const MAX_CONTENT_VALUES = 5_000;

/** Returns all sources of a content. Throws `TemplateFault` if it is nested too deep or has too many values. */
export function sourcesOf(rules: FieldRules, content: Content): Source[] {
  const sources: Source[] = [];
  let values = 0;
  const visit = (value: unknown, kind: FieldKind, pointer: string, depth: number): void => {
    values += 1;
    if (values > MAX_CONTENT_VALUES) throw new TemplateFault(`the content has more than ${MAX_CONTENT_VALUES} values`);
    if (typeof value === 'string') sources.push({ pointer, text: value, kind });
    else if (value !== null && typeof value === 'object') {
      checkContentDepth(depth, pointer);
      for (const key in value) visit((value as Content)[key], kind, `${pointer}/${key}`, depth + 1);
    }
  };
  for (const field in content) {
    const kind = rules.fields[field];
    if (kind) visit(content[field], kind, `/${field}`, 0);
  }
  return sources;
}

/** Returns all sources of a content and of what it includes. */
export function allSourcesOf(rules: FieldRules, { content, includes }: Composed): Source[] {
  const sources = sourcesOf(rules, content);
  if (!includes) return sources;
  const parts = [...Object.values(includes.partials), ...(includes.layout ? [includes.layout] : [])];
  return [...sources, ...parts.flatMap((part) => sourcesOf(rules, part.content))];
}

function checkContentDepth(depth: number, pointer: string): void {
  if (depth > MAX_CONTENT_DEPTH)
    throw new TemplateFault(`${pointer.slice(0, 100)}: the content is nested deeper than ${MAX_CONTENT_DEPTH}`);
}

interface Rendering {
  root: Root;
  budget: Budget;
  includes: Includes | null;
  programOf: (source: string, kind: FieldKind) => Program;
}

/**
 * Returns the message: the content with every source evaluated and made safe for its field, with one budget. Throws
 * `TemplateFault`, which names the field, and `TooLongInline` when the budget of an inline render is exhausted.
 */
export function renderFields(
  rules: FieldRules,
  { content, includes }: Composed,
  root: Root,
  { inline, programOf }: { inline: boolean; programOf: Rendering['programOf'] },
): Content {
  const rendering = { root, budget: new Budget(inline), includes, programOf };
  const message: Content = {};
  for (const [field, value] of Object.entries(content)) {
    const kind = rules.fields[field];
    if (kind) message[field] = renderValue(value, kind, rendering, `/${field}`, 0);
  }
  const { text, html } = rules.textFrom ?? {};
  if (text && html && message[text] === undefined && typeof message[html] === 'string')
    message[text] = plainTextOf(message[html], rendering.budget);
  return message;
}

function renderValue(value: unknown, kind: FieldKind, rendering: Rendering, pointer: string, depth: number): unknown {
  rendering.budget.spend(1);
  if (typeof value === 'string') return renderSource({ text: value, kind, pointer }, rendering);
  if (value === null || typeof value !== 'object') return value;
  checkContentDepth(depth, pointer);
  const inner = (key: string | number, item: unknown): unknown =>
    renderValue(item, kind, rendering, `${pointer}/${key}`, depth + 1);
  if (Array.isArray(value)) return value.map((item, index) => inner(index, item));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inner(key, item)]));
}

function renderSource(source: Source, rendering: Rendering): string {
  const { kind, pointer } = source;
  const { root, budget, includes, programOf } = rendering;
  try {
    const field = pointer.split('/', 2)[1]!;
    // A layout applies to the fields that it has. Texts inside a list or an object have no layout.
    const layout = pointer === `/${field}` ? sourceIn(includes?.layout, field) : undefined;
    const included = (name: string): Program | undefined => {
      const text = name === CONTENT_NAME ? layout && source.text : sourceIn(partialOf(includes, name), field);
      return text === undefined ? undefined : programOf(text, kind);
    };
    const context = { root, html: kind === 'html', budget, included, isLayout: layout !== undefined };
    const text = evaluate(programOf(layout ?? source.text, kind).nodes, context);
    return safe(text, kind, budget);
  } catch (error) {
    if (!(error instanceof TemplateFault)) throw error;
    throw new TemplateFault(`${pointer}: ${describeFault(error)}`);
  }
}

function partialOf(includes: Includes | null, name: string): IncludedPart | undefined {
  return includes && Object.hasOwn(includes.partials, name) ? includes.partials[name] : undefined;
}

function sourceIn(part: IncludedPart | null | undefined, field: string): string | undefined {
  return part && Object.hasOwn(part.content, field) ? part.content[field] : undefined;
}

/** Makes rendered text safe for its field. In html, the variables are already escaped. */
function safe(text: string, kind: FieldKind, budget: Budget): string {
  switch (kind) {
    case 'html':
    case 'json':
      return text;
    case 'text':
      budget.read(text.length);
      // Removes control characters other than line breaks and tabs.
      return text.replace(/[\p{Cc}--[\n\r\t]]+/gv, '');
    case 'line':
      budget.read(text.length);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: CR, LF and NUL could end or add a header
      if (/[\r\n\u0000]/.test(text))
        throw new TemplateFault('a line break or NUL came out of the template; this field is one line');
      return text.replace(/\p{Cc}+/gu, '').trim();
    case 'url':
      if (!/^(https:\/\/|mailto:)/i.test(text) && !text.startsWith('/'))
        throw new TemplateFault(`links must begin with https: or mailto:, got ${JSON.stringify(text.slice(0, 40))}`);
      return text;
  }
}
