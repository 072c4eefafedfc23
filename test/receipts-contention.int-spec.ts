// Statements that wait for one another's rows, in several weekly partitions. PostgreSQL 18.4 loses changes or crashes where such a
// statement prunes partitions at run time (docs/adr/0024).

import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { type ClaimedDelivery, Database, DeliveriesStore, type DeliveryReceipt, ReceiptsStore } from '#database';
import { newId, type Outcome, type ReceiptKind } from '#domain';
import { cloneDatabase, connect, until } from '#testing';

const WEEK_MS = 604_800_000;
const WEEKS = [-1, 0, 1, 2];
const CLAIM = newId();

let databases: Database[];
let admin: pg.Client;
/** Changes rows beside the product. */
let other: pg.Client;
let drop: () => Promise<void>;
let tenantId: string;

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  drop = clone.drop;
  databases = [1, 2].map(() => new Database({ url: clone.url, poolSize: 5, events: true }));
  admin = await connect(clone.url);
  other = await connect(clone.url);
});
beforeEach(async () => {
  tenantId = newId();
  await admin.query(`insert into tenants (id, name) values ($1, 'Test')`, [tenantId]);
});
afterAll(async () => {
  for (const database of databases ?? []) await database.close();
  await admin?.end();
  await other?.end();
  await drop?.();
});

/** A new id that belongs to the partition of another week. */
function idOfWeek(week: number): string {
  const hex = (Date.now() + week * WEEK_MS).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}${newId().slice(13)}`;
}

const TALLY = { sent: 'succeeded', unknown: 'failed' } as const;

/** One notification with a delivery in each week, all in the same state. */
async function deliveries(state: 'sent' | 'unknown' | 'waiting'): Promise<string[]> {
  const [notification, ids] = [newId(), WEEKS.map(idOfWeek)];
  await admin.query(
    `insert into notifications (tenant_id, id, recipient_id, category, channels, priority, total) values ($1, $2, 'ann', 'default', '{email}', 5, $3)`,
    [tenantId, notification, ids.length],
  );
  if (state !== 'waiting')
    await admin.query(`update notifications set ${TALLY[state]} = total where tenant_id = $1 and id = $2`, [
      tenantId,
      notification,
    ]);
  await admin.query(
    `insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, state) select $1, id, $2, 'ann', 'email', $4 from unnest($3::uuid[]) id`,
    [tenantId, notification, ids, state],
  );
  if (state === 'waiting')
    await admin.query(
      `insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at, attempt, claim_id) select $1, id, 'email', 2, now() + interval '1 hour', 1, $3 from unnest($2::uuid[]) id`,
      [tenantId, ids, CLAIM],
    );
  return ids;
}

const claimOf = (deliveryId: string): ClaimedDelivery => ({
  tenantId,
  deliveryId,
  channel: 'email',
  claimId: CLAIM,
  claims: 1,
  countedLater: false,
  attempt: 1,
  retries: 0,
  sending: false,
  sendingProvider: null,
  sendingAccountId: null,
  unrecorded: 0,
  rateLimitConsumed: false,
  expired: false,
  triedAccountIds: [],
  paceReserved: false,
  messageKey: '1',
  lane: 2,
  ordered: false,
  digestId: null,
  waitedFor: null,
  traceparent: null,
  leaseEndsAt: performance.now() + 60_000,
});

const SENT: Outcome = {
  kind: 'sent',
  attempt: {
    number: 1,
    outcome: 'sent',
    durationMs: 1,
    provider: 'ses',
    providerAccountId: null,
    providerMessageId: null,
    code: null,
    detail: null,
  },
  templateVersion: null,
};

const receipt = (deliveryId: string, kind: ReceiptKind): DeliveryReceipt => ({
  tenantId,
  accountId: null,
  deliveryId,
  kind,
  detail: null,
});

async function states(ids: readonly string[]): Promise<string[]> {
  const { rows } = await admin.query(
    'select id, state from deliveries where tenant_id = $1 and id = any ($2::uuid[]) order by array_position($2::uuid[], id)',
    [tenantId, ids],
  );
  return rows.map(({ state }) => state);
}

/** Notifications whose counters differ from what their deliveries say. */
async function miscounted(): Promise<object[]> {
  const { rows } = await admin.query(
    `select n.id, n.succeeded, n.failed, t.* from notifications n
     cross join lateral (
       select count(*) filter (where state in ('sent', 'delivered')) as sent, count(*) filter (where state = 'unknown') as unknown
       from deliveries d where d.tenant_id = n.tenant_id and d.notification_id = n.id
     ) t
     where n.tenant_id = $1 and (n.succeeded <> t.sent or n.failed <> t.unknown)`,
    [tenantId],
  );
  return rows;
}

async function inTurn<T, Made>(many: readonly T[], make: (one: T) => Promise<Made>): Promise<Made[]> {
  const made: Made[] = [];
  for (const one of many) made.push(await make(one));
  return made;
}

/** Changes rows in one transaction, in the order in which the product locks them. */
async function touch(ids: readonly string[]): Promise<void> {
  await other.query('begin');
  for (const id of ids.toSorted())
    await other.query('update deliveries set complained_at = clock_timestamp() where tenant_id = $1 and id = $2', [
      tenantId,
      id,
    ]);
  await other.query('commit');
}

/** Keeps a row locked until `work` waits for a lock, then commits a change of it. */
async function heldUntilWaiting<T>(change: string, id: string, work: () => Promise<T>): Promise<T> {
  await other.query('begin');
  await other.query(change, [tenantId, id]);
  const running = work();
  try {
    await until('the statement waits for the row', async () => {
      const { rows } = await admin.query(
        `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return rows.length > 0;
    });
  } finally {
    await other.query('commit');
  }
  return await running;
}

describe('a statement that had to wait for a row', () => {
  it('applies the receipts of all weeks', async () => {
    const ids = await deliveries('sent');
    const receipts = new ReceiptsStore(databases[0]!);
    const results = await heldUntilWaiting(
      'update deliveries set opened_at = now() where tenant_id = $1 and id = $2',
      ids[1]!,
      () => Promise.all(ids.map((id) => receipts.apply(receipt(id, 'delivered')))),
    );
    expect(results).toEqual(ids.map(() => 'applied'));
    expect(await states(ids)).toEqual(ids.map(() => 'delivered'));
  });
});

describe('partition pruning', () => {
  const SETTINGS = `select current_setting('enable_partition_pruning') as pruning, current_setting('transaction_read_only') as read_only`;

  it('is off wherever rows can be changed or locked, and on only where the server refuses that', async () => {
    const database = databases[0]!;
    const statement = { text: SETTINGS };
    const seen = async (query: Promise<object[]>): Promise<object> => (await query)[0]!;
    const [writing, reading] = [
      { pruning: 'off', read_only: 'off' },
      { pruning: 'on', read_only: 'on' },
    ];
    expect(await seen(database.platform.query(statement))).toEqual(writing);
    expect(await seen(database.sqlAsPlatform((sql) => sql.query(statement)))).toEqual(writing);
    expect(await seen(database.asPlatform((prisma) => prisma.$queryRawUnsafe<object[]>(SETTINGS)))).toEqual(writing);
    expect(await seen(database.sqlForTenant(tenantId, (sql) => sql.query(statement)))).toEqual(writing);
    expect(await seen(database.forTenant(tenantId, (prisma) => prisma.$queryRawUnsafe<object[]>(SETTINGS)))).toEqual(
      writing,
    );
    const change = { text: `with gone as (delete from devices where false) ${SETTINGS}` };
    expect(await seen(database.queryForTenant(tenantId, change))).toEqual(writing);
    expect(await seen(database.queryForTenant(tenantId, statement))).toEqual(reading);
    expect(await seen(database.platformReads.query(statement))).toEqual(reading);
    await expect(database.platformReads.query({ text: 'select from tenants for update' })).rejects.toMatchObject({
      cause: { code: '25006' },
    });
  });
});

const CHUNK = 40;

describe('receipts of two processes, records, settlements, new partitions and ANALYZE, all at once', () => {
  it('keep every connection, lose no receipt, and leave counters that are right', async () => {
    const stores = databases.map((database) => new ReceiptsStore(database));
    const records = new DeliveriesStore(databases[0]!, () => undefined);
    const many = async (state: 'sent' | 'unknown' | 'waiting', count: number): Promise<string[]> =>
      (await inTurn(Array.from({ length: count }), () => deliveries(state))).flat();
    const sent = await many('sent', 400);
    const [unknown, waiting] = [await many('unknown', 40), await many('waiting', 40)];
    const chunks = Array.from({ length: sent.length / CHUNK }, (_, index) =>
      // Neighbours share notifications, and each chunk has deliveries of all weeks.
      sent.slice(index * CHUNK, (index + 1) * CHUNK),
    );
    let underWay: string[] = [];
    const results: string[] = [];
    const takeChunks = async (): Promise<void> => {
      for (let chunk = chunks.pop(); chunk; chunk = chunks.pop()) {
        underWay = chunk;
        const applied = await Promise.all(
          stores.flatMap((store, at) =>
            chunk!.map((id) => store.apply(receipt(id, at === 0 ? 'delivered' : 'opened'))),
          ),
        );
        results.push(...applied);
      }
    };
    const meanwhile = async (work: () => Promise<unknown>): Promise<void> => {
      while (chunks.length > 0) await work();
    };
    let weeks = 5;
    const ended = await Promise.allSettled([
      takeChunks(),
      takeChunks(),
      meanwhile(() => touch(underWay.slice(0, 10))),
      meanwhile(() => records.record(claimOf(waiting.pop() ?? newId()), SENT)),
      meanwhile(() => stores[0]!.resolveUnknown(tenantId, unknown.pop() ?? newId(), 'sent', null)),
      meanwhile(async () => {
        await admin.query(`select carillon_make_partition('deliveries', $1)`, [weeks]);
        weeks = Math.min(weeks + 1, 12);
        await admin.query('analyze deliveries, notifications, due_deliveries');
      }),
    ]);
    expect(ended.filter(({ status }) => status === 'rejected')).toEqual([]);
    expect(results.filter((result) => result !== 'applied')).toEqual([]);
    expect(results).toHaveLength(2 * sent.length);
    expect((await states(sent)).filter((state) => state !== 'delivered')).toEqual([]);
    expect(await miscounted()).toEqual([]);
  }, 30_000);
});
