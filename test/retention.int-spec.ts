// Rows that retention deletes and keeps, and the pages that the clean-ups read.

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import {
  AuditRetentionStore,
  CountDeliveriesStore,
  Database,
  DeliveriesStore,
  DueDeliveriesStore,
  ErasuresStore,
  EventsStore,
  ExpiredRowsStore,
  MailboxStore,
  OperationsStore,
  PartitionsStore,
  PolicyChangesStore,
  QueueFiguresStore,
  ReceiptsStore,
  RetentionStore,
  SecretBox,
} from '#database';
import { newId, tenantSettings } from '#domain';
import { createLogger } from '#telemetry';
import { cloneDatabase, connect, until } from '#testing';
import { OutcomeSpool } from '../apps/worker/src/delivery/outcome-spool.js';
import { Housekeeper } from '../apps/worker/src/housekeeping/housekeeper.js';
import { MIGRATIONS } from './test-environment.js';

const DAY = 86_400_000;
const DEFAULT_DAYS = 30;

let database: Database;
let admin: pg.Client;
let drop: () => Promise<void>;
let retention: RetentionStore;

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  drop = clone.drop;
  database = new Database({ url: clone.url, poolSize: 4 });
  admin = await connect(clone.url);
  await admin.query(`set lock_timeout = '5s'`);
  retention = new RetentionStore(database, new PartitionsStore(database), DEFAULT_DAYS);
});
beforeEach(async () => {
  await admin.query('truncate tenants, due_deliveries, dead_letters, inbox_items, inbox_counters, events cascade');
  await admin.query('truncate notifications, deliveries, attempts, delivery_log');
  await admin.query('select carillon_make_partitions(26, $1)', [new Date(Date.now() - 150 * DAY)]);
});
afterAll(async () => {
  await database?.close();
  await admin?.end();
  await drop?.();
});

/** A UUIDv7 with a time so many days ago. */
function idOf(days: number): string {
  const time = Math.floor(Date.now() - days * DAY)
    .toString(16)
    .padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}${newId().slice(13)}`;
}

async function makeTenant(retentionDays?: number): Promise<string> {
  const id = newId();
  await admin.query('insert into tenants (id, name, settings) values ($1, $2, $3)', [
    id,
    'kept',
    JSON.stringify(retentionDays === undefined ? {} : { retention_days: retentionDays }),
  ]);
  return id;
}

/** A notification with one delivery, an attempt and a decision; `waiting` puts it into the queue. */
async function makeDelivery(
  tenant: string,
  days: number,
  state = 'sent',
): Promise<{ notification: string; delivery: string }> {
  const [notification, delivery] = [idOf(days), idOf(days)];
  await admin.query(
    `insert into notifications (tenant_id, id, recipient_id, category, channels, priority, total) values ($1, $2, 'r', 'default', '{email}', 5, 1)`,
    [tenant, notification],
  );
  await admin.query(
    `insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, state) values ($1, $2, $3, 'r', 'email', $4)`,
    [tenant, delivery, notification, state],
  );
  await admin.query(`insert into attempts (tenant_id, delivery_id, number, outcome) values ($1, $2, 1, 'sent')`, [
    tenant,
    delivery,
  ]);
  await admin.query(
    `insert into delivery_log (tenant_id, delivery_id, id, code) values ($1, $2, gen_random_uuid(), 'held')`,
    [tenant, delivery],
  );
  if (state === 'waiting')
    await admin.query(
      `insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at) values ($1, $2, 'email', 2, now() + interval '1 day')`,
      [tenant, delivery],
    );
  return { notification, delivery };
}

async function makeLetter(tenant: string, delivery: string, days: number): Promise<string> {
  const id = idOf(days);
  await admin.query(
    `insert into dead_letters (tenant_id, id, delivery_id, notification_id, recipient_id, channel, reason, attempts) values ($1, $2, $3, $4, 'r', 'email', 'rejected', 1)`,
    [tenant, id, delivery, newId()],
  );
  return id;
}

/** Runs all steps of retention in order. Returns the deleted rows by table. */
async function cleanUp(): Promise<Record<string, number>> {
  await retention.dropPartitions();
  const deleted: Record<string, number> = {};
  for (const one of retention.cleanUps)
    await one.run((rows) => (deleted[one.table] = (deleted[one.table] ?? 0) + rows));
  return deleted;
}

const idsIn = async (table: string, column = 'id'): Promise<string[]> =>
  (await admin.query(`select ${column} as id from ${table} order by 1`)).rows.map(({ id }) => id);

const weeksBefore = async (days: number): Promise<string[]> =>
  (await admin.query('select name from carillon_partitions() where end_ms <= $1', [Date.now() - days * DAY])).rows.map(
    ({ name }) => name,
  );

describe('retention', () => {
  it('drops weeks beyond the longest retention, and keeps younger ones', async () => {
    const tenant = await makeTenant();
    for (const days of [140, 70, 45]) await makeDelivery(tenant, days);
    const young = [await makeDelivery(tenant, 20), await makeDelivery(tenant, 0)];
    expect((await weeksBefore(DEFAULT_DAYS)).length).toBeGreaterThan(4 * 14);
    const deleted = await cleanUp();
    expect(await weeksBefore(DEFAULT_DAYS)).toEqual([]);
    // No single rows: nothing is left to delete.
    expect(deleted).toEqual({});
    expect(await idsIn('notifications')).toEqual(young.map(({ notification }) => notification).sort());
    for (const [table, column] of [
      ['deliveries', 'id'],
      ['attempts', 'delivery_id'],
      ['delivery_log', 'delivery_id'],
    ])
      expect(await idsIn(table!, column), table).toEqual(young.map(({ delivery }) => delivery).sort());
  });

  it('deletes the rows of tenants with a shorter retention if a longer one keeps the week', async () => {
    const [brief, usual, long] = [await makeTenant(5), await makeTenant(), await makeTenant(100)];
    const gone = [
      await makeDelivery(brief, 6),
      await makeDelivery(brief, 40),
      await makeDelivery(usual, 31),
      await makeDelivery(usual, 90),
    ];
    const kept = [
      await makeDelivery(brief, 4),
      await makeDelivery(usual, 29),
      await makeDelivery(usual, 6),
      await makeDelivery(long, 90),
      await makeDelivery(long, 40),
    ];
    const letters = {
      gone: await makeLetter(brief, gone[0]!.delivery, 6),
      kept: await makeLetter(usual, kept[2]!.delivery, 6),
    };
    expect(await cleanUp()).toEqual({ dead_letters: 1, deliveries: 4, notifications: 4 });
    expect(await weeksBefore(100)).toEqual([]);
    expect(await idsIn('deliveries')).toEqual(kept.map(({ delivery }) => delivery).sort());
    expect(await idsIn('notifications')).toEqual(kept.map(({ notification }) => notification).sort());
    expect(await idsIn('attempts', 'delivery_id')).toEqual(kept.map(({ delivery }) => delivery).sort());
    expect(await idsIn('delivery_log', 'delivery_id')).toEqual(kept.map(({ delivery }) => delivery).sort());
    expect(await idsIn('dead_letters')).toEqual([letters.kept]);
  });

  it('never deletes a delivery that is not final, nor its notification, but the other rows of the week', async () => {
    const [brief, usual] = [await makeTenant(5), await makeTenant()];
    const live = [await makeDelivery(brief, 20, 'waiting'), await makeDelivery(usual, 70, 'waiting')];
    // In the same weeks.
    await makeDelivery(brief, 20);
    for (const tenant of [brief, usual]) await makeDelivery(tenant, 70);
    const letters = [await makeLetter(usual, live[1]!.delivery, 69)];
    expect(await cleanUp()).toMatchObject({ deliveries: 3, notifications: 3 });
    expect(await idsIn('deliveries')).toEqual(live.map(({ delivery }) => delivery).sort());
    expect(await idsIn('notifications')).toEqual(live.map(({ notification }) => notification).sort());
    expect(await idsIn('attempts', 'delivery_id')).toEqual(live.map(({ delivery }) => delivery).sort());
    expect(await idsIn('dead_letters')).toEqual(letters);
    const held = await weeksBefore(DEFAULT_DAYS);
    expect(held.map((name) => name.replace(/_\d+$/, '')).sort()).toEqual([
      'attempts',
      'deliveries',
      'delivery_log',
      'notifications',
    ]);
    // After it has ended, the rest is deleted: first the letter, then the week.
    await admin.query(`update deliveries set state = 'sent'`);
    await admin.query('delete from due_deliveries');
    await cleanUp();
    await cleanUp();
    expect(await weeksBefore(DEFAULT_DAYS)).toEqual([]);
    expect(await idsIn('dead_letters')).toEqual([]);
    expect(await idsIn('notifications')).toEqual([]);
  });

  it('keeps a delivery that failed long after it was accepted, as long as its dead letter', async () => {
    const [brief, usual] = [await makeTenant(5), await makeTenant()];
    const late = [await makeDelivery(brief, 20, 'failed'), await makeDelivery(usual, 70, 'failed')];
    for (const tenant of [brief, usual]) await makeDelivery(tenant, 70, 'failed');
    const letters = [await makeLetter(brief, late[0]!.delivery, 4), await makeLetter(usual, late[1]!.delivery, 29)];
    expect(await cleanUp()).toMatchObject({ deliveries: 2, notifications: 2 });
    expect(await idsIn('dead_letters')).toEqual(letters.sort());
    expect(await idsIn('deliveries')).toEqual(late.map(({ delivery }) => delivery).sort());
    expect(await idsIn('notifications')).toEqual(late.map(({ notification }) => notification).sort());
    // When the letters are too old, everything is deleted.
    await admin.query(`update dead_letters set id = $1 where tenant_id = $2`, [idOf(6), brief]);
    await admin.query(`update dead_letters set id = $1 where tenant_id = $2`, [idOf(31), usual]);
    await cleanUp();
    await cleanUp();
    for (const table of ['dead_letters', 'deliveries', 'notifications']) expect(await idsIn(table), table).toEqual([]);
    expect(await weeksBefore(DEFAULT_DAYS)).toEqual([]);
  });

  it('does not delete a week row by row for one young dead letter, and drops it after the letter', async () => {
    const tenant = await makeTenant();
    const { rows } = await admin.query(
      `select max(end_ms)::float8 as end from carillon_partitions() where parent = 'deliveries' and end_ms <= $1`,
      [Date.now() - DEFAULT_DAYS * DAY],
    );
    const days = (Date.now() - rows[0].end) / DAY + 0.01;
    const kept = [await makeDelivery(tenant, days), await makeDelivery(tenant, days, 'failed')];
    await makeLetter(tenant, kept[1]!.delivery, DEFAULT_DAYS - 1);
    expect(await cleanUp()).toEqual({});
    expect(await idsIn('deliveries')).toEqual(kept.map(({ delivery }) => delivery).sort());
    await admin.query('delete from dead_letters');
    expect(await cleanUp()).toEqual({});
    expect(await idsIn('deliveries')).toEqual([]);
  });

  it('keeps a delivery whose dead letter is replayed at the same time', async () => {
    const brief = await makeTenant(5);
    await makeTenant();
    const { delivery } = await makeDelivery(brief, 20, 'failed');
    const operator = await connect(urlOf());
    await operator.query('begin');
    await operator.query(`update deliveries set state = 'waiting' where id = $1`, [delivery]);
    const pruning = retention.cleanUps.find(({ table }) => table === 'deliveries')!.run(() => undefined);
    await until(
      'the clean-up waits for the row',
      async () =>
        (
          await admin.query(
            `select from pg_stat_activity where wait_event_type = 'Lock' and query like '%deleted_attempts%' and datname = current_database()`,
          )
        ).rowCount === 1,
    );
    await operator.query(
      `insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at) values ($1, $2, 'email', 2, now())`,
      [brief, delivery],
    );
    await operator.query('commit');
    await pruning;
    await operator.end();
    expect(await idsIn('deliveries')).toEqual([delivery]);
    expect(await idsIn('attempts', 'delivery_id')).toEqual([delivery]);
  });

  it('waits only briefly for a lock, and drops the week next time', async () => {
    const tenant = await makeTenant();
    await makeDelivery(tenant, 70);
    const reader = await connect(urlOf());
    await reader.query('begin');
    await reader.query('select from deliveries limit 1');
    try {
      // The lock's own time-out, not that of the statement.
      await expect(retention.dropPartitions()).rejects.toMatchObject({ code: '55P03' });
    } finally {
      await reader.end();
    }
    await retention.dropPartitions();
    expect(await weeksBefore(DEFAULT_DAYS)).toEqual([]);
  });

  it('keeps the counters of an inbox exact during reads and writes', async () => {
    const tenant = await makeTenant();
    const people = Array.from({ length: 20 }, (_, index) => `person-${index}`);
    for (const person of people) {
      await admin.query(
        `insert into inbox_items (tenant_id, recipient_id, seq, id, category, title, body, read_at, seen_at, archived_at)
         select $1, $2, seq, id, 'default', 't', 'b', case when seq % 2 = 0 then now() end, case when seq % 3 > 0 then now() end, case when seq % 5 = 0 then now() end
         from unnest($3::uuid[]) with ordinality as i(id, seq)`,
        [tenant, person, Array.from({ length: 60 }, (_, index) => idOf(index < 40 ? 31 : 3))],
      );
      await admin.query(`insert into inbox_counters (tenant_id, recipient_id, last_seq) values ($1, $2, 60)`, [
        tenant,
        person,
      ]);
    }
    const truth = `select recipient_id, count(*) filter (where archived_at is null)::int as total, count(*) filter (where archived_at is null and read_at is null)::int as unread,
                          count(*) filter (where archived_at is null and seen_at is null)::int as unseen
                   from inbox_items where tenant_id = '${tenant}' group by recipient_id order by 1`;
    await admin.query(
      `update inbox_counters c set total = t.total, unread = t.unread, unseen = t.unseen from (${truth}) t where t.recipient_id = c.recipient_id`,
    );
    const { InboxStore } = await import('#database');
    const inbox = new InboxStore(database);
    const oldItems = await admin.query(`select recipient_id, id from inbox_items where tenant_id = $1 and seq <= 40`, [
      tenant,
    ]);
    const prune = retention.cleanUps.find(({ table }) => table === 'inbox_items')!;
    let deleted = 0;
    const changes = oldItems.rows.filter((_, index) => index % 7 === 0);
    await Promise.all([
      prune.run((rows) => (deleted += rows)),
      ...changes.map(({ recipient_id, id }, index) =>
        inbox.change(tenant, recipient_id, id, (['read', 'unread', 'archive', 'seen'] as const)[index % 4]!),
      ),
    ]);
    // Rows that a reader had locked are deleted next time.
    await prune.run((rows) => (deleted += rows));
    expect(deleted).toBe(20 * 40);
    expect((await admin.query('select max(seq)::int as last, count(*)::int as count from inbox_items')).rows).toEqual([
      { last: 60, count: 400 },
    ]);
    expect(
      (
        await admin.query(
          `select recipient_id, total, unread, unseen from inbox_counters where tenant_id = $1 order by 1`,
          [tenant],
        )
      ).rows,
    ).toEqual((await admin.query(truth)).rows);
  });

  it('deletes the replayable events of an endpoint with their tenant, or after a week', async () => {
    const [brief, usual] = [await makeTenant(3), await makeTenant()];
    const insert = `insert into events (tenant_id, type, subject, data, broker, kept, created_at) values ($1, $2, 's', '{}', false, true, now() - $3::interval)`;
    await admin.query(insert, [brief, 'gone', '4 days']);
    await admin.query(insert, [brief, 'kept', '2 days']);
    await admin.query(insert, [usual, 'kept', '6 days']);
    await admin.query(insert, [usual, 'gone', '8 days']);
    expect(await cleanUp()).toEqual({ events: 2 });
    expect(await idsIn('events', 'type')).toEqual(['kept', 'kept']);
  });

  it('deletes shared contents without notifications, but not at once', async () => {
    const tenant = await makeTenant(3);
    const [used, unused, young] = [newId(), newId(), newId()];
    const insert = `insert into shared_contents (tenant_id, id, payload, created_at) values ($1, $2, '{}', now() - $3::interval)`;
    await admin.query('truncate shared_contents');
    for (const id of [used, unused]) await admin.query(insert, [tenant, id, '2 hours']);
    // A bulk send in progress: its notifications are inserted later.
    await admin.query(insert, [tenant, young, '1 minute']);
    const { notification } = await makeDelivery(tenant, 1);
    await admin.query('update notifications set shared_content_id = $2 where id = $1', [notification, used]);
    const [sweep] = new ExpiredRowsStore(database).cleanUps.filter(({ table }) => table === 'shared_contents');
    await sweep!.run(() => undefined);
    expect(await idsIn('shared_contents', 'id')).toEqual([used, young].sort());
    await admin.query('delete from notifications where id = $1', [notification]);
    await sweep!.run(() => undefined);
    expect(await idsIn('shared_contents', 'id')).toEqual([young]);
  });

  it('deletes the lines of uploads that broke off, however many jobs keep lines before them', async () => {
    const tenant = await makeTenant();
    await admin.query('truncate jobs, job_lines');
    const id = `('01800000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid`;
    await admin.query(
      `insert into jobs (tenant_id, id, kind) select $1, ${id}, 'upload' from generate_series(1, 2500) n`,
      [tenant],
    );
    await admin.query('insert into job_lines (tenant_id, job_id, line) select tenant_id, id, 1 from jobs');
    // More than one statement deletes, in the first and in the second batch of jobs.
    const brokenOff = `insert into job_lines (tenant_id, job_id, line) select $1, $2, n from generate_series(1, $3::integer) n`;
    await admin.query(brokenOff, [tenant, '01700000-0000-7000-8000-000000000000', 1_000]);
    await admin.query(brokenOff, [tenant, '01900000-0000-7000-8000-000000000000', 2_300]);
    await admin.query(brokenOff, [tenant, '01900000-0000-7000-8000-000000000001', 1]);
    await admin.query(brokenOff, [tenant, newId(), 3]);
    await admin.query('analyze job_lines, jobs');
    const [sweep] = new ExpiredRowsStore(database).cleanUps.filter(({ table }) => table === 'job_lines');
    const deleted: number[] = [];
    await sweep!.run((rows) => deleted.push(rows));
    expect(deleted).toEqual([1_000, 0, 0, 1_000, 1_000, 301]);
    expect((await admin.query('select count(*)::int from job_lines')).rows).toEqual([{ count: 2_503 }]);
    await admin.query('delete from jobs');
    await sweep!.run(() => undefined);
    expect((await admin.query('select count(*)::int from job_lines')).rows).toEqual([{ count: 3 }]);
  });

  it('is at least three days, because a replay within two days reads the notification', () => {
    expect(tenantSettings.safeParse({ retention_days: 2 }).success).toBe(false);
    expect(tenantSettings.safeParse({ retention_days: 3 }).success).toBe(true);
  });
});

describe('clean-ups', () => {
  it('use one index each, and read no more rows than they may delete', async () => {
    await fill();
    const looked: Record<string, { seqScans: string[]; rows: number }> = {};
    const explaining = new Proxy(database, {
      get(target, name) {
        if (name !== 'platform') return Reflect.get(target, name, target);
        return {
          query: async (statement: { text: string; values?: unknown[] }) => {
            // The settings of platform connections: a sequential scan remains only if no index fits.
            await admin.query('begin; set local enable_seqscan = off; set local enable_mergejoin = off');
            const plan = await admin.query(`explain (analyze, format json) ${statement.text}`, statement.values);
            await admin.query('rollback');
            const found = scans(plan.rows[0]['QUERY PLAN'][0].Plan);
            const before = looked[statement.text] ?? { seqScans: [], rows: 0 };
            looked[statement.text] = {
              seqScans: [...before.seqScans, ...found.seqScans],
              rows: Math.max(before.rows, found.rows),
            };
            return await target.platform.query(statement);
          },
        };
      },
    });
    const cleanUps = [
      ...new RetentionStore(explaining, new PartitionsStore(explaining), DEFAULT_DAYS).cleanUps,
      ...new ExpiredRowsStore(explaining).cleanUps,
    ];
    const deleted: Record<string, number> = {};
    for (const one of cleanUps) await one.run((rows) => (deleted[one.table] = (deleted[one.table] ?? 0) + rows));
    expect(deleted).toEqual({
      dead_letters: 500,
      deliveries: 500,
      notifications: 500,
      shared_contents: 500,
      inbox_items: 500,
      // A hundred have not ended.
      jobs: 400,
      job_lines: 500,
      subscriptions: 500,
      topics: 500,
      events: 1_000,
      idempotency_keys: 500,
      poison_messages: 500,
      used_tokens: 500,
      token_revocations: 500,
      console_sessions: 500,
      delivery_statistics: 500,
      rate_windows: 500,
    });
    // Tenants and the catalog are small, so sequential scans are fine.
    const deletes = Object.entries(looked).filter(([text]) => /delete from|from unnest/.test(text));
    expect(deletes.length).toBeGreaterThanOrEqual(14);
    for (const [text, { seqScans, rows }] of deletes) {
      expect(seqScans, text).toEqual([]);
      // A statement reads 1,000 rows, and their related rows in at most four tables.
      expect(rows, text).toBeLessThanOrEqual(8_000);
    }
  }, 60_000);

  it('fail independently', async () => {
    await fill();
    const logger = createLogger({ level: 'silent', role: 'test' });
    const housekeeper = new Housekeeper(
      {
        erasures: new ErasuresStore(database, new SecretBox(Buffer.alloc(32)), { addressKey: Buffer.alloc(32) }),
        counts: new CountDeliveriesStore(database),
        due: new DueDeliveriesStore(database),
        events: new EventsStore(database),
        operations: new OperationsStore(database, MIGRATIONS),
        partitions: new PartitionsStore(database),
        queue: new QueueFiguresStore(database),
        policyChanges: new PolicyChangesStore(database),
        mailbox: new MailboxStore(database),
        receipts: new ReceiptsStore(database),
        retention,
        auditRetention: new AuditRetentionStore(database, 400),
        expired: new ExpiredRowsStore(database),
        spool: new OutcomeSpool(join(tmpdir(), newId()), new DeliveriesStore(database, () => undefined), logger),
      },
      { workerChannels: ['email'], leaseSeconds: 30 },
      { holds: async () => true },
      logger,
    );
    const holding = await connect(urlOf());
    await holding.query('begin');
    await holding.query('lock table inbox_items, events, poison_messages in access exclusive mode');
    housekeeper.start();
    const old = async (table: string, condition: string): Promise<number> =>
      (await admin.query(`select count(*)::int as count from ${table} where ${condition}`)).rows[0].count;
    await until(
      'the last clean-up is done',
      async () => (await old('rate_windows', 'expires_at < now()')) === 0,
      20_000,
    );
    expect(await old('used_tokens', 'expires_at < now()')).toBe(0);
    expect(await old('idempotency_keys', `created_at < now() - interval '48 hours'`)).toBe(0);
    expect(await old('deliveries', `created_at < now() - interval '5 days'`)).toBe(0);
    housekeeper.stop();
    await holding.query('rollback');
    await holding.end();
    expect(await old('events', `created_at < now() - interval '7 days'`)).toBe(1_000);
  }, 60_000);
});

function urlOf(): string {
  const url = new URL(inject('postgresUrl'));
  url.pathname = `/${admin.database}`;
  return url.href;
}

/** The scans of a plan: the tables of sequential scans, and the total number of rows read. */
function scans(plan: Record<string, unknown>): { seqScans: string[]; rows: number } {
  const below = ((plan['Plans'] as Record<string, unknown>[]) ?? []).map(scans);
  const relation = plan['Relation Name'] as string | undefined;
  const isScan = relation !== undefined && /Scan/.test(plan['Node Type'] as string);
  const own = isScan
    ? ((plan['Actual Rows'] as number) + ((plan['Rows Removed by Filter'] as number) ?? 0)) *
      (plan['Actual Loops'] as number)
    : 0;
  return {
    seqScans: [
      ...(isScan && plan['Node Type'] === 'Seq Scan' ? [relation] : []),
      ...below.flatMap(({ seqScans }) => seqScans),
    ],
    rows: own + below.reduce((sum, { rows }) => sum + rows, 0),
  };
}

/** 500 old rows in each table, among 20,000 young ones. */
async function fill(): Promise<void> {
  const tenant = await makeTenant(5);
  await makeTenant();
  await admin.query(
    'truncate topics, subscriptions, jobs, job_lines, shared_contents, idempotency_keys, poison_messages, used_tokens, token_revocations, console_sessions, rate_windows, delivery_statistics',
  );
  const id = (salt: string): string =>
    `(lpad(to_hex((extract(epoch from case when n <= 500 then now() - interval '6 days' else now() - interval '1 day' end) * 1000)::bigint + n), 12, '0') || '7000' || lpad(to_hex(n), 4, '8') || '${salt}')::uuid`;
  const age = `case when n <= 500 then now() - interval '6 days' else now() - interval '1 day' end`;
  const long = `now() - case when n <= 500 then interval '40 days' else interval '1 hour' end`;
  const rows = `from generate_series(1, 20500) n`;
  for (const text of [
    `insert into notifications (tenant_id, id, category, channels, priority, total, created_at, shared_content_id) select '${tenant}', ${id('000000000001')}, 'default', '{email}', 5, 1, ${age}, ${id('000000000004')} ${rows}`,
    `insert into shared_contents (tenant_id, id, payload, created_at) select tenant_id, shared_content_id, json '{}', created_at from notifications`,
    `insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, state, created_at) select '${tenant}', ${id('000000000002')}, ${id('000000000001')}, 'r', 'email', 'sent', ${age} ${rows}`,
    `insert into attempts (tenant_id, delivery_id, number, outcome) select '${tenant}', ${id('000000000002')}, 1, 'sent' ${rows}`,
    `insert into delivery_log (tenant_id, delivery_id, id, code) select '${tenant}', ${id('000000000002')}, gen_random_uuid(), 'held' ${rows}`,
    `insert into dead_letters (tenant_id, id, delivery_id, notification_id, recipient_id, channel, reason, attempts) select '${tenant}', ${id('000000000005')}, ${id('000000000002')}, ${id('000000000001')}, 'r', 'email', 'x', 1 ${rows}`,
    `insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at) select '${tenant}', gen_random_uuid(), 'email', 2, now() + interval '1 day' ${rows}`,
    `insert into inbox_items (tenant_id, recipient_id, seq, id, category, title, body) select '${tenant}', 'r-' || n % 100, n, ${id('000000000003')}, 'default', 't', 'b' ${rows}`,
    `insert into inbox_counters (tenant_id, recipient_id, total, unread, unseen) select '${tenant}', 'r-' || n, 205, 205, 205 from generate_series(0, 99) n`,
    `insert into events (tenant_id, type, subject, data, broker, kept, created_at) select '${tenant}', 't', 's', '{}', k, not k, ${long} from unnest(array[true, false]) k, generate_series(1, 20500) n order by k, n`,
    `insert into idempotency_keys (tenant_id, key, body_hash, created_at) select '${tenant}', 'k' || n, '\\x00', ${long} ${rows}`,
    `insert into poison_messages (topic, "partition", "offset", reason, created_at) select 't', 0, n, 'x', ${long} ${rows}`,
    `insert into used_tokens (tenant_id, jti, expires_at) select '${tenant}', 't' || n, ${long} + interval '2 hours' ${rows}`,
    `insert into token_revocations (tenant_id, recipient_hash, revoked_at) select '${tenant}', 'h' || n, ${long} ${rows}`,
    `insert into console_sessions (tenant_id, id, token_hash, kind, name, key_id, expires_at) select '${tenant}', ${id('000000000008')}, 't' || n, 'api_key', 'k', 'k', ${long} + interval '2 hours' ${rows}`,
    `insert into delivery_statistics (tenant_id, span, at, channel, state, reason, latency, count) select '${tenant}', 1, ${long}, 'email', 'sent', n, 0, 1 ${rows}`,
    `insert into topics (tenant_id, id, key, name, deleted_at) select '${tenant}', ${id('000000000006')}, 'k' || n, 'T', case when n <= 500 then now() end ${rows}`,
    `insert into subscriptions (tenant_id, topic_id, recipient_id) select tenant_id, id, 'r' from topics`,
    `insert into jobs (tenant_id, id, kind, finished_at, state) select '${tenant}', ${id('000000000007')}, 'upload', case when n > 100 then now() end, 'finished' ${rows}`,
    `insert into job_lines (tenant_id, job_id, line) select '${tenant}', case when n <= 500 then '01800000-0000-7000-8000-000000000009'::uuid else '${newId()}'::uuid end, n ${rows}`,
    `insert into job_lines (tenant_id, job_id, line) select tenant_id, id, 1 from jobs order by id offset 500`,
    `insert into rate_windows (tenant_id, key, hits, window_seconds, max_hits, granted, expires_at) select '${tenant}', 'k' || n, '{}', 1, 1, 1, ${long} + interval '2 hours' ${rows}`,
  ])
    await admin.query(text);
  await admin.query('analyze');
}
