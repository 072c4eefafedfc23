import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { atLocalTime, FIRST_ZONE, localTime, localTimeAt } from './local-time.js';

/** Zones of both hemispheres, with and without daylight saving time, with whole, half and quarter hours. */
const ZONES = [
  'UTC',
  'Europe/Paris',
  'Europe/London',
  'Africa/Casablanca',
  'America/New_York',
  'America/Los_Angeles',
  'America/St_Johns',
  'America/Santiago',
  'America/Sao_Paulo',
  'Asia/Kolkata',
  'Asia/Kathmandu',
  'Australia/Sydney',
  'Australia/Lord_Howe',
  'Pacific/Auckland',
  'Pacific/Chatham',
  'Pacific/Kiritimati',
];

describe('atLocalTime', () => {
  it.each([
    ['no change of clocks', '2026-12-24T09:00:00', 'Asia/Kolkata', '2026-12-24T03:30:00.000Z'],
    ['winter, north', '2026-12-24T09:00:00', 'Europe/Paris', '2026-12-24T08:00:00.000Z'],
    ['summer, north', '2026-07-01T09:00:00', 'Europe/Paris', '2026-07-01T07:00:00.000Z'],
    ['summer, south', '2026-12-24T09:00:00', 'Australia/Sydney', '2026-12-23T22:00:00.000Z'],
    ['gap, north: moved forward to 03:30', '2026-03-29T02:30:00', 'Europe/Paris', '2026-03-29T01:30:00.000Z'],
    ['start of the gap: moved to 03:00', '2026-03-29T02:00:00', 'Europe/Paris', '2026-03-29T01:00:00.000Z'],
    ['end of the gap', '2026-03-29T03:00:00', 'Europe/Paris', '2026-03-29T01:00:00.000Z'],
    ['gap, west', '2026-03-08T02:30:00', 'America/New_York', '2026-03-08T07:30:00.000Z'],
    ['gap, south: moved forward to 03:30', '2026-10-04T02:30:00', 'Australia/Sydney', '2026-10-03T16:30:00.000Z'],
    ['gap of half an hour', '2026-10-04T02:15:00', 'Australia/Lord_Howe', '2026-10-03T15:45:00.000Z'],
    ['gap at midnight', '2026-09-06T00:30:00', 'America/Santiago', '2026-09-06T04:30:00.000Z'],
    ['a day that does not exist', '2011-12-30T12:00:00', 'Pacific/Apia', '2011-12-30T22:00:00.000Z'],
    ['overlap, north: the first', '2026-10-25T02:30:00', 'Europe/Paris', '2026-10-25T00:30:00.000Z'],
    ['overlap, west: the first', '2026-11-01T01:30:00', 'America/New_York', '2026-11-01T05:30:00.000Z'],
    ['overlap, south: the first', '2026-04-05T02:30:00', 'Australia/Sydney', '2026-04-04T15:30:00.000Z'],
    ['overlap of half an hour', '2026-04-05T01:45:00', 'Australia/Lord_Howe', '2026-04-04T14:45:00.000Z'],
    ['29 February', '2028-02-29T23:59:59', 'Pacific/Auckland', '2028-02-29T10:59:59.000Z'],
  ])('%s', (_, local, zone, instant) => {
    expect(atLocalTime(local, zone).toISOString()).toBe(instant);
  });

  it('rejects an unknown zone and a date that does not exist', () => {
    expect(() => atLocalTime('2026-12-24T09:00:00', 'Europe/Atlantis')).toThrow(RangeError);
    expect(() => atLocalTime('2026-02-30T09:00:00', 'UTC')).toThrow(RangeError);
  });

  const instants = fc.date({
    min: new Date('2000-01-01T00:00:00Z'),
    max: new Date('2037-12-31T00:00:00Z'),
    noInvalidDate: true,
  });
  const zones = fc.constantFrom(...ZONES);

  it('is the first instant at which the clocks of the zone show the time', () => {
    fc.assert(
      fc.property(instants, zones, (instant, zone) => {
        const second = new Date(Math.floor(instant.getTime() / 1_000) * 1_000);
        const local = localTimeAt(second, zone);
        const found = atLocalTime(local, zone);
        // Equal, but for the second pass of an overlap, where it is the first pass: an hour earlier at most.
        expect(localTimeAt(found, zone)).toBe(local);
        expect(second.getTime() - found.getTime()).toBeGreaterThanOrEqual(0);
        expect(second.getTime() - found.getTime()).toBeLessThanOrEqual(3_600_000);
      }),
    );
  });

  it('never goes back: a later local time is not an earlier instant, but for the first pass of an overlap', () => {
    fc.assert(
      fc.property(instants, fc.integer({ min: 1, max: 172_800 }), zones, (instant, seconds, zone) => {
        const earlier = localTimeAt(instant, 'UTC');
        const later = localTimeAt(new Date(instant.getTime() + seconds * 1_000), 'UTC');
        const gap = atLocalTime(later, zone).getTime() - atLocalTime(earlier, zone).getTime();
        // A time in a gap counts as up to an hour later, so it can be after one behind the gap.
        expect(gap).toBeGreaterThanOrEqual(-3_600_000);
        expect(gap).toBeLessThanOrEqual((seconds + 3_601) * 1_000);
      }),
    );
  });

  it('is reached in no zone before the first zone of the world', () => {
    fc.assert(
      fc.property(instants, zones, (instant, zone) => {
        const local = localTimeAt(instant, 'UTC');
        expect(atLocalTime(local, FIRST_ZONE).getTime()).toBeLessThanOrEqual(atLocalTime(local, zone).getTime());
      }),
    );
  });

  it('knows every zone that the runtime accepts in a profile', () => {
    for (const zone of Intl.supportedValuesOf('timeZone'))
      expect(atLocalTime('2026-07-01T12:00:00', zone).getTime()).toBeGreaterThan(0);
  });
});

describe('localTime', () => {
  it('accepts a local time to the second only', () => {
    for (const text of ['2026-12-24T09:00:00', '2028-02-29T00:00:00', '2026-12-31T23:59:59'])
      expect(localTime.safeParse(text).success, text).toBe(true);
  });

  it.each([
    '2026-12-24T09:00:00Z',
    '2026-12-24T09:00:00+01:00',
    '2026-12-24T09:00:00[Europe/Paris]',
    '2026-12-24T09:00',
    '2026-12-24',
    '2026-12-24 09:00:00',
    '2026-02-30T09:00:00',
    '2026-12-24T24:00:00',
    '2026-12-24T09:00:60',
    '',
  ])('rejects %j', (text) => {
    expect(localTime.safeParse(text).success).toBe(false);
  });
});
