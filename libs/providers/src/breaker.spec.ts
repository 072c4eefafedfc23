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

  it('that sent nothing opens the breaker again, for as long as before', async () => {
    await run(new Error('the worker stops'));
    expect(breaker.state).toBe('open');
    // Why it opened, and since when it has not worked, still stand.
    expect(changes).toEqual([['open', misconfigured]]);
    expect(breaker.downSeconds).toBe(5);
    expect(breaker.waitSeconds).toBe(5);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(breaker.state).toBe('half_open');
    await run();
    expect(breaker.state).toBe('closed');
  });

  it('that was answered closes it, though the address was refused', async () => {
    await run(new ProviderError('bad_address', 'no such number'));
    expect(breaker.state).toBe('closed');
    expect(breaker.downSeconds).toBe(0);
  });
});

it('does not count what sent nothing as a failure while it is closed', async () => {
  for (let send = 0; send < 100; send += 1) await run(new Error('the worker stops'));
  expect(breaker.state).toBe('closed');
  expect(changes).toEqual([]);
});
