// Quotas of tenants in the store: what several workers count together, the periods, and the warnings.

import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, inject, it } from 'vitest';
import { Database, QuotasStore, type QuotaWarning } from '#database';
import { newId, type Quota, quotasOf } from '#domain';
import { cloneDatabase, connect } from '#testing';

const ZONE = 'Europe/Berlin';
let database: Database;
let admin: pg.Client;
let drop: () => Promise<void>;
let tenantId: string;
let warnings: QuotaWarning[];
/** Each has a batcher of its own. */
let workers: QuotasStore[];

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  drop = clone.drop;
  database = new Database({ url: clone.url, poolSize: 6, events: true });
  admin = await connect(clone.url);
});
afterAll(async () => {
  await database?.close();
  await admin?.end();
  await drop?.();
});
beforeEach(async () => {
  tenantId = newId();
  await admin.query(`insert into tenants (id, name) values ($1, 'Test')`, [tenantId]);
  warnings = [];
  workers = [1, 2, 3].map(() => new QuotasStore(database, (warning) => warnings.push(warning)));
});

const settings = (perDay: number, perMonth = 1_000) => ({
  deliveries_per_day: perDay,
  deliveries_per_month: perMonth,
  timezone: ZONE,
});
const quotas = (perDay: number, perMonth?: number): Quota[] => quotasOf(settings(perDay, perMonth), Date.now());

const takeMany = (count: number, of: Quota[]) =>
  Promise.all(Array.from({ length: count }, (_, index) => workers[index % workers.length]!.take(tenantId, of)));

const usage = async (): Promise<Record<string, number>> =>
  Object.fromEntries((await workers[0]!.usage(tenantId)).map(({ period, used }) => [period, used]));

it('count the deliveries of several workers together, never beyond the quota, and say which period refuses', async () => {
  const answers = await takeMany(60, quotas(20));
  expect(answers.filter(({ granted }) => granted)).toHaveLength(20);
  const refused = answers.find(({ granted }) => !granted) as { period: string; secondsLeft: number };
  const [today] = quotas(20);
  const midnight = today!.starts.find((start) => start > Date.now())!;
  expect(refused.period).toBe('day');
  expect(Math.abs(Date.now() + refused.secondsLeft * 1_000 - midnight)).toBeLessThan(2_000);
  // A delivery that one period refuses is counted in none.
  expect(await usage()).toEqual({ day: 20, month: 20 });
  const month = quotas(1_000, 20);
  const later = (await workers[0]!.take(tenantId, month)) as { period: string; secondsLeft: number };
  const nextMonth = month[1]!.starts.find((start) => start > Date.now())!;
  expect(later).toMatchObject({ granted: false, period: 'month' });
  expect(Math.abs(Date.now() + later.secondsLeft * 1_000 - nextMonth)).toBeLessThan(2_000);
});

it('warn at 80 and at 100 percent, once in a period, also when many workers reach it and places come back', async () => {
  const limits = quotas(20);
  await takeMany(15, limits);
  expect(warnings).toEqual([]);
  await takeMany(3, limits);
  expect(warnings).toEqual([{ tenantId, period: 'day', percent: 80 }]);
  await takeMany(30, limits);
  await workers[0]!.giveBack(tenantId, new Date());
  await takeMany(3, limits);
  expect(warnings).toEqual([
    { tenantId, period: 'day', percent: 80 },
    { tenantId, period: 'day', percent: 100 },
  ]);
  const { rows } = await admin.query(
    `select data->>'period' as period, data->>'percent' as percent from events
     where tenant_id = $1 and type = 'quota.warning' order by seq`,
    [tenantId],
  );
  expect(rows).toEqual([
    { period: 'day', percent: '80' },
    { period: 'day', percent: '100' },
  ]);
});

it('begin anew at the start of the next period, with new warnings; what was counted before does not come back', async () => {
  await takeMany(10, quotas(10));
  const before = new Date();
  // The day ends while the month goes on.
  await admin.query(
    `update quota_usage set starts_at = now() - interval '2 days', ends_at = now() - interval '1 second'
     where tenant_id = $1 and period = 'day'`,
    [tenantId],
  );
  expect(await usage()).toEqual({ month: 10 });
  expect(await workers[1]!.take(tenantId, quotas(10))).toEqual({ granted: true });
  expect(await usage()).toEqual({ day: 1, month: 11 });
  // A delivery of the day before.
  await workers[0]!.giveBack(tenantId, new Date(before.getTime() - 3 * 86_400_000));
  expect((await usage())['day']).toBe(1);
  await takeMany(9, quotas(10));
  expect(warnings.filter(({ period }) => period === 'day').map(({ percent }) => percent)).toEqual([100, 100]);
});

it('have the days and months of the zone of the tenant, also where clocks change', () => {
  const boundsAt = (time: string): string[] =>
    quotasOf(settings(1), Date.parse(time)).map(({ period, starts }) => {
      const next = starts.findIndex((start) => start > Date.parse(time));
      const [from, to] = [starts[next - 1]!, starts[next]!];
      return `${period} ${new Date(from).toISOString()} ${(to - from) / 3_600_000}`;
    });
  // 25 October 2026 has 25 hours, and October an hour more than 31 days.
  expect(boundsAt('2026-10-25T12:00:00Z')).toEqual([
    'day 2026-10-24T22:00:00.000Z 25',
    'month 2026-09-30T22:00:00.000Z 745',
  ]);
  // 28 March 2027 has 23 hours. 31 March in UTC is 1 April there.
  expect(boundsAt('2027-03-28T12:00:00Z')).toEqual([
    'day 2027-03-27T23:00:00.000Z 23',
    'month 2027-02-28T23:00:00.000Z 743',
  ]);
  expect(boundsAt('2027-03-31T22:30:00Z')).toEqual([
    'day 2027-03-31T22:00:00.000Z 24',
    'month 2027-03-31T22:00:00.000Z 720',
  ]);
});
