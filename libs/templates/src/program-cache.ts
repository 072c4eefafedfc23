import { LRUCache } from 'lru-cache';
import type { FieldKind } from '#domain';
import type { Program } from './program.ts';

const BYTES_PER_CHARACTER = 2;
const BYTES_PER_NODE = 400;
const BYTES_PER_ENTRY = 1_000;

/** Caches programs by their source. The same source has different programs as html and as plain text. */
export class ProgramCache<Value extends Program | 'large' = Program> {
  private readonly html: LRUCache<string, Value>;
  private readonly plain: LRUCache<string, Value>;

  /** `maxBytes`: approximate limit of memory, half of it for html and half for plain text. */
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
