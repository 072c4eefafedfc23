// Erasures that workers finish: several at once, failed ones, and what is written while they run.

import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { Database, ErasuresStore, SecretBox } from '#database';
import { newId } from '#domain';
import { cloneDatabase, connect, until } from '#testing';

const box = new SecretBox(Buffer.alloc(32, 7));
const keys = { addressKey: Buffer.alloc(32, 8) };
let database: Database;
let admin: pg.Client;
let drop: () => Promise<void>;
let urlOfClone: string;
let tenantId: string;

beforeEach(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  drop = clone.drop;
  urlOfClone = clone.url;
  database = new Database({ url: clone.url, poolSize: 10 });
  admin = await connect(clone.url);
  tenantId = await newTenant();
});
afterEach(async () => {
  await database?.close();
  await admin?.end();
  await drop?.();
});

interface Texts {
  text: string;
}

/** A store that calls `before` with the texts of each round trip to the database. */
function observed(before: (texts: string, tenant: string) => unknown): ErasuresStore {
  const texts = (statements: Texts[]): string => statements.map(({ text }) => text).join(';');
  return new ErasuresStore(
    Object.create(database, {
      queryForTenant: {
        value: async (tenant: string, statement: Texts & { values: unknown[] }) => {
          await before(texts([statement]), tenant);
          return await database.queryForTenant(tenant, statement);
        },
      },
      pipelineForTenant: {
        value: async (tenant: string, statements: (Texts & { values: unknown[] })[]) => {
          await before(texts(statements), tenant);
          return await database.pipelineForTenant(tenant, statements);
        },
      },
    }),
    box,
    keys,
  );
}

const store = (): ErasuresStore => new ErasuresStore(database, box, keys);

async function newTenant(): Promise<string> {
  const id = newId();
  await admin.query(`insert into tenants (id, name) values ($1, 'Test')`, [id]);
  return id;
}

async function createRecipient(id: string, email: string): Promise<void> {
  await admin.query('insert into recipients (tenant_id, id, email) values ($1, $2, $3)', [tenantId, id, email]);
}

/** Sent notifications of this recipient, each with an address of its own. */
async function createNotifications(recipientId: string, count: number, client = admin): Promise<void> {
  const ids = Array.from({ length: count }, () => newId());
  await client.query(
    `insert into notifications (tenant_id, id, recipient_id, category, channels, priority, total, payload)
     select $1, id, $3, 'default', '{email}', 5, 1, '{"name": "secret"}' from unnest($2::uuid[]) as id`,
    [tenantId, ids, recipientId],
  );
  await client.query(
    `insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, address, state)
     select $1, id, id, $3, 'email', id || '@example.com', 'sent' from unnest($2::uuid[]) as id`,
    [tenantId, ids, recipientId],
  );
}

async function createEvents(count: number): Promise<void> {
  await admin.query(
    `insert into events (tenant_id, type, recipient_id, subject, data, webhooks, broker, kept)
     select $1, 'delivery.sent', 'r' || i, 'x', jsonb_build_object('recipient_id', 'r' || i, 'address', 'r' || i || '@example.com'),
            false, false, true from generate_series(1, $2::int) as i`,
    [tenantId, count],
  );
  await admin.query('vacuum analyze events');
}

async function noteErasures(tenant: string, ids: string[], completedAt: 'now' | null = 'now'): Promise<void> {
  await admin.query(
    `insert into erasures (tenant_id, recipient_id, due_at, completed_at)
     select $1, id, now() - interval '1 minute', $3::timestamptz from unnest($2::text[]) as id`,
    [tenant, ids, completedAt],
  );
}

const makeDue = (): Promise<unknown> => admin.query(`update erasures set due_at = now() - interval '1 second'`);

async function noted(): Promise<string[]> {
  const { rows } = await admin.query('select recipient_id from erasures order by 1');
  return rows.map(({ recipient_id }) => recipient_id);
}

const isWalk = (texts: string): boolean => texts.includes('with examined as materialized');

describe('a worker that finishes erasures', () => {
  it('does not forget one that was requested again meanwhile', async () => {
    await createRecipient('ann', 'ann@example.com');
    await store().erase(tenantId, 'ann', null);
    await makeDue();
    await createRecipient('ann', 'ann@new.example.com');
    await createNotifications('ann', 1);
    let isRepeated = false;
    const worker = observed(async (texts) => {
      if (isRepeated || !isWalk(texts)) return;
      isRepeated = true;
      // The process of the second request is lost after it has begun the erasure.
      let calls = 0;
      const lost = observed(() => {
        calls += 1;
        if (calls > 2) throw new Error('killed');
      });
      await expect(lost.erase(tenantId, 'ann', null)).rejects.toThrow('killed');
    });
    await worker.finishDue();
    expect(await noted()).toEqual(['ann']);
    await makeDue();
    await store().finishDue();
    expect(await noted()).toEqual([]);
    expect((await admin.query('select recipient_id, payload from notifications')).rows).toEqual([
      { recipient_id: 'erased', payload: null },
    ]);
  });

  it('takes each once, although others run at the same time', async () => {
    await createEvents(6_000);
    await noteErasures(
      tenantId,
      Array.from({ length: 60 }, (_, at) => `r${at}`),
    );
    let walks = 0;
    const workers = Array.from({ length: 5 }, () => observed((texts) => (walks += Number(isWalk(texts)))));
    await Promise.all(workers.map((worker) => worker.finishDue()));
    expect([await noted(), walks]).toEqual([[], 120]);
  });

  it('takes those of all tenants in turn', async () => {
    await noteErasures(
      tenantId,
      Array.from({ length: 30 }, (_, at) => `many-${at}`),
    );
    const other = await newTenant();
    await noteErasures(other, ['ann']);
    await admin.query('update erasures set due_at = now() where tenant_id = $1', [other]);
    const order: string[] = [];
    const worker = observed((texts, tenant) => {
      if (texts.includes('delete from erasures')) order.push(tenant);
    });
    await worker.finishDue();
    expect(order).toHaveLength(31);
    expect(order.slice(0, 3)).toContain(other);
  });

  it('goes on after one that fails, and tries that one later', async () => {
    await noteErasures(tenantId, ['broken', 'ann']);
    await admin.query(`update erasures set due_at = now() - interval '2 minutes' where recipient_id = 'broken'`);
    let isBroken = true;
    const worker = observed((texts) => {
      if (!isBroken || !isWalk(texts)) return;
      isBroken = false;
      throw new Error('too large');
    });
    await expect(worker.finishDue()).rejects.toThrow('1 erasures failed');
    expect(await noted()).toHaveLength(1);
    await worker.finishDue();
    expect(await noted()).toHaveLength(1);
    await makeDue();
    await worker.finishDue();
    expect(await noted()).toEqual([]);
  });
});

describe('an erasure', () => {
  it('covers what was accepted before it and committed after it', async () => {
    await createRecipient('ann', 'ann@example.com');
    const accept = await connect(urlOfClone);
    await accept.query('begin');
    await createNotifications('ann', 1, accept);
    await store().erase(tenantId, 'ann', null);
    await accept.query('commit');
    await accept.end();
    await makeDue();
    await store().finishDue();
    expect((await admin.query('select recipient_id, payload from notifications')).rows).toEqual([
      { recipient_id: 'erased', payload: null },
    ]);
    expect((await admin.query('select address from deliveries')).rows).toEqual([{ address: null }]);
  });

  it('of an unknown recipient reads no events and leaves no row', async () => {
    const calls: string[] = [];
    const api = observed((texts) => calls.push(texts));
    expect(await api.erase(tenantId, 'nobody', null)).toBeNull();
    // Schedules and the lines of uploads, and the note of the erasure.
    expect([calls.length, await noted()]).toEqual([2, []]);
    const { rows } = await admin.query(`select from audit_log where action = 'recipient.erased'`);
    expect(rows).toEqual([]);
  });

  it('of a recipient with thousands of addresses reads events as fast as any other', async () => {
    await createEvents(20_000);
    for (const id of ['one', 'thousands']) await noteErasures(tenantId, [id], null);
    await admin.query(
      `update erasures set addresses = array(select 'x' || i || '@example.com' from generate_series(1, 20000) as i)
       where recipient_id = 'thousands'`,
    );
    await store().finishDue();
    expect(await noted()).toEqual([]);
  });

  it('reads the notifications about it to endpoints once, and no others', async () => {
    const each = 6_000;
    await createRecipient('ann', 'ann@example.com');
    await admin.query(
      `insert into notifications (tenant_id, id, recipient_id, category, channels, priority, total, payload, endpoint_id, type)
       select $1, id, 'endpoint', 'webhook', '{webhook}', 5, 1, jsonb_build_object('timestamp', '2026-01-01T00:00:00Z',
              'data', jsonb_build_object('recipient_id', (array['ann', 'bob', 'eve', 'dan'])[1 + n % 4])), $1, 'delivery.sent'
       from unnest($2::uuid[]) with ordinality as ids (id, n)`,
      [tenantId, Array.from({ length: 4 * each }, newId)],
    );
    await admin.query('vacuum analyze notifications');
    // As long as it is open, each search reads the index entries of the erased ones again.
    const older = await connect(urlOfClone);
    await older.query('begin isolation level repeatable read');
    await older.query('select 1');
    await store().erase(tenantId, 'ann', null);
    await older.end();
    // The server counts when a connection ends.
    await database.close();
    const read = async (): Promise<{ indexes: number; left: number }> => {
      const { rows } = await admin.query(
        `select (select sum(idx_tup_read)::int from pg_stat_user_indexes
                 where pg_get_indexdef(indexrelid) like '%''recipient_id''%') as indexes,
                (select count(*)::int from notifications where payload->'data'->>'recipient_id' = 'ann') as left`,
      );
      return rows[0];
    };
    await until('the server has counted', async () => (await read()).indexes >= each);
    const { indexes, left } = await read();
    expect(left).toBe(0);
    // Once to find them, and once to find no more.
    expect(indexes).toBeLessThanOrEqual(2 * each);
  });

  it('runs a batch again after a deadlock with a record', async () => {
    await createNotifications('ann', 2);
    await admin.query(
      `insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at)
       select tenant_id, id, 'email', 2, now() from deliveries`,
    );
    const { rows } = await admin.query('select id from deliveries order by notification_id');
    const record = await connect(urlOfClone);
    const complete = (id: string): Promise<unknown> =>
      record.query('delete from due_deliveries where delivery_id = $1', [id]);
    await record.query('begin');
    await complete(rows[1].id);
    const erased = store().erase(tenantId, 'ann', null);
    await until('the erasure waits for the record', async () => {
      const waiting = await admin.query(`select from pg_locks where not granted`);
      return waiting.rows.length > 0;
    });
    const other = complete(rows[0].id).catch(() => undefined);
    expect(await Promise.race([erased, other.then(() => record.query('rollback')).then(() => erased)])).toMatchObject({
      notifications: 2,
    });
    await record.end();
  });
});

describe('a recipient who comes back while the erasure runs', () => {
  /** A sent notification with its inbox item, its event, and the notification that told an endpoint of it. */
  async function createInboxItem(title: string): Promise<string> {
    const id = newId();
    await admin.query('begin');
    for (const [notification, recipient, channel, endpoint] of [
      [id, 'ann', 'in_app', null],
      [newId(), 'endpoint', 'webhook', tenantId],
    ])
      await admin.query(
        `insert into notifications (tenant_id, id, recipient_id, category, channels, priority, total, endpoint_id, type,
                                    payload)
         values ($1, $2, $3, 'default', array[$4], 5, 1, $5::uuid, 'delivery.sent',
                 jsonb_build_object('timestamp', now(), 'data', $6::jsonb))`,
        [
          tenantId,
          notification,
          recipient,
          channel,
          endpoint,
          { notification_id: id, delivery_id: id, recipient_id: 'ann' },
        ],
      );
    await admin.query(
      `insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, state, sent_at)
       values ($1, $2, $2, 'ann', 'in_app', 'sent', now())`,
      [tenantId, id],
    );
    await admin.query(
      `insert into events (tenant_id, type, recipient_id, subject, data, webhooks, broker, kept)
       values ($1, 'delivery.sent', 'ann', $2, jsonb_build_object('delivery_id', $2::text, 'recipient_id', 'ann'),
               false, false, true)`,
      [tenantId, id],
    );
    await insertItem(title);
    await admin.query('commit');
    return id;
  }

  async function insertItem(title: string): Promise<void> {
    await admin.query(
      `with counter as (
         insert into inbox_counters as c (tenant_id, recipient_id, last_seq, total, unread, unseen)
         values ($1, 'ann', 1, 1, 1, 1)
         on conflict (tenant_id, recipient_id) do update set
           last_seq = c.last_seq + 1, total = c.total + 1, unread = c.unread + 1, unseen = c.unseen + 1
         returning last_seq
       )
       insert into inbox_items (tenant_id, recipient_id, seq, id, category, title, body)
       select $1, 'ann', last_seq, $2, 'default', $3, '' from counter`,
      [tenantId, newId(), title],
    );
  }

  /** The same delivery writes its item, as when a worker records it only now. */
  async function recordLate(deliveryId: string): Promise<void> {
    await admin.query('begin');
    await admin.query('update deliveries set sent_at = now() where id = $1', [deliveryId]);
    await insertItem('late');
    await admin.query('commit');
  }

  it('keeps the inbox items and events of then; items that are recorded late are erased', async () => {
    const old = await createInboxItem('old');
    let created = '';
    const api = observed(async (texts) => {
      if (created !== '' || !texts.includes('delete from due_deliveries')) return;
      await recordLate(old);
      created = await createInboxItem('new');
    });
    expect(await api.erase(tenantId, 'ann', null)).toMatchObject({ notifications: 1, inbox_items: 2 });
    await makeDue();
    await store().finishDue();
    const { rows: items } = await admin.query('select title, seq::int from inbox_items');
    expect(items).toEqual([{ title: 'new', seq: 3 }]);
    const { rows: counters } = await admin.query('select last_seq::int, total, unread, unseen from inbox_counters');
    expect(counters).toEqual([{ last_seq: 3, total: 1, unread: 1, unseen: 1 }]);
    expect((await admin.query('select subject from events')).rows).toEqual([{ subject: created }]);
    const { rows: told } = await admin.query(
      `select payload->'data'->>'recipient_id' as about from notifications where endpoint_id is not null order by id`,
    );
    expect(told).toEqual([{ about: 'erased' }, { about: 'ann' }]);
    expect((await admin.query('select recipient_id from deliveries order by id')).rows).toEqual([
      { recipient_id: 'erased' },
      { recipient_id: 'ann' },
    ]);
  });

  it('gets no item of a notification that was accepted before and committed later', async () => {
    await createRecipient('ann', 'ann@example.com');
    const accept = await connect(urlOfClone);
    await accept.query('begin');
    await createNotifications('ann', 1, accept);
    await store().erase(tenantId, 'ann', null);
    await accept.query(`update deliveries set channel = 'in_app'`);
    await accept.query('commit');
    await accept.end();
    const { rows } = await admin.query('select id from deliveries');
    await recordLate(rows[0].id);
    await makeDue();
    await store().finishDue();
    const { rows: left } = await admin.query(
      `select recipient_id from inbox_items union all select recipient_id from inbox_counters`,
    );
    expect(left).toEqual([]);
  });

  it('who does not come back has no inbox, no counters and no events', async () => {
    await createInboxItem('old');
    expect(await store().erase(tenantId, 'ann', null)).toMatchObject({ inbox_items: 1 });
    const { rows } = await admin.query(
      `select (select count(*)::int from inbox_items) as items, (select count(*)::int from inbox_counters) as counters,
              (select count(*)::int from events) as events`,
    );
    expect(rows).toEqual([{ items: 0, counters: 0, events: 0 }]);
  });
});
