import { afterEach, describe, expect, it, vi } from 'vitest';
import { until } from '#testing';
import { ConcurrencyLimiter } from './concurrency-limiter.js';

const never = (): AbortSignal => new AbortController().signal;

describe('the slots of an account', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('let in as many as there are, the rest in order, and turn away beyond the waiting places', async () => {
    const slots = new ConcurrencyLimiter(1);
    const order: number[] = [];
    expect(await slots.enter(never)).toBe(true);
    const waiting = Array.from({ length: 20 }, (_, index) => slots.enter(never).then(() => order.push(index)));
    expect(await slots.enter(never)).toBe(false);
    for (let left = 0; left < 20; left += 1) {
      slots.leave(1);
      await waiting[left];
    }
    expect(order).toEqual(Array.from({ length: 20 }, (_, index) => index));
    slots.leave(1);
    expect(await slots.enter(never)).toBe(true);
  });

  it('let go of who has waited long enough, and keep no place for them', async () => {
    const slots = new ConcurrencyLimiter(1);
    await slots.enter(never);
    expect(await slots.enter(() => AbortSignal.timeout(10))).toBe(false);
    expect(await slots.enter(() => AbortSignal.abort())).toBe(false);
    slots.leave(1);
    expect(await slots.enter(never)).toBe(true);
  });

  it('send those they turn away back as fast as they work, between half a second and a minute', async () => {
    // All in one moment: with a clock that moves on meanwhile the waits are no sequence.
    vi.useFakeTimers({ toFake: ['performance'] });
    const slots = new ConcurrencyLimiter(5);
    for (let send = 0; send < 100; send += 1) slots.leave(10);
    const waits = Array.from({ length: 1_000 }, () => slots.retryDelaySeconds());
    expect(waits[0]).toBeCloseTo(0.5, 1);
    // Ten milliseconds a send on five connections: the thousandth comes two seconds after the first.
    expect(waits.at(-1)! - waits[0]!).toBeCloseTo(2, 0);
    expect(waits.toSorted((left, right) => left - right)).toEqual(waits);
    for (let send = 0; send < 100; send += 1) slots.leave(10_000);
    expect(Math.max(...Array.from({ length: 1_000 }, () => slots.retryDelaySeconds()))).toBeLessThanOrEqual(60);
  });

  it('may become more or fewer, and those who are sending count', async () => {
    const slots = new ConcurrencyLimiter(2);
    for (let send = 0; send < 2; send += 1) await slots.enter(never);
    slots.resize(1);
    let entered = 0;
    for (let send = 0; send < 3; send += 1) void slots.enter(never).then(() => (entered += 1));
    slots.leave(1);
    await Promise.resolve();
    expect(entered).toBe(0);
    slots.leave(1);
    await until('one has entered', () => entered === 1);
    slots.resize(undefined);
    await until('all have', () => entered === 3);
    expect(slots.idle).toBe(false);
    for (let send = 0; send < 3; send += 1) slots.leave(1);
    expect(slots.idle).toBe(true);
  });

  it('without a bound let everybody in', async () => {
    const slots = new ConcurrencyLimiter(undefined);
    for (let send = 0; send < 5_000; send += 1) expect(await slots.enter(never)).toBe(true);
  });
});
