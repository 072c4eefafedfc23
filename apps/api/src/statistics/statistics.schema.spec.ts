import { describe, expect, it } from 'vitest';
import { statisticsQuery } from './statistics.schema.js';

describe('a query for statistics without times', () => {
  it.each([
    ['minute', 400 * 60_000],
    ['hour', 86_400_000],
    ['day', 86_400_000],
  ])('by the %s is for a range that is allowed', (interval, milliseconds) => {
    const { from, to } = statisticsQuery.parse({ interval });
    expect(to.getTime() - from.getTime()).toBe(milliseconds);
  });
});
