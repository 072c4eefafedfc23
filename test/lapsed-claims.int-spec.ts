// Which claims count towards poison, directly and through a broker, where a claim may lapse before its work begins.

import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { AcceptStore, type ClaimedDelivery, Database, DueDeliveriesStore } from '#database';
import { NIL_ID, newId, StopPipeline } from '#domain';
import { cloneDatabase, connect, until } from '#testing';
import { ClaimStep } from '../apps/worker/src/delivery/claim.step.js';
import { newNotification } from './new-notification.js';

const LEASE_SECONDS = 30;
const RUNS = 5;
const opened: (() => Promise<unknown>)[] = [];

let admin: pg.Client;
let database: Database;
let due: DueDeliveriesStore;

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  opened.push(clone.drop);
  admin = await connect(clone.url);
  opened.push(() => admin.end());
  database = new Database({ url: clone.url, poolSize: 2 });
  opened.push(() => database.close());
  due = new DueDeliveriesStore(database);
});
afterAll(async () => {
  for (const close of opened.reverse()) await close();
});
beforeEach(async () => {
  await admin.query('truncate due_deliveries');
  const tenantId = newId();
  await admin.query(`insert into tenants (id, name) values ($1, 'Test')`, [tenantId]);
  await new AcceptStore(database, () => undefined).accept(newNotification(tenantId));
});

async function claim(isConfirmed: boolean): Promise<ClaimedDelivery> {
  return await until('it is claimed', async () => {
    const { deliveries } = await due.claim({
      channel: 'email',
      lane: 2,
      limit: 1,
      claimId: newId(),
      leaseSeconds: LEASE_SECONDS,
      afterTenant: NIL_ID,
      capacities: new Map(),
      isConfirmed,
    });
    return deliveries[0];
  });
}

const confirm = async (ticket: ClaimedDelivery): Promise<ClaimedDelivery | null> =>
  (await due.confirm([ticket], LEASE_SECONDS))[0]!;

/** The lease of the claim ends, and no worker has recorded or released anything. */
const lapse = (): Promise<unknown> => admin.query('update due_deliveries set due_at = now()');

/** A run that ends with its worker. Returns whether the work began, or the delivery was set aside. */
async function begins(delivery: ClaimedDelivery): Promise<boolean> {
  const error = await new ClaimStep().run(delivery).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  await lapse();
  if (error === null) return true;
  expect(error).toBeInstanceOf(StopPipeline);
  expect((error as StopPipeline).outcome).toMatchObject({ reason: 'poison', code: 'quarantined' });
  return false;
}

describe('without a broker', () => {
  it('a delivery that kills its worker begins five times, and is then set aside', async () => {
    for (let run = 1; run <= RUNS; run += 1) expect(await begins(await claim(false))).toBe(true);
    expect(await begins(await claim(false))).toBe(false);
  });
});

describe('through a broker', () => {
  it('a delivery whose claims lapse before its work begins is never set aside', async () => {
    for (let lapsed = 0; lapsed < 3 * RUNS; lapsed += 1) {
      const ticket = await claim(true);
      await lapse();
      // Another claim, so that the message of this one has no effect.
      await claim(true);
      expect(await confirm(ticket)).toBeNull();
      await lapse();
    }
    expect(await begins((await confirm(await claim(true)))!)).toBe(true);
  });

  it('a delivery that kills its worker begins five times, and is then set aside', async () => {
    for (let run = 1; run <= RUNS; run += 1) expect(await begins((await confirm(await claim(true)))!)).toBe(true);
    expect(await begins((await confirm(await claim(true)))!)).toBe(false);
  });

  it('runs that kill the worker count also between claims that lapse', async () => {
    let runs = 0;
    for (let round = 0; round <= RUNS; round += 1) {
      await claim(true);
      await lapse();
      if (!(await begins((await confirm(await claim(true)))!))) break;
      runs += 1;
    }
    // The first claim counts although it lapsed: a first claim is confirmed without a write.
    expect(runs).toBe(RUNS - 1);
  });

  it('a first claim is confirmed without a write; a claim after one that lapsed is renewed and counted', async () => {
    const versionOf = async (): Promise<unknown> =>
      (await admin.query('select xmin::text, claims, due_at from due_deliveries')).rows[0];
    const first = await claim(true);
    const before = await versionOf();
    expect(await confirm(first)).toMatchObject({ claims: 1 });
    expect(await versionOf()).toEqual(before);
    await lapse();
    const second = await claim(true);
    expect(second).toMatchObject({ claims: 1, countedLater: true });
    expect(await confirm(second)).toMatchObject({ claims: 2 });
    expect(await versionOf()).toMatchObject({ claims: 2 });
  });

  it('a claim that was released counts when it is made again, as the first one did', async () => {
    await due.release({ delivery: (await confirm(await claim(true)))!, delaySeconds: 0, intentUnsure: false });
    const again = await claim(true);
    expect(again).toMatchObject({ claims: 1, countedLater: false });
    expect(await confirm(again)).toMatchObject({ claims: 1 });
  });
});
