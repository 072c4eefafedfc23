import pg from 'pg';
import { expect, it } from 'vitest';
import { parseTime } from './column-parsers.js';

it.each([
  '2026-11-25 12:00:00+00',
  '2026-11-25 12:00:00.1+00',
  '2026-11-25 23:59:59.999999+00',
  '2026-02-28 00:00:00.000001+00',
  '0099-01-01 00:00:00+00',
  '1969-12-31 23:59:59.5+00',
  '10000-01-01 00:00:00+00',
  '2026-11-25 12:00:00.25+05:30',
  '2026-11-25 12:00:00-03',
  '0044-03-15 12:00:00+00 BC',
  'infinity',
  '-infinity',
])('reads %s as pg does', (text) => {
  expect(parseTime(text)).toEqual(pg.types.getTypeParser(1184)(text));
});
