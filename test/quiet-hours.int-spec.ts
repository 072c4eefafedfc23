// Quiet hours in the database: downgraded deliveries, and changes of hours and zones while deliveries are held.

import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import {
  AcceptStore,
  type ClaimedDelivery,
  Database,
  DeliveriesStore,
  DueDeliveriesStore,
  ErasuresStore,
  NotificationsStore,
  PolicyChangesStore,
  RecipientsStore,
  SecretBox,
  TenantsStore,
} from '#database';
import { inAppDeliveryId, newId, type Outcome } from '#domain';
import { cloneDatabase, connect } from '#testing';
import { newNotification } from './new-notification.js';

const LEASE_SECONDS = 30;
const HOUR = 3_600;

let admin: pg.Client;
let database: Database;
let deliveries: DeliveriesStore;
let due: DueDeliveriesStore;
let changes: PolicyChangesStore;
let tenantId: string;
let drop: () => Promise<void>;

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  drop = clone.drop;
  admin = await connect(clone.url);
  database = new Database({ url: clone.url, poolSize: 4, events: true });
  deliveries = new DeliveriesStore(database, () => undefined);
  due = new DueDeliveriesStore(database);
  changes = new PolicyChangesStore(database);
});
afterAll(async () => {
  await database?.close();
  await admin?.end();
  await drop?.();
});
beforeEach(async () => {
  await admin.query('truncate due_deliveries');
  await admin.query('truncate policy_changes');
  tenantId = newId();
  await admin.query(`insert into tenants (id, name) values ($1, 'Test')`, [tenantId]);
});

interface Accepted {
  notificationId: string;
  deliveryIds: string[];
}

async function accept(count = 1, recipientId = 'ann', expiresAt: Date | null = null): Promise<Accepted> {
  const accepted = newNotification(
    tenantId,
    { recipientId, expiresAt },
    {
      deliveries: Array.from({ length: count }, () => ({
        id: newId(),
        channel: 'email',
        address: 'ann@example.com',
        addressFrom: null,
      })),
    },
  );
  await new AcceptStore(database, () => undefined).accept(accepted);
  return { notificationId: accepted.notification.id, deliveryIds: accepted.deliveries.map(({ id }) => id) };
}

async function claim(channel: 'email' | 'in_app' = 'email'): Promise<ClaimedDelivery[]> {
  const { deliveries: claimed } = await due.claim({
    channel,
    lane: 2,
    limit: 100,
    claimId: newId(),
    leaseSeconds: LEASE_SECONDS,
    afterTenant: '00000000-0000-0000-0000-000000000000',
    capacities: new Map(),
  });
  return claimed;
}

const held = (recipientId = 'ann', decidedAt = new Date()): Outcome => ({
  kind: 'held',
  reason: 'quiet_hours',
  delaySeconds: 8 * HOUR,
  heldByPolicy: { recipientId, decidedAt },
});

/** Accepts one delivery and holds it for quiet hours. Returns its id. */
async function hold(recipientId = 'ann', decidedAt?: Date): Promise<string> {
  const { deliveryIds } = await accept(1, recipientId);
  const [claimed] = await claim();
  expect(await deliveries.record(claimed!, held(recipientId, decidedAt))).toBe(true);
  return deliveryIds[0]!;
}

async function areDue(...deliveryIds: string[]): Promise<boolean[]> {
  const { rows } = await admin.query<{ id: string; due: boolean }>(
    'select delivery_id as id, due_at <= now() as due from due_deliveries where delivery_id = any ($1)',
    [deliveryIds],
  );
  return deliveryIds.map((id) => rows.find((row) => row.id === id)!.due);
}
const erase = async (recipientId: string): Promise<void> => {
  const box = new SecretBox(Buffer.alloc(32));
  await new ErasuresStore(database, box, { addressKey: Buffer.alloc(32) }).erase(tenantId, recipientId, null);
};
const apply = (): Promise<number> => changes.apply(LEASE_SECONDS, 5_000);
const noted = async (): Promise<unknown[]> =>
  (await admin.query('select tenant_id, recipient_id, is_last from policy_changes order by changed_at')).rows;

describe('a downgraded delivery', () => {
  const downgraded = ({ notificationId }: Accepted): Outcome => ({
    kind: 'downgraded',
    reason: 'quiet_hours',
    rule: 'tenant.quiet_hours',
    detail: 'quiet hours of the tenant, in UTC',
    inAppDeliveryId: inAppDeliveryId(notificationId, 'ann'),
  });

  it('is suppressed, and an inbox delivery of the same notification is due', async () => {
    const accepted = await accept(1, 'ann', new Date(Date.now() + HOUR * 1_000));
    const [claimed] = await claim();
    expect(await deliveries.record(claimed!, downgraded(accepted))).toBe(true);

    const found = await new NotificationsStore(database).get(tenantId, accepted.notificationId);
    expect(found?.notification.status).toBe('active');
    const states = found!.deliveries.map(({ channel, state, reason }) => ({ channel, state, reason }));
    expect(states).toEqual(
      expect.arrayContaining([
        { channel: 'email', state: 'suppressed', reason: 'quiet_hours' },
        { channel: 'in_app', state: 'waiting', reason: null },
      ]),
    );
    const { rows: log } = await admin.query('select code, reason, rule from delivery_log where tenant_id = $1', [
      tenantId,
    ]);
    expect(log).toEqual([{ code: 'downgraded', reason: 'quiet_hours', rule: 'tenant.quiet_hours' }]);

    const [inbox] = await claim('in_app');
    expect(inbox).toMatchObject({ deliveryId: inAppDeliveryId(accepted.notificationId, 'ann'), expired: false });
    expect((await deliveries.load(inbox!))?.notification.expiresAt).not.toBeNull();
    const row = { recipientId: 'ann', category: 'default', title: 'Hello', body: 'Hello', actionUrl: null, data: null };
    await deliveries.record(inbox!, { kind: 'in_inbox', row, templateVersion: null });
    const ended = await new NotificationsStore(database).get(tenantId, accepted.notificationId);
    expect(ended?.notification.status).toBe('sent');
  });

  it('shares its inbox delivery with the others of the notification, also in other workers', async () => {
    const accepted = await accept(6);
    const claimed = await claim();
    const outcome = downgraded(accepted);
    const stores = [deliveries, new DeliveriesStore(database, () => undefined)];
    await Promise.all(claimed.map((delivery, index) => stores[index % 2]!.record(delivery, outcome)));
    const found = await new NotificationsStore(database).get(tenantId, accepted.notificationId);
    expect(found!.deliveries.map(({ channel }) => channel).sort()).toEqual([...Array(6).fill('email'), 'in_app']);
    const { rows } = await admin.query('select total, suppressed, final_status from notifications where id = $1', [
      accepted.notificationId,
    ]);
    expect(rows).toEqual([{ total: 7, suppressed: 6, final_status: null }]);
    expect(await claim('in_app')).toHaveLength(1);
  });

  it('of a send to a topic leaves no trace of its recipient after an erasure', async () => {
    const accepted = await accept();
    await admin.query('update deliveries set of_topic = true where id = any ($1)', [accepted.deliveryIds]);
    await admin.query(`update notifications set recipient_id = null, topic = 't1' where id = $1`, [
      accepted.notificationId,
    ]);
    const [claimed] = await claim();
    expect(await deliveries.record(claimed!, downgraded(accepted))).toBe(true);
    await erase('ann');
    const { rows } = await admin.query('select recipient_id from deliveries where notification_id = $1', [
      accepted.notificationId,
    ]);
    expect(rows).toEqual([{ recipient_id: 'erased' }, { recipient_id: 'erased' }]);
  });

  it('creates nothing when its claim is lost', async () => {
    const accepted = await accept();
    const [claimed] = await claim();
    expect(await deliveries.record({ ...claimed!, claimId: newId() }, downgraded(accepted))).toBe(false);
    expect(await claim('in_app')).toEqual([]);
  });
});

describe('a change while deliveries are held', () => {
  it("of a recipient's zone makes those of this recipient due", async () => {
    const recipients = new RecipientsStore(database);
    const profile = { email: null, phone: null, locale: null, attributes: {} };
    await recipients.put(tenantId, 'ann', { ...profile, timezone: 'Europe/Paris' });
    const [ofAnn, ofBob] = [await hold('ann'), await hold('bob')];
    await recipients.put(tenantId, 'ann', { ...profile, timezone: 'Europe/Paris' });
    expect(await noted()).toEqual([]);
    await recipients.patch(tenantId, 'ann', { timezone: 'Asia/Tokyo' });
    expect(await apply()).toBe(1);
    expect(await areDue(ofAnn, ofBob)).toEqual([true, false]);
  });

  it('by a send that gives the recipient another zone makes them due', async () => {
    const recipients = new RecipientsStore(database);
    const profile = { email: null, phone: null, locale: null, attributes: {} };
    await recipients.put(tenantId, 'ann', { ...profile, timezone: 'Europe/Paris' });
    const ofAnn = await hold('ann');
    const upsert = { recipient: { id: 'ann', timezone: 'Asia/Tokyo' } };
    await new AcceptStore(database, () => undefined).accept(newNotification(tenantId, {}, upsert));
    expect(await apply()).toBe(1);
    expect(await areDue(ofAnn)).toEqual([true]);
  });

  it('by a new profile with a zone concerns only recipients with held deliveries', async () => {
    const recipients = new RecipientsStore(database);
    const profile = { email: null, phone: null, locale: null, attributes: {}, timezone: 'Asia/Tokyo' };
    const ofAnn = await hold('ann');
    await recipients.put(tenantId, 'ann', profile);
    await recipients.put(tenantId, 'bob', profile);
    expect(await noted()).toEqual([{ tenant_id: tenantId, recipient_id: 'ann', is_last: false }]);
    expect(await apply()).toBe(1);
    expect(await areDue(ofAnn)).toEqual([true]);
  });

  it("of a recipient's hours makes them due; other preferences do not", async () => {
    const recipients = new RecipientsStore(database);
    const preferences = { channels: {}, categories: {}, quietHours: null, caps: [] };
    const ofAnn = await hold();
    await recipients.putPreferences(tenantId, 'ann', { ...preferences, channels: { email: true } });
    await recipients.leaveCategory(tenantId, 'ann', 'news');
    expect(await noted()).toEqual([]);
    await recipients.putPreferences(tenantId, 'ann', { ...preferences, quietHours: { windows: [] } });
    expect(await apply()).toBe(1);
    expect(await areDue(ofAnn)).toEqual([true]);
  });

  it.each(['timezone', 'quiet_hours', 'quiet_hours_floor'])(
    "of the tenant's %s makes those of all its recipients due, and of no other tenant",
    async (setting) => {
      const values = { timezone: 'Asia/Tokyo', quiet_hours: { windows: [] }, quiet_hours_floor: {} };
      const ofOther = await hold();
      tenantId = newId();
      await admin.query(`insert into tenants (id, name) values ($1, 'Test')`, [tenantId]);
      const mine = [await hold('ann'), await hold('bob')];
      const tenants = new TenantsStore(database);
      await tenants.update(tenantId, { settings: { retention_days: 30 } }, null);
      expect(await noted()).toEqual([]);
      await tenants.update(tenantId, { settings: { [setting]: values[setting as keyof typeof values] } }, null);
      expect(await apply()).toBe(2);
      expect(await areDue(...mine, ofOther)).toEqual([true, true, false]);
      expect(await noted()).toEqual([{ tenant_id: tenantId, recipient_id: null, is_last: true }]);
    },
  );

  it('also reaches a delivery that a worker decided before the change and recorded after it', async () => {
    await accept();
    const [claimed] = await claim();
    const decidedAt = new Date();
    await admin.query('insert into policy_changes (tenant_id, recipient_id) values ($1, $2)', [tenantId, 'ann']);
    expect(await apply()).toBe(0);
    await deliveries.record(claimed!, held('ann', decidedAt));
    // The second look is made when no such record can come any more.
    expect(await apply()).toBe(0);
    await admin.query(`update policy_changes set due_at = now()`);
    expect(await apply()).toBe(1);
    expect(await areDue(claimed!.deliveryId)).toEqual([true]);
    expect(await noted()).toEqual([]);
  });

  it('leaves alone what was decided after it, and what is not held for quiet hours', async () => {
    const later = await hold('ann', new Date(Date.now() + 60_000));
    const { deliveryIds } = await accept();
    const [claimed] = await claim();
    await deliveries.record(claimed!, { kind: 'held', reason: 'recipient_limit', delaySeconds: HOUR });
    await admin.query('insert into policy_changes (tenant_id) values ($1)', [tenantId]);
    expect(await apply()).toBe(0);
    expect(await areDue(later, deliveryIds[0]!)).toEqual([false, false]);
  });

  it('applies 100,000 in short transactions, and serves the change of another tenant in between', async () => {
    await admin.query(
      `insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at, reason, policy_recipient_id, policy_decided_at)
       select $1, gen_random_uuid(), 'email', 2, now() + interval '8 hours', 'quiet_hours', 'r' || n, now()
       from generate_series(1, 100000) n`,
      [tenantId],
    );
    await admin.query('analyze due_deliveries');
    await admin.query('insert into policy_changes (tenant_id) values ($1)', [tenantId]);
    const big = tenantId;
    tenantId = newId();
    await admin.query(`insert into tenants (id, name) values ($1, 'Test')`, [tenantId]);
    const small = await hold();
    await admin.query('insert into policy_changes (tenant_id) values ($1)', [tenantId]);

    const times: number[] = [];
    let total = 0;
    let smallAfter = 0;
    for (;;) {
      const startedAt = performance.now();
      const made = await changes.apply(LEASE_SECONDS, 0);
      times.push(performance.now() - startedAt);
      total += made;
      if (smallAfter === 0 && (await areDue(small))[0]) smallAfter = times.length;
      if (made === 0) break;
    }
    expect(total).toBe(100_001);
    expect(smallAfter).toBe(1);
    const { rows } = await admin.query(
      'select count(*)::int as due from due_deliveries where tenant_id = $1 and due_at <= now()',
      [big],
    );
    expect(rows).toEqual([{ due: 100_000 }]);
    times.sort((left, right) => left - right);
    expect(times.at(-1)).toBeLessThan(1_800);
  }, 120_000);
});

it('an erasure deletes the changes of the recipient', async () => {
  await admin.query('insert into policy_changes (tenant_id, recipient_id) values ($1, $2), ($1, $3)', [
    tenantId,
    'ann',
    'bob',
  ]);
  await hold('ann');
  await erase('ann');
  expect(await noted()).toEqual([{ tenant_id: tenantId, recipient_id: 'bob', is_last: false }]);
  const { rows } = await admin.query('select from due_deliveries where policy_recipient_id = $1', ['ann']);
  expect(rows).toEqual([]);
});
