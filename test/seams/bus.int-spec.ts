// The contract of a realtime bus, held by both.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis as RedisClient } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Database, PostgresListener } from '#database';
import { newId } from '#domain';
import { type Hint, PostgresBus, type RealtimeBus, RedisBus } from '#realtime';
import { Redis } from '#redis';
import { cloneDatabase, connect, until } from '#testing';
import { type RedisService, startRedis } from '../../services/redis.ts';

interface Server {
  /** A bus of a process of its own. */
  open(): Promise<{ bus: RealtimeBus; start(): Promise<void>; close(): Promise<void> }>;
  /** Cuts every connection. */
  cut(): Promise<void>;
  stop(): Promise<void>;
}

const servers: Record<string, () => Promise<Server>> = {
  Postgres: async () => {
    const { url, drop } = await cloneDatabase(inject('postgresUrl'));
    const database = new Database({ url, poolSize: 4 });
    return {
      open: async () => {
        const listener = new PostgresListener(database, () => undefined);
        const bus = new PostgresBus(listener, () => undefined);
        return { bus, start: () => listener.start(), close: () => listener.close() };
      },
      cut: async () => {
        const admin = await connect(url);
        await admin.query(
          `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name like '%-listen'`,
        );
        await admin.end();
      },
      stop: async () => {
        await database.close();
        await drop();
      },
    };
  },
  Redis: async () => {
    const directory = await mkdtemp(join(tmpdir(), 'carillon-redis-'));
    const server: RedisService = await startRedis({ directory });
    return {
      open: async () => {
        const redis = await Redis.make({ url: server.url, prefix: 'test', onFault: () => undefined });
        const bus = new RedisBus(redis, () => undefined);
        return { bus, start: () => redis.connect(), close: () => redis.close() };
      },
      cut: async () => {
        await server.kill();
        await server.start();
      },
      stop: async () => {
        await server.stop();
        await rm(directory, { recursive: true, force: true });
      },
    };
  },
};

describe.each(Object.keys(servers))('a realtime bus over %s', (name) => {
  let server: Server;
  beforeAll(async () => {
    server = await servers[name]!();
  });
  afterAll(() => server?.stop());

  const tenantId = newId();
  const hint = (recipientId: string): Hint => ({ kind: 'inbox', tenantId, recipientId });
  const recipients = Array.from({ length: 500 }, (_, index) => `${index}-${'ä'.repeat(index % 200)}`);
  async function reader(followed: string[]) {
    const { bus, start, close } = await server.open();
    const seen: Hint[] = [];
    const alsoSeen: Hint[] = [];
    let gaps = 0;
    bus.subscribe((told) => seen.push(told));
    bus.subscribe((told) => alsoSeen.push(told));
    bus.onGap(() => {
      gaps += 1;
    });
    const unfollow = followed.map((recipientId) => bus.follow(tenantId, recipientId));
    await start();
    await until('it is live', () => bus.live);
    return { bus, seen, alsoSeen, close, unfollow, gaps: () => gaps };
  }
  /** Waits until the hints that the bus creates itself when it begins to follow have arrived. */
  const settled = async (one: { seen: Hint[] }): Promise<void> => {
    for (let before = -1; before !== one.seen.length; ) {
      before = one.seen.length;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    one.seen.length = 0;
  };

  it('carries hints to every subscriber of every process that follows, many at once, long ones too', async () => {
    const [one, two] = [await reader(recipients), await reader(recipients)];
    await Promise.all([settled(one), settled(two)]);
    two.alsoSeen.length = 0;
    one.bus.publish(recipients.map(hint));
    one.bus.publish(recipients.map(hint));
    const names = (hints: Hint[]) => new Set(hints.map((told) => (told as { recipientId: string }).recipientId));
    await until('both have all', () => [one.seen, two.seen, two.alsoSeen].every((seen) => names(seen).size === 500));
    expect(names(two.seen)).toEqual(new Set(recipients));
    await Promise.all([one.close(), two.close()]);
  });

  it('delivers `stale` hints to processes without followers', async () => {
    const [one, two] = [await reader([]), await reader([])];
    one.bus.publish([{ kind: 'stale', tenantId, what: 'tenant' }]);
    await until('it is told', () => two.seen.length > 0 && one.seen.length > 0);
    expect(two.seen).toEqual([{ kind: 'stale', tenantId, what: 'tenant' }]);
    await Promise.all([one.close(), two.close()]);
  });

  it('delivers hints published right after `follow`, whenever that is', async () => {
    const [one, two] = [await reader([]), await reader([])];
    for (let turn = 0; turn < 50; turn += 1) {
      const recipientId = `late-${turn}`;
      const follow = two.bus.follow(tenantId, recipientId);
      one.bus.publish([hint(recipientId)]);
      await until('it is told', () =>
        two.seen.some((told) => 'recipientId' in told && told.recipientId === recipientId),
      );
      follow();
    }
    await Promise.all([one.close(), two.close()]);
  });

  it('tells of a gap when its connection was lost, and carries on', async () => {
    const one = await reader(['after']);
    await settled(one);
    const before = one.gaps();
    await server.cut();
    await until('it is back', () => one.gaps() > before && one.bus.live);
    await settled(one);
    one.bus.publish([hint('after')]);
    await until('the hint is there', () => one.seen.length === 1);
    await one.close();
  });
});

describe('a realtime bus over Redis', () => {
  it('follows in the end, however slow the server was when it was asked', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'carillon-redis-'));
    const server = await startRedis({ directory });
    const redis = await Redis.make({ url: server.url, prefix: 'test', onFault: () => undefined });
    const faults: string[] = [];
    const bus = new RedisBus(redis, (error) => faults.push(error.message));
    const seen: Hint[] = [];
    bus.subscribe((told) => seen.push(told));
    await redis.connect();
    await until('it is live', () => bus.live);
    const admin = new RedisClient(server.url);
    // Longer than anybody waits for an answer.
    await admin.call('CLIENT', 'PAUSE', '1300', 'ALL');
    const hint: Hint = { kind: 'inbox', tenantId: newId(), recipientId: 'late' };
    bus.follow(hint.tenantId, hint.recipientId);
    await until('it was given up once', () => faults.length > 0, 5_000);
    await until('the reader is told to look', () => seen.length > 0, 5_000);
    seen.length = 0;
    bus.publish([hint]);
    await until('a hint arrives', () => seen.length > 0, 5_000);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(seen).toEqual([hint]);
    admin.disconnect();
    await redis.close();
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  }, 30_000);
});
