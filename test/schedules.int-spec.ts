// Several workers fire the same schedules: each occurrence exactly once, none before its time.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  AcceptStore,
  Database,
  type DueSchedule,
  DueSchedulesStore,
  type ScheduleProgress,
  TemplatesStore,
  TopicSendsStore,
} from '#database';
import { createLogger } from '#telemetry';
import { until } from '#testing';
import { FireSchedules } from '../apps/worker/src/schedules/fire-schedules.js';
import { ScheduleRunner } from '../apps/worker/src/schedules/schedule-runner.js';
import { type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const logger = createLogger({ level: 'silent', role: 'test' });
const open: (() => Promise<unknown>)[] = [];
let app: TestEnvironment;
let tenant: Tenant;

beforeAll(async () => {
  app = await startTestEnvironment({ worker: false });
  tenant = await app.tenant();
});
afterAll(() => app?.stop());
afterEach(async () => {
  for (const close of open.splice(0)) await close();
  await app.sql.query('truncate schedules');
  await app.sql.query('truncate due_deliveries, deliveries, notifications, idempotency_keys');
});

function worker(budgetMs?: number): { store: DueSchedulesStore; fire: FireSchedules; runner: ScheduleRunner } {
  const database = new Database({ url: app.databaseUrl, poolSize: 5 });
  const accept = new AcceptStore(database, () => undefined);
  const stores = { accept, topicSends: new TopicSendsStore(database), templates: new TemplatesStore(database) };
  const fire = new FireSchedules(stores, logger, budgetMs);
  const store = new DueSchedulesStore(database);
  const runner = new ScheduleRunner(store, fire, logger);
  open.push(async () => {
    await runner.stop();
    await database.close();
  });
  return { store, fire, runner };
}

/** Inserts yearly schedules whose next occurrences are spread over this many seconds from now. */
async function insertSchedules(count: number, seconds: number, of = tenant): Promise<void> {
  await app.sql.query(
    `insert into schedules (tenant_id, id, rrule, timezone, starts_at_local, notification, recipient_id, misfire, state,
                            next_local, next_at)
     select $1, gen_random_uuid(), 'FREQ=YEARLY', 'UTC', to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS'),
            jsonb_build_object('recipient_id', 'person-' || n, 'channel', 'in_app', 'category', 'default', 'priority', 5,
                               'content', '{"title": "Hello", "body": "There"}'::jsonb),
            'person-' || n, 'fire_once', 'active', to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS'), at
     from generate_series(1, $2) n
     cross join lateral (select date_trunc('milliseconds', now()) + make_interval(secs => n * $3::float8 / $2)) as t(at)`,
    [of.id, count, seconds],
  );
}

const one = async (text: string): Promise<Json> => (await app.sql.query(text)).rows[0];

describe('three workers', () => {
  it('fire each of 2,000 occurrences once, none early', async () => {
    await insertSchedules(2_000, 3);
    const before = await app.sql.query('select id, next_at, recipient_id from schedules');
    for (let count = 0; count < 3; count += 1) worker().runner.start();
    await until(
      'all are fired',
      async () => (await one('select count(*)::int as count from schedules where last_fired_at is null')).count === 0,
      30_000,
    );
    const { rows } = await app.sql.query('select recipient_id, created_at from notifications');
    expect(rows).toHaveLength(2_000);
    const firedAt = new Map(rows.map((row) => [row.recipient_id, row.created_at]));
    expect(firedAt.size).toBe(2_000);
    const early = before.rows.filter((row) => firedAt.get(row.recipient_id) < row.next_at);
    expect(early).toEqual([]);
    expect(await one('select min(next_at) > now() as later, count(*)::int as count from schedules')).toEqual({
      later: true,
      count: 2_000,
    });
  });
});

describe('a worker that is lost after it has accepted the sends', () => {
  it('leaves them to another one, which does not send twice', async () => {
    await insertSchedules(50, 0);
    const [lost, other] = [worker(), worker()];
    const dies = async (due: DueSchedule[]): Promise<ScheduleProgress[]> => {
      await lost.fire.run(due);
      throw new Error('lost');
    };
    await expect(lost.store.take(100, dies)).rejects.toThrow('lost');
    expect((await one('select count(*)::int as count from notifications')).count).toBe(50);
    expect((await one('select count(*)::int as count from schedules where next_at <= now()')).count).toBe(50);
    expect(await other.store.take(100, (due) => other.fire.run(due))).toBe(50);
    expect((await one('select count(*)::int as count from notifications')).count).toBe(50);
    const { count } = await one(
      `select count(*)::int as count from schedules s join notifications n on n.id = s.last_notification_id
       where s.next_at > now() and n.recipient_id = s.recipient_id`,
    );
    expect(count).toBe(50);
  });
});

describe('a schedule that fires while its recipient is erased', () => {
  const ADDRESS = 'ann@secret.example.com';

  it.each([
    ['known by id', { recipient_id: 'ann' }],
    ['with a profile', { recipient: { id: 'ann', email: ADDRESS } }],
  ])('leaves nothing of a recipient %s', async (_, recipient) => {
    await tenant.call('PUT', '/api/v1/recipients/ann', { email: ADDRESS });
    const notification = { ...recipient, channel: 'email', content: { subject: 'Hi', text: 'private' } };
    const made = await tenant.call('POST', '/api/v1/schedules', {
      rrule: 'FREQ=MINUTELY',
      timezone: 'UTC',
      notification,
    });
    expect(made.status).toBe(201);
    await app.sql.query(`update schedules set next_at = now() - interval '1 second'`);
    const { store, fire } = worker();
    let erasing: Promise<Json> | undefined;
    await store.take(10, async (due) => {
      erasing = tenant.call('DELETE', '/api/v1/recipients/ann');
      await until('the erasure waits for the schedule', async () => {
        const waiting = `select count(*)::int as count from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`;
        return (await one(waiting)).count > 0;
      });
      return await fire.run(due);
    });
    const erased = await erasing!;
    expect([erased.status, erased.body.erased]).toEqual([
      200,
      expect.objectContaining({ profile: 1, schedules: 1, notifications: 1 }),
    ]);
    const left = await app.sql.query('select recipient_id, content from notifications');
    expect(left.rows).toEqual([{ recipient_id: 'erased', content: null }]);
    const [profiles, schedules] = ['recipients where id = $1', 'schedules where recipient_id = $1'];
    for (const rows of [profiles, schedules])
      expect((await app.sql.query(`select from ${rows}`, ['ann'])).rows).toEqual([]);
  });
});

describe('schedules that another worker holds', () => {
  it('are skipped', async () => {
    await insertSchedules(20, 0);
    const [first, second] = [worker(), worker()];
    const taken = await first.store.take(15, async (due) => {
      expect(await second.store.take(100, (rest) => second.fire.run(rest))).toBe(5);
      return await first.fire.run(due);
    });
    expect(taken).toBe(15);
    expect((await one('select count(*)::int as count from notifications')).count).toBe(20);
  });
});

describe('schedules of more tenants than a batch takes', () => {
  it('are taken by several workers at once', async () => {
    for (let count = 0; count < 9; count += 1) await insertSchedules(1, 0, await app.tenant());
    const [first, second] = [worker(), worker()];
    const taken = await first.store.take(5, async () => {
      expect(await second.store.take(5, async () => [])).toBe(4);
      return [];
    });
    expect(taken).toBe(5);
  });
});

describe('a tenant with many due schedules', () => {
  it('gets its share of a batch: one of another tenant that is due later is decided among the first', async () => {
    const other = await app.tenant();
    await insertSchedules(300, 0);
    await insertSchedules(1, 0, other);
    await app.sql.query(`update schedules set next_at = now() - interval '10 seconds' where tenant_id = $1`, [
      tenant.id,
    ]);
    const { store } = worker();
    let tenants: string[] = [];
    const taken = await store.take(100, async (due) => {
      tenants = due.map(({ tenantId }) => tenantId);
      return [];
    });
    expect(taken).toBe(51);
    expect(tenants.indexOf(other.id)).toBeLessThan(2);
  });

  it('alone gets a whole batch', async () => {
    await insertSchedules(300, 0);
    const { store, fire } = worker();
    expect(await store.take(100, (due) => fire.run(due))).toBe(100);
  });
});

describe('a schedule about which no decision can be made', () => {
  it('does not stop the others, shows the error, is tried again and paused in the end', async () => {
    const other = await app.tenant();
    await insertSchedules(1, 0);
    await insertSchedules(20, 0, other);
    await app.sql.query(
      `update schedules set starts_at_local = '2025-13-01T00:00:00', next_at = now() where tenant_id = $1`,
      [tenant.id],
    );
    const { store, fire } = worker();
    expect(await store.take(100, (due) => fire.run(due))).toBe(21);
    const ofOther = `select count(*)::int as count from notifications where tenant_id = '${other.id}'`;
    expect((await one(ofOther)).count).toBe(20);
    const broken = `select state, failures, last_error->>'code' as code, last_fired_at, next_at > now() + interval '50 s'
                      as later from schedules where tenant_id = '${tenant.id}'`;
    const shown = { code: 'internal', last_fired_at: null };
    expect(await one(broken)).toEqual({ ...shown, state: 'active', failures: 1, later: true });
    await app.sql.query('update schedules set failures = 9, next_at = now() where tenant_id = $1', [tenant.id]);
    await store.take(100, (due) => fire.run(due));
    expect(await one(broken)).toEqual({ ...shown, state: 'paused', failures: 10, later: null });
  });
});

describe('sends to topics', () => {
  it('end with the time of a batch; those that are left are in the next one', async () => {
    const other = await app.tenant();
    await insertSchedules(10, 0);
    await insertSchedules(3, 0, other);
    await tenant.call('PUT', '/api/v1/topics/weekly', { name: 'Weekly' });
    await app.sql.query(
      `update schedules set notification = notification - 'recipient_id' || '{"topic": "weekly"}' where tenant_id = $1`,
      [tenant.id],
    );
    const { store, fire } = worker(300);
    const holding = new Database({ url: app.databaseUrl, poolSize: 1 });
    open.push(() => holding.close());
    let taking: Promise<number> | undefined;
    // Sends wait while another transaction has their idempotency keys.
    await holding.sqlAsPlatform(async (sql) => {
      await sql.query({
        text: `insert into idempotency_keys (tenant_id, key, body_hash)
               select tenant_id, 'schedule:' || id || ':' || next_local, '\\x00' from schedules where tenant_id = $1`,
        values: [tenant.id],
      });
      taking = store.take(100, (due) => fire.run(due));
      await until('the time is used up', async () => {
        const waiting = await one(
          `select count(*)::int as count from pg_stat_activity
           where datname = current_database() and wait_event_type = 'Lock' and query_start < now() - interval '400 ms'`,
        );
        return waiting.count === 4;
      });
      await sql.query({ text: 'delete from idempotency_keys where tenant_id = $1', values: [tenant.id] });
    });
    expect(await taking).toBe(13);
    const fired = `select count(*) filter (where tenant_id = '${tenant.id}')::int as topics, count(*)::int as count
                     from notifications`;
    expect(await one(fired)).toEqual({ topics: 4, count: 7 });
    expect(await store.take(100, (due) => fire.run(due))).toBe(6);
    expect(await one(fired)).toEqual({ topics: 10, count: 13 });
  });
});

describe('a tenant whose first schedule becomes due while another one fills whole batches', () => {
  it('is in a batch after a second at the latest', async () => {
    await insertSchedules(400, 0);
    const { store } = worker();
    const take = async (): Promise<Set<string>> => {
      let tenants = new Set<string>();
      await store.take(20, async (due) => {
        tenants = new Set(due.map(({ tenantId }) => tenantId));
        return [];
      });
      return tenants;
    };
    expect(await take()).toEqual(new Set([tenant.id]));
    const other = await app.tenant();
    await insertSchedules(1, 0, other);
    const startedAt = performance.now();
    await until('it is taken', async () => (await take()).has(other.id));
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});
