// Plans of our statements with the statistics of empty and small tables.

import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Database, OperationsStore } from '#database';
import { newId } from '#domain';
import { cloneDatabase, connect } from '#testing';
import { MIGRATIONS } from './test-environment.js';

let database: Database;
let admin: pg.Client;
let drop: () => Promise<void>;

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  drop = clone.drop;
  database = new Database({ url: clone.url, poolSize: 1 });
  admin = await connect(clone.url);
});
afterAll(async () => {
  await database?.close();
  await admin?.end();
  await drop?.();
});

/** The indexes of a plan, at any depth. */
function indexesOf(plan: unknown): string[] {
  if (Array.isArray(plan)) return plan.flatMap(indexesOf);
  if (typeof plan !== 'object' || plan === null) return [];
  return Object.entries(plan).flatMap(([name, value]) => (name === 'Index Name' ? [value] : indexesOf(value)));
}

/** Tables that grow and become empty again. */
const RUN_EMPTY = [
  'due_deliveries',
  'events',
  'dead_letters',
  'parked_receipts',
  'used_tokens',
  'token_revocations',
  'rate_windows',
  'idempotency_keys',
  'poison_messages',
];

describe('a row is looked up', () => {
  it('without reading all rows of its tenant, in every table, while all are empty and every index costs the same', async () => {
    const { rows } = await admin.query<{ table: string; columns: string[] }>(`
      select c.relname as table, array(
               select a.attname::text from unnest(i.indkey) with ordinality as k(attnum, place)
               join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum order by k.place) as columns
      from pg_index i join pg_class c on c.oid = i.indrelid
      where i.indisprimary and c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition`);
    expect(rows.length).toBeGreaterThan(20);
    // Like tables that were vacuumed while empty. Partitions never become empty.
    await admin.query(`vacuum analyze ${RUN_EMPTY.join(', ')}`);
    await admin.query(
      "set enable_seqscan = off; set enable_partition_pruning = off; set plan_cache_mode = 'force_generic_plan'",
    );
    const others: string[] = [];
    for (const { table, columns } of rows) {
      const where = columns.map((column, at) => `"${column}" = $${at + 1}`).join(' and ');
      // Not `explain (generic_plan)`, which PostgreSQL 15 does not have.
      await admin.query(`prepare look_up as select * from ${table} where ${where}`);
      const nothing = columns.map(() => 'null').join(', ');
      const plan = await admin.query(`explain (format json) execute look_up (${nothing})`);
      await admin.query('deallocate look_up');
      const indexes = indexesOf(plan.rows[0]['QUERY PLAN']);
      expect(indexes.length, table).toBeGreaterThan(0);
      others.push(...indexes.filter((index) => !index.endsWith('_pkey')).map((index) => `${table}: ${index}`));
    }
    expect(others.sort()).toEqual([
      'audit_log: audit_log_id_idx', // begins with an id
      'dead_letters: dead_letters_id_idx', // begins with an id
      'delivery_statistics: delivery_statistics_at_idx', // has the counts of one moment
      'inbox_items: inbox_items_tenant_id_id_key', // never looked up by recipient and number alone
      'parked_receipts: parked_receipts_try_at_idx', // a few thousand rows at the most, for some seconds
      'provider_accounts: provider_accounts_id_key', // begins with an id
      'subscriptions: subscriptions_recipient_id_tenant_id_topic_id_idx', // has all three columns of the key
    ]);
    await admin.query('reset enable_seqscan; reset enable_partition_pruning; reset plan_cache_mode');
  });
});

describe('a table that has grown', () => {
  it('is analyzed again after each doubling; small tables are skipped', async () => {
    const operations = new OperationsStore(database, MIGRATIONS);
    const tenant = newId();
    const fill = async (count: number): Promise<void> => {
      await admin.query(
        `insert into suppressions (tenant_id, id, channel, address, reason) select $1, gen_random_uuid(), 'email', 'user-' || gen_random_uuid() || '@example.com', 'manual' from generate_series(1, $2)`,
        [tenant, count],
      );
    };
    const known = async (): Promise<number> =>
      (await admin.query(`select reltuples from pg_class where relname = 'suppressions'`)).rows[0].reltuples;
    await admin.query(`insert into tenants (id, name) values ($1, 'growing')`, [tenant]);
    await fill(100);
    await admin.query('analyze suppressions');
    expect(await operations.analyzeGrown()).toBeNull();
    await fill(10_000);
    expect(await known()).toBe(100);
    expect(await operations.analyzeGrown()).toBe('suppressions');
    expect(await known()).toBe(10_100);
    await fill(1_000);
    expect(await operations.analyzeGrown()).toBeNull();
    await fill(20_000);
    expect(await operations.analyzeGrown()).toBe('suppressions');
    expect(await operations.analyzeGrown()).toBeNull();
  });
});
