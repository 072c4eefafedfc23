// Templates are untrusted code (docs/templates.md): their size is checked before they are parsed, and their tree may
// contain only the nodes and helpers listed here.

import Handlebars from 'handlebars';
import { TemplateFault } from './template-fault.ts';

export const MAX_TAGS = 2_000;
export const MAX_DEPTH = 20;
/** Characters of a tag. A tag with sixty thousand parameters takes a second to parse. */
const MAX_TAG_LENGTH = 2_000;
/** Each `{{else if}}` is one level deeper in the parse tree. */
const MAX_ELSE_TAGS = 200;
/** Words and signs inside all tags of a source. The parser takes 5 µs for each. */
const MAX_WORDS = 20_000;

/** In a layout, `{{> @content}}` is the content of the template. */
export const CONTENT_NAME = '@content';

/** The helpers a template may call. */
export const ALLOWED_HELPERS: ReadonlySet<string> = new Set([
  'if',
  'unless',
  'each',
  'with',
  'upper',
  'lower',
  'default',
  'eq',
  'date',
  'number',
]);

/**
 * Parses a source. Throws {@link TemplateFault} if it is too large, too deep or contains something that is not allowed.
 * `trustedHtml`: whether `{{{raw}}}` may be used here.
 */
export function checkSource(source: string, limits: { maxBytes: number; trustedHtml: boolean }): hbs.AST.Program {
  // An object instead of text was the attack of CVE-2026-33937 on Handlebars.
  if (typeof source !== 'string') throw new TemplateFault('a template must be text');
  const bytes = Buffer.byteLength(source, 'utf8');
  if (bytes > limits.maxBytes)
    throw new TemplateFault(`the template has ${bytes} bytes, at most ${limits.maxBytes} are allowed`);
  countTags(source);
  const words = countWords(source);
  if (words > MAX_WORDS) throw new TemplateFault(`the tags have more than ${MAX_WORDS} words and signs`);
  const program = parse(source);
  visit(program, 0, limits.trustedHtml);
  return program;
}

/**
 * Estimates how long parsing takes: counts each word and sign inside a tag, and two more per tag. The parser takes
 * about 5 µs for each. Counting takes about 1 ns per character, and stops above `enough`.
 */
export function countWords(source: string, enough = MAX_WORDS): number {
  let words = 0;
  for (let at = source.indexOf('{{'); at !== -1 && words <= enough; ) {
    const end = source.indexOf('}}', at);
    const stop = end === -1 ? source.length : end;
    words += 3;
    for (let index = at + 2; index < stop; index += 1) if (!isWordCharacter(source.charCodeAt(index))) words += 1;
    at = source.indexOf('{{', stop);
  }
  return words;
}

function isWordCharacter(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57) || code > 127;
}

/** Runs before the parser, which takes minutes for twenty thousand nested tags. */
function countTags(source: string): void {
  let tags = 0;
  let depth = 0;
  let elses = 0;
  for (let at = source.indexOf('{{'); at !== -1; at = source.indexOf('{{', at + 2)) {
    tags += 1;
    const next = source.slice(at, at + 12);
    const end = source.indexOf('}}', at);
    if (next.startsWith('{{!') ? false : (end === -1 ? source.length : end) - at > MAX_TAG_LENGTH)
      throw faultAt(source, at, `a tag longer than ${MAX_TAG_LENGTH} characters`);
    if (/^\{\{~?\s*(else\b|\^)/.test(next) && ++elses > MAX_ELSE_TAGS)
      throw faultAt(source, at, `more than ${MAX_ELSE_TAGS} {{else}} tags`);
    if (/^\{\{\{?~?\s*[#^]/.test(next)) depth += 1;
    else if (/^\{\{\{?~?\s*\//.test(next)) depth -= 1;
    if (tags > MAX_TAGS) throw faultAt(source, at, `more than ${MAX_TAGS} tags`);
    if (depth > MAX_DEPTH) throw faultAt(source, at, `blocks nested deeper than ${MAX_DEPTH}`);
  }
}

function faultAt(source: string, offset: number, message: string): TemplateFault {
  const before = source.slice(0, offset).split('\n');
  return new TemplateFault(message, before.length, before.at(-1)!.length + 1);
}

function parse(source: string): hbs.AST.Program {
  try {
    return Handlebars.parse(source);
  } catch (error) {
    // "Parse error on line 2:", the source, "-----^", "Expecting … got 'EOF'"; or "if doesn't match each - 1:3".
    const lines = (error as Error).message.split('\n');
    const place = / - (\d+):(\d+)$/.exec(lines[0]!);
    const line = place?.[1] ?? /Parse error on line (\d+)/.exec(lines[0]!)?.[1];
    const caret = lines.find((text) => /^-*\^$/.test(text));
    const column = place ? Number(place[2]) + 1 : (caret?.length ?? null);
    const got = /got '(\w+)'$/.exec(lines.at(-1)!)?.[1];
    const what =
      got === 'EOF'
        ? 'the template ends inside a tag or an open block'
        : got
          ? 'syntax error here'
          : `syntax error: ${lines[0]!.replace(/ - \d+:\d+$/, '')}`;
    throw new TemplateFault(what, line ? Number(line) : null, column);
  }
}

function fault(node: hbs.AST.Node, message: string): TemplateFault {
  return new TemplateFault(message, node.loc?.start.line ?? null, node.loc ? node.loc.start.column + 1 : null);
}

function visit(node: hbs.AST.Node | null | undefined, depth: number, trustedHtml: boolean): void {
  if (!node) return;
  if (depth > MAX_DEPTH) throw fault(node, `blocks nested deeper than ${MAX_DEPTH}`);
  switch (node.type) {
    case 'Program':
      for (const child of (node as hbs.AST.Program).body) visit(child, depth, trustedHtml);
      return;
    case 'ContentStatement':
    case 'CommentStatement':
    case 'StringLiteral':
    case 'NumberLiteral':
    case 'BooleanLiteral':
    case 'UndefinedLiteral':
    case 'NullLiteral':
      return;
    case 'MustacheStatement': {
      const statement = node as hbs.AST.MustacheStatement;
      if (!statement.escaped && !trustedHtml) throw fault(node, '{{{raw}}} and {{&raw}} are allowed only in html');
      call(statement, depth, trustedHtml);
      return;
    }
    case 'BlockStatement': {
      const block = node as hbs.AST.BlockStatement;
      const name = (block.path as hbs.AST.PathExpression).original;
      if (!['if', 'unless', 'each', 'with'].includes(String(name)))
        throw fault(node, `unknown block {{#${name}}}; there are if, unless, each and with`);
      call(block, depth, trustedHtml);
      visit(block.program, depth + 1, trustedHtml);
      visit(block.inverse, depth + 1, trustedHtml);
      return;
    }
    case 'SubExpression':
      if (depth > MAX_DEPTH) throw fault(node, `expressions nested deeper than ${MAX_DEPTH}`);
      call(node as hbs.AST.SubExpression, depth + 1, trustedHtml);
      return;
    case 'PathExpression':
      checkPath(node as hbs.AST.PathExpression);
      return;
    case 'PartialStatement':
      checkInclude(node as hbs.AST.PartialStatement);
      return;
    default:
      throw fault(node, `${DESCRIPTIONS[node.type] ?? node.type} are not allowed`);
  }
}

const DESCRIPTIONS: Record<string, string> = {
  Decorator: 'decorators',
  DecoratorBlock: 'inline partials',
  PartialBlockStatement: 'partial blocks',
};

function checkInclude(node: hbs.AST.PartialStatement): void {
  const name = node.name.type === 'PathExpression' ? (node.name as hbs.AST.PathExpression).original : null;
  if (name === null || (name !== CONTENT_NAME && !PARTIAL_NAME.test(name)))
    throw fault(node, 'a partial is included by its key: {{> footer}}');
  if (node.params.length > 0 || (node.hash?.pairs.length ?? 0) > 0)
    throw fault(node, `{{> ${name}}} takes no values: a partial sees the variables of the place that includes it`);
}

const PARTIAL_NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,254}$/;

interface Call {
  path: hbs.AST.Node;
  params: hbs.AST.Node[];
  hash: hbs.AST.Hash | undefined;
}

function call(node: hbs.AST.Node & Call, depth: number, trustedHtml: boolean): void {
  const name = node.path.type === 'PathExpression' ? (node.path as hbs.AST.PathExpression).original : null;
  const isCall = node.params.length > 0 || (node.hash?.pairs.length ?? 0) > 0 || node.type !== 'MustacheStatement';
  if (isCall && (name === null || !ALLOWED_HELPERS.has(name))) {
    throw fault(node, `unknown helper ${JSON.stringify(name)}; there are ${[...ALLOWED_HELPERS].join(', ')}`);
  }
  if (!isCall && name === null) throw fault(node, 'a tag needs the name of a variable');
  if (!isCall) visit(node.path, depth, trustedHtml);
  for (const param of node.params) visit(param, depth, trustedHtml);
  for (const pair of node.hash?.pairs ?? []) visit(pair.value, depth, trustedHtml);
}

const FORBIDDEN_SEGMENTS: ReadonlySet<string> = new Set([
  '__proto__',
  'prototype',
  'constructor',
  'helperMissing',
  'blockHelperMissing',
  'lookup',
  'log',
]);
const DATA_VARIABLES: ReadonlySet<string> = new Set(['index', 'key', 'first', 'last', 'root']);

function checkPath(path: hbs.AST.PathExpression): void {
  if (path.data && !DATA_VARIABLES.has(String(path.parts[0]))) throw fault(path, `unknown variable @${path.parts[0]}`);
  for (const part of path.parts) {
    if (FORBIDDEN_SEGMENTS.has(String(part)))
      throw fault(path, `${JSON.stringify(String(part))} may not be used in a path`);
  }
}
