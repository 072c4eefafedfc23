import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lastLocalOf, nextOccurrence, type Occurrence, type Recurrence, searchOccurrences } from './recurrence.js';
import { readRecurrenceRule } from './recurrence-rule.js';

const rule = (rrule: string, more: Partial<Recurrence> = {}): Recurrence => ({
  rrule,
  startsAtLocal: '2026-01-01T00:00:00',
  exdates: [],
  lastLocal: null,
  ...more,
});
const later = (at: string, local: string | null = null): { at: Date; local: string | null } => ({
  at: new Date(at),
  local,
});
const nextOccurrences = (
  recurrence: Recurrence,
  zone: string,
  after: { local: string | null; at: Date },
  count: number,
): Occurrence[] => searchOccurrences(recurrence, zone, after, count, 1_000).found;
const instants = (recurrence: Recurrence, zone: string, from: string, count: number): string[] =>
  nextOccurrences(recurrence, zone, later(from), count).map(({ at }) => at.toISOString().replace('.000Z', 'Z'));

describe('readRecurrenceRule', () => {
  it.each([
    'FREQ=DAILY',
    'FREQ=DAILY;INTERVAL=2;COUNT=10',
    'FREQ=WEEKLY;BYDAY=MO,TH;BYHOUR=9;BYMINUTE=0;WKST=SU',
    'FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17',
    'FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1',
    'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;UNTIL=20401231',
    'FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO',
    'FREQ=MINUTELY;INTERVAL=15;BYSECOND=30;UNTIL=20261231T235959Z',
  ])('accepts %s', (text) => {
    expect(readRecurrenceRule(text)).toHaveProperty('pattern');
  });

  it.each([
    ['', 'unknown part'],
    ['FREQ=SECONDLY', 'FREQ must be one of YEARLY'],
    ['FREQ=FORTNIGHTLY', 'FREQ must be one of YEARLY'],
    ['INTERVAL=2', 'FREQ is required'],
    ['FREQ=DAILY;FREQ=DAILY', 'FREQ twice'],
    ['freq=daily', 'unknown part "freq=daily"'],
    ['FREQ=DAILY;', 'unknown part ""'],
    ['RRULE:FREQ=DAILY', 'unknown part "RRULE:FREQ=DAILY"'],
    ['FREQ=DAILY;BYDAY=XX', 'BYDAY must be'],
    ['FREQ=DAILY;BYDAY=1MO', 'BYDAY with numbers cannot be used with FREQ=DAILY'],
    ['FREQ=WEEKLY;BYMONTHDAY=1', 'BYMONTHDAY cannot be used with FREQ=WEEKLY'],
    ['FREQ=DAILY;BYWEEKNO=3', 'BYWEEKNO cannot be used with FREQ=DAILY'],
    ['FREQ=MONTHLY;BYYEARDAY=3', 'BYYEARDAY cannot be used with FREQ=MONTHLY'],
    ['FREQ=DAILY;BYHOUR=1,2;BYSETPOS=1', 'BYSETPOS cannot be used with FREQ=DAILY'],
    ['FREQ=MONTHLY;BYSETPOS=1', 'BYSETPOS needs another part'],
    ['FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=1,2,3,4;BYSETPOS=-1', 'BYSETPOS chooses from 1060 times, at most 1000'],
    [
      'FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=1,2,3,4,5,6,7;BYMINUTE=0,10,20,30,40,50;BYSETPOS=1',
      'chooses from 1050',
    ],
    ['FREQ=YEARLY;BYYEARDAY=366;BYWEEKNO=10', 'give BYYEARDAY or BYWEEKNO'],
    ['FREQ=DAILY;COUNT=0', 'COUNT must be a number from 1 to 365'],
    ['FREQ=DAILY;COUNT=99999999999', 'COUNT must be'],
    ['FREQ=DAILY;INTERVAL=1e9', 'INTERVAL must be'],
    ['FREQ=DAILY;COUNT=3;UNTIL=20261231', 'give COUNT or UNTIL'],
    ['FREQ=DAILY;UNTIL=20260230', 'UNTIL must be'],
    ['FREQ=DAILY;UNTIL=2026-12-31', 'UNTIL must be'],
    ['FREQ=DAILY;BYSECOND=0,30', 'BYSECOND must be a number'],
    ['FREQ=DAILY;BYHOUR=24', 'BYHOUR must be'],
    ['FREQ=DAILY;BYMONTHDAY=0', 'BYMONTHDAY must be'],
    ['FREQ=DAILY;RSCALE=HEBREW', 'unknown part "RSCALE=HEBREW"'],
    ['FREQ=DAILY\nX', 'FREQ must be'],
    [`FREQ=DAILY;BYMINUTE=${'1,'.repeat(300)}1`, 'characters'],
  ])('refuses %j', (text, fault) => {
    expect(readRecurrenceRule(text)).toEqual({ faults: [expect.stringContaining(fault)] });
  });
});

describe('nextOccurrence', () => {
  it('follows the clock of the zone through the year', () => {
    const daily = rule('FREQ=DAILY;BYHOUR=9;BYMINUTE=0');
    expect(instants(daily, 'Europe/Paris', '2026-03-28T00:00:00Z', 3)).toEqual([
      '2026-03-28T08:00:00Z',
      '2026-03-29T07:00:00Z',
      '2026-03-30T07:00:00Z',
    ]);
  });

  it.each([
    // zone, the day before the change, the change to summer: 02:30 does not exist, so 03:30
    ['Europe/Paris', '2026-03-28T12:00:00Z', '2026-03-29T01:30:00Z', '2026-03-30T00:30:00Z'],
    ['America/New_York', '2026-03-07T12:00:00Z', '2026-03-08T07:30:00Z', '2026-03-09T06:30:00Z'],
    ['Australia/Sydney', '2026-10-03T00:00:00Z', '2026-10-03T16:30:00Z', '2026-10-04T15:30:00Z'],
    ['Pacific/Auckland', '2026-09-26T00:00:00Z', '2026-09-26T14:30:00Z', '2026-09-27T13:30:00Z'],
    // the change back: 02:30 happens twice, the first counts
    ['Europe/Paris', '2026-10-24T12:00:00Z', '2026-10-25T00:30:00Z', '2026-10-26T01:30:00Z'],
    ['Australia/Sydney', '2026-04-04T00:00:00Z', '2026-04-04T15:30:00Z', '2026-04-05T16:30:00Z'],
    ['America/Santiago', '2026-04-04T12:00:00Z', '2026-04-05T06:30:00Z', '2026-04-06T06:30:00Z'],
  ])('a daily 02:30 in %s happens once on the day of a change of clocks', (zone, from, changeDay, nextDay) => {
    const daily = rule('FREQ=DAILY;BYHOUR=2;BYMINUTE=30');
    expect(instants(daily, zone, from, 2)).toEqual([changeDay, nextDay]);
  });

  it('an hourly rule skips the hour that is missing and does not repeat the one that happens twice', () => {
    const hourly = rule('FREQ=HOURLY');
    expect(instants(hourly, 'Europe/Paris', '2026-03-29T00:00:00Z', 3)).toEqual([
      '2026-03-29T01:00:00Z',
      '2026-03-29T02:00:00Z',
      '2026-03-29T03:00:00Z',
    ]);
    expect(instants(hourly, 'Europe/Paris', '2026-10-24T23:00:00Z', 3)).toEqual([
      '2026-10-25T00:00:00Z',
      '2026-10-25T02:00:00Z',
      '2026-10-25T03:00:00Z',
    ]);
    // Asked in the second pass of the repeated hour.
    expect(instants(hourly, 'Europe/Paris', '2026-10-25T01:10:00Z', 1)).toEqual(['2026-10-25T02:00:00Z']);
  });

  it('leaves out dates and times', () => {
    const daily = rule('FREQ=DAILY;BYHOUR=9,17;BYMINUTE=0', { exdates: ['2026-12-25', '2026-12-26T17:00:00'] });
    expect(instants(daily, 'UTC', '2026-12-24T12:00:00Z', 4)).toEqual([
      '2026-12-24T17:00:00Z',
      '2026-12-26T09:00:00Z',
      '2026-12-27T09:00:00Z',
      '2026-12-27T17:00:00Z',
    ]);
  });

  it.each([
    ['UNTIL a date includes that day', 'FREQ=DAILY;BYHOUR=9;UNTIL=20261202', 'Asia/Tokyo', 2],
    ['UNTIL a local time includes it', 'FREQ=DAILY;BYHOUR=9;BYMINUTE=0;UNTIL=20261202T090000', 'Asia/Tokyo', 2],
    ['UNTIL an instant', 'FREQ=DAILY;BYHOUR=9;BYMINUTE=0;UNTIL=20261202T000000Z', 'Asia/Tokyo', 2],
    ['UNTIL an instant before the last', 'FREQ=DAILY;BYHOUR=9;BYMINUTE=0;UNTIL=20261201T235959Z', 'Asia/Tokyo', 1],
  ])('ends: %s', (_, text, zone, count) => {
    expect(nextOccurrences(rule(text), zone, later('2026-11-30T12:00:00Z'), 10)).toHaveLength(count);
  });

  it('a COUNT counts from the start, and counts what is left out', () => {
    const counted = rule('FREQ=DAILY;COUNT=5', { exdates: ['2026-01-03'] });
    const lastLocal = lastLocalOf(counted);
    expect(lastLocal).toBe('2026-01-05T00:00:00');
    expect(instants({ ...counted, lastLocal } as Recurrence, 'UTC', '2026-01-01T12:00:00Z', 10)).toEqual([
      '2026-01-02T00:00:00Z',
      '2026-01-04T00:00:00Z',
      '2026-01-05T00:00:00Z',
    ]);
    expect(lastLocalOf(rule('FREQ=DAILY'))).toBeNull();
  });

  it('does not repeat a local time after the recipient has moved west', () => {
    const daily = rule('FREQ=DAILY;BYHOUR=9;BYMINUTE=0');
    const inParis = nextOccurrence(daily, 'Europe/Paris', later('2026-12-01T00:00:00Z'));
    expect(inParis).toMatchObject({ local: '2026-12-01T09:00:00' });
    expect(nextOccurrence(daily, 'America/New_York', inParis as { local: string; at: Date })).toMatchObject({
      local: '2026-12-02T09:00:00',
    });
  });

  it('29 February comes every four years', () => {
    expect(instants(rule('FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29'), 'UTC', '2026-12-01T00:00:00Z', 2)).toEqual([
      '2028-02-29T00:00:00Z',
      '2032-02-29T00:00:00Z',
    ]);
  });

  it('occurrences are ordered, after the given time and at least a minute apart in local time', () => {
    const rules = fc.constantFrom(
      'FREQ=MINUTELY;INTERVAL=7',
      'FREQ=HOURLY;INTERVAL=5',
      'FREQ=HOURLY;BYMINUTE=0,30',
      'FREQ=DAILY;BYHOUR=2,3;BYMINUTE=15,45',
      'FREQ=WEEKLY;BYDAY=SU;BYHOUR=2;BYMINUTE=30',
      'FREQ=MONTHLY;BYDAY=-1SU;BYHOUR=1,2',
    );
    const zones = fc.constantFrom('Europe/Paris', 'Australia/Lord_Howe', 'America/St_Johns', 'America/Santiago');
    const times = fc.date({ min: new Date('2026-01-01'), max: new Date('2027-12-31'), noInvalidDate: true });
    fc.assert(
      fc.property(rules, zones, times, (text, zone, from) => {
        const found = nextOccurrences(rule(text), zone, { local: null, at: from }, 6);
        expect(found).toHaveLength(6);
        let last = { local: '', at: from };
        for (const one of found) {
          expect(one.at.getTime()).toBeGreaterThan(last.at.getTime());
          if (last.local !== '')
            expect(Date.parse(`${one.local}Z`) - Date.parse(`${last.local}Z`)).toBeGreaterThanOrEqual(60_000);
          last = one;
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('the work for a hostile rule', () => {
  /** Milliseconds of one core. */
  const cpuOf = (work: () => unknown): number => {
    const before = process.threadCpuUsage();
    work();
    const { user, system } = process.threadCpuUsage();
    return (user + system - before.user - before.system) / 1_000;
  };
  const all = (to: number): string => Array.from({ length: to }, (_, index) => index).join(',');

  it.each([
    'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30',
    'FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30',
    'FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30',
    'FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30',
    'FREQ=YEARLY;INTERVAL=1000;BYMONTH=2;BYMONTHDAY=29',
    'FREQ=YEARLY;BYMONTH=3;BYDAY=MO;BYSETPOS=366',
    'FREQ=HOURLY;INTERVAL=999;BYHOUR=3;BYMONTHDAY=13;BYDAY=FR',
  ])('%s is given up', (text) => {
    const found = nextOccurrence(rule(text), 'Europe/Paris', later('2026-12-01T00:00:00Z'));
    expect([null, 'too_costly']).toContain(found);
  });

  it('has one limit for ten occurrences', () => {
    // Each occurrence of this rule takes some milliseconds.
    const costly = rule(`FREQ=WEEKLY;INTERVAL=53;BYMONTH=2;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR=${all(24)}`);
    const from = later('2026-12-01T00:00:00Z');
    expect(searchOccurrences(costly, 'Europe/Paris', from, 10, 10_000)).toMatchObject({ isTooCostly: false });
    const limited = searchOccurrences(costly, 'Europe/Paris', from, 1_000, 10);
    expect(limited.isTooCostly).toBe(true);
    expect(limited.found.length).toBeLessThan(100);
  });

  it('is bounded for every rule', () => {
    const some = (values: fc.Arbitrary<string>): fc.Arbitrary<string> =>
      fc.uniqueArray(values, { minLength: 1, maxLength: 6 }).map((list) => list.join(','));
    const part = (name: string, values: fc.Arbitrary<string>): fc.Arbitrary<string | null> =>
      fc.option(
        values.map((value) => `${name}=${value}`),
        { freq: 2 },
      );
    const number = (min: number, max: number): fc.Arbitrary<string> => fc.integer({ min, max }).map(String);
    const texts = fc
      .tuple(
        fc
          .constantFrom('YEARLY', 'MONTHLY', 'WEEKLY', 'DAILY', 'HOURLY', 'MINUTELY')
          .map((frequency) => `FREQ=${frequency}`),
        part('INTERVAL', number(1, 1_000)),
        part('COUNT', number(1, 365)),
        part('BYMONTH', some(number(1, 12))),
        part('BYMONTHDAY', some(number(-31, 31))),
        part('BYYEARDAY', some(number(-366, 366))),
        part('BYWEEKNO', some(number(-53, 53))),
        part('BYDAY', some(fc.constantFrom('MO', 'TU', 'FR', '5MO', '-1SU', '53WE'))),
        part('BYHOUR', fc.oneof(some(number(0, 23)), fc.constant(all(24)))),
        part('BYMINUTE', fc.oneof(some(number(0, 59)), fc.constant(all(60)))),
        part('BYSETPOS', some(number(-366, 366))),
      )
      .map((parts) => parts.filter((one) => one !== null).join(';'))
      .filter((text) => 'pattern' in readRecurrenceRule(text));
    let worst = { ms: 0, text: '' };
    fc.assert(
      fc.property(texts, (text) => {
        const ms = cpuOf(() => {
          nextOccurrence(rule(text), 'Europe/Paris', later('2026-12-01T00:00:00Z'));
          lastLocalOf(rule(text));
        });
        if (ms > worst.ms) worst = { ms, text };
      }),
      { numRuns: 500 },
    );
    // Most rules take a tenth of a millisecond. The worst that we found take 70 ms, before the runtime has compiled.
    expect(worst.ms, worst.text).toBeLessThan(150);
  }, 120_000);
});
