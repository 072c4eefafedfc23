import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextLocalTime } from './digest.js';
import { calendarOf } from './local-calendar.js';
import { atLocalTime, localTimeAt } from './local-time.js';
import { dayStarts, monthStarts } from './period-starts.js';
import { quotasOf } from './quotas.js';
import { nextOccurrence } from './recurrence.js';
import { firstTimezone, timezone } from './timezone.js';

/** Intl accepts these names, which are not of IANA; Temporal does not. */
const ONLY_INTL =
  'ACT AET AGT ART AST BET BST CAT CNT CST CTT EAT ECT IET IST JST MIT NET NST PLT PNT PRT PST SST VST'.split(' ');
const REAL = Intl.supportedValuesOf('timeZone');
const ALIASES = ['UTC', 'utc', 'GMT', 'EST', 'PST8PDT', 'Asia/Calcutta', 'europe/paris', '+14:00', '-03:30'];

/** Everything that computes times in a zone. */
function compute(zone: string, at: Date): void {
  const local = localTimeAt(at, zone);
  expect(atLocalTime(local, zone)).toBeInstanceOf(Date);
  expect(nextLocalTime('09:00', zone, at).getTime()).toBeGreaterThan(at.getTime());
  expect(dayStarts(zone, at.getTime())[0]).toBeLessThan(at.getTime());
  expect(monthStarts(zone, at.getTime())[0]).toBeLessThan(at.getTime());
  expect(calendarOf(zone).dayAt(at.getTime()).startsAt).toBeLessThanOrEqual(at.getTime());
  const daily = { rrule: 'FREQ=DAILY;BYHOUR=9', startsAtLocal: local, exdates: [], lastLocal: null };
  expect(nextOccurrence(daily, zone, { local: null, at })).toMatchObject({ at: expect.any(Date) });
}

const instants = fc.date({ min: new Date('2000-01-01'), max: new Date('2099-12-31'), noInvalidDate: true });

describe('a zone that may be set', () => {
  it('is one in which all times can be computed: of all that the runtime accepts', () => {
    for (const zone of [...REAL, ...ALIASES]) {
      expect(timezone.safeParse(zone).success, zone).toBe(true);
      expect(firstTimezone(zone, 'Asia/Tokyo')).toBe(zone);
      compute(zone, new Date('2026-11-30T04:30:00Z'));
    }
    fc.assert(fc.property(fc.constantFrom(...REAL, ...ALIASES), instants, compute));
  });

  it.each(ONLY_INTL)('is not %s, in any case', (name) => {
    for (const zone of [name, name.toLowerCase()]) {
      expect(() => new Intl.DateTimeFormat('en', { timeZone: zone })).not.toThrow();
      expect(timezone.safeParse(zone).success).toBe(false);
    }
  });

  it.each(['', 'Mars/Olympus', '2026-01-01T00:00[Europe/Paris]', '+25:00'])('is not %j', (zone) => {
    expect(timezone.safeParse(zone).error?.issues[0]?.message).toMatch(/IANA time zone/);
  });
});

describe('a stored zone that is not usable', () => {
  it('is left out: the next one counts, in the end UTC', () => {
    for (const zone of [...ONLY_INTL, 'Mars/Olympus', '', null, undefined]) {
      expect(firstTimezone(zone, 'Asia/Tokyo')).toBe('Asia/Tokyo');
      expect(firstTimezone(zone, 'PST', null)).toBe('UTC');
    }
  });

  it('does not disturb quiet hours and quotas', () => {
    const at = Date.parse('2026-11-30T04:30:00Z');
    for (const zone of ONLY_INTL) {
      expect(calendarOf(zone).dayAt(at).startsAt).toBe(Date.parse('2026-11-30T00:00:00Z'));
      expect(quotasOf({ deliveries_per_day: 1, deliveries_per_month: 2, timezone: zone }, at)).toHaveLength(2);
    }
  });
});
