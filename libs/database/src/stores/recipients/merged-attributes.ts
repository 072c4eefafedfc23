// Changes to the attributes of one recipient in memory, each at the cost of the change and not of all attributes.

import { isDeepStrictEqual } from 'node:util';
import { MAX_ATTRIBUTES_BYTES } from '#domain';
import { isObject, mergePatch } from '../../merge-patch.js';

type JsonObject = Record<string, unknown>;

export class MergedAttributes {
  private bytes: number | null = null;
  private merged = false;

  /** `stored` stays as it is. */
  constructor(private current: Readonly<JsonObject>) {}

  /** Whether a change has changed anything. */
  get isChanged(): boolean {
    return this.merged;
  }

  get value(): Readonly<JsonObject> {
    return this.current;
  }

  /**
   * Merges a JSON Merge Patch (RFC 7396). Changes nothing if the attributes would grow beyond MAX_ATTRIBUTES_BYTES;
   * they may be larger already.
   */
  merge(patch: JsonObject): 'changed' | 'unchanged' | 'too_large' {
    if (!changes(this.current, patch)) return 'unchanged';
    const added = addedBytes(this.current, patch);
    this.bytes ??= bytesOf(this.current);
    if (added > 0 && this.bytes + added > MAX_ATTRIBUTES_BYTES) return 'too_large';
    if (!this.merged) this.current = structuredClone(this.current);
    this.merged = true;
    this.bytes += added;
    apply(this.current as JsonObject, patch);
    return 'changed';
  }
}

/** With its comma. */
const memberBytes = (key: string, value: unknown): number => bytesOf(key) + bytesOf(value) + 2;
const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

function changes(target: Readonly<JsonObject>, patch: JsonObject): boolean {
  return Object.entries(patch).some(([key, value]) => {
    if (!Object.hasOwn(target, key)) return value !== null;
    if (value === null) return true;
    const before = target[key];
    return isObject(before) && isObject(value) ? changes(before, value) : !isDeepStrictEqual(before, value);
  });
}

/** Negative if the JSON becomes shorter. Exact to a byte for each object. */
function addedBytes(target: Readonly<JsonObject>, patch: JsonObject): number {
  let added = 0;
  for (const [key, value] of Object.entries(patch)) {
    const before = Object.hasOwn(target, key) ? target[key] : undefined;
    if (isObject(before) && isObject(value)) {
      added += addedBytes(before, value);
      continue;
    }
    if (before !== undefined) added -= memberBytes(key, before);
    if (value !== null) added += memberBytes(key, isObject(value) ? mergePatch({}, value) : value);
  }
  return added;
}

/** As mergePatch, in place. Keeps no object of the patch. */
function apply(target: JsonObject, patch: JsonObject): void {
  for (const [key, value] of Object.entries(patch)) {
    const before = Object.hasOwn(target, key) ? target[key] : undefined;
    if (value === null) delete target[key];
    else if (isObject(before) && isObject(value)) apply(before, value);
    else target[key] = isObject(value) ? mergePatch({}, value) : value;
  }
}
