// The counts of deliveries over time are those of a full scan, whatever workers count, and follow changes of state.

import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { CountDeliveriesStore, Database, percentile, type Sql, StatisticsStore } from '#database';
import { lowestId, newId } from '#domain';
import { cloneDatabase, connect } from '#testing';
import { seedConsole } from './console/seed-console.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const [tenantId, otherId, testId] = [newId(), newId(), newId()];
let database: Database;
let counts: CountDeliveriesStore;
let statistics: StatisticsStore;
let admin: pg.Client;
let drop: () => Promise<void>;

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  drop = clone.drop;
  database = new Database({ url: clone.url, poolSize: 8 });
  counts = new CountDeliveriesStore(database);
  statistics = new StatisticsStore(database);
  admin = await connect(clone.url);
  for (const [id, testOf] of [
    [tenantId, null],
    [otherId, null],
    [testId, tenantId],
  ])
    await admin.query(`insert into tenants (id, name, test_of) values ($1, 'Test', $2)`, [id, testOf]);
  await seedConsole({ databaseUrl: clone.url, tenantId, deliveries: 3_000 });
  await send(otherId, HOUR_MS, 'sent');
  await send(testId, HOUR_MS, 'sent');
}, 60_000);
afterAll(async () => {
  await database?.close();
  await admin?.end();
  await drop?.();
});

/** A delivery that was accepted some time ago and sent three seconds later. */
async function send(tenant: string, ageMs: number, state: string): Promise<string> {
  const id = lowestId(Date.now() - ageMs).slice(0, 24) + newId().slice(24);
  await admin.query(
    `insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, state, created_at, sent_at)
     values ($1, $2, $2, 'ann', 'email', $3, now() - $4 * interval '1 ms',
             case when $3 = 'sent' then now() - $4 * interval '1 ms' + interval '3 seconds' end)`,
    [tenant, id, state, ageMs],
  );
  return id;
}

/** Runs until nothing is left to do. */
async function countAll(): Promise<void> {
  const position = async (): Promise<string> => {
    const { rows } = await admin.query(
      'select pass, counted_until from statistics_passes where pass > 0 order by pass',
    );
    return JSON.stringify(rows);
  };
  for (let before = ''; before !== (await position()); ) {
    before = await position();
    await counts.run();
  }
}

const everything = (interval: 'hour' | 'day') => ({
  from: new Date(Date.now() - 31 * DAY_MS),
  to: new Date(Date.now() + DAY_MS),
  interval,
});

const total = (rows: readonly { count: number }[]): number => rows.reduce((sum, { count }) => sum + count, 0);

/** By channel, state and reason. */
function sumsOf(rows: readonly { channel: string; state: string; reason: string | null; count: number }[]): object {
  const sums: Record<string, number> = {};
  for (const { channel, state, reason, count } of rows) {
    const key = [channel, state, reason ?? ''].join(' ');
    sums[key] = (sums[key] ?? 0) + count;
  }
  return Object.fromEntries(Object.entries(sums).sort());
}

async function truth(tenant: string): Promise<object> {
  const { rows } = await admin.query(
    `select channel, state, reason, count(*)::int as count from deliveries
     where tenant_id = $1 and endpoint_id is null group by 1, 2, 3`,
    [tenant],
  );
  return sumsOf(rows);
}

describe('the counts', () => {
  it('are those of a scan, when four workers count at once', async () => {
    await Promise.all(Array.from({ length: 4 }, () => counts.run()));
    await countAll();
    for (const interval of ['hour', 'day'] as const)
      expect(sumsOf((await statistics.ofTenant(tenantId, everything(interval))).rows)).toEqual(await truth(tenantId));
  }, 60_000);

  it('are in the interval in which the deliveries were accepted', async () => {
    const { rows, latencies } = await statistics.ofTenant(tenantId, everything('day'));
    const { rows: sent } = await admin.query(
      `select date_trunc('day', created_at, 'UTC') as at, count(*)::int as count from deliveries
       where tenant_id = $1 and endpoint_id is null and sent_at is not null group by 1 order by 1`,
      [tenantId],
    );
    const sentByDay = Map.groupBy(latencies, ({ at }) => at.toISOString());
    expect([...sentByDay].map(([at, ofDay]) => ({ at: new Date(at), count: total(ofDay) }))).toEqual(sent);
    const { rows: days } = await admin.query(
      `select date_trunc('day', created_at, 'UTC') as at, count(*)::int as count from deliveries
       where tenant_id = $1 and endpoint_id is null group by 1 order by 1`,
      [tenantId],
    );
    const byDay = Map.groupBy(rows, ({ at }) => at.toISOString());
    expect([...byDay].map(([at, ofDay]) => ({ at: new Date(at), count: total(ofDay) }))).toEqual(days);
    expect(days.length).toBeGreaterThan(29);
  });

  it('of days are the sums of their hours, also at the ends of a range', async () => {
    const { rows: summed } = await admin.query(
      'select distinct at from delivery_statistics where tenant_id = $1 and span = 1440 order by at',
      [tenantId],
    );
    expect(summed.length).toBeGreaterThan(20);
    const ofHours = async (from: Date, to: Date): Promise<object> => {
      const { rows } = await admin.query(
        `select channel, state, reason, sum(count)::int as count from delivery_statistics
         where tenant_id = $1 and span = 60 and at >= $2 and at < $3 group by 1, 2, 3`,
        [tenantId, from, to],
      );
      return sumsOf(rows);
    };
    const [first, third] = [summed[1].at, summed[3].at] as [Date, Date];
    const earlier = (time: Date, hours: number): Date => new Date(time.getTime() - hours * HOUR_MS);
    for (const [from, to] of [
      [first, third],
      [earlier(first, 5), earlier(third, 7)],
      [earlier(third, 9), earlier(third, 2)],
    ] as const) {
      const { rows } = await statistics.ofTenant(tenantId, { from, to, interval: 'day' });
      expect(sumsOf(rows)).toEqual(await ofHours(from, to));
    }
    // A day that was summed is read from its sums.
    await admin.query(
      'update delivery_statistics set count = count + 1 where tenant_id = $1 and span = 1440 and at = $2',
      [tenantId, first],
    );
    const { rows } = await statistics.ofTenant(tenantId, { from: first, to: third, interval: 'day' });
    expect(sumsOf(rows)).not.toEqual(await ofHours(first, third));
    // Each day is summed again after its position was lost.
    await admin.query('delete from statistics_passes where pass = 6');
    await countAll();
    const { rows: again } = await statistics.ofTenant(tenantId, { from: first, to: third, interval: 'day' });
    expect(sumsOf(again)).toEqual(await ofHours(first, third));
  });

  it('of one tenant are not those of another, and the sums of all are without test tenants', async () => {
    const of = async (id: string): Promise<number> => total((await statistics.ofTenant(id, everything('day'))).rows);
    expect([await of(otherId), await of(testId)]).toEqual([1, 1]);
    expect(total((await statistics.ofAll(everything('day'))).rows)).toBe((await of(tenantId)) + 1);
  });

  it('follow a change of state when the delivery is older', async () => {
    const id = await send(otherId, 10_000, 'waiting');
    await counts.run();
    const query = { from: new Date(Date.now() - 5 * MINUTE_MS), to: new Date(Date.now() + 1_000), interval: 'minute' };
    const states = async (): Promise<string[]> =>
      (await statistics.ofTenant(otherId, query as never)).rows.map(({ state }) => state);
    expect(await states()).toEqual(['waiting']);
    await admin.query(`update deliveries set state = 'sent', sent_at = now() where id = $1`, [id]);
    // As if the second pass came two minutes later.
    await admin.query(`update statistics_passes set counted_until = now() - interval '3 minutes' where pass = 0`);
    await counts.run();
    expect(await states()).toEqual(['sent']);
  });
});

/** The positions of all passes, in milliseconds before now. */
async function lags(): Promise<number[]> {
  const { rows } = await admin.query<{ lag: number }>(
    'select extract(epoch from now() - counted_until)::float8 * 1000 as lag from statistics_passes order by pass',
  );
  return rows.map(({ lag }) => lag);
}

describe('a pass', () => {
  it('goes on when the passes before it take all the time', async () => {
    await counts.run();
    await admin.query(`update statistics_passes set counted_until = counted_until - interval '1 hour'`);
    const before = await lags();
    let now = 0;
    // Each look at the clock is a second later.
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 1_000));
    await counts.run().finally(() => clock.mockRestore());
    for (const [pass, lag] of (await lags()).entries())
      expect(lag, `pass ${pass}`).toBeLessThan(before[pass]! - 5 * MINUTE_MS);
  });

  it('goes on after the clock of the database was set back', async () => {
    await admin.query(`update statistics_passes set counted_until = now() + interval '40 days'`);
    const id = await send(otherId, 1_000, 'sent');
    await counts.run();
    for (const lag of await lags()) expect(lag).toBeGreaterThan(0);
    const { rows } = await admin.query(
      `select sum(count)::int as count from delivery_statistics
       where tenant_id = $1 and span = 1 and at > now() - interval '2 minutes'`,
      [otherId],
    );
    expect(rows[0].count).toBeGreaterThan(0);
    await admin.query('delete from deliveries where id = $1', [id]);
  });

  it('keeps the counts of deliveries that the clean-up has deleted', async () => {
    const of = async (id: string): Promise<number> => total((await statistics.ofTenant(id, everything('day'))).rows);
    const age = 5 * DAY_MS;
    const [short, long] = [await send(otherId, age, 'sent'), await send(tenantId, age, 'waiting')];
    const recount = async (): Promise<void> => {
      await admin.query(
        `update statistics_passes set counted_until = date_trunc('hour', now() - interval '5 days', 'UTC') where pass = 4`,
      );
      await counts.run();
    };
    await recount();
    const before = [await of(otherId), await of(tenantId), total((await statistics.ofAll(everything('day'))).rows)];
    await admin.query('delete from deliveries where id = $1', [short]);
    await admin.query(`update deliveries set state = 'sent' where id = $1`, [long]);
    await recount();
    expect([await of(otherId), await of(tenantId)]).toEqual(before.slice(0, 2));
    const { rows } = await statistics.ofAll(everything('day'));
    expect(total(rows)).toBe(before[2]);
    // The other tenant's delivery has its new state, in the sums too.
    const { rows: own } = await statistics.ofTenant(otherId, everything('day'));
    const { rows: others } = await statistics.ofTenant(tenantId, everything('day'));
    expect(sumsOf(rows)).toEqual(sumsOf([...own, ...others]));
    await admin.query('delete from deliveries where id = $1', [long]);
  });

  it('may wait for the count of another connection as long as that may take', async () => {
    const limits: unknown[] = [];
    let waiting: Sql;
    const watched = new Proxy(database, {
      get(target, name) {
        if (name !== 'sqlAsPlatform') return Reflect.get(target, name, target);
        return async (work: (sql: Sql) => Promise<unknown>, timeoutMs: number, isReadOnly = false) => {
          if (isReadOnly) limits.push(...(await waiting.query({ text: 'show idle_in_transaction_session_timeout' })));
          return await target.sqlAsPlatform(
            async (sql) => {
              if (!isReadOnly) waiting = sql;
              return await work(sql);
            },
            timeoutMs,
            isReadOnly,
          );
        };
      },
    });
    await new CountDeliveriesStore(watched).run();
    expect(limits[0]).toEqual({ idle_in_transaction_session_timeout: '1min' });
  });
});

describe('a percentile', () => {
  it('is in the class of the latency', async () => {
    const { latencies: found } = await statistics.ofTenant(otherId, everything('hour'));
    const latencies = new Map(found.map(({ latency, count }) => [latency, count]));
    expect(percentile(latencies, 0.01)).toBeGreaterThan(3 / 1.25);
    expect(percentile(latencies, 0.01)).toBeLessThan(3 * 1.25);
    expect(percentile(new Map(), 0.5)).toBeNull();
    expect(
      percentile(
        new Map([
          [0, 95],
          [20, 5],
        ]),
        0.95,
      ),
    ).toBeLessThan(0.02);
    expect(
      percentile(
        new Map([
          [0, 94],
          [20, 6],
        ]),
        0.95,
      ),
    ).toBeGreaterThan(20);
  });
});
