import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { MAX_OUTAGE_MS, Retries } from './retries.js';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

const retriesOf = (method: string, isRepeatable: boolean) =>
  new Retries({ method, isRepeatable, maxOutageMs: MAX_OUTAGE_MS });

/** The pauses until it gives up, at most 100. */
function pauses(retries: Retries, status: number | null, retryAfter: string | null, hasSucceeded = true): number[] {
  const found: number[] = [];
  while (found.length < 100) {
    const pause = retries.pauseMs(status, retryAfter, hasSucceeded);
    if (pause === null) break;
    found.push(pause);
    vi.advanceTimersByTime(pause);
  }
  return found;
}

it.each([null, 502, 503, 504])('repeats a repeatable request after %s with growing pauses, for minutes', (status) => {
  const found = pauses(retriesOf('POST', true), status, null);
  expect(found.slice(0, 9)).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  const total = found.reduce((sum, pause) => sum + pause, 0);
  expect(total).toBeGreaterThanOrEqual(MAX_OUTAGE_MS);
  expect(total).toBeLessThan(MAX_OUTAGE_MS + 30_000);
});

it('waits for the rate limit without a limit of tries, also at the first request', () => {
  expect(pauses(retriesOf('POST', true), 429, '2', false)).toEqual(Array(100).fill(2_000));
});

it.each<[string, boolean, number | null, string | null, boolean, number[]]>([
  ['POST', true, null, null, false, []],
  ['POST', true, 502, null, false, []],
  ['POST', true, 503, '1', false, Array(5).fill(1_000)],
  ['POST', true, 429, '61', true, []],
  ['POST', true, 500, null, true, []],
  ['POST', false, null, null, true, []],
  ['POST', false, 503, '1', true, []],
  ['POST', false, 429, '1', true, Array(5).fill(1_000)],
  ['GET', false, 503, '2', true, Array(5).fill(2_000)],
  ['GET', false, 502, null, true, []],
])(
  '%s, repeatable %s, %s with Retry-After %s, succeeded %s: %j',
  (method, isRepeatable, status, retryAfter, hasSucceeded, expected) => {
    expect(pauses(retriesOf(method, isRepeatable), status, retryAfter, hasSucceeded)).toEqual(expected);
  },
);

it('waits at least as long as a server that is away says', () => {
  expect(retriesOf('POST', true).pauseMs(503, '7', true)).toBe(7_000);
});
