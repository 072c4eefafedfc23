// Text from outside on its way to SQL: PostgreSQL stores neither NUL nor half of a UTF-16 pair, and refuses the whole row for one.

const REPLACEMENT = '\uFFFD';

/** At most so many UTF-16 units of whatever was given as text, with U+FFFD for what PostgreSQL cannot store. */
export function cleanText(text: unknown, maxLength: number): string {
  return storable(String(text).slice(0, maxLength));
}

/** The same value with every string in it, keys included, made storable. */
export function cleanJson<T>(value: T): T {
  if (typeof value === 'string') return storable(value) as T;
  if (Array.isArray(value)) return value.map(cleanJson) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [storable(key), cleanJson(inner)])) as T;
}

function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', REPLACEMENT);
}
