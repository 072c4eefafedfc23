import pg from 'pg';

const [INT8, TIMESTAMPTZ] = [20, 1184];
const parseAnyTime = pg.types.getTypeParser(TIMESTAMPTZ) as (text: string) => Date;
const parsers: Record<number, (text: string) => unknown> = {
  // Sequence numbers and counts, far below 2^53: numbers, not strings.
  [INT8]: Number,
  [TIMESTAMPTZ]: parseTime,
};
/** Parses result columns; the defaults of pg for all other types. */
export const columnParsers: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    parsers[oid] ?? pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser,
};

/**
 * Parses `2026-11-25 12:00:00.123456+00`; connections work in UTC. `Date` reads ISO 8601 several times as fast as pg's
 * parser, which took a tenth of the time of a list.
 */
export function parseTime(text: string): Date {
  const isUsual = text[4] === '-' && text[10] === ' ' && text.endsWith('+00');
  return isUsual ? new Date(`${text.slice(0, 10)}T${text.slice(11, -3)}Z`) : parseAnyTime(text);
}
