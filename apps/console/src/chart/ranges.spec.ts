import { describe, expect, it } from 'vitest';
import { intervalsOf, isRange, queryOf, RANGES, type Range } from './ranges';

const now = Date.parse('2026-12-01T10:30:15.250Z');

describe('the time of a chart', () => {
  it('has whole intervals up to now', () => {
    const query = queryOf('24h', now);
    expect(query).toEqual({ from: '2026-11-30T11:00:00.000Z', to: '2026-12-01T10:30:15.250Z', interval: 'hour' });
    const times = intervalsOf(query);
    expect(times.length).toBe(24);
    expect([times[0], times.at(-1)]).toEqual(['2026-11-30T11:00:00.000Z', '2026-12-01T10:00:00.000Z']);
  });

  it('is accepted by the API: at most 400 intervals', () => {
    for (const range of Object.keys(RANGES) as Range[])
      expect(intervalsOf(queryOf(range, now)).length, range).toBeLessThanOrEqual(400);
  });

  it('is one that the page offers', () => {
    expect(['1h', '30d', '2h', 'toString', null].map(isRange)).toEqual([true, true, false, false, false]);
  });
});
