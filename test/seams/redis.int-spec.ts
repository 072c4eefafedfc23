// The connection to Redis: it fails fast while the server is unavailable, and restores its subscriptions before it is
// ready.

import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectTcp, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis as RedisClient } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Redis } from '#redis';
import { startTcpProxy, type TcpProxy, until } from '#testing';
import { type RedisService, startRedis } from '../../services/redis.ts';

const SCRIPT = `return {KEYS[1], ARGV[1], 1.0 * 7}`;

let directory: string;
let server: RedisService;
let proxy: TcpProxy;
let admin: RedisClient;
const faults: Error[] = [];
const opened: Redis[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'carillon-redis-'));
  server = await startRedis({ directory });
  proxy = await startTcpProxy({ host: '127.0.0.1', port: Number(new URL(server.url).port) });
  admin = new RedisClient(server.url);
  admin.on('error', () => undefined);
});
afterAll(async () => {
  admin?.disconnect();
  await proxy?.close();
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});
afterEach(async () => {
  for (const redis of opened.splice(0)) await redis.close();
  faults.length = 0;
  proxy.pass();
});

async function open(url = `redis://127.0.0.1:${proxy.port}`): Promise<Redis> {
  const redis = await Redis.make({ url, prefix: 'test', onFault: (error) => faults.push(error) });
  opened.push(redis);
  await redis.connect();
  return redis;
}

async function commandCalls(command: string): Promise<number> {
  const stats = await admin.info('commandstats');
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

describe('a connection to Redis', () => {
  it('sends the source of a script once, and its digest after that', async () => {
    const redis = await open();
    await admin.script('FLUSH');
    await admin.config('RESETSTAT');
    for (let call = 0; call < 3; call += 1)
      expect(await redis.run(SCRIPT, ['{t}:k'], ['ä'])).toEqual(['test:{t}:k', 'ä', 7]);
    expect(await commandCalls('eval')).toBe(1);
    expect(await commandCalls('evalsha')).toBe(3);
  });

  it('sends the commands of one turn of the event loop in one write', async () => {
    const writes: number[] = [];
    const relay = createServer((socket) => {
      const upstream = connectTcp(Number(new URL(server.url).port), '127.0.0.1');
      upstream.pipe(socket);
      socket.on('data', (chunk: Buffer) => {
        writes.push(chunk.toString().split('PUBLISH').length - 1);
        upstream.write(chunk);
      });
      for (const end of [socket, upstream]) end.on('error', () => undefined);
    });
    await once(relay.listen(0, '127.0.0.1'), 'listening');
    const redis = await open(`redis://127.0.0.1:${(relay.address() as { port: number }).port}`);
    await Promise.all(Array.from({ length: 100 }, () => redis.publish('c', 'x')));
    expect(writes.filter((count) => count > 0)).toEqual([100]);
    await redis.close();
    relay.close();
  });

  it('runs scripts while it is subscribed', async () => {
    const redis = await open();
    const heard: string[] = [];
    await redis.subscribe('c', (payload) => heard.push(payload));
    await redis.publish('c', 'ä');
    expect(await redis.run(SCRIPT, ['k'], [1])).toEqual(['test:k', '1', 7]);
    await until('it is heard', () => heard.length === 1);
    await redis.unsubscribe('c');
    await redis.publish('c', 'b');
    await redis.run(SCRIPT, ['k'], [1]);
    expect(heard).toEqual(['ä']);
  });

  it('fails what is in flight when the connection breaks, and everything else at once until it is back', async () => {
    const redis = await open();
    proxy.blackhole();
    const inFlight = Promise.allSettled(Array.from({ length: 1_000 }, () => redis.run(SCRIPT, ['k'], [1])));
    await new Promise((resolve) => setTimeout(resolve, 20));
    proxy.reset();
    const startedAt = performance.now();
    expect((await inFlight).every(({ status }) => status === 'rejected')).toBe(true);
    // Less than the second that a command may take.
    expect(performance.now() - startedAt).toBeLessThan(900);
    expect(redis.connected).toBe(false);

    await admin.config('RESETSTAT');
    const refusedAt = performance.now();
    const refused = await Promise.allSettled(Array.from({ length: 1_000 }, () => redis.publish('c', 'x')));
    expect(refused.every(({ status }) => status === 'rejected')).toBe(true);
    expect(performance.now() - refusedAt).toBeLessThan(900);
    proxy.pass();
    await until('it is back', () => redis.connected);
    await redis.publish('c', 'y');
    // No command of before was kept and sent later.
    expect(await commandCalls('publish')).toBe(1);
    expect(await commandCalls('evalsha')).toBe(0);
    expect(faults).toHaveLength(1);
  });

  it('has its subscriptions back before it is ready, and reports each outage once', async () => {
    const redis = await open();
    const heard: string[] = [];
    const channels = Array.from({ length: 257 }, (_, index) => `c${index}`);
    await Promise.all(channels.map((channel) => redis.subscribe(channel, (payload) => heard.push(payload))));
    await redis.unsubscribe('c0');
    for (let outage = 1; outage <= 3; outage += 1) {
      let atReady: Promise<unknown> | undefined;
      redis.onReady(() => {
        atReady ??= Promise.all(channels.map((channel) => admin.publish(`test:${channel}`, channel)));
      });
      heard.length = 0;
      await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await until('it is back', () => atReady !== undefined);
      await atReady;
      await until('it hears all', () => heard.length >= 256);
      expect(heard).toEqual(channels.slice(1));
      expect(faults).toHaveLength(outage);
    }
  });

  it('gives a command a second, and a silent connection five until it is replaced', async () => {
    const redis = await open();
    proxy.blackhole();
    const startedAt = performance.now();
    await expect(redis.publish('c', 'x')).rejects.toThrow();
    expect(performance.now() - startedAt).toBeGreaterThan(950);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
    await until('it gives the connection up', () => !redis.connected, 6_000);
    proxy.pass();
    await until('it is back', () => redis.connected);
  });

  it('connects in the background when the server is unavailable at first', async () => {
    proxy.reset();
    const redis = await open();
    expect(redis.connected).toBe(false);
    expect(faults).toHaveLength(1);
    let ready = 0;
    redis.onReady(() => {
      ready += 1;
    });
    proxy.pass();
    await until('it is connected', () => ready === 1 && redis.connected);
  });

  it('fails what is in flight when it is closed, and never connects again', async () => {
    const redis = await open();
    proxy.blackhole();
    const inFlight = redis.publish('c', 'x').then(
      () => 'sent',
      () => 'failed',
    );
    await redis.close();
    expect(await inFlight).toBe('failed');
    proxy.pass();
    await expect(redis.publish('c', 'x')).rejects.toThrow();
    expect(redis.connected).toBe(false);
    expect(faults).toEqual([]);
  });
});
