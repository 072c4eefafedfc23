// The contract of a limiter for deliveries with several limits, for both stores.

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Batcher, Database } from '#database';
import { type KeyedLimit, newId } from '#domain';
import { type Limiter, PostgresLimiter, RedisLimiter } from '#rate-limit';
import { Redis } from '#redis';
import { cloneDatabase, until } from '#testing';

const HOUR_MS = 3_600_000;
const opened: (() => Promise<unknown>)[] = [];

afterAll(async () => {
  for (const close of opened.toReversed()) await close();
});

const stores: Record<string, () => Promise<() => Limiter>> = {
  Postgres: async () => {
    const clone = await cloneDatabase(inject('postgresUrl'));
    opened.push(clone.drop);
    const database = new Database({ url: clone.url, poolSize: 4 });
    opened.push(() => database.close());
    return () =>
      new PostgresLimiter(
        database.platform,
        (flush) => new Batcher({ flush, slots: 2, maxBatch: 100, maxQueue: 10_000 }),
      );
  },
  Redis: async () => {
    const redis = await Redis.make({ url: inject('redisUrl'), prefix: newId(), onFault: () => undefined });
    opened.push(() => redis.close());
    await redis.connect();
    return () =>
      new RedisLimiter(
        redis,
        async () => ({ hits: [], underWay: [] }),
        () => undefined,
      );
  },
};

const limitOf = (key: string, limit: Partial<KeyedLimit> = {}): KeyedLimit => ({
  key,
  recipientId: 'ann',
  channels: ['email'],
  category: null,
  limit: 3,
  windowSeconds: 100,
  days: null,
  returns: true,
  isGivenBack: true,
  ...limit,
});

describe.each(Object.keys(stores))('several limits in %s', (name) => {
  let make: () => Limiter;
  let limiter: Limiter;
  beforeAll(async () => {
    make = await stores[name]!();
    limiter = make();
  });

  const take = (tenantId: string, limits: KeyedLimit[], deliveryId = newId()) =>
    limiter.take({ tenantId, deliveryId, limits });
  const remaining = async (tenantId: string, limits: KeyedLimit[]) =>
    (await limiter.peek({ tenantId, limits })).map((places) => places.remaining);

  it('take a place each, or none when one of them refuses', async () => {
    const tenantId = newId();
    const [wide, narrow] = [limitOf('wide', { limit: 5 }), limitOf('narrow', { limit: 1 })];
    expect(await remaining(tenantId, [wide, narrow])).toEqual([5, 1]);
    expect((await take(tenantId, [wide, narrow])).granted).toBe(true);
    expect(await remaining(tenantId, [wide, narrow])).toEqual([4, 0]);
    const refused = await take(tenantId, [wide, narrow]);
    expect(refused).toMatchObject({ granted: false, refusedBy: 1 });
    // Its turn in the narrow one delays no delivery that only the wide one counts.
    expect(await remaining(tenantId, [wide, narrow])).toEqual([4, 0]);
    expect((await take(tenantId, [wide])).granted).toBe(true);
  });

  it('have one place for a delivery, however often it asks', async () => {
    const tenantId = newId();
    const limits = [limitOf('a', { limit: 2 }), limitOf('b', { limit: 9 })];
    const deliveryId = newId();
    const answers = await Promise.all([1, 2, 3].map(() => take(tenantId, limits, deliveryId)));
    expect(answers.map(({ granted }) => granted)).toEqual([true, true, true]);
    expect(await remaining(tenantId, limits)).toEqual([1, 8]);
  });

  it('wait for the longest, and keep the turn there only', async () => {
    const tenantId = newId();
    const [short, long] = [limitOf('s', { limit: 1, windowSeconds: 10 }), limitOf('l', { limit: 1 })];
    await take(tenantId, [short, long]);
    const waiting = newId();
    for (let asked = 0; asked < 2; asked += 1) {
      const answer = await take(tenantId, [short, long], waiting);
      expect(answer).toMatchObject({ granted: false, refusedBy: 1 });
      expect((answer as { retryAfterSeconds: number }).retryAfterSeconds).toBeGreaterThan(95);
    }
    const [first, second] = await limiter.peek({ tenantId, limits: [short, long] });
    expect(first!.waitSeconds).toBeLessThanOrEqual(10);
    expect(second!.waitSeconds).toBeGreaterThan(190);
  });

  it('reserve nothing for a delivery that does not return', async () => {
    const tenantId = newId();
    const [dropping, holding] = [limitOf('d', { limit: 1, returns: false }), limitOf('h', { limit: 1 })];
    await take(tenantId, [dropping, holding]);
    expect(await take(tenantId, [dropping, holding])).toMatchObject({ granted: false, refusedBy: 0 });
    const [first, second] = await limiter.peek({ tenantId, limits: [dropping, holding] });
    expect(first!.waitSeconds).toBeLessThanOrEqual(100);
    expect(second!.waitSeconds).toBeLessThanOrEqual(100);
  });

  it('grant a delivery at its turn', async () => {
    const tenantId = newId();
    const limits = [limitOf('a', { limit: 1, windowSeconds: 1 }), limitOf('b', { limit: 9 })];
    await take(tenantId, limits);
    const waiting = newId();
    expect((await take(tenantId, limits, waiting)).granted).toBe(false);
    await until('it is its turn', async () => (await take(tenantId, limits, waiting)).granted);
    expect(await remaining(tenantId, limits)).toEqual([0, 7]);
  });

  it('are exact for concurrent deliveries of several workers with other limits in another order', async () => {
    const tenantId = newId();
    const all = ['a', 'b', 'c', 'd'].map((key) => limitOf(key, { limit: 20 }));
    const total = limitOf('total', { limit: 50, returns: false });
    const workers = [make(), make(), make()];
    const answers = await Promise.all(
      Array.from({ length: 120 }, async (_, index) => {
        const limits = index % 2 ? [all[index % 4]!, total] : [total, all[index % 4]!];
        return (await workers[index % 3]!.take({ tenantId, deliveryId: newId(), limits })).granted;
      }),
    );
    expect(answers.filter(Boolean)).toHaveLength(50);
    const left = await remaining(tenantId, [...all, total]);
    expect(left[4]).toBe(0);
    expect(80 - left.slice(0, 4).reduce((sum, one) => sum + one, 0)).toBe(50);
  });

  const released = async (tenantId: string, limits: KeyedLimit[], deliveryId: string): Promise<[string, number][]> => {
    const earlier = await limiter.release({ tenantId, deliveryId, limits });
    return earlier.map((turn) => [turn.deliveryId, Math.round(turn.waitSeconds)]);
  };

  it('give places back, to the first delivery that waits for one', async () => {
    const tenantId = newId();
    const limits = [limitOf('a', { limit: 2 }), limitOf('b', { limit: 9 })];
    const [first, second, third, fourth] = [newId(), newId(), newId(), newId()];
    await take(tenantId, limits, first);
    await take(tenantId, limits, second);
    expect((await take(tenantId, limits, third)).granted).toBe(false);
    expect((await take(tenantId, limits, fourth)).granted).toBe(false);
    expect(await released(tenantId, limits, first)).toEqual([[third, 0]]);
    // Once only.
    expect(await released(tenantId, limits, first)).toEqual([]);
    expect((await take(tenantId, limits, fourth)).granted).toBe(false);
    expect((await take(tenantId, limits, third)).granted).toBe(true);
    expect(await remaining(tenantId, limits)).toEqual([0, 7]);
    // A turn is given back too.
    expect(await released(tenantId, limits, fourth)).toEqual([]);
    expect(await released(tenantId, limits, second)).toEqual([]);
    expect(await remaining(tenantId, limits)).toEqual([1, 8]);
  });

  it('give a turn back to all that wait behind it, in a rolling window and by days', async () => {
    const now = Date.now();
    const days = [now - 24 * HOUR_MS, now - HOUR_MS, now + HOUR_MS, now + 25 * HOUR_MS, now + 49 * HOUR_MS];
    const rolling = limitOf('r', { limit: 2, windowSeconds: 1_000 });
    const daily = limitOf('d', { limit: 2, windowSeconds: 90_000, days });
    for (const [limit, before] of [
      [rolling, [1_000, 1_000, 2_000, 2_000, 3_000]],
      [daily, [3_600, 3_600, 90_000, 90_000, 176_400]],
    ] as const) {
      const tenantId = newId();
      await take(tenantId, [limit]);
      await take(tenantId, [limit]);
      const ids = before.map(() => newId());
      const waits: number[] = [];
      for (const id of ids) {
        const answer = await take(tenantId, [limit], id);
        waits.push(answer.granted ? 0 : Math.round(answer.retryAfterSeconds / 10) * 10);
      }
      expect(waits).toEqual(before);
      const [first, second, third, , last] = ids as [string, string, string, string, string];
      const earlier = await released(tenantId, [limit], first);
      // The second and fourth have the time that they had.
      const moved = earlier.filter(([id, seconds]) => Math.abs(seconds - before[ids.indexOf(id)]!) > 100);
      expect(moved.map(([id, seconds]) => [id, Math.round(seconds / 10) * 10])).toEqual([
        [third, before[0]],
        [last, before[2]],
      ]);
      const again = await take(tenantId, [limit], third);
      expect(Math.round((again as { retryAfterSeconds: number }).retryAfterSeconds / 10) * 10).toBe(before[0]);
      expect((await take(tenantId, [limit], second)).granted).toBe(false);
    }
  });

  it('that are raised grant a delivery that waits, when it asks again', async () => {
    const tenantId = newId();
    const [other, low] = [limitOf('a', { limit: 9 }), limitOf('b', { limit: 1 })];
    const [first, second, third] = [newId(), newId(), newId()];
    for (const id of [first, second, third]) await take(tenantId, [other, low], id);
    const raised = [other, { ...low, limit: 2 }];
    // In order: the one in front is not granted yet.
    expect((await take(tenantId, raised, third)).granted).toBe(false);
    expect((await take(tenantId, raised, second)).granted).toBe(true);
    const last = await take(tenantId, raised, third);
    expect(last).toMatchObject({ granted: false, refusedBy: 1 });
    expect((last as { retryAfterSeconds: number }).retryAfterSeconds).toBeLessThanOrEqual(100);
    expect(await remaining(tenantId, raised)).toEqual([7, 0]);
    // The last one asks first, and has the turn that it would have if all before had asked.
    const waiting = [newId(), newId(), newId(), newId()];
    for (const id of waiting) await take(tenantId, raised, id);
    const more = [other, { ...low, limit: 4 }];
    const early = await take(tenantId, more, waiting[3]);
    expect((early as { retryAfterSeconds: number }).retryAfterSeconds).toBeLessThanOrEqual(100);
    expect((await take(tenantId, more, waiting[0])).granted).toBe(true);
  });

  it('of a calendar day begin anew at the next start of a day', async () => {
    const tenantId = newId();
    const now = Date.now();
    // A day that has 25 hours, and the next one.
    const days = [now - 47 * HOUR_MS, now - 23 * HOUR_MS, now + 2 * HOUR_MS, now + 26 * HOUR_MS];
    const limits = [limitOf('day', { limit: 2, days, windowSeconds: 90_000 })];
    const waits: number[] = [];
    for (let asked = 0; asked < 5; asked += 1) {
      const answer = await take(tenantId, limits);
      waits.push(answer.granted ? 0 : Math.round(answer.retryAfterSeconds / 360) / 10);
    }
    expect(waits).toEqual([0, 0, 2, 2, 26]);
    const other = newId();
    const before = [limitOf('day', { limit: 2, days: [now - 99 * HOUR_MS, now + HOUR_MS], windowSeconds: 90_000 })];
    await take(other, before);
    expect(await remaining(other, before)).toEqual([1]);
    const after = [{ ...before[0]!, days: [now - 99 * HOUR_MS, Date.now() + 5, now + HOUR_MS] }];
    await until('the next day has begun', async () => (await remaining(other, after))[0] === 2);
  });
});
