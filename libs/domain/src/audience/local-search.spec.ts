import fc from 'fast-check';
import { RRuleTemporal } from 'rrule-temporal';
import { Temporal } from 'temporal-polyfill';
import { describe, expect, it } from 'vitest';
import { lateStart, nextLocal } from './local-search.js';
import { readRecurrenceRule } from './recurrence-rule.js';

const toUtc = (local: string): Temporal.ZonedDateTime => Temporal.PlainDateTime.from(local).toZonedDateTime('UTC');
const textOf = (milliseconds: number): string => new Date(milliseconds).toISOString().slice(0, 19);

const list = (from: number, to: number): fc.Arbitrary<string> =>
  fc.uniqueArray(fc.integer({ min: from, max: to }), { minLength: 1, maxLength: 3 }).map((numbers) => numbers.join());
const days = fc.uniqueArray(fc.constantFrom('MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'), { minLength: 1 }).map(String);
const part = (name: string, values: fc.Arbitrary<unknown>): fc.Arbitrary<string> =>
  fc.option(values, { freq: 2, nil: undefined }).map((value) => (value === undefined ? '' : `;${name}=${value}`));

const rules = fc
  .tuple(
    fc.constantFrom('YEARLY', 'MONTHLY', 'WEEKLY', 'DAILY', 'HOURLY', 'MINUTELY').map((name) => `FREQ=${name}`),
    part('INTERVAL', fc.integer({ min: 1, max: 40 })),
    part('BYDAY', days),
    part('BYMONTHDAY', list(-31, 31)),
    part('BYMONTH', list(1, 12)),
    part('BYHOUR', list(0, 23)),
    part('BYMINUTE', list(0, 59)),
    part('BYSECOND', fc.integer({ min: 0, max: 59 })),
    part('WKST', fc.constantFrom('MO', 'SU')),
  )
  .map((parts) => parts.join(''))
  .filter((rule) => !('faults' in readRecurrenceRule(rule)));
const times = fc
  .date({ min: new Date('2023-01-01'), max: new Date('2027-12-31'), noInvalidDate: true })
  .map((date) => textOf(date.getTime()));

describe('the next local time', () => {
  it('is that of a search from the first start, without the limits of work', () => {
    let found = 0;
    const sameAsFromFirstStart = (pattern: string, one: string, other: string): void => {
      const [startsAtLocal, after] = [one, other].sort() as [string, string];
      const next = nextLocal({ pattern, count: null, until: null }, { startsAtLocal, exdates: [] }, after);
      if (next === 'too_costly') return;
      const rule = new RRuleTemporal({ rruleString: pattern, dtstart: toUtc(startsAtLocal), maxIterations: 100_000 });
      const expected = rule.next(toUtc(after));
      expect(next).toBe(expected && textOf(expected.epochMilliseconds));
      found += 1;
    };
    fc.assert(fc.property(rules, times, times, sameAsFromFirstStart), { numRuns: 400 });
    expect(found).toBeGreaterThan(200);
  });

  it('is found again for another start, other times that are left out and another time', () => {
    const rule = readRecurrenceRule('FREQ=DAILY;INTERVAL=2;BYHOUR=9;BYMINUTE=0');
    if ('faults' in rule) throw new Error(rule.faults.join());
    const next = (startsAtLocal: string, after: string, exdates: string[] = []): unknown =>
      nextLocal(rule, { startsAtLocal, exdates }, after);
    for (let turn = 0; turn < 2; turn += 1) {
      expect(next('2026-01-01T00:00:00', '2026-03-01T09:00:00')).toBe('2026-03-02T09:00:00');
      expect(next('2026-01-02T00:00:00', '2026-03-01T09:00:00')).toBe('2026-03-03T09:00:00');
      expect(next('2026-01-01T00:00:07', '2026-03-01T09:00:00')).toBe('2026-03-02T09:00:07');
      expect(next('2026-01-01T00:00:00', '2026-03-02T09:00:00')).toBe('2026-03-04T09:00:00');
      expect(next('2026-01-01T00:00:00', '2026-03-01T09:00:00', ['2026-03-02T09:00:00'])).toBe('2026-03-04T09:00:00');
    }
  });
});

describe('the late start', () => {
  it.each([
    ['FREQ=DAILY', '2026-03-09T17:30:00'],
    ['FREQ=DAILY;INTERVAL=2', '2026-03-08T17:30:00'],
    ['FREQ=WEEKLY', '2026-03-05T17:30:00'],
    ['FREQ=HOURLY', '2026-03-10T09:30:00'],
    ['FREQ=MINUTELY', '2026-03-10T10:00:00'],
    ['FREQ=DAILY;BYHOUR=9;BYMINUTE=0', '2026-03-09T00:00:00'],
    ['FREQ=HOURLY;BYHOUR=9;BYMINUTE=0', '2026-03-10T09:30:00'],
    ['FREQ=MONTHLY', '2026-01-01T17:30:00'],
    ['FREQ=MONTHLY;BYDAY=MO', '2026-03-01T17:30:00'],
    ['FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=31', '2026-03-01T17:30:00'],
    ['FREQ=MONTHLY;INTERVAL=5;BYDAY=-1FR;BYHOUR=9;BYMINUTE=0', '2026-01-01T00:00:00'],
    ['FREQ=YEARLY', '2026-01-01T17:30:00'],
  ])('of %s is %s', (pattern, expected) => {
    expect(lateStart(pattern, '2026-01-01T17:30:00', '2026-03-10T10:00:00')).toBe(expected);
  });

  it('is the given one if the rule has not begun', () => {
    expect(lateStart('FREQ=DAILY', '2026-05-01T17:30:00', '2026-03-10T10:00:00')).toBe('2026-05-01T17:30:00');
  });
});
