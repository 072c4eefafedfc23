import { describe, expect, it } from 'vitest';
import { dayStarts, monthStarts } from './period-starts.js';

const iso = (times: readonly number[]): string[] => times.map((time) => new Date(time).toISOString());
const hours = (times: readonly number[]): number[] =>
  times.slice(1).map((time, index) => (time - times[index]!) / 3_600_000);

describe('the starts of days', () => {
  it('begin with yesterday, in the zone', () => {
    const starts = dayStarts('Asia/Tokyo', Date.parse('2026-05-04T15:30:00Z'));
    expect(iso(starts.slice(0, 3))).toEqual([
      '2026-05-03T15:00:00.000Z',
      '2026-05-04T15:00:00.000Z',
      '2026-05-05T15:00:00.000Z',
    ]);
    expect(starts).toHaveLength(15);
  });

  it.each([
    ['Europe/Paris', '2026-03-29T10:00:00Z', 23],
    ['Europe/Paris', '2026-10-25T10:00:00Z', 25],
    ['Australia/Sydney', '2026-10-04T04:00:00Z', 23],
    ['Australia/Sydney', '2026-04-05T04:00:00Z', 25],
    ['Australia/Lord_Howe', '2026-10-04T04:00:00Z', 23.5],
  ])('in %s around %s have a day of %d hours', (zone, at, length) => {
    expect(hours(dayStarts(zone, Date.parse(at)))[1]).toBe(length);
  });

  it('are the first moment of the day where midnight does not exist', () => {
    // Clocks go from 00:00 to 01:00 in Santiago.
    const starts = dayStarts('America/Santiago', Date.parse('2026-09-06T12:00:00Z'));
    expect(iso(starts)[1]).toBe('2026-09-06T04:00:00.000Z');
    expect(hours(starts).slice(0, 2)).toEqual([24, 23]);
  });

  it('move on at midnight', () => {
    const before = dayStarts('Europe/London', Date.parse('2026-07-01T22:59:59.999Z'));
    const after = dayStarts('Europe/London', Date.parse('2026-07-01T23:00:00Z'));
    expect(iso(before)[1]).toBe('2026-06-30T23:00:00.000Z');
    expect(iso(after)[1]).toBe('2026-07-01T23:00:00.000Z');
    expect(dayStarts('Europe/London', Date.parse('2026-07-01T22:00:00Z'))).toEqual(before);
  });
});

it('the starts of months begin with the last one, in the zone', () => {
  expect(iso(monthStarts('America/New_York', Date.parse('2026-01-01T02:00:00Z')).slice(0, 3))).toEqual([
    '2025-11-01T04:00:00.000Z',
    '2025-12-01T05:00:00.000Z',
    '2026-01-01T05:00:00.000Z',
  ]);
});

it('the memory for zones is bounded, whatever the spelling of their names', () => {
  const at = Date.parse('2026-05-04T15:30:00Z');
  const spelling = (index: number): string =>
    [...'antarctica/mawson'].map((letter, place) => ((index >> place) & 1 ? letter.toUpperCase() : letter)).join('');
  for (const starts of [dayStarts, monthStarts]) {
    const first = starts('Europe/Paris', at);
    expect(starts('Europe/Paris', at)).toBe(first);
    for (let index = 0; index < 1_000; index += 1) starts(spelling(index), at);
    const again = starts('Europe/Paris', at);
    expect(again).not.toBe(first);
    expect(again).toEqual(first);
  }
}, 30_000);
