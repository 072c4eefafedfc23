import { describe, expect, it } from 'vitest';
import { DomainError } from '#domain';
import { Batcher } from './batcher.js';
import { unavailableOf } from './outage.js';

const badRow = Object.assign(new Error('bad row'), { code: '22P02' });

describe('the batcher', () => {
  it('flushes a single item at once, and the items that arrive during a flush together', async () => {
    const batches: number[][] = [];
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    const batcher = new Batcher<number, number>({
      slots: 1,
      maxBatch: 3,
      maxQueue: 100,
      flush: async (items) => {
        batches.push(items);
        if (batches.length === 1) await gate;
        return items.map((item) => item * 2);
      },
    });
    const first = batcher.run(1);
    await new Promise((resolve) => setImmediate(resolve));
    const rest = [2, 3, 4, 5].map((item) => batcher.run(item));
    release();
    expect(await Promise.all([first, ...rest])).toEqual([2, 4, 6, 8, 10]);
    expect(batches).toEqual([[1], [2, 3, 4], [5]]);
  });

  it('fails only the bad item of a batch', async () => {
    const batcher = new Batcher<number, string>({
      slots: 2,
      maxBatch: 100,
      maxQueue: 100,
      flush: async (items) => {
        if (items.includes(7)) throw badRow;
        return items.map(String);
      },
    });
    const results = await Promise.allSettled(Array.from({ length: 10 }, (_, item) => batcher.run(item)));
    expect(results.map(({ status }) => status)).toEqual([
      ...Array(7).fill('fulfilled'),
      'rejected',
      'fulfilled',
      'fulfilled',
    ]);
    expect(results[7]).toMatchObject({ reason: badRow });
  });

  it('fails the whole batch during an outage, without a retry', async () => {
    let flushes = 0;
    const batcher = new Batcher<number, number>({
      slots: 1,
      maxBatch: 2,
      maxQueue: 100,
      flush: async () => {
        flushes += 1;
        throw Object.assign(new Error('terminating connection'), { code: '57P01' });
      },
    });
    const results = await Promise.allSettled([1, 2, 3].map((item) => batcher.run(item)));
    expect(results.every(({ status }) => status === 'rejected')).toBe(true);
    expect(flushes).toBe(1);
  });

  const tooSlow = Object.assign(new Error('canceling statement due to statement timeout'), { code: '57014' });
  const unanswered = new Error('Query read timeout');
  it.each([
    ['the server has given up', tooSlow, {}],
    ['the server has given up, behind the answer for callers', unavailableOf(tooSlow), {}],
    ['was not answered in time, where it only reads', unavailableOf(unanswered), { repeatable: true }],
  ])('flushes in smaller parts what %s', async (_name, error, more) => {
    const batches: number[] = [];
    const batcher = new Batcher<number, number>({
      slots: 1,
      maxBatch: 500,
      maxQueue: 1_000,
      ...more,
      flush: async (items) => {
        batches.push(items.length);
        if (items.length > 40) throw error;
        return items;
      },
    });
    const items = Array.from({ length: 600 }, (_, item) => item);
    expect(await Promise.all(items.map((item) => batcher.run(item)))).toEqual(items);
    expect(batches.slice(0, 4)).toEqual([500, 125, 32, 32]);
  });

  it.each([
    ['takes too long even in small parts', tooSlow, 3],
    ['was not answered and may have been written', unanswered, 1],
  ])('takes for an outage what %s', async (_name, error, most) => {
    let flushes = 0;
    const batcher = new Batcher<number, number>({
      slots: 1,
      maxBatch: 500,
      maxQueue: 1_000,
      flush: async () => {
        flushes += 1;
        throw error;
      },
    });
    const results = await Promise.allSettled(Array.from({ length: 600 }, (_, item) => batcher.run(item)));
    expect(results.every((result) => result.status === 'rejected' && result.reason === error)).toBe(true);
    expect(flushes).toBe(most);
  });

  it('flushes a batch again after a deadlock', async () => {
    let flushes = 0;
    const batcher = new Batcher<number, number>({
      slots: 1,
      maxBatch: 100,
      maxQueue: 100,
      flush: async (items) => {
        flushes += 1;
        if (flushes < 3) throw Object.assign(new Error('deadlock detected'), { code: '40P01' });
        return items;
      },
    });
    expect(await Promise.all([1, 2].map((item) => batcher.run(item)))).toEqual([1, 2]);
    expect(flushes).toBe(3);
  });

  it('rejects items beyond its queue size', async () => {
    const batcher = new Batcher<number, number>({ slots: 1, maxBatch: 1, maxQueue: 2, flush: async (items) => items });
    const results = await Promise.allSettled([1, 2, 3].map((item) => batcher.run(item)));
    expect(results[2]).toMatchObject({
      status: 'rejected',
      reason: expect.objectContaining({ code: 'unavailable', retryAfterSeconds: 1 }),
    });
    expect((results[2] as PromiseRejectedResult).reason).toBeInstanceOf(DomainError);
  });
});
