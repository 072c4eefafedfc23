// Evaluates a checked template. Every step is charged to the budget of the message, so the time and memory of a render
// are bounded for every template.

import type { Budget } from './budget.ts';
import { CONTENT_NAME } from './check-source.ts';
import { ownerOf, Root } from './payload.ts';
import type { Block, Call, Expression, Include, Node, Path, Program } from './program.ts';
import { describeFault, TemplateFault } from './template-fault.ts';
import { callFunction } from './template-functions.ts';
import { escapeHtml, textOf } from './text.ts';

/** `@index` and the other data variables of one `each`. */
interface LoopData {
  values: Readonly<Record<string, unknown>>;
  outer: LoopData | null;
}

/** The values of a block that are named with `as`. */
interface Locals {
  values: readonly unknown[];
  outer: Locals | null;
}

interface Frame {
  context: unknown;
  /** For `../`. */
  outer: Frame | null;
  data: LoopData | null;
  locals: Locals | null;
}

/** Deeper includes are refused when a template is saved. */
const MAX_INCLUDES = 12;

export interface EvaluationContext {
  root: Root;
  html: boolean;
  budget: Budget;
  /** The program of a partial, or of the content in a layout. */
  included: (name: string) => Program | undefined;
  /** Whether the nodes are those of a layout. Its errors say so; those of the content in it have their own position. */
  isLayout: boolean;
}

/** Returns the text of a program. Throws `TemplateFault`, and `TooLongInline` if the budget is for an inline render. */
export function evaluate(nodes: readonly Node[], context: EvaluationContext): string {
  const evaluation = new Evaluation(context);
  try {
    evaluation.write(nodes, rootFrame(context.root));
  } catch (error) {
    if (!context.isLayout || !(error instanceof TemplateFault) || error === evaluation.contentFault) throw error;
    throw new TemplateFault(`in the layout, ${describeFault(error)}`);
  }
  return evaluation.text();
}

function rootFrame(root: Root): Frame {
  return { context: root, outer: null, data: { values: { root }, outer: null }, locals: null };
}

class Evaluation {
  private readonly pieces: string[] = [];
  private readonly root: Root;
  private readonly html: boolean;
  private readonly budget: Budget;
  private readonly included: EvaluationContext['included'];
  private depth = 0;
  /** An error in the content of a layout. */
  contentFault: unknown = null;

  constructor({ root, html, budget, included }: EvaluationContext) {
    this.root = root;
    this.html = html;
    this.budget = budget;
    this.included = included;
  }

  text(): string {
    return this.pieces.length === 1 ? this.pieces[0]! : this.pieces.join('');
  }

  write(nodes: readonly Node[], frame: Frame): void {
    for (const node of nodes) {
      if (typeof node === 'string') {
        this.budget.keep(node.length);
        this.pieces.push(node);
      } else if (node.kind === 'block') this.block(node, frame);
      else if (node.kind === 'include') this.include(node, frame);
      else this.pieces.push(this.written(this.value(node.value, frame), node.raw));
    }
  }

  /** As in Handlebars, a partial sees the context and `@index`, but neither `../` nor the names after `as`. */
  private include({ name, line, column }: Include, frame: Frame): void {
    this.budget.spend(1);
    const isContent = name === CONTENT_NAME;
    const program = this.included(name);
    if (!program) throw new TemplateFault(`there is no partial ${JSON.stringify(name)} for this field`, line, column);
    if (this.depth === MAX_INCLUDES)
      throw new TemplateFault(`partials nested deeper than ${MAX_INCLUDES}`, line, column);
    this.depth += 1;
    try {
      this.write(program.nodes, isContent ? rootFrame(this.root) : { ...frame, outer: null, locals: null });
    } catch (error) {
      if (isContent) this.contentFault = error;
      if (!(error instanceof TemplateFault) || isContent) throw error;
      throw new TemplateFault(`in the partial ${JSON.stringify(name)}, ${describeFault(error)}`, line, column);
    }
    this.depth -= 1;
  }

  private written(value: unknown, raw: boolean): string {
    // As in Handlebars: false is empty in plain text, and the word "false" in html.
    const text = value === false && !this.html ? '' : textOf(value, this.budget);
    this.budget.keep(text.length);
    return this.html && !raw ? escapeHtml(text, this.budget) : text;
  }

  private block(block: Block, frame: Frame): void {
    this.budget.spend(1);
    const args = block.args.map((argument) => this.value(argument, frame));
    // As in Handlebars: a null context becomes an empty object inside blocks.
    if (frame.context === null) frame = { ...frame, context: NOTHING };
    if (block.name === 'each') this.each(block, args[0], frame);
    else {
      if (args.length !== 1) throw new TemplateFault(`#${block.name} requires exactly one argument`);
      const [value] = args;
      if (block.name === 'with') {
        if (isEmpty(value)) this.write(block.inverse, frame);
        else this.write(block.body, inside(block, frame, value, frame.data, [value]));
        return;
      }
      const { includeZero } = this.hash(block.hash, frame);
      const holds = !isEmpty(value) && (value !== 0 || Boolean(includeZero));
      this.write(holds === (block.name === 'if') ? block.body : block.inverse, frame);
    }
  }

  private each(block: Block, value: unknown, frame: Frame): void {
    const over = value instanceof Root ? value.merged() : value;
    const isList = Array.isArray(over);
    const keys = isList || typeof over !== 'object' || over === null ? null : Object.keys(over);
    if (keys) this.budget.spend(keys.length);
    // JSON may contain this key, but templates must not access it.
    const names = keys?.filter((name) => name !== '__proto__');
    const length = isList ? over.length : (names?.length ?? 0);
    for (let index = 0; index < length; index += 1) {
      this.budget.turn();
      const key = isList ? index : names![index]!;
      const item = (over as Record<string | number, unknown>)[key];
      const values = { root: this.root, key, index, first: index === 0, last: index === length - 1 };
      this.write(block.body, inside(block, frame, item, { values, outer: frame.data }, [item, key]));
    }
    if (length === 0) this.write(block.inverse, frame);
  }

  private value(expression: Expression, frame: Frame): unknown {
    this.budget.spend(1);
    if (expression.kind === 'literal') return expression.value;
    return expression.kind === 'call' ? this.call(expression, frame) : this.lookUp(expression, frame);
  }

  private call({ helper, args, hash }: Call, frame: Frame): unknown {
    const values = args.map((argument) => this.value(argument, frame));
    return callFunction(helper, values, this.hash(hash, frame), this.budget);
  }

  private hash(pairs: Call['hash'], frame: Frame): Readonly<Record<string, unknown>> {
    if (pairs.length === 0) return NO_HASH;
    const values = Object.create(null) as Record<string, unknown>;
    for (const [name, value] of pairs) values[name] = this.value(value, frame);
    return values;
  }

  private lookUp(path: Path, frame: Frame): unknown {
    const { parts } = path;
    this.budget.spend(parts.length);
    let [value, at] = start(path, frame);
    for (; at < parts.length; at += 1) {
      const name = parts[at]!;
      const owner = ownerOf(value, name);
      const isLast = at === parts.length - 1;
      if (!owner && ((path.strict && isLast) || value === undefined || value === null)) throw missing(name, path);
      value = owner && (owner as Record<string, unknown>)[name];
    }
    return value;
  }
}

const NOTHING = Object.freeze({});
const NO_HASH: Readonly<Record<string, unknown>> = Object.freeze({});

/** Returns the value in which the path is looked up, and the index of the first part to look up. */
function start(path: Path, frame: Frame): [value: unknown, at: number] {
  if (path.localAt) {
    const [up, index] = path.localAt;
    let { locals } = frame;
    for (let level = up; locals && level > 0; level -= 1) locals = locals.outer;
    return [locals?.values[index], 1];
  }
  if (path.from === 'data') {
    let { data } = frame;
    for (let depth = path.depth; data && depth > 0; depth -= 1) data = data.outer;
    return [data?.values, 0];
  }
  let outer: Frame | null = frame;
  for (let depth = path.depth; outer && depth > 0; depth -= 1) outer = outer.outer;
  return [outer?.context, 0];
}

/** The frame of a block's body. `../` skips a block that did not change the context. */
function inside(
  { named }: Block,
  frame: Frame,
  context: unknown,
  data: LoopData | null,
  values: readonly unknown[],
): Frame {
  const locals = named ? { values, outer: frame.locals } : frame.locals;
  return { context, outer: context === frame.context ? frame.outer : frame, data, locals };
}

function isEmpty(value: unknown): boolean {
  return (!value && value !== 0) || (Array.isArray(value) && value.length === 0);
}

function missing(name: string, { line, column }: Path): TemplateFault {
  return new TemplateFault(`the variable ${JSON.stringify(name)} is missing from the payload`, line, column);
}
