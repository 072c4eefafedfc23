// The rule that decided about a delivery: in its timeline and in the events about it.

import type pg from 'pg';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import {
  AcceptStore,
  type ClaimedDelivery,
  Database,
  DeliveriesStore,
  DueDeliveriesStore,
  NotificationsStore,
} from '#database';
import { deliveryEvent, newId, type Outcome } from '#domain';
import { cloneDatabase, connect, until } from '#testing';
import { newNotification } from './new-notification.js';

const opened: (() => Promise<unknown>)[] = [];
const tenantId = newId();
let admin: pg.Client;
let database: Database;

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  opened.push(clone.drop);
  admin = await connect(clone.url);
  opened.push(() => admin.end());
  database = new Database({ url: clone.url, poolSize: 2 });
  opened.push(() => database.close());
  await admin.query(`insert into tenants (id, name) values ($1, 'Test')`, [tenantId]);
  await admin.query(
    `insert into webhook_endpoints (tenant_id, id, url, secret_sealed, events) values ($1, $2, 'https://example.com', '', '{*}')`,
    [tenantId, newId()],
  );
});
afterAll(async () => {
  for (const close of opened.reverse()) await close();
});

async function claimOne(): Promise<ClaimedDelivery> {
  await new AcceptStore(database, () => undefined).accept(newNotification(tenantId));
  return await until('the delivery is claimed', async () => {
    const claim = { channel: 'email', lane: 2, limit: 1, claimId: newId(), leaseSeconds: 30 } as const;
    const afterTenant = '00000000-0000-0000-0000-000000000000';
    const found = await new DueDeliveriesStore(database).claim({ ...claim, afterTenant, capacities: new Map() });
    return found.deliveries[0];
  });
}

async function record(outcome: Outcome) {
  const delivery = await claimOne();
  expect(await new DeliveriesStore(database, () => undefined).record(delivery, outcome)).toBe(true);
  const found = await new NotificationsStore(database).delivery(tenantId, delivery.deliveryId);
  const { rows } = await admin.query(`select data from events where tenant_id = $1 and data->>'delivery_id' = $2`, [
    tenantId,
    delivery.deliveryId,
  ]);
  const events = rows.map(({ data }) => deliveryEvent.parse(data));
  return { last: found!.timeline.at(-1), events };
}

it('the timeline has the rule of a hold, which makes no event', async () => {
  const { last, events } = await record({
    kind: 'held',
    reason: 'quiet_hours',
    rule: 'tenant.quiet_hours',
    delaySeconds: 60,
  });
  expect(last).toMatchObject({ code: 'held', reason: 'quiet_hours', rule: 'tenant.quiet_hours' });
  expect(events).toEqual([]);
});

it('the timeline and the event have the rule of a suppression', async () => {
  const { last, events } = await record({ kind: 'suppressed', reason: 'opted_out', rule: 'tenant.enforced' });
  expect(last).toMatchObject({ code: 'suppressed', reason: 'opted_out', rule: 'tenant.enforced' });
  expect(events).toMatchObject([{ state: 'suppressed', reason: 'opted_out', rule: 'tenant.enforced' }]);
});

it('the timeline and the event have the rule of a failure, and none where no setting decided', async () => {
  const failed = { kind: 'failed', reason: 'render_error', code: 'render_error', detail: 'x' } as const;
  const { last, events } = await record({ ...failed, rule: 'template' });
  expect(last).toMatchObject({ code: 'failed', reason: 'render_error', rule: 'template' });
  expect(events).toMatchObject([{ state: 'failed', rule: 'template' }]);
  const other = await record(failed);
  expect(other.last).toMatchObject({ code: 'failed', rule: null });
  expect(other.events[0]).not.toHaveProperty('rule');
});
