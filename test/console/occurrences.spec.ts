// The calendar of the console and the worker that fires schedules have the same occurrences.

import { describe, expect, it } from 'vitest';
import { lastLocalOf, searchOccurrences } from '#domain';
import { clockChanges, firstDay, occurrencesOf } from '../../apps/console/src/views/schedules/occurrences.ts';
import { readSimpleRule, ruleInWords, writeRule } from '../../apps/console/src/views/schedules/recurrence.ts';

const START = '2026-10-05T07:30:00';
const RULES = [
  'FREQ=DAILY;BYHOUR=2;BYMINUTE=30',
  'FREQ=WEEKLY;BYDAY=MO,TH;BYHOUR=9;BYMINUTE=0',
  'FREQ=WEEKLY;INTERVAL=2;BYDAY=FR',
  'FREQ=MONTHLY;BYMONTHDAY=-1',
  'FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17',
  'FREQ=DAILY;COUNT=40',
  'FREQ=DAILY;UNTIL=20261112T235959',
  'FREQ=HOURLY;INTERVAL=6',
  'FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=28;BYHOUR=2;BYMINUTE=15',
];

/** The times at which the worker would fire in the month, by the rules of libs/domain. */
function firedIn(rrule: string, zone: string, month: string, exdates: string[]): string[] {
  const recurrence = { rrule, startsAtLocal: START, exdates };
  const last = lastLocalOf(recurrence);
  if (last === 'too_costly') throw new Error(`${rrule} is too costly`);
  const after = { local: null, at: new Date(Date.parse(`${month}-01T00:00:00Z`) - 2 * 86_400_000) };
  const { found } = searchOccurrences({ ...recurrence, lastLocal: last }, zone, after, 200, 5_000);
  return found.map(({ local }) => local).filter((local) => local.startsWith(month));
}

describe('the occurrences of a month', () => {
  it.each(RULES)('of %s are those of the worker', (rrule) => {
    const exdates = ['2026-11-05', '2026-12-07T09:00:00'];
    for (const timezone of ['Europe/Paris', 'America/New_York', 'UTC'])
      for (const month of ['2026-10', '2026-11', '2026-12', '2027-03']) {
        const { found } = occurrencesOf({ rrule, starts_at_local: START, exdates, timezone }, month);
        expect([timezone, month, found.map(({ local }) => local)]).toEqual([
          timezone,
          month,
          firedIn(rrule, timezone, month, exdates),
        ]);
      }
  });

  it('that clocks skip or show twice say so', () => {
    const nightly = { rrule: RULES[0]!, starts_at_local: START, exdates: [], timezone: 'Europe/Paris' };
    const noted = (month: string) => occurrencesOf(nightly, month).found.filter(({ note }) => note);
    expect(noted('2027-03')).toEqual([
      { local: '2027-03-28T02:30:00', shown: '2027-03-28T03:30:00', note: 'Clocks skip 02:30 on this day.' },
    ]);
    expect(noted('2026-10')).toMatchObject([{ local: '2026-10-25T02:30:00', shown: '2026-10-25T02:30:00' }]);
    expect(clockChanges('Europe/Paris', '2027-03')).toHaveLength(1);
    expect(clockChanges('Europe/Paris', '2027-04')).toEqual([]);
  });

  it('begin to be shown on the day of the next one, on the clock of the schedule', () => {
    const day = (timezone: string, ...next: string[]) => firstDay({ next, timezone });
    expect(day('Asia/Tokyo', '2026-11-30T16:00:00.000Z')).toBe('2026-12-01');
    expect(day('America/New_York', '2026-12-01T04:00:00.000Z')).toBe('2026-11-30');
    expect(day('recipient', '2026-12-01T04:00:00')).toBe('2026-12-01');
    expect(day('UTC')).toBe(new Date().toISOString().slice(0, 10));
  });

  it('are cut where a rule fires each minute', () => {
    const rule = { rrule: 'FREQ=MINUTELY', starts_at_local: START, exdates: [], timezone: 'recipient' };
    const { found, isCut } = occurrencesOf(rule, '2026-11');
    expect([found.length, isCut, found[0]]).toEqual([
      2_000,
      true,
      { local: '2026-11-01T00:00:00', shown: null, note: null },
    ]);
  });
});

describe('the fields of a rule', () => {
  it.each([
    'FREQ=WEEKLY;BYDAY=MO,TH;BYHOUR=9;BYMINUTE=0',
    'FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=-1;COUNT=4',
    'FREQ=DAILY;UNTIL=20261231T235959',
    'FREQ=MINUTELY;INTERVAL=15',
  ])('write %s as they have read it', (rrule) => {
    expect(writeRule(readSimpleRule(rrule)!)).toBe(rrule);
  });

  it.each([
    'FREQ=MONTHLY;BYDAY=-1FR',
    'FREQ=DAILY;BYHOUR=9,17;BYMINUTE=0',
    'FREQ=DAILY;BYSETPOS=1',
    'FREQ=MINUTELY;BYHOUR=9;BYMINUTE=0',
    'FREQ=DAILY;UNTIL=20261231T120000Z',
    'nonsense',
  ])('leave %s to the text', (rrule) => {
    expect(readSimpleRule(rrule)).toBeNull();
    expect(ruleInWords(rrule)).toBe(rrule);
  });
});
