import { afterEach, describe, expect, it, vi } from 'vitest';
import { until } from '#testing';
import { ConcurrencyLimiter } from './concurrency-limiter.js';

const never = (): AbortSignal => new AbortController().signal;

describe('the concurrency limiter of an account', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('gives out its slots, lets the rest wait in order, and refuses when too many wait', async () => {
    const limiter = new ConcurrencyLimiter(1);
    const order: number[] = [];
    expect(await limiter.acquire(never)).toBe(true);
    const waiting = Array.from({ length: 20 }, (_, index) => limiter.acquire(never).then(() => order.push(index)));
    expect(await limiter.acquire(never)).toBe(false);
    for (let left = 0; left < 20; left += 1) {
      limiter.release(1);
      await waiting[left];
    }
    expect(order).toEqual(Array.from({ length: 20 }, (_, index) => index));
    limiter.release(1);
    expect(await limiter.acquire(never)).toBe(true);
  });

  it('stops waiting when the signal aborts, and frees the place in the queue', async () => {
    const limiter = new ConcurrencyLimiter(1);
    await limiter.acquire(never);
    expect(await limiter.acquire(() => AbortSignal.timeout(10))).toBe(false);
    expect(await limiter.acquire(() => AbortSignal.abort())).toBe(false);
    limiter.release(1);
    expect(await limiter.acquire(never)).toBe(true);
  });

  it('spreads the retries of refused sends at the speed of the account, between half a second and a minute', async () => {
    // A frozen clock: with a moving one the delays are no exact sequence.
    vi.useFakeTimers({ toFake: ['performance'] });
    const limiter = new ConcurrencyLimiter(5);
    for (let send = 0; send < 100; send += 1) limiter.release(10);
    const waits = Array.from({ length: 1_000 }, () => limiter.retryDelaySeconds());
    expect(waits[0]).toBeCloseTo(0.5, 1);
    // 10 ms a send in five slots: the thousandth turn is two seconds after the first.
    expect(waits.at(-1)! - waits[0]!).toBeCloseTo(2, 0);
    expect(waits.toSorted((left, right) => left - right)).toEqual(waits);
    for (let send = 0; send < 100; send += 1) limiter.release(10_000);
    expect(Math.max(...Array.from({ length: 1_000 }, () => limiter.retryDelaySeconds()))).toBeLessThanOrEqual(60);
  });

  it('can be resized; sends in flight count against the new limit', async () => {
    const limiter = new ConcurrencyLimiter(2);
    for (let send = 0; send < 2; send += 1) await limiter.acquire(never);
    limiter.resize(1);
    let entered = 0;
    for (let send = 0; send < 3; send += 1) void limiter.acquire(never).then(() => (entered += 1));
    limiter.release(1);
    await Promise.resolve();
    expect(entered).toBe(0);
    limiter.release(1);
    await until('one has entered', () => entered === 1);
    limiter.resize(undefined);
    await until('all have', () => entered === 3);
    expect(limiter.isIdle).toBe(false);
    for (let send = 0; send < 3; send += 1) limiter.release(1);
    expect(limiter.isIdle).toBe(true);
  });

  it('admits every send without a limit', async () => {
    const limiter = new ConcurrencyLimiter(undefined);
    for (let send = 0; send < 5_000; send += 1) expect(await limiter.acquire(never)).toBe(true);
  });
});
