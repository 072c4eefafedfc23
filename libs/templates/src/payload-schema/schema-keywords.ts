import { readPattern } from './safe-pattern.ts';
import type { ReadKeywords, SchemaNode } from './schema-node.ts';
import { textFormats } from './text-formats.ts';

const DIALECT = 'https://json-schema.org/draft/2020-12/schema';

export type Json = Record<string, unknown>;

export interface Place {
  pointer: string;
  depth: number;
}

export interface KeywordReader {
  schema(given: unknown, place: Place): SchemaNode;
  /** Reports a fault, and returns undefined. */
  fault(place: Place, message: string, value?: unknown): undefined;
  /** Adds to the weight of the schema. */
  add(weight: number): void;
}

/** Returns the value of a keyword; undefined if it is to be left out. */
export type Read = (reader: KeywordReader, value: unknown, place: Place) => unknown;

export const isRecord = (value: unknown): value is Json =>
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
export const KEYWORDS: ReadonlyMap<string, [name: keyof ReadKeywords | null, read: Read]> = new Map<
  string,
  [name: keyof ReadKeywords | null, read: Read]
>([
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

export function within({ pointer, depth }: Place, name: string | number): Place {
  return { pointer: `${pointer}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`, depth: depth + 1 };
}
