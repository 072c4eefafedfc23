import { LRUCache } from 'lru-cache';
import type { FieldKind } from '#domain';
import type { Program } from './program.ts';

/** A character of a source takes one or two. */
const BYTES_PER_CHARACTER = 2;
const BYTES_PER_NODE = 400;
const BYTES_PER_ENTRY = 1_000;

/** Programs by their source, which never changes its meaning; html and plain text of the same source differ. */
export class ProgramCache<Value extends Program | 'large' = Program> {
  private readonly html: LRUCache<string, Value>;
  private readonly plain: LRUCache<string, Value>;

  /** `maxBytes`: of memory, about; html and plain text have half of it each. */
  constructor(maxBytes: number) {
    this.html = newCache(maxBytes / 2);
    this.plain = newCache(maxBytes / 2);
  }

  get(source: string, kind: FieldKind): Value | undefined {
    return (kind === 'html' ? this.html : this.plain).get(source);
  }

  set(source: string, kind: FieldKind, value: Value): void {
    (kind === 'html' ? this.html : this.plain).set(source, value);
  }
}

function newCache<Value extends Program | 'large'>(maxSize: number): LRUCache<string, Value> {
  return new LRUCache({
    max: 10_000,
    maxSize,
    sizeCalculation: (value, source) =>
      source.length * BYTES_PER_CHARACTER + (value === 'large' ? 0 : value.size * BYTES_PER_NODE) + BYTES_PER_ENTRY,
  });
}
