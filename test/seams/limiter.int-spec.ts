// The contract of a limiter, for both stores, and the behaviour of the Redis store after a restart or outage of Redis.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Batcher, Database } from '#database';
import { type KeyedLimit, newId } from '#domain';
import { type KnownHits, type Limiter, PostgresLimiter, RedisLimiter, SharedRequestLimit } from '#rate-limit';
import { Redis } from '#redis';
import { cloneDatabase, until } from '#testing';
import { type RedisService, startRedis } from '../../services/redis.ts';

let database: Database;
let drop: () => Promise<void>;
const opened: Redis[] = [];

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  drop = clone.drop;
  database = new Database({ url: clone.url, poolSize: 4 });
});
afterAll(async () => {
  for (const redis of opened) await redis.close();
  await database?.close();
  await drop?.();
});

async function connectTo(url: string): Promise<Redis> {
  const redis = await Redis.make({ url, prefix: newId(), onFault: () => undefined });
  opened.push(redis);
  await redis.connect();
  return redis;
}

const keyed = (limit: Partial<KeyedLimit>): KeyedLimit => ({
  key: 'email:k',
  recipientId: 'k',
  channels: ['email'],
  category: null,
  limit: 3,
  windowSeconds: 100,
  days: null,
  returns: true,
  isGivenBack: false,
  ...limit,
});

const nothingKnown = async (): Promise<KnownHits> => ({ hits: [], underWay: [] });

const stores: Record<string, () => Promise<() => Limiter>> = {
  Postgres: async () => () =>
    new PostgresLimiter(
      database.platform,
      (flush) => new Batcher({ flush, slots: 2, maxBatch: 100, maxQueue: 10_000 }),
    ),
  Redis: async () => {
    const redis = await connectTo(inject('redisUrl'));
    return () => new RedisLimiter(redis, nothingKnown, () => undefined);
  },
};

describe.each(Object.keys(stores))('a limiter in %s', (name) => {
  let make: () => Limiter;
  beforeAll(async () => {
    make = await stores[name]!();
  });
  const limit = { limit: 3, windowSeconds: 1 };
  const take = (limiter: Limiter, tenantId: string, key = 'email:k', of = limit) =>
    limiter.take({ tenantId, deliveryId: newId(), limits: [keyed({ key, ...of })] });
  const ask = (limiter: Limiter, tenantId: string, deliveryId: string, of = limit) =>
    limiter.take({ tenantId, deliveryId, limits: [keyed(of)] });
  /** Seconds until its reserved time; 0 if it was granted. */
  const waitOf = async (...asked: Parameters<typeof ask>): Promise<number> => {
    const answer = await ask(...asked);
    return answer.granted ? 0 : answer.retryAfterSeconds;
  };

  it('counts a delivery once, however often it is checked', async () => {
    const [tenantId, store, first] = [newId(), make(), newId()];
    const of = { limit: 2, windowSeconds: 60 };
    const same = await Promise.all([1, 2, 3].map(() => ask(store, tenantId, first, of)));
    expect(same.map(({ granted }) => granted)).toEqual([true, true, true]);
    expect((await ask(store, tenantId, first, of)).granted).toBe(true);
    expect((await ask(store, tenantId, newId(), of)).granted).toBe(true);
    expect((await ask(store, tenantId, newId(), of)).granted).toBe(false);
  });

  it('reserves a time for each refused delivery, in order', async () => {
    const [tenantId, store] = [newId(), make()];
    const of = { limit: 2, windowSeconds: 100 };
    const ids = Array.from({ length: 7 }, () => newId());
    const waits: number[] = [];
    for (const id of ids) waits.push(await waitOf(store, tenantId, id, of));
    // At most two per hundred seconds.
    expect(waits.map((wait) => Math.round(wait / 10) * 10)).toEqual([0, 0, 100, 100, 200, 200, 300]);
    const again = await Promise.all(ids.map((id) => waitOf(store, tenantId, id, of)));
    expect(again.map((wait) => Math.round(wait / 10) * 10)).toEqual([0, 0, 100, 100, 200, 200, 300]);
    expect(again.every((wait, at) => wait <= waits[at]!)).toBe(true);
  });

  it('reserves the same times for concurrent requests', async () => {
    const [tenantId, store] = [newId(), make()];
    const of = { limit: 3, windowSeconds: 100 };
    const waits = await Promise.all(Array.from({ length: 10 }, () => waitOf(store, tenantId, newId(), of)));
    const rounded = waits.map((wait) => Math.round(wait / 10) * 10).toSorted((left, right) => left - right);
    expect(rounded).toEqual([0, 0, 0, 100, 100, 100, 200, 200, 200, 300]);
  });

  it('grants a delivery at its reserved time, and not to a later one', async () => {
    const [tenantId, store, first, second] = [newId(), make(), newId(), newId()];
    const of = { limit: 1, windowSeconds: 2 };
    expect((await take(store, tenantId, 'email:k', of)).granted).toBe(true);
    expect((await ask(store, tenantId, first, of)).granted).toBe(false);
    await until('one that came later has its turn', async () => {
      const late = await waitOf(store, tenantId, second, of);
      const early = await waitOf(store, tenantId, first, of);
      expect(late).toBeGreaterThan(early);
      return early === 0;
    });
  });

  it('reserves at most ten windows ahead; deliveries beyond check again at the last reserved time', async () => {
    const [tenantId, store] = [newId(), make()];
    const of = { limit: 2, windowSeconds: 100 };
    const waits: number[] = [];
    for (let asked = 0; asked < 25; asked += 1) waits.push(await waitOf(store, tenantId, newId(), of));
    expect(waits.slice(20).map((wait) => Math.round(wait / 10) * 10)).toEqual([1_000, 1_000, 1_000, 1_000, 1_000]);
  });

  it('grants exactly its limit to a hundred concurrent requests', async () => {
    const [one, two] = [make(), make()];
    const tenantId = newId();
    const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => take(index % 2 ? one : two, tenantId)));
    expect(answers.filter(({ granted }) => granted)).toHaveLength(3);
    const waits = answers.flatMap((answer) => (answer.granted ? [] : [answer.retryAfterSeconds]));
    expect(Math.min(...waits)).toBeGreaterThan(0);
    expect(Math.min(...waits)).toBeLessThanOrEqual(1);
  });

  it('slides: repeated checks of a delivery do not extend its wait', async () => {
    const [tenantId, store, waiting] = [newId(), make(), newId()];
    const startedAt = performance.now();
    for (let hit = 0; hit < 3; hit += 1) expect((await take(store, tenantId)).granted).toBe(true);
    await until('it is granted', async () => (await ask(store, tenantId, waiting)).granted, 5_000);
    expect(performance.now() - startedAt).toBeGreaterThan(900);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });

  it('separates tenants and keys', async () => {
    const store = make();
    const one = { limit: 1, windowSeconds: 60 };
    const [ann, bob] = [newId(), newId()];
    const answers = await Promise.all([
      take(store, ann, 'email:a', one),
      take(store, ann, 'email:b', one),
      take(store, bob, 'email:a', one),
      take(store, ann, 'email:a', one),
    ]);
    expect(answers.map(({ granted }) => granted)).toEqual([true, true, true, false]);
  });
});

describe('a limiter whose Redis', () => {
  let directory: string;
  let server: RedisService;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'carillon-redis-'));
    server = await startRedis({ directory });
  });
  afterAll(async () => {
    await server?.stop();
    await rm(directory, { recursive: true, force: true });
  });
  const limit = { limit: 3, windowSeconds: 600 };

  it('has lost its data restores the hits from the recorded sends, and exceeds no limit', async () => {
    const redis = await connectTo(server.url);
    const tenantId = newId();
    const recorded: KnownHits = { hits: [], underWay: [] };
    let lookedUp = 0;
    const limiter = new RedisLimiter(
      redis,
      async () => {
        lookedUp += 1;
        return recorded;
      },
      () => undefined,
    );
    const take = async (deliveryId = newId()) => limiter.take({ tenantId, deliveryId, limits: [keyed(limit)] });
    const first = newId();
    expect((await take(first)).granted).toBe(true);
    // The same delivery asks again after a crash: one token.
    expect((await take(first)).granted).toBe(true);
    expect((await take()).granted).toBe(true);
    expect(lookedUp).toBe(1);

    await server.kill();
    await until('it is away', () => !redis.connected);
    expect(await take()).toEqual({ granted: false, retryAfterSeconds: 5 });
    await server.start();
    await until('it is back', () => redis.connected);

    recorded.hits = [
      { deliveryId: first, ageMs: 5_000 },
      { deliveryId: newId(), ageMs: 4_000 },
    ];
    // One more delivery may hold a token that was lost: the limiter waits for it, but not for a whole window.
    recorded.underWay = [newId()];
    expect(await take()).toEqual({ granted: false, retryAfterSeconds: 2 });
    // It ended without a send.
    recorded.underWay = [];
    expect((await take()).granted).toBe(true);
    const refused = (await take()) as { granted: false; retryAfterSeconds: number };
    expect(refused.granted).toBe(false);
    expect(refused.retryAfterSeconds).toBeGreaterThan(590);
    expect(refused.retryAfterSeconds).toBeLessThan(595.1);
  });

  it('has a hit of a delivery counts it once, although PostgreSQL reports it as under way', async () => {
    const redis = await connectTo(server.url);
    const tenantId = newId();
    const [first, second] = [newId(), newId()];
    const limiter = new RedisLimiter(
      redis,
      async ({ deliveryId }) => ({ hits: [], underWay: deliveryId === first ? [second] : [first] }),
      () => undefined,
    );
    const take = (deliveryId: string) =>
      limiter.take({ tenantId, deliveryId, limits: [keyed({ limit: 2, windowSeconds: 600 })] });
    // Both ask before either has a hit, as the deliveries of one notification do.
    expect(await Promise.all([take(first), take(second)])).toEqual([{ granted: true }, { granted: true }]);
  });

  it('is available counts the requests of all processes, and each process counts its own during an outage', async () => {
    const faults: Error[] = [];
    const [one, two] = await Promise.all(
      [1, 2].map(async () => {
        const redis = await Redis.make({ url: server.url, prefix: 'requests', onFault: () => undefined });
        opened.push(redis);
        await redis.connect();
        return new SharedRequestLimit(redis, (error) => faults.push(error));
      }),
    );
    const granted = async (): Promise<number> => {
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, index) => (index % 2 ? one! : two!).take('key', 10)),
      );
      return answers.filter((answer) => answer.granted).length;
    };
    expect(await granted()).toBe(10);
    await server.kill();
    expect(await granted()).toBe(20);
    await server.start();
  });
});
