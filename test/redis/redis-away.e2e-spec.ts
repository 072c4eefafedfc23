// Redis flushed, killed and back, under load: what it was trusted with is kept or made good.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { startTcpProxy, until } from '#testing';
import { type RedisService, startRedis } from '../../services/redis.ts';
import { CONTENT, type Json, startTestEnvironment, type Tenant, type TestEnvironment } from '../test-environment.js';

const LIMIT = 5;
const READERS = 20;

let directory: string;
let redis: RedisService;
let app: TestEnvironment;
let tenant: Tenant;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'carillon-redis-'));
  redis = await startRedis({ directory });
  app = await startTestEnvironment({ environment: { REDIS_URL: redis.url } });
  await app.startWorker();
  tenant = await app.tenant({
    recipient_limits: {
      email: { limit: LIMIT, window_seconds: 3_600 },
      in_app: { limit: 100_000, window_seconds: 3_600 },
    },
  });
});
afterAll(async () => {
  await app?.stop();
  await redis?.stop();
  await rm(directory, { recursive: true, force: true });
});

interface Reader {
  id: string;
  seqs: number[];
  /** Connects again with the last number seen, as a browser would. */
  reconnect(): Promise<void>;
  close(): void;
}

async function reader(id: string, at: TestEnvironment = app, by: Tenant = tenant): Promise<Reader> {
  const seqs: number[] = [];
  let socket: WebSocket | undefined;
  const connect = async (): Promise<void> => {
    socket?.terminate();
    const { token } = (await by.call('POST', `/api/v1/recipients/${id}/inbox-token`, {})).body;
    const since = seqs.length === 0 ? '' : `?since=${seqs.at(-1)}`;
    const opened = new WebSocket(`${at.url.replace('http', 'ws')}/api/v1/inbox/stream${since}`, ['carillon.v1', token]);
    socket = opened;
    let ready = false;
    opened.on('message', (data) => {
      const frame = JSON.parse(String(data)) as Json;
      if (frame.type === 'ready') ready = true;
      if (frame.type === 'item') seqs.push(frame.item.seq);
    });
    await until('it is ready', () => ready);
  };
  await connect();
  return { id, seqs, reconnect: connect, close: () => socket?.terminate() };
}

describe('Redis, flushed and killed under load', () => {
  it('loses no inbox item of a connected reader, lets no recipient have more than the limit, and stops no accept', async () => {
    const readers = await Promise.all(Array.from({ length: READERS }, (_, index) => reader(`reader-${index}`)));
    let stop = false;
    let items = 0;
    const statuses = new Map<number, number>();
    const post = async (body: Record<string, unknown>): Promise<void> => {
      const { status } = await tenant.call('POST', '/api/v1/notifications', body);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    };
    const load = (async () => {
      for (; !stop; items += 1) {
        await Promise.all([
          ...readers.map(({ id }) => post({ recipient_id: id, channel: 'in_app', content: CONTENT.in_app })),
          // Far more than anybody may have.
          ...Array.from({ length: 10 }, (_, index) =>
            post({
              recipient_id: `limited-${index}`,
              recipient_address: `limited-${index}@example.com`,
              channel: 'email',
              content: CONTENT.email,
            }),
          ),
        ]);
      }
    })();
    await until('it runs', () => items > 10, 20_000);
    const client = new Redis(redis.url);
    for (let flush = 0; flush < 5; flush += 1) {
      await client.flushall();
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    client.disconnect();
    const before = items;
    await redis.kill();
    await until('it goes on without', () => items > before + 10, 20_000);
    expect((await app.call('GET', '/readyz')).body).toMatchObject({ status: 'ok', checks: { redis: 'away' } });
    await redis.start();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    stop = true;
    await load;

    expect([...statuses.keys()]).toEqual([202]);
    // Without Redis in-app items are held for some seconds, like everything that has a limit.
    await until(
      'all items are written',
      async () =>
        Number(
          (await app.sql.query(`select count(*) from inbox_items where tenant_id = $1`, [tenant.id])).rows[0].count,
        ) ===
        items * READERS,
      30_000,
    );
    await until('half of the readers have all', () => readers.slice(0, 10).every(({ seqs }) => seqs.length === items));
    await Promise.all(readers.slice(10).map((one) => one.reconnect()));
    await until('the others have all, too', () => readers.every(({ seqs }) => seqs.length === items));
    const inOrder = Array.from({ length: items }, (_, index) => index + 1);
    for (const { seqs } of readers) expect(seqs).toEqual(inOrder);

    // The rest is held until the window has passed; nothing was dropped.
    await until(
      'nothing is under way',
      async () => {
        const { rows } = await app.sql.query(
          `select count(*)::int as n from due_deliveries where tenant_id = $1 and (claim_id is not null or due_at < now() + interval '1 minute')`,
          [tenant.id],
        );
        return rows[0].n === 0;
      },
      30_000,
    );
    const { rows } = await app.sql.query(
      `select recipient_id, count(*)::int as sent from deliveries where tenant_id = $1 and channel = 'email' and state = 'sent' group by 1`,
      [tenant.id],
    );
    expect(rows.map(({ sent }) => sent)).toEqual(Array.from({ length: 10 }, () => LIMIT));
    const waiting = await app.sql.query(
      `select count(*)::int as n from due_deliveries where tenant_id = $1 and reason = 'recipient_limit'`,
      [tenant.id],
    );
    expect(waiting.rows[0].n).toBe(items * 10 - 10 * LIMIT);
    for (const one of readers) one.close();
  }, 120_000);
});

describe('a gateway cut off from Redis', () => {
  it.each(['reset', 'blackhole'] as const)(
    'by a %s looks for itself until it is back, and is live again then',
    async (mode) => {
      const proxy = await startTcpProxy({ host: '127.0.0.1', port: Number(new URL(redis.url).port) });
      const cutOff = await startTestEnvironment({
        worker: false,
        environment: { REDIS_URL: `redis://127.0.0.1:${proxy.port}` },
      });
      // The worker still reaches Redis: it records and publishes, and no process receives it.
      await cutOff.startWorker({ REDIS_URL: redis.url });
      const sender = await cutOff.tenant({ recipient_limits: { in_app: { limit: 1_000, window_seconds: 60 } } });
      const ann = await reader('ann', cutOff, sender);
      const send = (): Promise<Json> =>
        sender.send({ recipient_id: 'ann', channel: 'in_app', content: CONTENT.in_app });
      await send();
      await until('it is live', () => ann.seqs.length === 1);
      proxy[mode]();
      await send();
      await send();
      await until('the items are there all the same', () => ann.seqs.length === 3, 15_000);
      proxy.pass();
      await until('it is back', async () => (await cutOff.call('GET', '/readyz')).body.checks.redis === 'ok', 15_000);
      await send();
      await until('it is live again', () => ann.seqs.length === 4, 5_000);
      expect(ann.seqs).toEqual([1, 2, 3, 4]);
      ann.close();
      await cutOff.stop();
      await proxy.close();
    },
    60_000,
  );
});
