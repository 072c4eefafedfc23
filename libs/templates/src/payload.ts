// The data of a render. A payload has layers, such as the values of one recipient over those of a whole bulk send.
// Lookups search the layers, so they need not be merged or copied. Only own properties are read, so templates cannot
// access prototypes.

import { randomUUID } from 'node:crypto';
import { TemplateFault } from './template-fault.ts';

const MAX_PAYLOAD_DEPTH = 20;
/** Layers with more values are rendered in a thread. Counting this many takes about 0.1 ms. */
const MAX_INLINE_VALUES = 2_000;
const MAX_INLINE_TEXT = 64 * 1024;

/**
 * A payload that many renders share, as JSON. A small one is parsed once. A large one is parsed only in the threads,
 * which receive its bytes without a copy and cache the parsed object.
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

  /** The parsed payload. To be used only if it is small. */
  get object(): object {
    this.parsed ??= JSON.parse(this.json) as object;
    return this.parsed;
  }

  /** The JSON in UTF-8, in shared memory. */
  get bytes(): SharedArrayBuffer {
    if (!this.encoded) {
      this.encoded = new SharedArrayBuffer(Buffer.byteLength(this.json));
      Buffer.from(this.encoded).write(this.json);
    }
    return this.encoded;
  }
}

/** The root context of a template. The last layer with a property wins, as with `{...first, ...last}`. */
export class Root {
  private readonly layers: readonly object[];
  private whole: object | null = null;

  constructor(layers: readonly object[]) {
    this.layers = layers;
  }

  layerWith(name: string): object | undefined {
    return this.layers.findLast((layer) => Object.hasOwn(layer, name));
  }

  /** All layers as one object, for a template that iterates over its whole payload. */
  merged(): object {
    this.whole ??= Object.assign(Object.create(null) as object, ...this.layers) as object;
    return this.whole;
  }
}

/** Returns the object with this own property: `parent`, or one of its layers. Undefined if there is none. */
export function ownerOf(parent: unknown, name: string): object | undefined {
  if (parent instanceof Root) return parent.layerWith(name);
  if (parent === null || parent === undefined) return undefined;
  return Object.hasOwn(parent, name) ? Object(parent) : undefined;
}

/**
 * Whether a payload is small enough to be rendered on the event loop. Throws `TemplateFault` if it is nested too deep.
 * Stops as soon as the payload is too large.
 */
export function isSmallPayload(layer: object): boolean {
  const size = { values: MAX_INLINE_VALUES, text: MAX_INLINE_TEXT };
  return fits(layer, size, 0);
}

/** Throws `TemplateFault` if a payload of any size is nested too deep. */
export function checkDepth(layer: object): void {
  fits(layer, { values: Number.POSITIVE_INFINITY, text: Number.POSITIVE_INFINITY }, 0);
}

function fits(value: unknown, size: { values: number; text: number }, depth: number): boolean {
  size.values -= 1;
  if (typeof value === 'string') size.text -= value.length;
  else if (typeof value === 'object' && value !== null) {
    if (depth > MAX_PAYLOAD_DEPTH) throw new TemplateFault(`the payload is nested deeper than ${MAX_PAYLOAD_DEPTH}`);
    // Object.values() of 30,000 keys takes 50 ms, so this loop stops at the first value above the limit.
    for (const key in value) if (!fits((value as Record<string, unknown>)[key], size, depth + 1)) return false;
  }
  return size.values >= 0 && size.text >= 0;
}
