import { LRUCache } from 'lru-cache';
import type { FieldKind } from '#domain';
import type { Program } from './program.ts';

const MAX_CHARACTERS = 32 * 1024 * 1024;
/** A node of a program takes about as much memory as this many characters. */
const CHARACTERS_PER_NODE = 200;

/** Programs by their source, which never changes its meaning; html and plain text of the same source differ. */
export class ProgramCache<Value extends Program | 'large' = Program> {
  private readonly html = newCache<Value>();
  private readonly plain = newCache<Value>();

  get(source: string, kind: FieldKind): Value | undefined {
    return (kind === 'html' ? this.html : this.plain).get(source);
  }

  set(source: string, kind: FieldKind, value: Value): void {
    (kind === 'html' ? this.html : this.plain).set(source, value);
  }
}

function newCache<Value extends Program | 'large'>(): LRUCache<string, Value> {
  return new LRUCache({
    max: 10_000,
    maxSize: MAX_CHARACTERS,
    sizeCalculation: (value, source) =>
      source.length + (value === 'large' ? 0 : value.size * CHARACTERS_PER_NODE) + 500,
  });
}
