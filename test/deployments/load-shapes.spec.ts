import { describe, expect, it } from 'vitest';
import { arrivalsOf, quantile, shapes } from '../../deployments/load/shapes.ts';

/** Arrivals between two times. */
const between = (arrivals: readonly number[], from: number, to: number): number =>
  arrivals.filter((at) => at >= from && at < to).length;

describe('the arrivals of a load shape', () => {
  it('have the steady rates and the ramps of their stages, in order', () => {
    const arrivals = arrivalsOf(shapes.ramp);
    expect(arrivals).toEqual(arrivals.toSorted((left, right) => left - right));
    expect(between(arrivals, 0, 10)).toBe(50);
    // From 5 to 25 per second: 15 on average, 10 in the middle of the first half.
    expect(between(arrivals, 10, 70)).toBe(900);
    expect(between(arrivals, 10, 40)).toBe(300);
    expect(between(arrivals, 70, 130)).toBe(1_500);
    expect(arrivals).toHaveLength(2_450);
  });

  it('reach 200 per second in the stress shape', () => {
    const arrivals = arrivalsOf(shapes.stress);
    expect(between(arrivals, 100, 101)).toBe(200);
    expect(Number.isFinite(Math.max(...arrivals))).toBe(true);
  });
});

describe('the quantile of a load test', () => {
  it.each([
    [0.5, 51],
    [0.95, 96],
    [1, 100],
  ])('%s of 1 to 100 is %s', (share, value) => {
    expect(
      quantile(
        Array.from({ length: 100 }, (_, index) => 100 - index),
        share,
      ),
    ).toBe(value);
  });
});
