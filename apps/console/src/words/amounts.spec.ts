import { describe, expect, it } from 'vitest';
import { counted, durationInWords, shortDuration } from './amounts';

describe('an amount in words', () => {
  it('has the plural of its unit', () => {
    expect([counted(1, 'row'), counted(0, 'row'), counted(2, 'reply', 'replies')]).toEqual([
      '1 row',
      '0 rows',
      '2 replies',
    ]);
  });

  it('of time is short, with at most one digit after the point', () => {
    const ms = [0, 0.4, 850, 2_540, 12_000, 119_000, 120_000, 7_200_000];
    expect(ms.map(shortDuration)).toEqual(['0 s', '0 ms', '850 ms', '2.5 s', '12 s', '119 s', '2 min', '2 h']);
  });

  it('of time has the largest unit and the one below it', () => {
    expect([0.5, 59, 60, 150, 36_000, 90_061].map(durationInWords)).toEqual([
      'less than a second',
      '59 seconds',
      '1 minute',
      '2 minutes 30 seconds',
      '10 hours',
      '1 day 1 hour',
    ]);
  });
});
