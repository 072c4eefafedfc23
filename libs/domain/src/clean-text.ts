// Cleans text of vendors before it is stored: PostgreSQL refuses a row that has NUL or half of a UTF-16 surrogate pair.

const REPLACEMENT = '\uFFFD';

/**
 * The value as text, cut to `maxLength` UTF-16 units, with U+FFFD in place of characters that PostgreSQL cannot store.
 */
export function cleanText(text: unknown, maxLength: number): string {
  return storable(String(text).slice(0, maxLength));
}

/** The same value with all strings in it, including keys, cleaned. */
export function cleanJson<T>(value: T): T {
  if (typeof value === 'string') return storable(value) as T;
  if (Array.isArray(value)) return value.map(cleanJson) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [storable(key), cleanJson(inner)])) as T;
}

function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', REPLACEMENT);
}
