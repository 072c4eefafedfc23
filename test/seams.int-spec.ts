// The contracts of the three seams, against their Postgres implementations. Their twins will be held to the same suites.

import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Batcher, Database, PostgresListener } from '#database';
import { channelIds, newId } from '#domain';
import { type DeliveryBatch, DirectTransport, deliveriesPattern, type Transported } from '#messaging';
import { PostgresLimiter } from '#rate-limit';
import { type Hint, PostgresBus } from '#realtime';
import { cloneDatabase, connect, until } from '#testing';

let database: Database;
let url: string;
let drop: () => Promise<void>;

beforeAll(async () => {
  ({ url, drop } = await cloneDatabase(inject('postgresUrl')));
  database = new Database({ url, poolSize: 4 });
});
afterAll(async () => {
  await database?.close();
  await drop?.();
});

describe('a limiter', () => {
  const limiter = () =>
    new PostgresLimiter(
      database.platform,
      (flush) => new Batcher({ flush, slots: 2, maxBatch: 100, maxQueue: 10_000 }),
    );
  const limit = { limit: 3, windowSeconds: 1 };

  it('grants exactly its limit to a hundred at once, whoever asks', async () => {
    const [one, two] = [limiter(), limiter()];
    const tenantId = newId();
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) => (index % 2 ? one : two).take({ tenantId, key: 'k', limit })),
    );
    expect(answers.filter(({ granted }) => granted)).toHaveLength(3);
    const refused = answers.find(({ granted }) => !granted) as { retryAfterSeconds: number };
    expect(refused.retryAfterSeconds).toBeGreaterThan(0);
    expect(refused.retryAfterSeconds).toBeLessThanOrEqual(1);
  });

  it('slides: refused tries do not extend the block', async () => {
    const [tenantId, store] = [newId(), limiter()];
    const startedAt = performance.now();
    for (let hit = 0; hit < 3; hit += 1) expect((await store.take({ tenantId, key: 'k', limit })).granted).toBe(true);
    await until('it is granted again', async () => (await store.take({ tenantId, key: 'k', limit })).granted, 5_000);
    expect(performance.now() - startedAt).toBeGreaterThan(900);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });

  it('keeps tenants and keys apart', async () => {
    const store = limiter();
    const one = { limit: 1, windowSeconds: 60 };
    const [ann, bob] = [newId(), newId()];
    const ask = (tenantId: string, key: string) => store.take({ tenantId, key, limit: one });
    const answers = await Promise.all([ask(ann, 'a'), ask(ann, 'b'), ask(bob, 'a'), ask(ann, 'a')]);
    expect(answers.map(({ granted }) => granted)).toEqual([true, true, true, false]);
  });
});

describe('a realtime bus', () => {
  async function bus() {
    const listener = new PostgresListener(database, () => undefined);
    const made = new PostgresBus(listener, () => undefined);
    const seen: Hint[] = [];
    const alsoSeen: Hint[] = [];
    let gaps = 0;
    made.subscribe((hint) => seen.push(hint));
    made.subscribe((hint) => alsoSeen.push(hint));
    made.onGap(() => {
      gaps += 1;
    });
    await listener.start();
    return { made, seen, alsoSeen, listener, gaps: () => gaps };
  }
  const hint = (recipientId: string): Hint => ({ kind: 'inbox', tenantId: newId(), recipientId });

  it('carries hints to every subscriber of every process, many at once, long ones too', async () => {
    const [one, two] = [await bus(), await bus()];
    const hints = Array.from({ length: 500 }, (_, index) => hint(`${index}-${'ä'.repeat(index % 200)}`));
    one.made.publish(hints);
    await until(
      'both have all',
      () => one.seen.length === 500 && two.seen.length === 500 && two.alsoSeen.length === 500,
    );
    expect(two.seen).toEqual(hints);
    await Promise.all([one.listener.close(), two.listener.close()]);
  });

  it('tells of a gap when its connection was lost, and carries on', async () => {
    const one = await bus();
    const before = one.gaps();
    const admin = await connect(url);
    await admin.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name like '%-listen'`,
    );
    await until('it is back', () => one.gaps() > before);
    one.made.publish([hint('after')]);
    await until('the hint is there', () => one.seen.length === 1);
    await one.listener.close();
    await admin.end();
  });
});

describe('a delivery transport', () => {
  const concurrency = Object.fromEntries(channelIds.map((channel) => [channel, 3])) as Record<
    (typeof channelIds)[number],
    number
  >;
  interface Parcel extends Transported {
    id: number;
  }

  it('hands over once, holds no more than its room, lets no channel hold up another, and drains', async () => {
    const transport = new DirectTransport<Parcel>(concurrency, (error) => {
      throw error;
    });
    const handed: number[] = [];
    const finish = new Map<number, () => void>();
    const consumer = async (batch: DeliveryBatch<Parcel>): Promise<void> => {
      await Promise.all(
        batch.deliveries.map(async (parcel) => {
          handed.push(parcel.id);
          await new Promise<void>((resolve) => finish.set(parcel.id, resolve));
          batch.settled(parcel);
          batch.settled(parcel);
        }),
      );
    };
    for (const channel of channelIds) transport.addHandler(deliveriesPattern(channel), consumer as never);
    const rooms: string[] = [];
    transport.onRoom((channel) => rooms.push(channel));
    await transport.publish(
      'email',
      [1, 2, 3].map((id) => ({ id, channel: 'email' })),
    );
    expect([transport.room('email'), transport.room('sms')]).toEqual([0, 3]);
    await transport.publish('sms', [{ id: 4, channel: 'sms' }]);
    expect(handed).toEqual([1, 2, 3, 4]);
    finish.get(4)!();
    await until('sms has room', () => rooms.includes('sms'));
    expect([transport.room('email'), transport.room('sms')]).toEqual([0, 3]);
    let drained = false;
    const draining = transport.drain().then(() => {
      drained = true;
    });
    for (const id of [1, 2]) finish.get(id)!();
    await until('two are done', () => rooms.filter((channel) => channel === 'email').length === 2);
    expect(drained).toBe(false);
    finish.get(3)!();
    await draining;
    expect(transport.room('email')).toBe(0);
  });

  it('frees the place of what its consumer let fall', async () => {
    const faults: string[] = [];
    const transport = new DirectTransport<Parcel>(concurrency, (error) => faults.push(error.message));
    transport.addHandler(deliveriesPattern('email'), (async () => {
      throw new Error('dropped');
    }) as never);
    await transport.publish('email', [{ id: 1, channel: 'email' }]);
    await until('the place is free', () => transport.room('email') === 3);
    expect(faults).toEqual(['dropped']);
    await expect(transport.publish('sms', [{ id: 2, channel: 'sms' }])).rejects.toThrow(
      'no consumer for deliveries.sms',
    );
  });
});
