// The checks of `carillon doctor` over many pages, beside changes, and their plans. test/cli/doctor.int-spec.ts has the
// command.

import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { counterChecks, Database, queueChecks } from '#database';
import { newId } from '#domain';
import { cloneDatabase, connect } from '#testing';
import { doctorFindings } from './doctor-findings.js';
import { CONTENT, simulated, startTestEnvironment } from './test-environment.js';

/** More than a page. */
const MANY = 6_000;

let url: string;
let sql: pg.Client;
let drop: () => Promise<void>;
const tenants = [newId(), newId()] as const;

/** A notification of each tenant in turn for each second, with a delivery a millisecond later. */
const FILL = `
with made as (
  insert into notifications (tenant_id, id, recipient_id, category, channels, priority, total, succeeded)
  select ($1::uuid[])[1 + n % 2],
         (lpad(to_hex($2::bigint + 1000 * n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid,
         'ann', 'default', '{email}', 5, 1, 1
  from generate_series(1, $3::int) n returning tenant_id, id
)
insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, state)
select tenant_id, (left(id::text, 35) || 'f')::uuid, id, 'ann', 'email', 'sent' from made
returning tenant_id, notification_id, id`;

let first: { tenant_id: string; notification_id: string; id: string };

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  ({ url, drop } = clone);
  sql = await connect(url);
  for (const tenant of tenants) await sql.query(`insert into tenants (id, name) values ($1, 'Test')`, [tenant]);
  const { rows } = await sql.query(FILL, [tenants, Date.now() - 4 * MANY * 1_000, 4 * MANY]);
  first = rows[0];
});
afterAll(async () => {
  await sql?.end();
  await drop?.();
});

const found = async (): Promise<unknown[]> =>
  (await doctorFindings(url)).map(({ problem, count, examples }) => [problem, count, examples]);

describe('over several pages of two tenants', () => {
  it('nothing is found, and every notification is examined once', async () => {
    expect(await found()).toEqual([]);
    const database = new Database({ url, poolSize: 1 });
    const examined: number[] = [];
    const [notifications] = counterChecks(database, false, 90);
    const { examined: all } = await notifications!.run((rows) => examined.push(rows));
    await database.close();
    expect([all, examined.length > 3]).toEqual([4 * MANY, true]);
  });

  it('a delivery that was made pages later, and is not counted, is found; also by its notification alone', async () => {
    const { tenant_id: tenant, notification_id: notification, id } = first;
    const later = newId();
    await sql.query(
      `insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, state)
       values ($1, $2, $3, 'ann', 'in_app', 'sent')`,
      [tenant, later, notification],
    );
    expect(await found()).toEqual([['notification_counters', 1, [notification]]]);
    await sql.query('update notifications set total = 2, succeeded = 2 where id = $1', [notification]);
    expect(await found()).toEqual([]);
    await sql.query('delete from deliveries where id = any ($1)', [[id, later]]);
    expect(await found()).toEqual([['notification_counters', 1, [notification]]]);
    await sql.query('update notifications set total = 0, succeeded = 0 where id = $1', [notification]);
    expect(await found()).toEqual([]);
  });

  it('nothing is reported that is gone at a second look', async () => {
    const { rows } = await sql.query('select id from notifications order by tenant_id desc, id desc limit 1');
    const set = (succeeded: number): Promise<unknown> =>
      sql.query('update notifications set succeeded = $2 where id = $1', [rows[0].id, succeeded]);
    await set(0);
    const database = new Database({ url, poolSize: 1 });
    const [notifications] = counterChecks(database, false, 90);
    // The first look at the last page follows the progress of the page before it.
    let pages = 0;
    const examined = notifications!.run(() => {
      pages += 1;
    });
    while (pages < 4) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 120));
    await set(1);
    expect((await examined).findings).toEqual([]);
    await database.close();
  });
});

it('nothing is found beside sends, cancellations and sends to a topic', { timeout: 60_000 }, async () => {
  const app = await startTestEnvironment();
  const tenant = await app.tenant();
  await tenant.call('PUT', '/api/v1/topics/news', { name: 'News' });
  await tenant.call('POST', '/api/v1/topics/news/subscriptions', { recipient_ids: ['ann', 'bob', 'eve'] });
  const inApp = { channel: 'in_app', content: CONTENT.in_app };
  let isLoaded = true;
  const load = async (): Promise<void> => {
    while (isLoaded) {
      const recipients = Array.from({ length: 100 }, (_, n) => ({ recipient_id: `person-${n}` }));
      await tenant.call('POST', '/api/v1/notifications/bulk', { ...inApp, recipients });
      await tenant.send({ ...inApp, topic: 'news' });
      const later = await tenant.send({ ...simulated('ok'), scheduled_at: new Date(Date.now() + 60_000) });
      await tenant.call('DELETE', `/api/v1/notifications/${later.id}`);
      await tenant.send(simulated('flaky'));
    }
  };
  const loading = [load(), load()];
  try {
    for (let run = 0; run < 10; run += 1) expect(await doctorFindings(app.databaseUrl)).toEqual([]);
  } finally {
    isLoaded = false;
    await Promise.all(loading);
  }
  const { rows } = await app.sql.query('select count(*)::int as count from notifications');
  await app.stop();
  expect(rows[0].count).toBeGreaterThan(300);
});

/** The names of indexes and the tables that are read whole, at any depth; partitions as their table. */
function readsOf(plan: unknown): string[] {
  if (Array.isArray(plan)) return plan.flatMap(readsOf);
  if (typeof plan !== 'object' || plan === null) return [];
  const { 'Index Name': index, 'Node Type': type, 'Relation Name': table } = plan as Record<string, string>;
  const own = index ?? (type === 'Seq Scan' ? `all of ${table}` : undefined);
  return [...(own ? [own.replace(/_\d{8}(_\d{6})?/, '')] : []), ...Object.values(plan).flatMap(readsOf)];
}

it('no statement reads a whole table, and those of large tables use these indexes', async () => {
  const plans: string[][] = [];
  await sql.query('set enable_seqscan = off; set enable_mergejoin = off');
  const explained = async ({ text, values }: { text: string; values: unknown[] }): Promise<object[]> => {
    const { rows } = await sql.query(`explain (format json) ${text}`, values);
    plans.push([...new Set(readsOf(rows[0]['QUERY PLAN']))].sort());
    return [{ examined: 0, lastTenant: null, lastId: null, problems: null }];
  };
  const database = {
    sqlAsPlatform: (work: (sql: object) => unknown) => work({ query: explained }),
  } as unknown as Database;
  for (const check of [...queueChecks(database), ...counterChecks(database, false, 90)])
    await check.run(() => undefined);
  await sql.query('reset enable_seqscan; reset enable_mergejoin');
  expect(plans).toHaveLength(6);
  expect(plans.flat().filter((read) => read.startsWith('all of'))).toEqual([]);
  expect([plans[0], plans[2], plans[3], plans[5]]).toEqual([
    ['deliveries_pkey', 'due_deliveries_pkey'],
    ['jobs_pkey'],
    [
      'deliveries_notification_id_tenant_id_id_idx',
      'deliveries_pkey',
      'jobs_pkey',
      'notifications_pkey',
      'tenants_pkey',
    ],
    ['subscriptions_pkey', 'topics_pkey'],
  ]);
});
