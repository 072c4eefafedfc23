// Deliveries with the same ordering key: exactly one can be claimed, however many wait, and none is stuck.

import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  AcceptStore,
  type ClaimedDelivery,
  Database,
  DeliveriesStore,
  DueDeliveriesStore,
  migrate,
  NotificationsStore,
} from '#database';
import { newId } from '#domain';
import { connect, until } from '#testing';
import { newNotification } from './new-notification.js';
import { type Json, simulated, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const NIL = '00000000-0000-0000-0000-000000000000';
let app: TestEnvironment;
const databases: Database[] = [];

beforeAll(async () => {
  app = await startTestEnvironment({ worker: false });
});
afterAll(async () => {
  for (const database of databases) await database.close();
  await app?.stop();
});

function openDatabase(poolSize = 3): Database {
  const database = new Database({ url: app.databaseUrl, poolSize });
  databases.push(database);
  return database;
}

const claimRequest = (limit = 100) =>
  ({
    channel: 'email',
    lane: 2,
    limit,
    claimId: newId(),
    leaseSeconds: 60,
    afterTenant: NIL,
    capacities: new Map(),
  }) as const;

const sent = { kind: 'suppressed', reason: 'opted_out' } as const;

describe('of the deliveries of an ordering key', () => {
  let tenant: Tenant;
  let due: DueDeliveriesStore;
  let deliveries: DeliveriesStore;
  beforeAll(async () => {
    tenant = await app.tenant();
    const database = openDatabase();
    due = new DueDeliveriesStore(database);
    deliveries = new DeliveriesStore(database, () => undefined);
  });
  const send = async (key: string, more: Record<string, unknown> = {}): Promise<{ id: string; delivery: string }> => {
    const made = await tenant.send({ ...simulated('ok'), ordering_key: key, ...more });
    return { id: made.id, delivery: made.deliveries[0].id };
  };
  const claim = async (): Promise<ClaimedDelivery[]> => (await due.claim(claimRequest())).deliveries;
  const idsOf = (claimed: ClaimedDelivery[]): string[] => claimed.map(({ deliveryId }) => deliveryId);
  const cancel = (id: string): Promise<unknown> => tenant.call('DELETE', `/api/v1/notifications/${id}`);

  it('only the first is due, then the next one; waiting deliveries show the reason', async () => {
    const [first, second, third] = [await send('a'), await send('a'), await send('a')];
    const [head, ...others] = await claim();
    expect(head!.deliveryId).toBe(first.delivery);
    expect(others).toEqual([]);
    expect(await tenant.delivery(second.delivery)).toMatchObject({
      state: 'waiting',
      reason: 'ordering',
      due_at: null,
    });
    await deliveries.record(head!, { kind: 'held', reason: 'provider_limit', delaySeconds: 0 });
    expect(idsOf(await claim())).toEqual([first.delivery]);
    await cancel(third.id);
    await cancel(first.id);
    expect(await tenant.delivery(second.delivery)).toMatchObject({ state: 'waiting', reason: null });
    const [next] = await claim();
    expect(next!.deliveryId).toBe(second.delivery);
    await deliveries.record(next!, sent);
    expect(await claim()).toEqual([]);
  });

  it('a scheduled one waits for its time and its turn', async () => {
    const first = await send('b');
    const later = await send('b', { scheduled_at: new Date(Date.now() + 3_600_000).toISOString() });
    const [head] = await claim();
    expect(head!.deliveryId).toBe(first.delivery);
    await deliveries.record(head!, sent);
    expect(await tenant.delivery(later.delivery)).toMatchObject({ reason: 'scheduled', due_at: expect.any(String) });
    expect(await claim()).toEqual([]);
    await cancel(later.id);
  });

  it('a replayed one comes before those accepted after it', async () => {
    const [first, second, third] = [await send('c'), await send('c'), await send('c')];
    const [head] = await claim();
    await deliveries.record(head!, { kind: 'failed', reason: 'rejected', code: null, detail: null });
    const { rows } = await app.sql.query('select id from dead_letters where delivery_id = $1', [first.delivery]);
    const [running] = await claim();
    expect(running!.deliveryId).toBe(second.delivery);
    expect((await app.operator('POST', `/internal/dlq/${rows[0].id}/replay`)).status).toBeLessThan(300);
    expect(await claim()).toEqual([]);
    for (const expected of [second, first, third]) {
      const current = expected === second ? running! : (await claim())[0]!;
      expect(current.deliveryId).toBe(expected.delivery);
      await deliveries.record(current, sent);
    }
  });

  it('blocked ones of one call are sent one after the other', async () => {
    const worker = await app.startWorker();
    const ordered = await app.tenant({ recipient_limits: { email: { limit: 1_000, window_seconds: 60 } } });
    const recipients = Array.from({ length: 20 }, (_, index) => ({
      recipient_id: `r${index}`,
      recipient_address: 'a@example.com',
    }));
    await ordered.call('POST', '/api/v1/notifications/bulk', {
      channel: 'email',
      content: { subject: 's', text: 't' },
      ordering_key: 'bulk',
      recipients,
    });
    const order = async (): Promise<string[]> =>
      (
        await app.sql.query('select notification_id from mailbox_messages where tenant_id = $1 order by id', [
          ordered.id,
        ])
      ).rows.map((row) => row.notification_id);
    await until('all are sent', async () => (await order()).length === 20, 15_000);
    expect(await order()).toEqual((await order()).toSorted());
    await worker.stop();
  });
});

describe('rows from before the migration', () => {
  it('keep one head per key: the claimed one, or the oldest', async () => {
    const migrations = join(import.meta.dirname, '../prisma/migrations');
    const before = await mkdtemp(join(tmpdir(), 'carillon-migrations-'));
    for (const name of await readdir(migrations))
      if (name < '20261125101000') await cp(join(migrations, name), join(before, name), { recursive: true });
    const name = `before_${Date.now()}`;
    await app.sql.query(`create database ${name}`);
    const url = new URL(app.databaseUrl);
    url.pathname = `/${name}`;
    await migrate(url.href, before);
    const sql = await connect(url.href);
    const row = (key: string | null, id: number, claimed = false): Promise<unknown> =>
      sql.query(
        `insert into due_deliveries (tenant_id, delivery_id, channel, lane, ordering_key, due_at, claim_id)
         values ($1, lpad($2, 32, '0')::uuid, 'email', 2, $3, '2026-01-01', $4)`,
        [NIL, String(id), key, claimed ? NIL : null],
      );
    for (const id of [1, 2, 3]) await row('oldest', id);
    for (const id of [4, 5, 6]) await row('held', id, id === 5);
    for (const id of [7, 8]) await row(null, id);
    await migrate(url.href, migrations);
    const { rows } = await sql.query(`
      select right(delivery_id::text, 1) as id, reason, not_before::date::text as not_before from due_deliveries where due_at = 'infinity' order by 1`);
    expect(rows.map(({ id }) => id)).toEqual(['2', '3', '4', '6']);
    expect(rows.every((one) => one.reason === 'ordering' && one.not_before === '2026-01-01')).toBe(true);
    await sql.end();
    await app.sql.query(`drop database ${name} with (force)`);
    await rm(before, { recursive: true });
  });
});

describe('with concurrent accepts, records and cancels', () => {
  const KEYS = ['x', 'y', 'z', null];
  const ROUNDS = 60;
  const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)]!;

  it('each key has exactly one head, and the order is that of the accepts', async () => {
    const tenants = [await app.tenant(), await app.tenant()];
    const accepts: { key: string; id: string; began: number; ended: number }[] = [];
    const notifications: { tenantId: string; id: string }[] = [];
    const done: { key: string; id: string }[] = [];
    const inFlight = new Map<string, string>();
    const keyOf = new Map<string, string>();
    let clock = 0;
    let open = 0;

    const acceptMany = async (): Promise<void> => {
      const store = new AcceptStore(openDatabase(1), () => undefined);
      for (let round = 0; round < ROUNDS; round += 1) {
        const batch = Array.from({ length: 1 + Math.floor(Math.random() * 5) }, () =>
          newNotification(pick(tenants).id, { orderingKey: pick(KEYS) }),
        );
        for (const { notification, deliveries } of batch)
          if (notification.orderingKey)
            keyOf.set(deliveries[0]!.id, `${notification.tenantId} ${notification.orderingKey}`);
        clock += 1;
        const began = clock;
        await store.acceptAll(batch);
        clock += 1;
        for (const { notification, deliveries } of batch) {
          const key = keyOf.get(deliveries[0]!.id);
          if (key) accepts.push({ key, id: deliveries[0]!.id, began, ended: clock });
          notifications.push({ tenantId: notification.tenantId, id: notification.id });
        }
      }
    };
    const cancelSome = async (): Promise<void> => {
      const store = new NotificationsStore(openDatabase(1));
      while (open > 0) {
        const wanted = notifications.splice(Math.floor(Math.random() * notifications.length), 1)[0];
        if (wanted && Math.random() < 0.3) await store.cancel(wanted.tenantId, wanted.id);
        else await new Promise(setImmediate);
      }
    };
    const recordOne = async (store: DeliveriesStore, delivery: ClaimedDelivery): Promise<void> => {
      const key = keyOf.get(delivery.deliveryId);
      if (key) {
        expect(inFlight.get(key), 'two deliveries of one key are claimed').toBeUndefined();
        inFlight.set(key, delivery.deliveryId);
      }
      const ends = Math.random() < 0.8;
      // The next delivery may be claimed before this process knows of the commit.
      if (key) inFlight.delete(key);
      if (key && ends) done.push({ key, id: delivery.deliveryId });
      const outcome = ends ? sent : ({ kind: 'held', reason: 'provider_limit', delaySeconds: 0 } as const);
      const recorded = await store.record(delivery, outcome);
      if (!recorded && key && ends)
        done.splice(
          done.findIndex(({ id }) => id === delivery.deliveryId),
          1,
        );
    };
    const work = async (): Promise<void> => {
      const database = openDatabase(3);
      const [due, store] = [new DueDeliveriesStore(database), new DeliveriesStore(database, () => undefined)];
      for (let idle = 0; idle < 3; ) {
        const { deliveries } = await due.claim(claimRequest(1 + Math.floor(Math.random() * 20)));
        await Promise.all(deliveries.map((delivery) => recordOne(store, delivery)));
        idle = deliveries.length === 0 && open === 0 ? idle + 1 : 0;
      }
    };
    const accepting = Array.from({ length: 4 }, async () => {
      open += 1;
      await acceptMany().finally(() => {
        open -= 1;
      });
    });
    await Promise.all([...accepting, work(), work(), work(), cancelSome(), cancelSome()]);

    const { rows } = await app.sql.query('select * from due_deliveries where tenant_id = any ($1)', [
      tenants.map(({ id }) => id),
    ]);
    expect(rows).toEqual([]);
    const place = new Map(done.map(({ id }, index) => [id, index]));
    const inTime = accepts.filter(({ id }) => place.has(id));
    expect(inTime.length).toBeGreaterThan(100);
    const overtaken = inTime.filter(({ key, id, ended }) =>
      inTime.some((later) => later.key === key && later.began > ended && place.get(later.id)! < place.get(id)!),
    );
    expect(overtaken).toEqual([]);
  }, 60_000);
});

describe('while another transaction holds the lock of an ordering key', () => {
  const lockOf = async (tenantId: string, key: string): Promise<() => Promise<void>> => {
    const holder = await connect(app.databaseUrl);
    await holder.query('begin');
    await holder.query('select carillon_lock_ordering_keys(array[carillon_ordering_lock($1, $2)])', [tenantId, key]);
    return () => holder.end();
  };
  const somebodyWaits = async (): Promise<boolean> =>
    (await app.sql.query(`select from pg_locks where locktype = 'advisory' and not granted`)).rows.length > 0;
  /** Two batches, because some stores write two at a time. */
  const blockTwo = async (work: () => Promise<unknown>): Promise<Promise<unknown>[]> => {
    const first = work().catch((error: Error) => error);
    await until('the first waits', somebodyWaits);
    const second = work().catch((error: Error) => error);
    // Items of one iteration of the event loop form one batch.
    for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate);
    return [first, second];
  };

  it.each(['accept', 'acceptAll'] as const)('%s accepts requests without an ordering key', async (call) => {
    const [ordered, other] = [await app.tenant(), await app.tenant()];
    const store = new AcceptStore(openDatabase(), () => undefined);
    const take = (tenantId: string, key: string | null): Promise<unknown> =>
      call === 'accept'
        ? store.accept(newNotification(tenantId, { orderingKey: key }))
        : store.acceptAll([newNotification(tenantId, { orderingKey: key })]);
    const release = await lockOf(ordered.id, 'k');
    const blocked = await blockTwo(() => take(ordered.id, 'k'));
    await Promise.all([take(other.id, null), take(other.id, null)]);
    expect(await somebodyWaits()).toBe(true);
    await release();
    await Promise.all(blocked);
  });

  it('deliveries without an ordering key are recorded', async () => {
    await app.sql.query('truncate due_deliveries');
    const tenant = await app.tenant();
    for (const key of ['k', null]) await tenant.send({ ...simulated('ok'), ...(key && { ordering_key: key }) });
    const database = openDatabase(4);
    const store = new DeliveriesStore(database, () => undefined);
    const { deliveries } = await new DueDeliveriesStore(database).claim(claimRequest());
    const [ordered, plain] = [true, false].map((is) => deliveries.find((one) => one.ordered === is)!);
    const release = await lockOf(tenant.id, 'k');
    const blocked = await blockTwo(() => store.record(ordered!, sent));
    const plainRecorded = await store.record(plain!, sent);
    expect(plainRecorded && (await somebodyWaits())).toBe(true);
    await release();
    expect(await Promise.all(blocked)).toContain(true);
  });
});

it('deleting thousands of deliveries of one key ends within the time-out of a statement', async () => {
  await app.sql.query('truncate due_deliveries');
  const tenant = await app.tenant();
  await app.sql.query(
    `insert into due_deliveries (tenant_id, delivery_id, channel, lane, ordering_key, due_at)
     select $1, lpad(to_hex(n), 32, '0')::uuid, 'email', 2, 'k', now() from generate_series(1, 6000) n`,
    [tenant.id],
  );
  const gone = await openDatabase().platform.query({
    text: 'delete from due_deliveries where tenant_id = $1 returning 1',
    values: [tenant.id],
  });
  expect(gone).toHaveLength(6_000);
});

describe('a claim', () => {
  /** Pages read by the claim statement. */
  const buffersOfClaim = async (database: Database): Promise<number> => {
    let statement: { text: string; values?: unknown[] } | undefined;
    const listening = {
      platform: {
        query: async (asked: { text: string; values?: unknown[] }) => {
          statement = asked;
          return [{ ready: 0, ended_at: null, delivery_id: null }];
        },
      },
    } as unknown as Database;
    await new DueDeliveriesStore(listening).claim(claimRequest());
    const [row] = await database.platform.query<{ 'QUERY PLAN': Json }>({
      values: statement!.values ?? [],
      text: `explain (analyze, buffers, format json) ${statement!.text}`,
    });
    const { Plan: plan } = row!['QUERY PLAN'][0];
    return plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
  };
  let filled = 0;
  const fill = async (tenantId: string, count: number, columns: string): Promise<void> => {
    await app.sql.query(
      `insert into due_deliveries (tenant_id, delivery_id, channel, lane, ordering_key, due_at)
       select $1, lpad(to_hex($3::integer + n), 32, '0')::uuid, 'email', 2, ${columns} from generate_series(1, $2) n`,
      [tenantId, count, filled],
    );
    filled += count;
  };

  it('costs the same without and with 50,000 deliveries that wait behind their ordering key', async () => {
    await app.sql.query('truncate due_deliveries');
    const database = openDatabase(1);
    const tenant = await app.tenant();
    // Rows with a head that is not due: half of the backlog with one key, half with a key each.
    await fill(tenant.id, 25_001, `'h' || n, now() + interval '1 hour'`);
    await fill(tenant.id, 200, 'null, now()');
    await app.sql.query('vacuum analyze due_deliveries');
    await buffersOfClaim(database);
    await app.sql.query("update due_deliveries set due_at = now() - interval '1 hour' where ordering_key is null");
    await app.sql.query('vacuum analyze due_deliveries');
    const none = await buffersOfClaim(database);
    await fill(tenant.id, 25_000, `'h' || n, now() - interval '2 hours'`);
    await fill(tenant.id, 25_000, `'h25001', now() - interval '2 hours'`);
    await app.sql.query("update due_deliveries set due_at = now() - interval '1 hour' where ordering_key is null");
    await app.sql.query('vacuum analyze due_deliveries');
    const many = await buffersOfClaim(database);
    expect(many).toBeLessThanOrEqual(1.2 * none);
    await app.sql.query('truncate due_deliveries');
  }, 60_000);

  it.each(['blocked', 'locked'])('reaches the tenant behind forty whose deliveries are %s', async (kind) => {
    await app.sql.query('truncate due_deliveries');
    const crowd: string[] = [];
    for (let index = 0; index < 40; index += 1) crowd.push((await app.tenant()).id);
    // Created last, it has the highest id and comes last in the round.
    const last = await app.tenant();
    for (const id of crowd) {
      await fill(id, 1, `'k', now() + interval '1 hour'`);
      await fill(id, 3, kind === 'blocked' ? `'k', now()` : 'null, now()');
    }
    const locks = openDatabase(1);
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let isLocked = false;
    const locking = locks.sqlAsPlatform(async (sql) => {
      await sql.query({ text: 'select from due_deliveries where tenant_id = any ($1) for update', values: [crowd] });
      isLocked = true;
      await held;
    });
    await until('the rows are locked', () => isLocked);
    const made = await last.send(simulated('ok'));
    const worker = await app.startWorker();
    try {
      await until('it is sent', async () => (await last.notification(made.id)).status === 'sent', 5_000);
    } finally {
      release();
      await locking;
      await worker.stop();
      await app.sql.query('truncate due_deliveries');
    }
  });
});
