// The data that `npm run seed:console` makes are possible ones, and their counts are those that a worker makes.

import type pg from 'pg';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { CountDeliveriesStore, Database, StatisticsStore } from '#database';
import { newId, nextOccurrence } from '#domain';
import { cloneDatabase, connect } from '#testing';
import { seedConsole } from './seed-console.ts';

const DAY_MS = 86_400_000;
const tenantId = newId();
const otherId = newId();
let database: Database;
let admin: pg.Client;
let drop: () => Promise<void>;

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  drop = clone.drop;
  database = new Database({ url: clone.url, poolSize: 2 });
  admin = await connect(clone.url);
  for (const id of [tenantId, otherId]) await admin.query(`insert into tenants (id, name) values ($1, 'Test')`, [id]);
  // A worker has counted hours so far.
  await admin.query(
    `insert into statistics_passes (tenant_id, pass, counted_until)
     values ('00000000-0000-0000-0000-000000000000', 3, date_trunc('hour', now() - interval '2 hours'))`,
  );
  await seedConsole({ databaseUrl: clone.url, tenantId: otherId, deliveries: 300 });
  await seedConsole({ databaseUrl: clone.url, tenantId, deliveries: 2_000 });
}, 60_000);
afterAll(async () => {
  await database?.close();
  await admin?.end();
  await drop?.();
});

async function countAll(): Promise<void> {
  const counts = new CountDeliveriesStore(database);
  const position = async (): Promise<string> =>
    JSON.stringify((await admin.query('select * from statistics_passes where pass > 0 order by pass')).rows);
  for (let before = ''; before !== (await position()); ) {
    before = await position();
    await counts.run();
  }
}

const rowsOf = async (text: string): Promise<unknown[]> => (await admin.query(text, [tenantId])).rows;

it('has no attempt before its delivery was accepted or after now, and one for each that waits for a retry', async () => {
  const impossible = await rowsOf(
    `select a.* from attempts a join deliveries d on d.tenant_id = a.tenant_id and d.id = a.delivery_id
     where a.tenant_id = $1 and (a.ended_at - a.duration_ms * interval '1 ms' < d.created_at or a.ended_at > now())`,
  );
  expect(impossible).toEqual([]);
  const wrong = await rowsOf(
    `select d.id from deliveries d left join due_deliveries q on q.tenant_id = d.tenant_id and q.delivery_id = d.id
     left join lateral (select count(*) from attempts a where a.tenant_id = d.tenant_id and a.delivery_id = d.id) a on true
     where d.tenant_id = $1 and d.endpoint_id is null and a.count <> greatest(d.attempts, coalesce(q.attempt, 0))`,
  );
  expect(wrong).toEqual([]);
  const [retries] = (await rowsOf(
    `select count(*)::int as count from due_deliveries where tenant_id = $1 and reason = 'retry'`,
  )) as [{ count: number }];
  expect(retries.count).toBeGreaterThan(0);
});

it('has notifications whose counts and times are those of their deliveries', async () => {
  const wrong = await rowsOf(
    `select n.id from notifications n join lateral (
       select count(*) as total, count(*) filter (where d.state in ('sent', 'delivered')) as succeeded,
              count(*) filter (where d.state in ('failed', 'bounced', 'unknown')) as failed,
              count(*) filter (where d.state in ('suppressed', 'expired')) as suppressed,
              array_agg(d.channel order by d.id) as channels,
              bool_and(q.reason is distinct from 'scheduled' or q.due_at = n.scheduled_at) as on_time
       from deliveries d left join due_deliveries q on q.tenant_id = d.tenant_id and q.delivery_id = d.id
       where d.notification_id = n.id and d.tenant_id = n.tenant_id) d on true
     where n.tenant_id = $1 and n.endpoint_id is null
       and ((n.total, n.succeeded, n.failed, n.suppressed) <> (d.total, d.succeeded, d.failed, d.suppressed)
            or n.channels <> d.channels or not d.on_time)`,
  );
  expect(wrong).toEqual([]);
});

it('has schedules whose next time is the next one of their rule, not soon', async () => {
  const schedules = (await rowsOf(
    `select distinct rrule, timezone, starts_at_local as "startsAtLocal", next_local as local, next_at as at
     from schedules where tenant_id = $1`,
  )) as { rrule: string; timezone: string; startsAtLocal: string; local: string; at: Date }[];
  expect(schedules).toHaveLength(1);
  const { local, at, timezone, ...rule } = schedules[0]!;
  const next = nextOccurrence({ ...rule, exdates: [], lastLocal: null }, timezone, { local: null, at: new Date() });
  expect({ local, at }).toEqual(next);
  expect(at.getTime()).toBeGreaterThan(Date.now() + 10 * DAY_MS);
});

it('has the counts that a worker makes of it, for the tenant and for all', async () => {
  const statistics = new StatisticsStore(database);
  const query = {
    from: new Date(Date.now() - 31 * DAY_MS),
    to: new Date(Date.now() + DAY_MS),
    interval: 'hour' as const,
  };
  const counts = async () => [
    (await statistics.ofTenant(tenantId, query)).rows,
    (await statistics.ofTenant(otherId, query)).rows,
    (await statistics.ofAll(query)).rows,
  ];
  const seeded = await counts();
  expect(seeded.map((rows) => rows.reduce((sum, { count }) => sum + count, 0))).toEqual([
    expect.closeTo(2_000, -2),
    expect.closeTo(300, -2),
    expect.closeTo(2_300, -2),
  ]);
  await admin.query('delete from statistics_passes');
  await countAll();
  const sorted = (all: Awaited<ReturnType<typeof counts>>) =>
    all.map((rows) => rows.map((row) => JSON.stringify(row)).sort());
  expect(sorted(await counts())).toEqual(sorted(seeded));
}, 60_000);
