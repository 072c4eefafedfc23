// quietUntil against a slow oracle, which reads the clock of the zone (Intl, not Temporal) minute by minute.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type QuietHours, type Weekday, weekdays } from './policies.js';
import { type QuietFacts, quietUntil } from './quiet-hours.js';

const MINUTE = 60_000;
const DAY = 1_440 * MINUTE;

const zones = [
  'UTC',
  'Europe/Paris',
  'Europe/Dublin',
  'Africa/Cairo',
  'America/New_York',
  'America/St_Johns',
  'America/Havana',
  'America/Santiago',
  'America/Sao_Paulo',
  'Asia/Kolkata',
  'Asia/Kathmandu',
  'Asia/Beirut',
  'Australia/Sydney',
  'Australia/Lord_Howe',
  'Pacific/Auckland',
  'Pacific/Chatham',
  'Pacific/Apia',
];

/** Days around which at least one of the zones changes its clock, and an ordinary one. */
const around = [
  '2026-01-15',
  '2026-03-08',
  '2026-03-29',
  '2026-04-05',
  '2026-04-24',
  '2026-09-06',
  '2026-09-27',
  '2026-10-04',
  '2026-10-25',
  '2026-10-30',
  '2026-11-01',
  '2011-12-30',
  '2018-11-04',
].map((date) => Date.parse(`${date}T00:00:00Z`));

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

/** Mostly round times, which often meet those at which the clock changes. */
const minuteOfDay = fc.oneof(
  fc.integer({ min: 0, max: 95 }).map((quarter) => quarter * 15),
  fc.nat(1_439),
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
const at = fc
  .record({ day: fc.constantFrom(...around), offset: fc.integer({ min: -2 * DAY, max: 2 * DAY }) })
  .map(({ day, offset }) => day + offset);

const factsOf = (
  quietHours: QuietHours,
  timezone: string,
  settings: QuietFacts['tenant']['settings'] = {},
): QuietFacts => ({ quietHours, recipient: { timezone }, category: null, tenant: { settings } });

it('quietUntil agrees with the clock, minute by minute', { timeout: 120_000 }, () => {
  fc.assert(
    fc.property(fc.constantFrom(...zones), hours, at, (zone, set, time) => {
      const found = quietUntil(factsOf(set, zone), 'sms', new Date(time));
      expect(found?.until.getTime() ?? null).toBe(slowUntil([{ zone, hours: set }], time));
    }),
    { numRuns: 400 },
  );
});

it('two sources in different zones agree with both clocks', { timeout: 120_000 }, () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...zones),
      fc.constantFrom(...zones),
      hours,
      hours,
      at,
      (first, second, set, floor, time) => {
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
      },
    ),
    { numRuns: 150 },
  );
});
