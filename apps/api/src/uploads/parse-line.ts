import { DomainError, type FieldError } from '#domain';
import { checkJsonText, DEFAULT_BODY_LIMITS } from '../http/body-shape.js';
import type { RawLine } from './read-lines.js';

/** Throws for text that is not JSON, and for `__proto__` keys. */
export type ParseJson = (text: string) => unknown;

const decoder = new TextDecoder('utf-8', { fatal: true });

/** The JSON value of a line, or why it has none. Never quotes the line: it may name a recipient that is unknown. */
export function parseLine({ bytes }: RawLine, parse: ParseJson): { value: unknown } | { errors: FieldError[] } {
  if (!bytes) return fault('too_large', `the line has more than ${DEFAULT_BODY_LIMITS.bytes} bytes`);
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return fault('invalid_text', 'the line is not UTF-8');
  }
  try {
    checkJsonText(text, DEFAULT_BODY_LIMITS);
    return { value: parse(text) };
  } catch (error) {
    if (error instanceof DomainError && error.errors) return { errors: error.errors };
    return fault('malformed_json', 'the line is not JSON');
  }
}

function fault(code: string, message: string): { errors: FieldError[] } {
  return { errors: [{ pointer: '/', code, message }] };
}
