import { type DomainError, isId, validationFailed } from '#domain';

export interface PageRequest {
  limit: number;
  cursor?: string | undefined;
}

export interface Page<Row> {
  rows: Row[];
  nextCursor: string | null;
}

/** Prisma's arguments for one page by id, newest first. Spread `where` into that of the query. */
export function newestFirst({ limit, cursor }: PageRequest): {
  where: { id?: { lt: string } };
  orderBy: { id: 'desc' };
  take: number;
} {
  const before = afterIdCursor(cursor);
  return { where: before === null ? {} : { id: { lt: before } }, orderBy: { id: 'desc' }, take: limit + 1 };
}

/**
 * The key after which the page begins, from an opaque cursor; null for the first page. Throws `validation_failed` for a
 * key with NUL, which PostgreSQL cannot compare.
 */
export function afterCursor(cursor: string | undefined): string | null {
  if (cursor === undefined) return null;
  const key = Buffer.from(cursor, 'base64url').toString('utf8');
  if (key.includes('\0')) throw badCursor(cursor);
  return key;
}

/** The same for a key that is a number. Throws `validation_failed` for any other text. */
export function afterNumberCursor(cursor: string | undefined): number | null {
  const text = afterCursor(cursor);
  if (text === null) return null;
  if (!/^\d{1,15}$/.test(text)) throw badCursor(cursor);
  return Number(text);
}

/** The same for a key that is an id. Throws `validation_failed` for any other text. */
export function afterIdCursor(cursor: string | undefined): string | null {
  const id = afterCursor(cursor);
  if (id !== null && !isId(id)) throw badCursor(cursor);
  return id;
}

/** The same for a pair of ids. Throws `validation_failed` for any other text. */
export function afterIdsCursor(cursor: string | undefined): [string, string] | null {
  const text = afterCursor(cursor);
  if (text === null) return null;
  const [first, second, ...more] = text.split(':');
  if (!isId(first!) || !isId(second ?? '') || more.length > 0) throw badCursor(cursor);
  return [first!, second!];
}

function badCursor(cursor: string | undefined): DomainError {
  const message = `must be a next_cursor of an earlier response, got ${JSON.stringify(cursor)}`;
  return validationFailed([{ pointer: '?cursor', code: 'invalid', message }]);
}

/** Makes a page of up to `limit + 1` rows; the extra row shows that there is a next page. */
export function toPage<Row>(rows: Row[], limit: number, keyOf: (row: Row) => string): Page<Row> {
  const more = rows.length > limit;
  const page = more ? rows.slice(0, limit) : rows;
  return { rows: page, nextCursor: more ? toCursor(keyOf(page.at(-1)!)) : null };
}

/** The opaque cursor of the page that begins after this key. */
export function toCursor(key: string): string {
  return Buffer.from(key, 'utf8').toString('base64url');
}
