// Payload schemas are written by tenants. Only keywords that can be checked in a known number of steps are accepted,
// and references are replaced by what they refer to, so the size of the result limits the cost of a check.

import type { ContentFault } from '../render-job.ts';
import { readPattern, type SafePattern } from './safe-pattern.ts';
import { textFormats } from './text-formats.ts';

/** Bytes of JSON. */
const MAX_SCHEMA_BYTES = 16 * 1024;
/** Keywords, names and values of a schema, with every `$ref` replaced by its definition. */
const MAX_SCHEMA_WEIGHT = 1_000;
/** Levels of JSON, with every `$ref` replaced. */
const MAX_SCHEMA_DEPTH = 40;
const MAX_FAULTS = 100;
const DIALECT = 'https://json-schema.org/draft/2020-12/schema';
const REFERENCE = '#/$defs/';

type Json = Record<string, unknown>;

/** A schema with listed keywords only and without references. */
export type SchemaNode = boolean | ReadKeywords;

export interface ReadKeywords {
  /** Keywords, names and values of this schema, without the schemas in it. */
  weight: number;
  type?: string[];
  enum?: unknown[];
  /** The value of `const` as the only item. */
  constant?: [unknown];
  minLength?: number;
  maxLength?: number;
  pattern?: SafePattern;
  format?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  multipleOf?: number;
  minItems?: number;
  maxItems?: number;
  prefixItems?: SchemaNode[];
  items?: SchemaNode;
  required?: string[];
  properties?: ReadonlyMap<string, SchemaNode>;
  additionalProperties?: SchemaNode;
  propertyNames?: SchemaNode;
  minProperties?: number;
  maxProperties?: number;
  allOf?: SchemaNode[];
  anyOf?: SchemaNode[];
  oneOf?: SchemaNode[];
  not?: SchemaNode;
  if?: SchemaNode;
  /** Not `then`: an object with this property looks like a promise. */
  whenTrue?: SchemaNode;
  whenFalse?: SchemaNode;
}

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

interface Place {
  pointer: string;
  depth: number;
}

/** Returns the value of a keyword; undefined if it is to be left out. */
type Read = (reader: SchemaReader, value: unknown, place: Place) => unknown;

const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isScalar = (value: unknown): boolean => typeof value !== 'object' || value === null;

const schema: Read = (reader, value, place) => reader.schema(value, place);
const annotation: Read = () => undefined;
const count: Read = (reader, value, place) =>
  Number.isSafeInteger(value) && (value as number) >= 0
    ? value
    : reader.fault(place, 'must be an integer of 0 or more', value);
const finite: Read = (reader, value, place) =>
  Number.isFinite(value) ? value : reader.fault(place, 'must be a number', value);

const schemas: Read = (reader, value, place) => {
  if (!Array.isArray(value) || value.length === 0) return reader.fault(place, 'must be a list of schemas', value);
  return value.map((item, index) => reader.schema(item, within(place, index)));
};

const properties: Read = (reader, value, place) => {
  if (!isRecord(value)) return reader.fault(place, 'must be an object of schemas', value);
  // JSON may contain this name, but no template can read it.
  if (Object.hasOwn(value, '__proto__')) return reader.fault(place, 'must not name "__proto__"');
  return new Map(Object.entries(value).map(([name, item]) => [name, reader.schema(item, within(place, name))]));
};

const names: Read = (reader, value, place) => {
  const isList = Array.isArray(value) && value.every((name) => typeof name === 'string');
  return isList && new Set(value).size === value.length ? value : reader.fault(place, 'must be a list of names', value);
};

const TYPES: ReadonlySet<unknown> = new Set(['string', 'number', 'integer', 'boolean', 'object', 'array', 'null']);
const type: Read = (reader, value, place) => {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  const isKnown = list.length > 0 && list.every((one) => TYPES.has(one)) && new Set(list).size === list.length;
  return isKnown ? list : reader.fault(place, `must be one of ${[...TYPES].join(', ')}, or a list of them`, value);
};

const scalars: Read = (reader, value, place) =>
  Array.isArray(value) && value.length > 0 && value.every(isScalar)
    ? value
    : reader.fault(place, 'must be a list of texts, numbers, booleans or null', value);

const pattern: Read = (reader, value, place) => {
  if (typeof value !== 'string') return reader.fault(place, 'must be a text', value);
  const read = readPattern(value);
  if (typeof read === 'string') return reader.fault(place, read);
  reader.add(read.size);
  return read;
};

const multipleOf: Read = (reader, value, place) =>
  typeof value === 'number' && value > 0 ? value : reader.fault(place, 'must be a number above 0', value);

const constant: Read = (reader, value, place) =>
  isScalar(value) ? [value] : reader.fault(place, 'must be a text, a number, a boolean or null', value);

const format: Read = (reader, value, place) =>
  Object.hasOwn(textFormats, String(value))
    ? value
    : reader.fault(place, `must be one of ${Object.keys(textFormats).join(', ')}`, value);

const dialect: Read = (reader, value, place) =>
  value === DIALECT ? undefined : reader.fault(place, `must be ${JSON.stringify(DIALECT)}`, value);

const ANNOTATIONS = ['title', 'description', '$comment', 'default', 'examples', 'deprecated', 'readOnly', 'writeOnly'];

/** The keywords that are accepted, with their names in {@link ReadKeywords}. */
const KEYWORDS = new Map<string, [name: keyof ReadKeywords | null, read: Read]>([
  ...ANNOTATIONS.map((name): [string, [null, Read]] => [name, [null, annotation]]),
  ['$schema', [null, dialect]],
  ['type', ['type', type]],
  ['enum', ['enum', scalars]],
  ['const', ['constant', constant]],
  ['minLength', ['minLength', count]],
  ['maxLength', ['maxLength', count]],
  ['pattern', ['pattern', pattern]],
  ['format', ['format', format]],
  ['minimum', ['minimum', finite]],
  ['maximum', ['maximum', finite]],
  ['exclusiveMinimum', ['exclusiveMinimum', finite]],
  ['exclusiveMaximum', ['exclusiveMaximum', finite]],
  ['multipleOf', ['multipleOf', multipleOf]],
  ['minItems', ['minItems', count]],
  ['maxItems', ['maxItems', count]],
  ['prefixItems', ['prefixItems', schemas]],
  ['items', ['items', schema]],
  ['required', ['required', names]],
  ['properties', ['properties', properties]],
  ['additionalProperties', ['additionalProperties', schema]],
  ['propertyNames', ['propertyNames', schema]],
  ['minProperties', ['minProperties', count]],
  ['maxProperties', ['maxProperties', count]],
  ['allOf', ['allOf', schemas]],
  ['anyOf', ['anyOf', schemas]],
  ['oneOf', ['oneOf', schemas]],
  ['not', ['not', schema]],
  ['if', ['if', schema]],
  ['then', ['whenTrue', schema]],
  ['else', ['whenFalse', schema]],
]);

class SchemaReader {
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

function within({ pointer, depth }: Place, name: string | number): Place {
  return { pointer: `${pointer}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`, depth: depth + 1 };
}
