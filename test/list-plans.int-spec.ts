// Pages that the list of notifications reads, with many notifications of another status and many weekly partitions.

import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Database, NotificationsStore, type Statement } from '#database';
import { idDaysAfter, newId } from '#domain';
import { cloneDatabase, connect } from '#testing';

let database: Database;
let admin: pg.Client;
let drop: () => Promise<void>;
const tenantId = newId();
const WEEK_MS = 7 * 24 * 3_600_000;
const MANY = 30_000;
/** Blocks that the reads needed with plans made for empty tables. */
let readEarly: { one: number; page: number };

/** Rows of this week. A page of fifty with its deliveries must read far fewer. */
const FEW_BUFFERS = 2_500;

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  drop = clone.drop;
  database = new Database({ url: clone.url, poolSize: 2 });
  admin = await connect(clone.url);
  await admin.query(`insert into tenants (id, name) values ($1, 'Test')`, [tenantId]);
  // An empty queue, vacuumed while it was empty.
  await admin.query('vacuum analyze due_deliveries');
  // Statistics are collected only when the test says so.
  const { rows } = await admin.query<{ name: string }>(
    `select 'due_deliveries' as name union all select name from carillon_partitions()`,
  );
  for (const { name } of rows) await admin.query(`alter table ${name} set (autovacuum_enabled = off)`);
  const early = await prepareEarly();
  // A hundred rare ones, older than all others of this week, and some in each other partition.
  const now = Date.now();
  await fill(now, 100, 'failed');
  // Like autovacuum: plans are made again after it.
  await admin.query('analyze deliveries');
  await fill(now + 500, 100, 'active');
  await fill(now + 1_000, MANY, 'sent');
  await fill(now + 2_000, MANY, 'pending');
  for (const weeks of [-1, 1, 2]) await fill(now + weeks * WEEK_MS, 500, 'sent');
  readEarly = await early();
  await admin.query('vacuum analyze');
});
afterAll(async () => {
  await database?.close();
  await admin?.end();
  await drop?.();
});

async function fill(atMs: number, count: number, status: 'sent' | 'failed' | 'pending' | 'active'): Promise<void> {
  const id = `(lpad(to_hex($2::bigint), 12, '0') || '7' || substr(md5(random()::text), 1, 3) || '8' || lpad(to_hex(n), 14, '0') || '0')::uuid`;
  await admin.query(
    `with made as (
       insert into notifications (tenant_id, id, recipient_id, category, channels, priority, total, succeeded, failed, payload)
       select $1, ${id}, 'user-' || n, 'default', '{email}', 5, 1, ($4 = 'sent')::int, ($4 = 'failed')::int, '{"name": "Alice"}' from generate_series(1, $3) n
       returning id
     ), delivered as (
       insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, state)
       select $1, (left(id::text, 35) || 'f')::uuid, id, 'user', 'email', case when $4 in ('sent', 'failed') then $4 else 'waiting' end from made
       returning id
     )
     insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at, claims)
     select $1, id, 'email', 2, now() + interval '1 hour', ($4 = 'active')::int from delivered where $4 in ('pending', 'active')`,
    [tenantId, atMs, count, status],
  );
}

interface Plan {
  'Node Type': string;
  'Relation Name'?: string;
  'Actual Loops': number;
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
  Plans?: Plan[];
}

/** Like a connection of the tenants' pool, in a transaction. */
async function asTenant(): Promise<void> {
  await admin.query('begin; set local role carillon_tenant; set local plan_cache_mode = force_generic_plan');
  await admin.query('set local jit = off; set local enable_seqscan = off; set local enable_mergejoin = off');
  await admin.query(`set local app.tenant_id = '${tenantId}'`);
}

/**
 * Runs the statements of a store with a generic plan, as prepared statements have. Returns the blocks read and the scanned
 * partitions of notifications.
 */
async function explained(statement: Statement): Promise<{ buffers: number; partitions: string[] }> {
  await asTenant();
  await admin.query(`prepare listed as ${statement.text}`);
  const values = statement.values!.map((value) => `'${value}'`).join(', ');
  const { rows } = await admin.query(`explain (analyze, buffers, format json) execute listed(${values})`);
  await admin.query('rollback; deallocate listed');
  const plan: Plan = rows[0]['QUERY PLAN'][0].Plan;
  const touched = (node: Plan): string[] => [
    ...(node['Relation Name']?.startsWith('notifications_') && node['Actual Loops'] > 0 ? [node['Relation Name']] : []),
    ...(node.Plans ?? []).flatMap(touched),
  ];
  return { buffers: plan['Shared Hit Blocks'] + plan['Shared Read Blocks'], partitions: [...new Set(touched(plan))] };
}

/** Executes a call of the store and returns its statements. */
async function sent<T>(call: (store: NotificationsStore) => Promise<T>): Promise<{ answer: T; statement: Statement }> {
  let seen: Statement | undefined;
  const watched = new Proxy(database, {
    get(target, name) {
      if (name !== 'queryForTenant') return Reflect.get(target, name, target);
      return (id: string, statement: Statement) => {
        seen = statement;
        return target.queryForTenant(id, statement);
      };
    },
  });
  const answer = await call(new NotificationsStore(watched));
  return { answer, statement: seen! };
}

const literals = ({ values }: Statement): string => values!.map((value) => `'${value}'`).join(', ');

/** Prepares the reads while the tables are empty. The returned function executes them and returns the blocks of each. */
async function prepareEarly(): Promise<() => Promise<{ one: number; page: number }>> {
  const one = await sent((store) => store.get(tenantId, newId()));
  const page = await sent((store) => store.list(tenantId, {}, { limit: 50 }));
  await asTenant();
  await admin.query(`prepare early_one as ${one.statement.text}; prepare early_page as ${page.statement.text}`);
  await admin.query(`execute early_one(${literals(one.statement)}); execute early_page(${literals(page.statement)})`);
  await admin.query('commit');
  const buffers = async (name: string, statement: Statement): Promise<number> => {
    const { rows } = await admin.query(
      `explain (analyze, buffers, format json) execute ${name}(${literals(statement)})`,
    );
    return rows[0]['QUERY PLAN'][0].Plan['Shared Hit Blocks'];
  };
  return async () => {
    const { rows } = await admin.query<{ id: string }>(
      'select id from notifications where final_status is null order by id desc limit 1',
    );
    const { statement } = await sent((store) => store.get(tenantId, rows[0]!.id));
    await asTenant();
    const read = { one: await buffers('early_one', statement), page: await buffers('early_page', page.statement) };
    await admin.query('rollback; deallocate early_one; deallocate early_page');
    return read;
  };
}

describe('with a plan made for empty tables', () => {
  it('one notification is found by keys', () => {
    expect(readEarly.one).toBeGreaterThan(0);
    expect(readEarly.one).toBeLessThan(100);
  });

  it('a page of fifty is found by keys', () => {
    expect(readEarly.page).toBeGreaterThan(0);
    expect(readEarly.page).toBeLessThan(FEW_BUFFERS);
  });
});

it('no id is outside the bounds', async () => {
  const store = new NotificationsStore(database);
  for (const id of ['ffffffff-ffff-ffff-ffff-ffffffffffff', '00000000-0000-0000-0000-000000000000'])
    expect(await store.get(tenantId, id)).toBeNull();
});

it('the bounds of the deliveries of a notification are the same here and in the database', async () => {
  for (const id of [newId(), '00000000-0001-7000-8000-000000000000', '0190abcd-ef01-7fff-bfff-ffffffffffff'])
    for (const days of [-1, 15]) {
      const { rows } = await admin.query('select carillon_id_days_after($1, $2) as id', [id, days]);
      expect(idDaysAfter(id, days)).toBe(rows[0].id);
    }
});

describe('a page of fifty', () => {
  it('by a rare final status uses the index, however many other notifications exist', async () => {
    const { answer, statement } = await sent((store) => store.list(tenantId, { status: 'failed' }, { limit: 50 }));
    expect(answer.rows.map(({ notification }) => notification.status)).toEqual(Array(50).fill('failed'));
    expect((await explained(statement)).buffers).toBeLessThan(FEW_BUFFERS);
    const next = await sent((store) =>
      store.list(tenantId, { status: 'failed' }, { limit: 50, cursor: answer.nextCursor! }),
    );
    expect(next.answer).toMatchObject({ rows: { length: 50 }, nextCursor: null });
    expect((await explained(next.statement)).buffers).toBeLessThan(FEW_BUFFERS);
  });

  it('by an unused status reads nothing', async () => {
    const { answer, statement } = await sent((store) => store.list(tenantId, { status: 'cancelled' }, { limit: 50 }));
    expect(answer).toEqual({ rows: [], nextCursor: null });
    expect((await explained(statement)).buffers).toBeLessThan(100);
  });

  it('without a status reads only as many weeks as needed, from the newest on, with the deliveries', async () => {
    const { answer, statement } = await sent((store) => store.list(tenantId, {}, { limit: 50 }));
    expect(answer.rows.map(({ deliveries }) => deliveries.length)).toEqual(Array(50).fill(1));
    const { buffers, partitions } = await explained(statement);
    expect(buffers).toBeLessThan(FEW_BUFFERS);
    expect(partitions).toHaveLength(3); // the two empty ones, and the newest with rows
  });

  it('by a rare computed status examines at most a thousand, and its cursor continues from there', async () => {
    const seen: string[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const { answer, statement } = await sent((store) =>
        store.list(tenantId, { status: 'active' }, { limit: 50, cursor }),
      );
      if (pages < 2) expect((await explained(statement)).buffers).toBeLessThan(25_000);
      seen.push(...answer.rows.map(({ notification }) => notification.id));
      cursor = answer.nextCursor ?? undefined;
      pages += 1;
    } while (cursor !== undefined);
    expect(pages).toBeGreaterThanOrEqual(MANY / 1_000);
    expect(new Set(seen).size).toBe(100);
    expect(seen).toHaveLength(100);
  });
});
