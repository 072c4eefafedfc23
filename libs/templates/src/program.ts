// A checked template as plain data, which can be sent between threads. It is interpreted: no code is generated from
// templates of tenants.

import { ALLOWED_HELPERS, checkSource } from './check-source.ts';

export type Node = string | Output | Block | Include;

export interface Output {
  kind: 'output';
  value: Expression;
  /** `{{{value}}}`: not escaped. */
  raw: boolean;
}

export type BlockName = 'if' | 'unless' | 'each' | 'with';

export interface Block {
  kind: 'block';
  name: BlockName;
  args: Expression[];
  hash: [name: string, value: Expression][];
  body: Node[];
  /** `{{else}}` */
  inverse: Node[];
  /** Whether the block names its values: `as |item index|`. */
  named: boolean;
}

/** `{{> footer}}` */
export interface Include {
  kind: 'include';
  name: string;
  line: number;
  column: number;
}

/**
 * Position of a name after `as`: how many named blocks further out, and the index of the value; -1 if there is no such
 * value.
 */
export type LocalAt = [up: number, index: number];

export type Expression = Literal | Path | Call;

export interface Literal {
  kind: 'literal';
  value: string | number | boolean | null | undefined;
}

export interface Path {
  kind: 'path';
  /** `payload`: looked up in a context; `data`: a data variable such as `@index`. */
  from: 'payload' | 'data';
  /** Number of `../`. */
  depth: number;
  /**
   * For a name after `as`, else null. Resolved when the template is parsed, because a search during the render takes
   * more than a step.
   */
  localAt: LocalAt | null;
  parts: string[];
  /** Whether a missing variable is an error. It is in the output, and is undefined as an argument. */
  strict: boolean;
  line: number;
  column: number;
}

export interface Call {
  kind: 'call';
  helper: string;
  args: Expression[];
  hash: [name: string, value: Expression][];
}

export interface Program {
  nodes: Node[];
  /** Number of tags and expressions. */
  size: number;
  /** The tags that include a partial, or the content in a layout. */
  includes: Include[];
}

/** Checks and parses a source. Throws `TemplateFault`. `trustedHtml`: whether `{{{raw}}}` is allowed. */
export function parseProgram(source: string, limits: { maxBytes: number; trustedHtml: boolean }): Program {
  const builder = new Builder();
  // A source without tags needs no parser. Most fields have none.
  const nodes =
    source.includes('{{') || Buffer.byteLength(source) > limits.maxBytes
      ? builder.nodes(checkSource(source, limits))
      : [source];
  return { nodes, size: builder.size, includes: builder.includes };
}

/** The names after `as` of one block. */
interface Scope {
  indexes: ReadonlyMap<string, number>;
  /** Whether the names have values, which only `each` and `with` provide. */
  hasValues: boolean;
}

class Builder {
  size = 0;
  readonly includes: Include[] = [];
  /** The visible names, innermost block first. */
  private readonly scopes: Scope[] = [];

  nodes(program: hbs.AST.Program | undefined, hasValues = false): Node[] {
    if (!program) return [];
    const names = program.blockParams ?? [];
    // The first of two equal names wins, hence the reversal.
    const indexes = new Map(names.map((name, index) => [name, index] as const).reverse());
    if (names.length > 0) this.scopes.unshift({ indexes, hasValues });
    const nodes = program.body.flatMap((statement) => this.statement(statement));
    if (names.length > 0) this.scopes.shift();
    return nodes;
  }

  private statement(node: hbs.AST.Statement): Node[] {
    switch (node.type) {
      case 'ContentStatement': {
        const { value } = node as hbs.AST.ContentStatement;
        return value === '' ? [] : [value];
      }
      case 'MustacheStatement': {
        this.size += 1;
        const tag = node as hbs.AST.MustacheStatement;
        return [{ kind: 'output', value: this.written(tag), raw: !tag.escaped }];
      }
      case 'BlockStatement': {
        this.size += 1;
        const block = node as hbs.AST.BlockStatement;
        const name = (block.path as hbs.AST.PathExpression).original as BlockName;
        const hasValues = name === 'each' || name === 'with';
        return [
          {
            kind: 'block',
            name,
            args: block.params.map((param) => this.expression(param)),
            hash: this.hash(block.hash),
            body: this.nodes(block.program, hasValues),
            inverse: this.nodes(block.inverse),
            named: hasValues && (block.program?.blockParams ?? []).length > 0,
          },
        ];
      }
      case 'PartialStatement':
        return this.include(node as hbs.AST.PartialStatement);
      default:
        return [];
    }
  }

  /** The parser removes the line break after a tag that is alone in its line, and the indent before it. */
  private include(node: hbs.AST.PartialStatement): Node[] {
    this.size += 1;
    const name = (node.name as hbs.AST.PathExpression).original;
    const { line, column } = node.loc.start;
    const include: Include = { kind: 'include', name, line, column: column + 1 };
    this.includes.push(include);
    return node.indent ? [node.indent, include] : [include];
  }

  /** A tag without arguments is a call if a helper has its name, otherwise a variable. */
  private written(tag: hbs.AST.MustacheStatement): Expression {
    const path = tag.path as hbs.AST.PathExpression;
    const hasArguments = tag.params.length > 0 || (tag.hash?.pairs.length ?? 0) > 0;
    const simple = path.parts.length === 1 && path.depth === 0 && !path.data && !isScoped(path);
    const isCall = simple && !this.isLocal(path) && (hasArguments || ALLOWED_HELPERS.has(path.original));
    return isCall ? this.call(tag) : this.path(path, true);
  }

  private expression(node: hbs.AST.Expression): Expression {
    this.size += 1;
    switch (node.type) {
      case 'PathExpression':
        return this.path(node as hbs.AST.PathExpression, false);
      case 'SubExpression':
        return this.call(node as hbs.AST.SubExpression);
      case 'UndefinedLiteral':
        return { kind: 'literal', value: undefined };
      case 'NullLiteral':
        return { kind: 'literal', value: null };
      default:
        return { kind: 'literal', value: (node as hbs.AST.StringLiteral).value };
    }
  }

  private call(node: hbs.AST.SubExpression | hbs.AST.MustacheStatement): Call {
    return {
      kind: 'call',
      helper: (node.path as hbs.AST.PathExpression).original,
      args: node.params.map((param) => this.expression(param)),
      hash: this.hash(node.hash),
    };
  }

  private hash(hash: hbs.AST.Hash | undefined): [string, Expression][] {
    return (hash?.pairs ?? []).map(({ key, value }) => [key, this.expression(value)]);
  }

  private path(path: hbs.AST.PathExpression, strict: boolean): Path {
    const localAt = this.isLocal(path) ? this.localAt(path.parts[0]!) : null;
    return {
      kind: 'path',
      from: path.data ? 'data' : 'payload',
      depth: path.depth,
      localAt,
      parts: path.parts.map(String),
      strict: strict && !localAt,
      line: path.loc.start.line,
      column: path.loc.start.column + 1,
    };
  }

  /** As in Handlebars, `@key` also means `key` if that is a name after `as`. */
  private isLocal(path: hbs.AST.PathExpression): boolean {
    return path.depth === 0 && !isScoped(path) && this.scopes.some(({ indexes }) => indexes.has(path.parts[0]!));
  }

  private localAt(name: string): LocalAt {
    const scopes = this.scopes.filter(({ hasValues }) => hasValues);
    const up = scopes.findIndex(({ indexes }) => indexes.has(name));
    return up === -1 ? [0, -1] : [up, scopes[up]!.indexes.get(name)!];
  }
}

/** `this.name` and `./name` are neither helpers nor names after `as`. */
function isScoped(path: hbs.AST.PathExpression): boolean {
  return /^\.|this\b/.test(path.original);
}
