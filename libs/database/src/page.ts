import { DomainError, isId } from '#domain';

export interface PageRequest {
  limit: number;
  cursor?: string | undefined;
}

export interface Page<Row> {
  rows: Row[];
  nextCursor: string | null;
}

/** The key the next page begins after, from an opaque cursor. Throws `validation_failed`. */
export function afterCursor(cursor: string | undefined): string | null {
  if (cursor === undefined) return null;
  return Buffer.from(cursor, 'base64url').toString('utf8');
}

/** The same where the key is a number. */
export function afterNumberCursor(cursor: string | undefined): number | null {
  const text = afterCursor(cursor);
  if (text === null) return null;
  if (!/^\d{1,15}$/.test(text)) throw badCursor(cursor);
  return Number(text);
}

/** The same where the key is an id. */
export function afterIdCursor(cursor: string | undefined): string | null {
  const id = afterCursor(cursor);
  if (id !== null && !isId(id)) throw badCursor(cursor);
  return id;
}

function badCursor(cursor: string | undefined): DomainError {
  const message = `must be a next_cursor of an earlier answer, got ${JSON.stringify(cursor)}`;
  return new DomainError('validation_failed', message, { errors: [{ pointer: '?cursor', code: 'invalid', message }] });
}

/** Cuts one row more than asked down to a page. */
export function toPage<Row>(rows: Row[], limit: number, keyOf: (row: Row) => string): Page<Row> {
  const more = rows.length > limit;
  const page = more ? rows.slice(0, limit) : rows;
  return { rows: page, nextCursor: more ? toCursor(keyOf(page.at(-1)!)) : null };
}

/** The opaque cursor of the page that begins after this key. */
export function toCursor(key: string): string {
  return Buffer.from(key, 'utf8').toString('base64url');
}
