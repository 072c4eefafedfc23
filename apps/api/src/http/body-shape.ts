// Limits on JSON bodies that apply before the schema of a route. Depth and the number of values are checked on the raw
// text before it is parsed; strings, and the keys of one item of a bulk send, on the parsed value.

import { type FieldError, validationFailed } from '#domain';
import { pointerOf } from './request-schema.pipe.js';

export interface BodyLimits {
  bytes: number;
  /** Keys of all objects together. */
  keys: number;
  /** Objects and arrays together. An empty one takes 2 bytes of text but about 40 bytes of memory when parsed. */
  containers: number;
  /** Keys and array items together, counted as the commas between them. */
  values: number;
  /** An array whose items the route checks one by one, so that one invalid item does not reject the others. */
  items?: string;
}

export const DEFAULT_BODY_LIMITS: BodyLimits = { bytes: 256 * 1024, keys: 1_000, containers: 10_000, values: 10_000 };

/** 1,000 recipients with 50 keys each. */
export const BULK_BODY_LIMITS: BodyLimits = {
  bytes: 5 * 1024 * 1024,
  keys: 50_000,
  containers: 100_000,
  values: 100_000,
  items: 'recipients',
};

/** Levels of objects and arrays. */
const MAX_DEPTH = 20;
/** Characters. */
const MAX_STRING = 256 * 1024;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const COMMA = 0x2c;

/** Scans the text once, without parsing it. Throws `validation_failed` for too many levels, keys or values. */
export function checkJsonText(text: string, limits: BodyLimits): void {
  let depth = 0;
  let containers = 0;
  let keys = 0;
  let values = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === COMMA) values += 1;
    else if (code === COLON) keys += 1;
    // `[` and `{` differ from `]` and `}` by two, and from each other by 0x20.
    else if ((code | 0x20) === 0x7b) {
      depth += 1;
      containers += 1;
      if (depth > MAX_DEPTH) throw validationFailed([tooDeep([])]);
    } else if ((code | 0x20) === 0x7d) depth -= 1;
  }
  const error =
    tooMany('too_many_values', 'objects and arrays', containers, limits.containers) ??
    tooMany('too_many_keys', 'keys', keys, limits.keys) ??
    tooMany('too_many_values', 'values', values, limits.values);
  if (error) throw validationFailed([error]);
}

function tooMany(code: string, what: string, count: number, most: number): FieldError | null {
  if (count <= most) return null;
  return { pointer: '/', code, message: `the body has ${count} ${what}, at most ${most} are allowed here` };
}

/** Returns the index of the closing quote of the string that begins at `start`, or the length of the text. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes += 1;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}

/** Throws `validation_failed` for too many levels, keys or characters, and for text that PostgreSQL cannot store. */
export function checkBodyShape(body: unknown, limits: BodyLimits = DEFAULT_BODY_LIMITS): void {
  const errors = shapeErrors(body, limits);
  if (errors.length > 0) throw validationFailed(errors);
}

/** Returns the first error of the value's shape, or an empty array. */
export function shapeErrors(value: unknown, limits: BodyLimits = DEFAULT_BODY_LIMITS): FieldError[] {
  const path: (string | number)[] = [];
  let keys = 0;
  const errorAt = (name: string | number, given: unknown): FieldError | null => {
    if (typeof given !== 'string' && (typeof given !== 'object' || given === null)) return null;
    path.push(name);
    const error = visit(given);
    path.pop();
    return error;
  };
  const visit = (given: string | object): FieldError | null => {
    if (typeof given === 'string') return stringError(given, path);
    if (path.length >= MAX_DEPTH) return tooDeep(path);
    if (Array.isArray(given)) {
      for (let index = 0; index < given.length; index += 1) {
        const error = errorAt(index, given[index]);
        if (error) return error;
      }
      return null;
    }
    for (const key in given) {
      keys += 1;
      const keyError = textError(key);
      if (keyError)
        return { pointer: pointerOf([...path, key], '/'), code: 'invalid_text', message: `the key ${keyError}` };
      if (path.length === 0 && key === limits.items) continue;
      const error = errorAt(key, (given as Record<string, unknown>)[key]);
      if (error) return error;
    }
    return null;
  };
  const error = typeof value === 'string' || (typeof value === 'object' && value !== null) ? visit(value) : null;
  if (error) return [error];
  if (keys <= limits.keys) return [];
  return [{ pointer: '/', code: 'too_many_keys', message: `has ${keys} keys, at most ${limits.keys} are allowed` }];
}

/** Returns why PostgreSQL cannot store the text, or null: its text type has no NUL, and UTF-8 no lone surrogates. */
export function textError(text: string): string | null {
  if (text.includes('\u0000')) return 'must not contain NUL (\\u0000)';
  if (!text.isWellFormed()) return 'must not contain a lone surrogate (half of a UTF-16 pair)';
  return null;
}

function stringError(text: string, path: readonly (string | number)[]): FieldError | null {
  const message = textError(text);
  if (message) return { pointer: pointerOf(path, '/'), code: 'invalid_text', message };
  if (text.length <= MAX_STRING) return null;
  return {
    pointer: pointerOf(path, '/'),
    code: 'too_long',
    message: `has ${text.length} characters, at most ${MAX_STRING} are allowed`,
  };
}

function tooDeep(path: readonly (string | number)[]): FieldError {
  return { pointer: pointerOf(path, '/'), code: 'too_deep', message: `JSON may be nested ${MAX_DEPTH} deep` };
}
