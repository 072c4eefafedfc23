// Payload schemas are written by tenants. Only keywords that can be checked in a known number of steps are accepted,
// and references are replaced by what they refer to, so the size of the result limits the cost of a check.

import type { ContentFault } from '../render-job.ts';
import { isRecord, type Json, KEYWORDS, type KeywordReader, type Place, type Read, within } from './schema-keywords.ts';
import type { ReadKeywords, SchemaNode } from './schema-node.ts';

/** Bytes of JSON. */
const MAX_SCHEMA_BYTES = 16 * 1024;
/** Keywords, names and values of a schema, with every `$ref` replaced by its definition. */
const MAX_SCHEMA_WEIGHT = 1_000;
/** Levels of JSON, with every `$ref` replaced. */
const MAX_SCHEMA_DEPTH = 40;
const MAX_FAULTS = 100;
const REFERENCE = '#/$defs/';

/** Reads a schema and returns all its faults. */
export function readSchema(given: object): { schema: SchemaNode; faults: ContentFault[] } {
  const bytes = Buffer.byteLength(JSON.stringify(given));
  if (bytes > MAX_SCHEMA_BYTES) {
    const message = `has ${bytes} bytes of JSON, at most ${MAX_SCHEMA_BYTES} are allowed`;
    return { schema: true, faults: [{ pointer: '', message }] };
  }
  const reader = new SchemaReader((given as Json)['$defs']);
  const schema = reader.schema(given, { pointer: '', depth: 0 });
  return { schema, faults: reader.faults };
}

class SchemaReader implements KeywordReader {
  readonly faults: ContentFault[] = [];
  private weight = 0;
  private readonly definitions: unknown;
  /** The definitions that contain the present place. */
  private readonly open: string[] = [];

  constructor(definitions: unknown) {
    this.definitions = definitions;
  }

  schema(given: unknown, place: Place): SchemaNode {
    this.add(1);
    if (typeof given === 'boolean') return given;
    if (!isRecord(given)) this.fault(place, 'must be a schema: an object, true or false', given);
    else if (place.depth > MAX_SCHEMA_DEPTH) this.fault(place, `is nested deeper than ${MAX_SCHEMA_DEPTH}`);
    else return this.keywords(given, place);
    return true;
  }

  fault(place: Place, message: string, value?: unknown): undefined {
    const got = value === undefined ? '' : `, got ${(JSON.stringify(value) ?? 'nothing').slice(0, 80)}`;
    if (this.faults.length < MAX_FAULTS) this.faults.push({ pointer: place.pointer, message: `${message}${got}` });
  }

  add(weight: number): void {
    if (this.weight <= MAX_SCHEMA_WEIGHT && this.weight + weight > MAX_SCHEMA_WEIGHT)
      this.faults.unshift({
        pointer: '',
        message: `has more than ${MAX_SCHEMA_WEIGHT} keywords, names and values, with every $ref replaced`,
      });
    this.weight += weight;
  }

  private keywords(given: Json, place: Place): ReadKeywords {
    const read: ReadKeywords = { weight: 0 };
    for (const [keyword, value] of Object.entries(given)) {
      // Stops at the first excess: references could otherwise grow exponentially.
      if (this.weight > MAX_SCHEMA_WEIGHT || this.faults.length >= MAX_FAULTS) return read;
      const at = within(place, keyword);
      const known = KEYWORDS.get(keyword);
      if (keyword === '$ref') read.allOf = [this.reference(value, at), ...(read.allOf ?? [])];
      else if (keyword === '$defs' && place.depth === 0) this.checkDefinitions(value, at);
      else if (known) this.keyword(read, known, value, at);
      else this.fault(at, `the keyword ${JSON.stringify(keyword.slice(0, 50))} is not supported`);
    }
    return read;
  }

  private keyword(
    read: ReadKeywords,
    [name, readValue]: [keyof ReadKeywords | null, Read],
    value: unknown,
    at: Place,
  ): void {
    const result = readValue(this, value, at);
    if (name === null || result === undefined) return;
    const weight = name === 'enum' || name === 'required' ? (result as unknown[]).length : 1;
    this.add(weight);
    const allOf = name === 'allOf' ? (read.allOf ?? []) : [];
    const merged = name === 'allOf' ? [...allOf, ...(result as SchemaNode[])] : result;
    Object.assign(read, { [name]: merged, weight: read.weight + weight });
  }

  private reference(value: unknown, place: Place): SchemaNode {
    const name = typeof value === 'string' ? nameOf(value) : null;
    if (name === null)
      this.fault(place, `must begin with ${REFERENCE}: only definitions of the same schema are used`, value);
    else if (!isRecord(this.definitions) || !Object.hasOwn(this.definitions, name))
      this.fault(place, 'names no definition', value);
    else if (this.open.includes(name)) this.fault(place, 'refers to itself', value);
    else {
      this.open.push(name);
      const read = this.schema(this.definitions[name], { pointer: place.pointer, depth: place.depth + 1 });
      this.open.pop();
      return read;
    }
    return true;
  }

  /** Definitions that nothing refers to are not read. */
  private checkDefinitions(value: unknown, place: Place): void {
    if (!isRecord(value)) this.fault(place, 'must be an object of schemas', value);
  }
}

function nameOf(reference: string): string | null {
  if (!reference.startsWith(REFERENCE)) return null;
  return reference.slice(REFERENCE.length).replaceAll('~1', '/').replaceAll('~0', '~');
}
