// Digests in the stores: collecting, closing, recording, and the end of single items, also at the same time.

import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, inject, it } from 'vitest';
import {
  AcceptStore,
  type ClaimedDelivery,
  Database,
  DeliveriesStore,
  DigestsStore,
  DueDeliveriesStore,
  ErasuresStore,
  NotificationsStore,
  ReceiptsStore,
  SecretBox,
} from '#database';
import { type Attempt, newId, type Outcome, PLATFORM_TENANT_ID } from '#domain';
import { cloneDatabase, connect, until, untilWaitingForLock } from '#testing';
import { newNotification } from './new-notification.js';

let database: Database;
let admin: pg.Client;
let drop: () => Promise<void>;
let databaseUrl: string;
let tenantId: string;
/** Two workers: each has batchers of its own. */
let workers: { deliveries: DeliveriesStore; digests: DigestsStore }[];
let due: DueDeliveriesStore;
let notifications: NotificationsStore;
let erasures: ErasuresStore;

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  drop = clone.drop;
  databaseUrl = clone.url;
  database = new Database({ url: clone.url, poolSize: 8, events: true });
  admin = await connect(clone.url);
  workers = [1, 2].map(() => ({
    deliveries: new DeliveriesStore(database, () => undefined),
    digests: new DigestsStore(database),
  }));
  due = new DueDeliveriesStore(database);
  notifications = new NotificationsStore(database);
  erasures = new ErasuresStore(database, new SecretBox(Buffer.alloc(32)), { addressKey: Buffer.alloc(32) });
});
afterAll(async () => {
  await database?.close();
  await admin?.end();
  await drop?.();
});
beforeEach(async () => {
  await admin.query('delete from due_deliveries');
  tenantId = newId();
  await admin.query(`insert into tenants (id, name) values ($1, 'Test')`, [tenantId]);
});

const COLLECTED: Extract<Outcome, { kind: 'collected' }> = {
  kind: 'collected',
  reason: 'digest',
  rule: 'category.digest',
  detail: 'collected for 60 s from the first item',
  due: { seconds: 60 },
  combined: false,
};
const attempt = (outcome: Attempt['outcome']): Attempt => ({
  number: 1,
  outcome,
  provider: 'sandbox',
  providerAccountId: null,
  providerMessageId: 'm1',
  code: null,
  detail: null,
  durationMs: 1,
});
const SENT: Outcome = { kind: 'sent', attempt: attempt('sent'), templateVersion: 3 };

async function accept(count: number, changes: Parameters<typeof newNotification>[1] = {}): Promise<string[]> {
  const store = new AcceptStore(database, () => undefined);
  const made = Array.from({ length: count }, () =>
    newNotification(changes.tenantId ?? tenantId, changes, {
      deliveries: [{ id: newId(), channel: 'email', address: null, addressFrom: null }],
    }),
  );
  await Promise.all(made.map((request) => store.accept(request)));
  return made.map(({ notification }) => notification.id);
}

async function claim(limit = 100): Promise<ClaimedDelivery[]> {
  const claimed: ClaimedDelivery[] = [];
  for (;;) {
    const { deliveries } = await due.claim({
      channel: 'email',
      lane: 2,
      limit,
      claimId: newId(),
      leaseSeconds: 60,
      afterTenant: PLATFORM_TENANT_ID,
      capacities: new Map(),
    });
    claimed.push(...deliveries);
    if (deliveries.length < limit) return claimed;
  }
}

/** Collects these deliveries with both workers at the same time. */
async function collect(claimed: readonly ClaimedDelivery[], outcome: Outcome = COLLECTED): Promise<boolean[]> {
  return await Promise.all(claimed.map((delivery, index) => workers[index % 2]!.deliveries.record(delivery, outcome)));
}

/** Accepts and collects items, and returns their notifications. */
async function collectNew(count: number, changes: Parameters<typeof newNotification>[1] = {}): Promise<string[]> {
  const ids = await accept(count, changes);
  expect(await collect(await claim())).toEqual(ids.map(() => true));
  return ids;
}

const cancel = async (id: string): Promise<boolean> => (await notifications.cancel(tenantId, id))!.isCancelled;

const makeDue = () =>
  admin.query(`update due_deliveries set due_at = now() where due_at < 'infinity' and claim_id is null`);

/** Makes the only leader due and claims it. */
async function claimLeader(): Promise<ClaimedDelivery> {
  await makeDue();
  const [leader, ...others] = await claim();
  expect(others).toEqual([]);
  return leader!;
}

/** The deadlocks of this database so far. A server process reports its counts about once a second. */
async function deadlocks(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const { rows: found } = await admin.query(
    'select deadlocks::int from pg_stat_database where datname = current_database()',
  );
  return found[0].deadlocks;
}

interface Row {
  notification_id: string;
  state: string;
  is_leader: boolean | null;
  digest_id: string | null;
}

const rows = async (tenant = tenantId): Promise<Row[]> =>
  (
    await admin.query<Row>(
      `select d.notification_id, d.state, q.due_at < 'infinity' as is_leader, q.digest_id
       from deliveries d left join due_deliveries q on q.tenant_id = d.tenant_id and q.delivery_id = d.id
       where d.tenant_id = $1 order by d.id`,
      [tenant],
    )
  ).rows;
const states = async (tenant?: string): Promise<string[]> => (await rows(tenant)).map(({ state }) => state);
const openDigests = async (): Promise<number> =>
  Number((await admin.query('select count(*) from digests where tenant_id = $1', [tenantId])).rows[0].count);

it('collects a thousand items of one recipient, from two workers, into one digest with one leader', async () => {
  await collectNew(1_000);
  const found = await rows();
  expect(found.filter(({ is_leader }) => is_leader)).toHaveLength(1);
  expect(new Set(found.map(({ digest_id }) => digest_id)).size).toBe(1);
  const leader = await claimLeader();
  const digest = await workers[0]!.digests.close(leader);
  expect(digest!.deliveryIds).toHaveLength(1_000);
  expect(digest!.deliveryIds).toEqual(digest!.deliveryIds.toSorted());
  expect(await workers[0]!.deliveries.record(leader, SENT)).toBe(true);
  expect(new Set(await states())).toEqual(new Set(['sent']));
  expect(await openDigests()).toBe(0);
}, 60_000);

it('begins another digest for another recipient, category, channel or tenant, and after a thousand items', async () => {
  const other = newId();
  await admin.query(`insert into tenants (id, name) values ($1, 'Other')`, [other]);
  await collectNew(2);
  await collectNew(1, { recipientId: 'bob' });
  await collectNew(1, { category: 'news' });
  await collectNew(1, { tenantId: other });
  expect(await openDigests()).toBe(3);
  await admin.query('update digests set items = 999 where tenant_id = $1', [tenantId]);
  await collectNew(2);
  expect(await openDigests()).toBe(4);
  expect(await states(other)).toEqual(['waiting']);
});

it('ends all items with their leader in one commit: states, counters, events, dead letters and timelines', async () => {
  const ids = await collectNew(3);
  const leader = await claimLeader();
  await workers[0]!.digests.close(leader);
  const failed = {
    kind: 'failed',
    reason: 'rejected',
    code: 'E1',
    detail: 'no',
    attempt: attempt('rejected'),
  } as const;
  expect(await due.begin({ delivery: leader, rateLimitConsumed: true, provider: 'sandbox', accountId: null })).toBe(1);
  expect(await workers[0]!.deliveries.record(leader, failed)).toBe(true);
  expect(await states()).toEqual(['failed', 'failed', 'failed']);
  const letters = await admin.query('select delivery_id, detail, id from dead_letters where tenant_id = $1', [
    tenantId,
  ]);
  expect(letters.rows.map(({ delivery_id }) => delivery_id).toSorted()).toEqual(
    (await admin.query('select id from deliveries where tenant_id = $1 order by id', [tenantId])).rows.map(
      ({ id }) => id,
    ),
  );
  expect(letters.rows.every(({ id }) => /^.{14}7/.test(id))).toBe(true);
  for (const id of ids) {
    const read = await notifications.get(tenantId, id);
    expect(read!.notification.status).toBe('failed');
    const { timeline } = (await notifications.delivery(tenantId, read!.deliveries[0]!.id))!;
    if (read!.deliveries[0]!.id === leader.deliveryId) continue;
    expect(timeline.map(({ code }) => code)).toEqual(['accepted', 'held', 'failed']);
    expect(timeline.at(-1)).toMatchObject({ detail: `in the digest of delivery ${leader.deliveryId}` });
  }
  expect((await admin.query('select count(*)::int from attempts where tenant_id = $1', [tenantId])).rows[0].count).toBe(
    1,
  );
});

it('keeps its items when the message waits for another attempt, and sends those that are left', async () => {
  const ids = await collectNew(3);
  const leader = await claimLeader();
  expect((await workers[0]!.digests.close(leader))!.deliveryIds).toHaveLength(3);
  const last = ids.at(-1)!;
  // The message may be under way.
  expect(await cancel(last)).toBe(false);
  await workers[0]!.deliveries.record(leader, { kind: 'held', reason: 'provider_limit', delaySeconds: 0 });
  expect(await cancel(last)).toBe(true);
  // Later items are collected into another digest.
  const [later] = await accept(1);
  const claimed = await claim();
  expect(claimed.map(({ digestId }) => digestId !== null).toSorted()).toEqual([false, true]);
  await collect(claimed.filter(({ digestId }) => digestId === null));
  const again = claimed.find(({ digestId }) => digestId !== null)!;
  expect((await workers[1]!.digests.close(again))!.deliveryIds).toHaveLength(2);
  await workers[1]!.deliveries.record(again, SENT);
  expect(await states()).toEqual(['sent', 'sent', 'cancelled', 'waiting']);
  expect((await rows()).at(-1)).toMatchObject({ notification_id: later, is_leader: true });
});

const leaderNotification = async (): Promise<string> =>
  (await rows()).find(({ is_leader: leads }) => leads)!.notification_id;

it.each(['cancelled', 'expired', 'failed'])('gets another leader when its leader is %s alone', async (how) => {
  await collectNew(3);
  const first = await leaderNotification();
  if (how === 'cancelled') expect(await cancel(first)).toBe(true);
  else {
    const own = { reason: 'render_error', code: 'unknown_template', detail: null } as const;
    const outcome: Outcome = how === 'expired' ? { kind: 'expired' } : { kind: 'failed', ...own };
    expect(await workers[0]!.deliveries.record(await claimLeader(), outcome)).toBe(true);
  }
  expect((await rows()).find(({ notification_id: id }) => id === first)).toMatchObject({ state: how });
  expect((await rows()).filter(({ is_leader: leads }) => leads)).toHaveLength(1);
  const leader = await claimLeader();
  expect((await workers[0]!.digests.close(leader))!.deliveryIds).toHaveLength(2);
  await workers[0]!.deliveries.record(leader, SENT);
  expect((await states()).toSorted()).toEqual([how, 'sent', 'sent'].toSorted());
  expect(await openDigests()).toBe(0);
});

it('lets a worker whose leader was cancelled send and record nothing', async () => {
  await collectNew(2);
  const first = await leaderNotification();
  const leader = await claimLeader();
  await workers[0]!.digests.close(leader);
  expect(await cancel(first)).toBe(true);
  expect(
    await due.begin({ delivery: leader, rateLimitConsumed: true, provider: 'sandbox', accountId: null }),
  ).toBeNull();
  expect(await workers[0]!.deliveries.record(leader, SENT)).toBe(false);
  expect(await workers[0]!.digests.close(leader)).toBeNull();
  expect((await states()).toSorted()).toEqual(['cancelled', 'waiting']);
  expect((await rows()).find(({ is_leader }) => is_leader)).toMatchObject({ state: 'waiting' });
});

it('leaves out items that have expired, which end by themselves', async () => {
  await collectNew(2);
  const [third] = await collectNew(1, { expiresAt: new Date(Date.now() + 3_600_000) });
  await admin.query('update due_deliveries set expires_at = now() where expires_at is not null');
  const leader = await claimLeader();
  expect((await workers[0]!.digests.close(leader))!.deliveryIds).toHaveLength(2);
  const [expired] = await claim();
  expect(expired).toMatchObject({ expired: true, digestId: null });
  await workers[0]!.deliveries.record(leader, SENT);
  await workers[0]!.deliveries.record(expired!, { kind: 'expired' });
  expect((await rows()).map(({ state, notification_id }) => [state, notification_id === third])).toEqual([
    ['sent', false],
    ['sent', false],
    ['expired', true],
  ]);
});

it('makes a leader due when it expires, if that is before its digest', async () => {
  const expiresAt = new Date(Date.now() + 5_000);
  await collectNew(1, { expiresAt });
  const { rows: found } = await admin.query('select due_at from due_deliveries where tenant_id = $1', [tenantId]);
  expect(found[0].due_at).toEqual(expiresAt);
});

it('sends all items when a receipt proves that the message was sent', async () => {
  await collectNew(3);
  const leader = await claimLeader();
  await workers[0]!.digests.close(leader);
  await due.begin({ delivery: leader, rateLimitConsumed: true, provider: 'sandbox', accountId: null });
  const unknown = { kind: 'retry', reason: 'retry', delaySeconds: 60, weight: 1, attempt: attempt('unknown') } as const;
  expect(await workers[0]!.deliveries.record(leader, unknown)).toBe(true);
  const receipts = new ReceiptsStore(database);
  await receipts.apply({ tenantId, accountId: null, deliveryId: leader.deliveryId, kind: 'delivered', detail: null });
  expect((await states()).toSorted()).toEqual(['delivered', 'sent', 'sent']);
  expect(await openDigests()).toBe(0);
});

it('is closed without a deadlock while items of the same recipients arrive in another order', async () => {
  const recipients = Array.from({ length: 400 }, (_, index) => `r${String(index).padStart(3, '0')}`);
  const acceptFor = async (ids: readonly string[]): Promise<ClaimedDelivery[]> => {
    for (const recipientId of ids) await accept(1, { recipientId });
    return await claim();
  };
  const before = await deadlocks();
  for (let round = 0; round < 5; round++) {
    await admin.query('delete from due_deliveries');
    await admin.query('delete from digests');
    await collect(await acceptFor(recipients.toReversed()));
    await makeDue();
    const leaders = await claim();
    const fresh = await acceptFor(recipients);
    await Promise.all([
      ...leaders.map((leader) => workers[0]!.digests.close(leader)),
      ...fresh.map((delivery) => workers[1]!.deliveries.record(delivery, COLLECTED)),
    ]);
  }
  expect((await deadlocks()) - before).toBe(0);
}, 60_000);

it('collects without a deadlock while notifications with other items of it are cancelled', async () => {
  const store = new AcceptStore(database, () => undefined);
  const emails = () => [1, 2].map(() => ({ id: newId(), channel: 'email' as const, address: null, addressFrom: null }));
  for (let round = 0; round < 8; round++) {
    await admin.query('delete from due_deliveries');
    await admin.query('delete from digests');
    const made = Array.from({ length: 60 }, () => newNotification(tenantId, {}, { deliveries: emails() }));
    await Promise.all(made.map((request) => store.accept(request)));
    const claimed = await claim(200);
    const first = new Set(made.map(({ deliveries }) => deliveries[0]!.id));
    await collect(claimed.filter(({ deliveryId }) => first.has(deliveryId)));
    const others = claimed.filter(({ deliveryId }) => !first.has(deliveryId));
    // A statement that meets a deadlock fails.
    const [, cancelled] = await Promise.all([
      collect(others.toReversed()),
      Promise.all(made.map(({ notification }) => cancel(notification.id))),
    ]);
    expect(cancelled).toEqual(made.map(() => true));
    const { rows: found } = await admin.query(
      `select q.digest_id, count(*) filter (where q.due_at < 'infinity')::int as leaders
       from due_deliveries q where q.tenant_id = $1 group by 1`,
      [tenantId],
    );
    expect(found.filter(({ digest_id, leaders }) => digest_id !== null && leaders !== 1)).toEqual([]);
    expect(await openDigests()).toBe(found.length);
  }
}, 60_000);

it('collects items without a deadlock while the notifications of the same items are cancelled', async () => {
  const before = await deadlocks();
  for (let round = 0; round < 20; round++) {
    await admin.query('delete from due_deliveries');
    await admin.query('delete from digests');
    await accept(8, { recipientId: 'ann' });
    const claimed = await claim();
    const { rows: found } = await admin.query(
      `select notification_id from deliveries where tenant_id = $1 and state = 'waiting'`,
      [tenantId],
    );
    const [, cancelled] = await Promise.all([
      Promise.all(claimed.map((delivery) => collect([delivery]))),
      Promise.all(found.map(({ notification_id: id }) => cancel(id))),
    ]);
    expect(cancelled).toEqual(found.map(() => true));
    expect(await openDigests()).toBe(0);
  }
  expect((await deadlocks()) - before).toBe(0);
}, 60_000);

it.each([
  ['a cancellation', async (id: string): Promise<unknown> => await cancel(id)],
  ['an erasure', async (): Promise<unknown> => await erasures.erase(tenantId, 'ann', null)],
])('%s locks a digest before the row of an item that joined it meanwhile', async (_, end) => {
  const [id] = await accept(1, { recipientId: 'ann' });
  const [item] = await claim();
  await admin.query(
    `insert into digests (tenant_id, id, recipient_id, channel, category, due_at, combined, items)
     values ($1, $2, 'ann', 'email', 'default', now() + interval '1 hour', true, 1)`,
    [tenantId, newId()],
  );
  const collects = await connect(databaseUrl);
  const locksDigest = await connect(databaseUrl);
  await collects.query('begin');
  await collects.query('update digests set items = items + 1 where tenant_id = $1', [tenantId]);
  await collects.query(
    `update due_deliveries set claim_id = null, digest_id = (select id from digests where tenant_id = $1)
     where delivery_id = $2`,
    [tenantId, item!.deliveryId],
  );
  const ended = end(id!);
  await untilWaitingForLock(admin, 1);
  await locksDigest.query('begin');
  const locked = locksDigest.query('select from digests where tenant_id = $1 for update', [tenantId]);
  await untilWaitingForLock(admin, 2);
  await collects.query('commit');
  await locked;
  await untilWaitingForLock(admin, 1);
  await locksDigest.query('select from due_deliveries where delivery_id = $1 for update nowait', [item!.deliveryId]);
  await locksDigest.query('commit');
  await ended;
  await Promise.all([collects.end(), locksDigest.end()]);
  expect(await states()).toEqual(['cancelled']);
  expect(await openDigests()).toBe(0);
});

it('has a leader although the claim of its first item is lost while it is collected', async () => {
  await accept(3, { recipientId: 'ann' });
  const claimed = await claim();
  const blocker = await connect(databaseUrl);
  // Holds the row of the first item until its claim is taken over.
  await blocker.query('begin');
  await blocker.query('update due_deliveries set claim_id = $1 where delivery_id = $2', [
    newId(),
    claimed[0]!.deliveryId,
  ]);
  const collected = Promise.all(claimed.map((delivery) => workers[0]!.deliveries.record(delivery, COLLECTED)));
  await until('it waits for the row', async () => {
    const { rows: waits } = await admin.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return waits.length > 0;
  });
  await blocker.query('commit');
  await blocker.end();
  expect(await collected).toEqual([false, true, true]);
  expect((await rows()).map(({ is_leader: isLeader, digest_id: id }) => [isLeader, id !== null])).toEqual([
    [true, false],
    [true, true],
    [false, true],
  ]);
});

it('ends without a deadlock when all its items are cancelled at the same time', async () => {
  const ids = await collectNew(20);
  const cancelled = await Promise.all(ids.map(cancel));
  expect(cancelled).toEqual(ids.map(() => true));
  expect(await openDigests()).toBe(0);
});

type Step = 'accept' | 'collect' | 'send' | 'hold' | 'suppress' | 'expire' | 'lose' | 'cancel';
const step = fc.constantFrom<Step>(
  'accept',
  'accept',
  'collect',
  'collect',
  'send',
  'hold',
  'suppress',
  'expire',
  'lose',
  'cancel',
);

it('never loses an item and never sends one twice, whatever happens at the same time', async () => {
  /** The items of each message that was recorded as sent. */
  let messages: string[][] = [];
  const runLeader = async (how: Step): Promise<void> => {
    for (const delivery of await claim()) {
      const worker = workers[Math.random() < 0.5 ? 0 : 1]!;
      if (delivery.digestId === null) await worker.deliveries.record(delivery, COLLECTED);
      else if (how === 'suppress')
        await worker.deliveries.record(delivery, { kind: 'suppressed', reason: 'opted_out' });
      else if (how === 'expire') await worker.deliveries.record(delivery, { kind: 'expired' });
      else {
        const digest = await worker.digests.close(delivery);
        if (how === 'lose') {
          await admin.query('update due_deliveries set due_at = now() where claim_id = $1 and due_at < $2', [
            delivery.claimId,
            'infinity',
          ]);
        } else if (how === 'hold') {
          await worker.deliveries.record(delivery, { kind: 'held', reason: 'provider_limit', delaySeconds: 0 });
        } else if (
          digest &&
          (await due.begin({ delivery, rateLimitConsumed: true, provider: 'sandbox', accountId: null })) !== null
        ) {
          expect(await worker.deliveries.record(delivery, SENT)).toBe(true);
          messages.push(digest.deliveryIds);
        }
      }
    }
  };
  const run = async (what: Step): Promise<void> => {
    if (what === 'accept') await accept(3);
    else if (what === 'collect') {
      const claimed = await claim();
      await collect(claimed.filter(({ digestId }) => digestId === null));
      await collect(
        claimed.filter(({ digestId }) => digestId !== null),
        { kind: 'held', reason: 'provider_limit', delaySeconds: 60 },
      );
    } else if (what === 'cancel') {
      const { rows: found } = await admin.query(
        `select notification_id from deliveries where tenant_id = $1 and state = 'waiting' order by random() limit 2`,
        [tenantId],
      );
      await Promise.all(found.map(({ notification_id: id }) => cancel(id)));
    } else {
      await makeDue();
      await runLeader(what);
    }
  };
  const check = async (): Promise<void> => {
    const { rows: found } = await admin.query(
      `select q.digest_id, count(*) filter (where q.due_at < 'infinity')::int as leaders,
              exists (select from digests g where g.tenant_id = $1 and g.id = q.digest_id) as is_known
       from due_deliveries q where q.tenant_id = $1 and q.digest_id is not null group by 1`,
      [tenantId],
    );
    expect(found.filter(({ leaders, is_known }) => leaders !== 1 || !is_known)).toEqual([]);
    expect(await openDigests()).toBe(found.length);
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 5, maxLength: 25 }),
      async (groups) => {
        await admin.query('delete from due_deliveries');
        tenantId = newId();
        messages = [];
        await admin.query(`insert into tenants (id, name) values ($1, 'random')`, [tenantId]);
        for (const group of groups) {
          await Promise.all(group.map(run));
          await check();
        }
        for (let rounds = 0; (await states()).includes('waiting') && rounds < 20; rounds++) await run('send');
        expect(await states()).not.toContain('waiting');
        const sent = messages.flat();
        expect(new Set(sent).size).toBe(sent.length);
        const { rows: recorded } = await admin.query(
          `select id from deliveries where tenant_id = $1 and state = 'sent'`,
          [tenantId],
        );
        expect(sent.toSorted()).toEqual(recorded.map(({ id }) => id).toSorted());
        expect(await openDigests()).toBe(0);
      },
    ),
    { numRuns: 40, interruptAfterTimeLimit: 90_000 },
  );
}, 150_000);
