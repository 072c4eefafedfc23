import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProviderError } from '#domain';
import { Breaker, type BreakerState } from './breaker.js';

const misconfigured = new ProviderError('misconfigured', 'the key is wrong');
const changes: [BreakerState, unknown][] = [];
let breaker: Breaker;

const run = (error?: Error): Promise<unknown> =>
  breaker.run(() => (error ? Promise.reject(error) : Promise.resolve())).catch((thrown: unknown) => thrown);

beforeEach(() => {
  vi.useFakeTimers();
  changes.length = 0;
  breaker = new Breaker((state, cause) => changes.push([state, cause]));
});
afterEach(() => {
  breaker.close();
  vi.useRealTimers();
});

describe('a probe', () => {
  beforeEach(async () => {
    await run(misconfigured);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(breaker.state).toBe('half_open');
    changes.length = 0;
  });

  it('opens the breaker again for the same time when it sent nothing', async () => {
    await run(new Error('the worker stops'));
    expect(breaker.state).toBe('open');
    // The cause and the start of the outage are unchanged.
    expect(changes).toEqual([['open', misconfigured]]);
    expect(breaker.downSeconds).toBe(5);
    expect(breaker.secondsUntilProbe).toBe(5);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(breaker.state).toBe('half_open');
    await run();
    expect(breaker.state).toBe('closed');
  });

  it('closes the breaker when the vendor responds, even if it refuses the address', async () => {
    await run(new ProviderError('bad_address', 'no such number'));
    expect(breaker.state).toBe('closed');
    expect(breaker.downSeconds).toBe(0);
  });
});

it('does not count work that sent nothing as a failure while closed', async () => {
  for (let send = 0; send < 100; send += 1) await run(new Error('the worker stops'));
  expect(breaker.state).toBe('closed');
  expect(changes).toEqual([]);
});
