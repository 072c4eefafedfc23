// quietUntil against a slow oracle, which reads the clock of the zone (Intl, not Temporal) minute by minute.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type QuietHours, type Weekday, weekdays } from './policies.js';
import { type QuietFacts, quietUntil } from './quiet-hours.js';

const MINUTE = 60_000;
const DAY = 1_440 * MINUTE;

/** Days on which zones change their clocks, and an ordinary day. */
const changes: Record<string, string[]> = {
  UTC: ['2026-01-15'],
  'Europe/Paris': ['2026-03-29', '2026-10-25'],
  'Africa/Cairo': ['2026-04-24', '2026-10-30'],
  'America/New_York': ['2026-03-08', '2026-11-01'],
  'America/St_Johns': ['2026-03-08', '2026-11-01'],
  'America/Havana': ['2026-03-08', '2026-11-01'],
  'America/Santiago': ['2026-04-05', '2026-09-06'],
  'America/Sao_Paulo': ['2018-02-18', '2018-11-04'],
  'Asia/Kolkata': ['2026-06-01'],
  'Asia/Kathmandu': ['2026-06-01'],
  'Asia/Beirut': ['2026-03-29', '2026-10-25'],
  'Australia/Sydney': ['2026-04-05', '2026-10-04'],
  'Australia/Lord_Howe': ['2026-04-05', '2026-10-04'],
  'Pacific/Auckland': ['2026-04-05', '2026-09-27'],
  'Pacific/Chatham': ['2026-04-05', '2026-09-27'],
  'Pacific/Apia': ['2011-12-30'],
};
const zones = Object.keys(changes);

const formats = new Map(
  zones.map((timeZone) => [
    timeZone,
    new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' }),
  ]),
);

/** What the clock shows, as minutes since 1970-01-01 00:00 by this clock. */
const shown = (zone: string, time: number): number =>
  Date.parse(`${formats.get(zone)!.format(time).replace(' ', 'T')}:00Z`) / MINUTE;

interface Line {
  /** The time and what the clock shows, for each minute. */
  from: number;
  shows: number[];
}

const lines = new Map<string, Line>();

function lineOf(zone: string, at: number): Line {
  const from = Math.floor(at / (4 * DAY) - 1) * 4 * DAY;
  const key = `${zone} ${from}`;
  const line = lines.get(key) ?? {
    from,
    shows: Array.from({ length: 18 * 1_440 }, (_, index) => shown(zone, from + index * MINUTE)),
  };
  lines.set(key, line);
  return line;
}

/** The first minute at which the clock shows `wanted` or later, and by how much it jumped over it. */
function reach({ from, shows }: Line, wanted: number): { at: number; jump: number } {
  const index = shows.findIndex((minute) => minute >= wanted);
  if (index < 0) return { at: Number.POSITIVE_INFINITY, jump: 0 };
  const jump = index === 0 || shows[index] === wanted ? 0 : shows[index]! - shows[index - 1]! - 1;
  return { at: from + index * MINUTE, jump };
}

function windowsOf(line: Line, { windows }: QuietHours): { start: number; end: number }[] {
  const firstDay = Math.floor(line.shows[0]! / 1_440) + 1;
  const minutes = (text: string): number => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
  return Array.from({ length: 17 }, (_, index) => firstDay + index).flatMap((day) =>
    windows
      // The day 0, the 1st of January 1970, was a Thursday.
      .filter(({ days }) => days.includes(weekdays[(day + 3) % 7]!))
      .map(({ from, to }) => {
        const wantedStart = day * 1_440 + minutes(from);
        const wantedEnd = (to > from ? day : day + 1) * 1_440 + minutes(to);
        const start = reach(line, wantedStart);
        const end = reach(line, wantedEnd);
        const movedEnd = end.jump === 0 ? end.at : reach(line, wantedEnd + end.jump).at;
        const isMoved = start.jump > 0 && end.jump > 0;
        return { start: isMoved ? reach(line, wantedStart + start.jump).at : start.at, end: movedEnd };
      }),
  );
}

function slowUntil(hours: { zone: string; hours: QuietHours }[], at: number): number | null {
  const windows = hours.flatMap(({ zone, hours: set }) => windowsOf(lineOf(zone, at), set));
  const isQuiet = (time: number): boolean => windows.some(({ start, end }) => start <= time && time < end);
  if (!isQuiet(at)) return null;
  let until = Math.floor(at / MINUTE) * MINUTE + MINUTE;
  while (isQuiet(until) && until < at + 8 * DAY) until += MINUTE;
  return Math.min(until, at + 8 * DAY);
}

/** Mostly round times of the night, at which clocks change. */
const minuteOfDay = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 16 }).map((quarter) => quarter * 15) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 95 }).map((quarter) => quarter * 15) },
  { weight: 1, arbitrary: fc.nat(1_439) },
);
const timeOfDay = minuteOfDay.map(
  (minute) => `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`,
);
const days: fc.Arbitrary<Weekday[]> = fc.oneof(
  fc.constant<Weekday[]>([...weekdays]),
  fc.subarray([...weekdays], { minLength: 1, maxLength: 7 }),
);
const hours: fc.Arbitrary<QuietHours> = fc.record({
  windows: fc.array(fc.record({ days, from: timeOfDay, to: timeOfDay }), { minLength: 1, maxLength: 4 }),
});
/** A zone, and a time from a day before to a day after the midnight (UTC) of a change. */
const place = fc
  .constantFrom(...zones)
  .chain((zone) =>
    fc
      .record({ day: fc.constantFrom(...changes[zone]!), offset: fc.integer({ min: -DAY, max: DAY }) })
      .map(({ day, offset }) => ({ zone, time: Date.parse(`${day}T00:00:00Z`) + offset })),
  );

const factsOf = (
  quietHours: QuietHours,
  timezone: string,
  settings: QuietFacts['tenant']['settings'] = {},
): QuietFacts => ({ quietHours, recipient: { timezone }, category: null, tenant: { settings } });

it('quietUntil agrees with the clock, minute by minute', { timeout: 120_000 }, () => {
  fc.assert(
    fc.property(place, hours, ({ zone, time }, set) => {
      const found = quietUntil(factsOf(set, zone), 'sms', new Date(time));
      expect(found?.until.getTime() ?? null).toBe(slowUntil([{ zone, hours: set }], time));
    }),
    { numRuns: 600 },
  );
});

it('two sources in different zones agree with both clocks', { timeout: 120_000 }, () => {
  fc.assert(
    fc.property(place, fc.constantFrom(...zones), hours, hours, ({ zone: first, time }, second, set, floor) => {
      const found = quietUntil(
        factsOf(set, first, { quiet_hours_floor: { sms: { ...floor, timezone: second } } }),
        'sms',
        new Date(time),
      );
      const slow = slowUntil(
        [
          { zone: first, hours: set },
          { zone: second, hours: floor },
        ],
        time,
      );
      expect(found?.until.getTime() ?? null).toBe(slow);
    }),
    { numRuns: 150 },
  );
});
