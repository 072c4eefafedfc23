// Claims, polls and relays beside rows that they skip: scheduled, of tenants without capacity, and dead.

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type Claim,
  type ClaimRequest,
  COMMIT_GRACE_MS,
  Database,
  DueDeliveriesStore,
  EventsStore,
  OperationsStore,
  QueueFiguresStore,
} from '#database';
import { newId } from '#domain';
import { connect, until } from '#testing';
import { type Json, simulated, startTestEnvironment, type TestEnvironment } from './test-environment.js';

const MIGRATIONS = join(import.meta.dirname, '../prisma/migrations');
const NIL = '00000000-0000-0000-0000-000000000000';
let app: TestEnvironment;
let database: Database;

beforeAll(async () => {
  app = await startTestEnvironment({ worker: false });
  database = new Database({ url: app.databaseUrl, poolSize: 2 });
  // No row is removed between two measurements.
  for (const table of ['due_deliveries', 'events'])
    await app.sql.query(`alter table ${table} set (autovacuum_enabled = off)`);
});
afterAll(async () => {
  await database?.close();
  await app?.stop();
});
beforeEach(async () => {
  await app.sql.query('truncate due_deliveries, events');
});

const request = (over: Partial<ClaimRequest> = {}): ClaimRequest => ({
  channel: 'email',
  lane: 2,
  limit: 100,
  claimId: newId(),
  leaseSeconds: 60,
  afterTenant: NIL,
  capacities: new Map(),
  ...over,
});

const tenantId = (number: number): string => `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;

/** Rows of so many tenants, one after the other; `dueAt` is SQL. */
async function fill(count: number, dueAt: string, { tenants = 1, first = 1 } = {}): Promise<void> {
  await app.sql.query(
    `insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at)
     select ('00000000-0000-4000-8000-' || lpad(to_hex($3::integer + n % $2), 12, '0'))::uuid, gen_random_uuid(), 'email', 2, ${dueAt} from generate_series(0, $1 - 1) n`,
    [count, tenants, first],
  );
}

/** Runs a method of a store and returns the number of pages that its statements read. */
async function pagesRead(store: object, run: () => Promise<unknown>): Promise<number> {
  const seen = store as { database: Database };
  let pages = 0;
  const explained = async ({ text, values }: { text: string; values?: unknown[] }): Promise<Json[]> => {
    const [row] = await database.platform.query<{ 'QUERY PLAN': Json }>({
      text: `explain (analyze, buffers, format json) ${text}`,
      ...(values && { values }),
    });
    const { Plan: plan } = row!['QUERY PLAN'][0];
    pages += plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
    // A row for each of the three lanes of a poll; a claim reads the first.
    return Array.from({ length: 3 }, () => ({ due: false, ready: 0, ended_at: null, delivery_id: null }));
  };
  seen.database = { platform: { query: explained }, platformReads: { query: explained } } as unknown as Database;
  try {
    await run();
  } finally {
    seen.database = database;
  }
  return pages;
}

describe('beside 3,000 tenants that have only scheduled deliveries', () => {
  it('a claim reads almost nothing, and finds due deliveries behind them', async () => {
    await fill(3_000, `now() + interval '1 hour'`, { tenants: 3_000 });
    await app.sql.query('vacuum analyze due_deliveries');
    const store = new DueDeliveriesStore(database);
    const claim = (): Promise<unknown> => store.claim(request());
    expect(await pagesRead(store, claim)).toBeLessThan(100);
    await fill(1, 'now()', { first: 5_000 });
    const { deliveries, endedAt } = await store.claim(request());
    expect(deliveries).toHaveLength(1);
    expect(endedAt).toBeNull();
  });
});

describe('beside 100 lagging tenants and 1,000 that have 100 scheduled deliveries each', () => {
  it('a claim and a scan read each index page a few times at most', async () => {
    await fill(100, `now() - interval '1 minute'`, { tenants: 100 });
    await fill(100_000, `now() + interval '1 hour'`, { tenants: 1_000, first: 1_000 });
    await app.sql.query('vacuum analyze due_deliveries');
    const store = new DueDeliveriesStore(database);
    await store.rescan(['email']);
    const { rows } = await app.sql.query(`select relpages from pg_class where relname = 'due_deliveries_claim_idx'`);
    expect(await pagesRead(store, () => store.claim(request({ limit: 1 })))).toBeLessThan(3 * rows[0].relpages);
    const capacities = new Map(Array.from({ length: 100 }, (_, index) => [tenantId(index + 1), 0]));
    expect(await pagesRead(store, () => store.claim(request({ capacities })))).toBeLessThan(5 * rows[0].relpages);
  }, 30_000);
});

describe('beside 3,000 tenants without capacity', () => {
  it('a claim examines a thousand, and the next one continues there', async () => {
    await fill(3_000, 'now()', { tenants: 3_000 });
    await fill(1, 'now()', { first: 5_000 });
    const capacities = new Map(Array.from({ length: 3_000 }, (_, index) => [tenantId(index + 1), 0]));
    const store = new DueDeliveriesStore(database);
    const ends: (string | null)[] = [];
    let afterTenant = NIL;
    for (;;) {
      const { deliveries, endedAt } = await store.claim(request({ capacities, afterTenant }));
      ends.push(endedAt);
      expect(deliveries).toHaveLength(endedAt === null ? 1 : 0);
      if (endedAt === null) break;
      afterTenant = endedAt;
    }
    expect(ends).toEqual([tenantId(1_000), tenantId(2_000), tenantId(3_000), null]);
  });
});

describe('beside an old snapshot', () => {
  const DEAD_ROWS = 20_000;
  /** Deliveries that were due in the last ten minutes and have ended. The snapshot keeps their rows on disk. */
  async function withOldSnapshot(work: () => Promise<void>): Promise<void> {
    const reader = await connect(app.databaseUrl);
    await reader.query('begin isolation level repeatable read');
    await reader.query('select from due_deliveries limit 1');
    try {
      await fill(DEAD_ROWS, `now() - interval '10 minutes' + n * interval '20 milliseconds'`, { tenants: 3 });
      await app.sql.query(`delete from due_deliveries where due_at > now() - interval '11 minutes'`);
      await work();
    } finally {
      await reader.end();
    }
  }

  it('claims and polls do not read dead rows', async () => {
    await withOldSnapshot(async () => {
      const store = new DueDeliveriesStore(database);
      const claim = (): Promise<unknown> => store.claim(request());
      const poll = (): Promise<unknown> => store.dueLanes(['email']);
      // Before the first scan, a claim reads all of them.
      expect(await pagesRead(store, claim)).toBeGreaterThan(1_000);
      await store.advanceWatermarks(['email']);
      expect(await pagesRead(store, claim)).toBeLessThan(100);
      expect(await pagesRead(store, poll)).toBeLessThan(100);
      await fill(3, 'now()', { tenants: 3 });
      expect((await store.claim(request())).deliveries).toHaveLength(3);
    });
  });

  it('deliveries are found by their key, even after a vacuum that found no living row', async () => {
    await withOldSnapshot(async () => {
      const operations = new OperationsStore(database, MIGRATIONS);
      // Nothing else prevents it from recording zero rows.
      await app.sql.query('vacuum due_deliveries');
      const store = new DueDeliveriesStore(database);
      await store.rescan(['email']);
      await operations.expectRows();
      await fill(3, 'now()', { tenants: 3 });
      const { deliveries } = await store.claim(request({ limit: 2 }));
      const [delivery] = deliveries;
      expect(await pagesRead(store, () => store.claim(request()))).toBeLessThan(100);
      expect(await pagesRead(store, () => store.confirm([delivery!], 60))).toBeLessThan(100);
      expect(
        await pagesRead(store, () =>
          store.begin({ delivery: delivery!, rateLimitConsumed: false, provider: 'sandbox', accountId: null }),
        ),
      ).toBeLessThan(100);
      expect(
        await pagesRead(store, () => store.release({ delivery: delivery!, delaySeconds: 0, intentUnsure: false })),
      ).toBeLessThan(100);
    });
  });

  it('a lagging tenant does not make claims of other tenants read dead rows, and gets an equal share', async () => {
    // A tenant between the two others.
    await fill(100, `now() - interval '20 minutes'`, { first: 2 });
    await withOldSnapshot(async () => {
      const store = new DueDeliveriesStore(database);
      await store.rescan(['email']);
      await fill(10, 'now()', { first: 1 });
      await fill(10, 'now()', { first: 3 });
      const { deliveries } = await store.claim(request({ limit: 30 }));
      expect(Map.groupBy(deliveries, (one) => one.tenantId)).toMatchObject(
        new Map([1, 2, 3].map((number) => [tenantId(number), { length: 10 }])),
      );
      // Nine more deliveries of the lagging tenant, and their update.
      expect(await pagesRead(store, () => store.claim(request({ limit: 9 })))).toBeLessThan(300);
    });
  });

  it('all of 150 lagging tenants are served', async () => {
    await fill(300, `now() - interval '20 minutes'`, { tenants: 150 });
    const store = new DueDeliveriesStore(database);
    await store.rescan(['email']);
    await store.advanceWatermarks(['email']);
    const served = new Set<string>();
    for (let afterTenant: string | null = NIL; afterTenant !== null; ) {
      const { deliveries, endedAt } = await store.claim(request({ limit: 32, afterTenant }));
      for (const one of deliveries) served.add(one.tenantId);
      afterTenant = endedAt;
    }
    expect(served.size).toBe(150);
  });

  it('not every claim searches for expired deliveries of a tenant without capacity', async () => {
    await withOldSnapshot(async () => {
      const expiring = (count: number): Promise<unknown> =>
        app.sql.query(
          `insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at, expires_at)
           select $1, gen_random_uuid(), 'email', 2, now() - interval '10 minutes', now() - interval '1 second' from generate_series(1, $2) n`,
          [tenantId(1), count],
        );
      await expiring(DEAD_ROWS);
      await app.sql.query('delete from due_deliveries');
      await app.sql.query('analyze due_deliveries');
      await new OperationsStore(database, MIGRATIONS).expectRows();
      const store = new DueDeliveriesStore(database);
      await store.rescan(['email']);
      const claim = (): Promise<Claim> => store.claim(request({ capacities: new Map([[tenantId(1), 0]]) }));
      expect(await pagesRead(store, claim)).toBeGreaterThan(DEAD_ROWS / 100);
      expect(await pagesRead(store, claim)).toBeLessThan(100);
      await expiring(3);
      await until('they are taken nevertheless', async () => (await claim()).deliveries.length === 3, 5_000);
    });
  });

  it('a batch of one ordering key reads the dead rows of that key once', async () => {
    const insert = (first: number, count: number): Promise<unknown> =>
      app.sql.query(
        `insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at, ordering_key)
         select $1, lpad(to_hex($2::integer + n), 32, '0')::uuid, 'email', 2, now(), 'k' from generate_series(1, $3) n`,
        [tenantId(1), first, count],
      );
    /** Statistics of this connection up to now. */
    const pagesFetched = async (): Promise<number> => {
      const { rows } = await app.sql.query(`
        select pg_stat_get_xact_blocks_fetched('due_deliveries'::regclass) + pg_stat_get_xact_blocks_fetched('due_deliveries_ordering_idx'::regclass) as pages`);
      return Number(rows[0].pages);
    };
    const pagesOfInsert = async (count: number): Promise<number> => {
      await app.sql.query('begin');
      const before = await pagesFetched();
      await insert(10_000, count);
      const pages = (await pagesFetched()) - before;
      await app.sql.query('rollback');
      return pages;
    };
    await withOldSnapshot(async () => {
      await insert(0, 2_000);
      await app.sql.query('delete from due_deliveries');
      const [one, hundred] = [await pagesOfInsert(1), await pagesOfInsert(100)];
      expect(hundred).toBeLessThan(one + 100 * 20);
    });
  });

  it('readers get the stored counts of the queue if the last count was slow', async () => {
    await withOldSnapshot(async () => {
      const figures = new QueueFiguresStore(database);
      await fill(5, 'now()');
      // The state after a count of two million dead rows.
      await app.sql.query(
        `insert into queue_figures (tenant_id, counted_at, next_at, channels, tenants) values ($1, now(), now() + interval '20 seconds', '[]', '[]')
         on conflict (tenant_id) do update set counted_at = excluded.counted_at, next_at = excluded.next_at`,
        [NIL],
      );
      expect((await figures.read()).channels).toEqual([]);
      await app.sql.query('delete from queue_figures');
      expect(await figures.read()).toMatchObject({ channels: [{ channel: 'email', due: 5 }] });
    });
  });

  it('relays do not read dead events', async () => {
    const insertEvents = (count: number): Promise<unknown> =>
      app.sql.query(
        `insert into events (tenant_id, type, subject, data, broker, webhooks, kept)
         select ('00000000-0000-4000-8000-' || lpad(to_hex(1 + n % 3), 12, '0'))::uuid, 'delivery.sent', n::text, '{}', true, true, false from generate_series(1, $1) n`,
        [count],
      );
    await withOldSnapshot(async () => {
      await insertEvents(DEAD_ROWS);
      await app.sql.query('delete from events');
      const store = new EventsStore(database);
      const published = (): Promise<unknown> => store.next(100);
      const markFannedOut = (): Promise<unknown> =>
        store.nextForEndpoints({ afterTenant: NIL, tenants: 20, limit: 100 });
      // 57 events per page.
      expect(await pagesRead(store, published)).toBeGreaterThan(DEAD_ROWS / 100);
      expect(await pagesRead(store, markFannedOut)).toBeGreaterThan(DEAD_ROWS / 100);
      await until('the watermarks have passed them', async () => {
        await store.rescan();
        return (await pagesRead(store, published)) < 20;
      });
      expect(await pagesRead(store, markFannedOut)).toBeLessThan(20);
      await insertEvents(30);
      expect(await store.next(100)).toHaveLength(30);
      expect(await store.nextForEndpoints({ afterTenant: NIL, tenants: 20, limit: 100 })).toHaveLength(30);
      // Raising the watermarks never hides a waiting event.
      await delay(COMMIT_GRACE_MS);
      await store.advanceWatermarks();
      await delay(COMMIT_GRACE_MS);
      await store.advanceWatermarks();
      expect(await store.next(100)).toHaveLength(30);
      expect(await store.nextForEndpoints({ afterTenant: NIL, tenants: 20, limit: 100 })).toHaveLength(30);
    });
  }, 30_000);

  it('an event that is committed late comes before the events that it caused', async () => {
    const store = new EventsStore(database);
    const add = `insert into events (tenant_id, type, subject, data, broker, webhooks, kept) values ($1, $2, 's', '{}', true, true, false)`;
    const advance = async (): Promise<void> => {
      await delay(COMMIT_GRACE_MS);
      await store.advanceWatermarks();
    };
    await store.rescan();
    const slow = await connect(app.databaseUrl);
    await slow.query('begin');
    await slow.query(add, [tenantId(1), 'delivery.sent']);
    for (let times = 0; times < 3; times += 1) await advance();
    await slow.query('commit');
    await slow.end();
    await app.sql.query(add, [tenantId(1), 'delivery.delivered']);
    const order = ['delivery.sent', 'delivery.delivered'];
    expect((await store.next(100)).map(({ type }) => type)).toEqual(order);
    const turn = { afterTenant: NIL, tenants: 20, limit: 100 };
    expect((await store.nextForEndpoints(turn)).map(({ type }) => type)).toEqual(order);
  }, 30_000);

  it('its age is reported', async () => {
    const operations = new OperationsStore(database, MIGRATIONS);
    await withOldSnapshot(async () => {
      await until('it is seen', async () => (await operations.oldestTransactionSeconds()) > 1, 5_000);
    });
    expect(await operations.oldestTransactionSeconds()).toBeLessThan(1);
  });
});

describe('a delivery below the watermark', () => {
  it('is sent within seconds of a late commit', async () => {
    const tenant = await app.tenant();
    const worker = await app.startWorker();
    const made = await tenant.send(simulated('ok'));
    await until('the worker is at work', async () => (await tenant.notification(made.id)).status === 'sent', 5_000);
    const slow = await connect(app.databaseUrl);
    const late = await tenant.send({
      ...simulated('ok'),
      scheduled_at: new Date(Date.now() + 3_600_000).toISOString(),
    });
    await slow.query('begin');
    await slow.query('update due_deliveries set due_at = now() where tenant_id = $1', [tenant.id]);
    await slow.query('select pg_sleep(4)');
    await slow.query('commit');
    await slow.end();
    await until('it is sent', async () => (await tenant.notification(late.id)).status === 'sent', 10_000);
    await worker.stop();
  }, 30_000);

  it('is claimed after a rescan, by a worker that starts', async () => {
    await fill(1, `now() - interval '1 hour'`);
    const store = new DueDeliveriesStore(database);
    await store.advanceWatermarks(['email']);
    expect((await store.claim(request())).deliveries).toEqual([]);
    await store.rescan(['email']);
    expect((await store.claim(request())).deliveries).toHaveLength(1);
  });
});
