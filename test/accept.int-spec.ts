// The commit behind a 202, when responses of the database are lost and some requests are invalid.

import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { AcceptStore, Database, type NewNotification, type StoreResult } from '#database';
import { DomainError, newId } from '#domain';
import { cloneDatabase, connect, startTcpProxy, type TcpProxy, untilWaitingForLock } from '#testing';
import { newNotification as newNotificationOf } from './new-notification.js';

const TENANT = newId();
let proxy: TcpProxy;
let database: Database;
let admin: pg.Client;
let store: AcceptStore;
let databaseUrl: string;
let drop: () => Promise<void>;

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  drop = clone.drop;
  databaseUrl = clone.url;
  admin = await connect(clone.url);
  const through = new URL(clone.url);
  proxy = await startTcpProxy({ host: through.hostname, port: Number(through.port) });
  through.port = String(proxy.port);
  database = new Database({ url: through.href, poolSize: 2 });
  store = new AcceptStore(database, () => undefined);
  await admin.query(`insert into tenants (id, name) values ($1, 'Test')`, [TENANT]);
});
afterAll(async () => {
  await database?.close();
  await admin?.end();
  await proxy?.close();
  await drop?.();
});

function newNotification(
  key: string | null,
  notification: Partial<NewNotification['notification']> = {},
): NewNotification {
  return newNotificationOf(
    TENANT,
    { channels: ['in_app'], content: { title: 'Hello', body: 'There' }, ...notification },
    {
      deliveries: [{ id: newId(), channel: 'in_app', address: null, addressFrom: null }],
      idempotency: key === null ? null : { key, bodyHash: '00'.repeat(32) },
    },
  );
}

const kinds = (results: (StoreResult | DomainError)[]): string[] =>
  results.map((result) => (result instanceof DomainError ? result.code : result.kind));
const stored = async (of: NewNotification[]): Promise<number> =>
  (
    await admin.query('select count(*)::int as n from notifications where id = any ($1)', [
      of.map(({ notification }) => notification.id),
    ])
  ).rows[0].n;

describe('a batch that is committed', () => {
  it('is accepted, even if looking up a key that another process has taken meanwhile fails', async () => {
    const siblings = Array.from({ length: 20 }, (_, index) => newNotification(`sibling ${index}`));
    // Another process holds the key in an open transaction: the statement waits for it, and cannot see its row.
    const other = await connect(databaseUrl);
    await other.query('begin');
    await other.query(
      `insert into idempotency_keys (tenant_id, key, body_hash, notification_id) values ($1, 'contested', '\\x00', $2)`,
      [TENANT, newId()],
    );
    const results = store.acceptAll([newNotification('contested'), ...siblings]);
    await untilWaitingForLock(admin, 1);
    const lost = proxy.loseAnswerTo('existing_keys');
    await other.query('commit');
    await other.end();
    await lost;
    const [contested, ...others] = await results;
    expect(kinds(others)).toEqual(siblings.map(() => 'accepted'));
    expect(await stored(siblings)).toBe(20);
    expect(contested).toMatchObject({ code: 'unavailable' });
    expect((contested as DomainError).message).not.toContain('nothing was accepted');
  });

  it('answers duplicate and known keys without a second look-up', async () => {
    let looked = false;
    void proxy.loseAnswerTo('existing_keys').then(() => {
      looked = true;
    });
    const first = newNotification('twin');
    expect(kinds(await store.acceptAll([first, newNotification('twin'), newNotification(null)]))).toEqual([
      'accepted',
      'replayed',
      'accepted',
    ]);
    const [known, other] = await store.acceptAll([
      newNotification('twin'),
      { ...newNotification('twin'), idempotency: { key: 'twin', bodyHash: '11'.repeat(32) } },
    ]);
    expect(known).toEqual({ kind: 'replayed', notificationId: first.notification.id });
    expect(other).toMatchObject({ code: 'idempotency_mismatch' });
    expect(looked).toBe(false);
  });
});

describe('the message key', () => {
  it('is one for a recipient or an ordering key, and another for each webhook delivery without an ordering key', async () => {
    const keysOf = async (of: NewNotification[]): Promise<number> => {
      expect(kinds(await store.acceptAll(of))).toEqual(of.map(() => 'accepted'));
      const ids = of.flatMap(({ deliveries }) => deliveries.map(({ id }) => id));
      const keys = 'select count(distinct message_key)::int as n from due_deliveries where delivery_id = any ($1)';
      return (await admin.query(keys, [ids])).rows[0].n;
    };
    const event = (orderingKey: string | null): NewNotification => {
      const endpointId = '0190a5f0-0000-7000-8000-000000000001';
      const notification = { recipientId: endpointId, endpointId, channels: ['webhook' as const], orderingKey };
      const deliveries = [{ id: newId(), channel: 'webhook' as const, address: null, addressFrom: null }];
      return { ...newNotification(null, notification), deliveries };
    };
    expect(await keysOf([newNotification(null), newNotification(null)])).toBe(1);
    expect(await keysOf([event('ann'), event('ann')])).toBe(1);
    expect(await keysOf([event(null), event(null), event(null)])).toBe(3);
  });
});

describe('a request that PostgreSQL rejects', () => {
  it('does not reject the others of its call', async () => {
    const batch = Array.from({ length: 9 }, () => newNotification(null));
    batch[4] = newNotification(null, { payload: { text: '\u0000' } });
    const results = await store.acceptAll(batch);
    expect(kinds(results)).toEqual(batch.map((_, index) => (index === 4 ? 'internal' : 'accepted')));
    expect(await stored(batch)).toBe(8);
  });
});
