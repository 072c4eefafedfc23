// What templates read. A payload comes in layers, such as the values of one recipient over those of a whole bulk send; they
// are looked up one after the other and never merged or copied for a render. Only own properties are ever read, so nothing
// of a prototype can be reached.

import { randomUUID } from 'node:crypto';
import { TemplateFault } from './template-fault.ts';

const MAX_PAYLOAD_DEPTH = 20;
/** A layer with more values than this is rendered in a thread; looking at them takes about 0.1 ms. */
const MAX_INLINE_VALUES = 2_000;
const MAX_INLINE_TEXT = 64 * 1024;

/**
 * A payload that many renders have in common, as JSON. A small one is parsed once; a large one only in the threads, which
 * receive its bytes without a copy and keep the parsed object while it is in use.
 */
export class SharedPayload {
  readonly id = randomUUID();
  private readonly json: string;
  private small: boolean | null = null;
  private parsed: object | null = null;
  private encoded: SharedArrayBuffer | null = null;

  constructor(json: string) {
    this.json = json;
  }

  get isSmall(): boolean {
    this.small ??= this.json.length <= MAX_INLINE_TEXT && isSmallPayload(this.object);
    return this.small;
  }

  /** The parsed payload of a small one. */
  get object(): object {
    this.parsed ??= JSON.parse(this.json) as object;
    return this.parsed;
  }

  /** UTF-8, in memory that all threads see. */
  get bytes(): SharedArrayBuffer {
    if (!this.encoded) {
      this.encoded = new SharedArrayBuffer(Buffer.byteLength(this.json));
      Buffer.from(this.encoded).write(this.json);
    }
    return this.encoded;
  }
}

/** The root context of a template: the last layer that has a property wins, as with `{...first, ...last}`. */
export class Root {
  private readonly layers: readonly object[];
  private whole: object | null = null;

  constructor(layers: readonly object[]) {
    this.layers = layers;
  }

  layerWith(name: string): object | undefined {
    return this.layers.findLast((layer) => Object.hasOwn(layer, name));
  }

  /** One object, for a template that walks over its whole payload. */
  merged(): object {
    this.whole ??= Object.assign(Object.create(null) as object, ...this.layers) as object;
    return this.whole;
  }
}

/** The object that has this property of `parent` as its own, or undefined. */
export function ownerOf(parent: unknown, name: string): object | undefined {
  if (parent instanceof Root) return parent.layerWith(name);
  if (parent === null || parent === undefined) return undefined;
  return Object.hasOwn(parent, name) ? Object(parent) : undefined;
}

/**
 * Whether a payload is small enough to be rendered on the event loop. Throws `TemplateFault` where it is nested too deep.
 * Stops looking as soon as it is too large.
 */
export function isSmallPayload(layer: object): boolean {
  const size = { values: MAX_INLINE_VALUES, text: MAX_INLINE_TEXT };
  return fits(layer, size, 0);
}

/** Throws `TemplateFault` where a payload is nested too deep, whatever its size. */
export function checkDepth(layer: object): void {
  fits(layer, { values: Number.POSITIVE_INFINITY, text: Number.POSITIVE_INFINITY }, 0);
}

function fits(value: unknown, size: { values: number; text: number }, depth: number): boolean {
  size.values -= 1;
  if (typeof value === 'string') size.text -= value.length;
  else if (typeof value === 'object' && value !== null) {
    if (depth > MAX_PAYLOAD_DEPTH) throw new TemplateFault(`the payload is nested deeper than ${MAX_PAYLOAD_DEPTH}`);
    // Reading the values of an object with 30,000 keys takes 50 ms, so it stops at the first that is too many.
    for (const key in value) if (!fits((value as Record<string, unknown>)[key], size, depth + 1)) return false;
  }
  return size.values >= 0 && size.text >= 0;
}
