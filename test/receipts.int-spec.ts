// Effects of receipts on deliveries, on a real PostgreSQL: single ones, many in one statement, early and late ones.

import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { Database, DeadLettersStore, type DeliveryReceipt, ReceiptsStore } from '#database';
import { type DeliveryState, newId, type ReceiptKind } from '#domain';
import { cloneDatabase, connect } from '#testing';
import { TenantShares } from '../apps/api/src/receipts/tenant-shares.js';

let database: Database;
let admin: pg.Client;
let drop: () => Promise<void>;
let receipts: ReceiptsStore;
let letters: DeadLettersStore;
let tenantId: string;

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  drop = clone.drop;
  database = new Database({ url: clone.url, poolSize: 5 });
  admin = await connect(clone.url);
  receipts = new ReceiptsStore(database);
  letters = new DeadLettersStore(database, () => undefined);
});
beforeEach(async () => {
  tenantId = await newTenant();
});
afterAll(async () => {
  await database?.close();
  await admin?.end();
  await drop?.();
});

async function newTenant(): Promise<string> {
  const id = newId();
  await admin.query(`insert into tenants (id, name) values ($1, 'Test')`, [id]);
  // Events have a reader, so they are stored.
  await admin.query(
    `insert into webhook_endpoints (tenant_id, id, url, events, secret_sealed) values ($1, $2, 'https://example.com', '{*}', '')`,
    [id, newId()],
  );
  return id;
}

interface Made {
  tenant?: string;
  state: DeliveryState;
  /** Outcomes of its attempts, in order. */
  attempts?: string[];
  /** The account of the delivery, and the accounts of its attempts. */
  account?: string;
  attemptAccounts?: (string | null)[];
}

const TALLIES: Partial<Record<DeliveryState, string>> = {
  sent: 'succeeded',
  delivered: 'succeeded',
  failed: 'failed',
  unknown: 'failed',
  bounced: 'failed',
  suppressed: 'suppressed',
  expired: 'suppressed',
  cancelled: 'cancelled',
};

async function delivery(made: Made): Promise<string> {
  const { tenant = tenantId, state, attempts = [], account = null, attemptAccounts = [] } = made;
  const [id, notification] = [newId(), newId()];
  const tally = TALLIES[state];
  await admin.query(
    `insert into notifications (tenant_id, id, recipient_id, category, channels, priority, total ${tally ? `, ${tally}` : ''})
     values ($1, $2, 'ann', 'default', '{email}', 5, 1 ${tally ? ', 1' : ''})`,
    [tenant, notification],
  );
  await admin.query(
    `insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, address, state, reason, attempts, provider_account_id)
     values ($1, $2, $3, 'ann', 'email', $4, $5, $6, $7, $8)`,
    [
      tenant,
      id,
      notification,
      `${id}@example.com`,
      state,
      state === 'failed' ? 'retries_exhausted' : null,
      attempts.length,
      account,
    ],
  );
  for (const [index, outcome] of attempts.entries()) {
    const attemptAccount = attemptAccounts[index];
    await admin.query(
      `insert into attempts (tenant_id, delivery_id, number, provider, provider_account_id, outcome)
       values ($1, $2, $3, $4, $5, $6)`,
      // Releases before 2026-11-30 recorded a lost worker's attempt without provider and account.
      [tenant, id, index + 1, attemptAccount === null ? null : 'ses', attemptAccount ?? null, outcome],
    );
  }
  if (state === 'waiting')
    await admin.query(
      `insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at, attempt) values ($1, $2, 'email', 2, now() + interval '1 hour', $3)`,
      [tenant, id, attempts.length],
    );
  if (state === 'failed')
    await admin.query(
      `insert into dead_letters (tenant_id, id, delivery_id, notification_id, recipient_id, channel, reason, attempts)
       values ($1, $2, $2, $3, 'ann', 'email', 'retries_exhausted', $4)`,
      [tenant, id, notification, attempts.length],
    );
  return id;
}

const receipt = (deliveryId: string, kind: ReceiptKind, more: Partial<DeliveryReceipt> = {}): DeliveryReceipt => ({
  tenantId,
  accountId: null,
  deliveryId,
  kind,
  detail: null,
  ...more,
});

interface Seen {
  state: DeliveryState;
  complained: boolean;
  opened: boolean;
  status: string;
  counters: number[];
  timeline: string[];
  events: string[];
}

async function seen(id: string): Promise<Seen> {
  const { rows } = await admin.query(
    `select d.state, d.complained_at is not null as complained, d.opened_at is not null as opened, n.final_status as status,
            array[n.succeeded, n.failed, n.suppressed, n.cancelled] as counters,
            array(select code from delivery_log t where t.tenant_id = d.tenant_id and t.delivery_id = d.id order by created_at, code) as timeline,
            array(select type from events e where e.tenant_id = d.tenant_id and e.subject in (d.id::text, n.id::text) order by seq) as events
     from deliveries d join notifications n on n.tenant_id = d.tenant_id and n.id = d.notification_id where d.id = $1`,
    [id],
  );
  return rows[0];
}

async function each<T>(many: readonly T[], make: (one: T) => Promise<string>): Promise<string[]> {
  const made: string[] = [];
  for (const one of many) made.push(await make(one));
  return made;
}

describe('a receipt for a delivery that ended without a send, after an attempt with an unknown outcome', () => {
  it.each(['failed', 'expired', 'cancelled', 'suppressed'] as const)('moves it out of %s', async (state) => {
    const attempts = ['unknown', 'transient'];
    const [one, two, three] = [
      await delivery({ state, attempts }),
      await delivery({ state, attempts }),
      await delivery({ state, attempts }),
    ];
    expect(await receipts.apply(receipt(one, 'delivered'))).toBe('applied');
    expect(await seen(one)).toEqual({
      state: 'delivered',
      complained: false,
      opened: false,
      status: 'sent',
      counters: [1, 0, 0, 0],
      timeline: ['settled', 'delivered'],
      events: ['delivery.sent', 'notification.finished', 'delivery.delivered'],
    });
    expect(await receipts.apply(receipt(one, 'delivered'))).toBe('repeated');

    expect(await receipts.apply(receipt(two, 'bounced', { suppress: 'bounced' }))).toBe('applied');
    expect(await seen(two)).toMatchObject({ state: 'bounced', status: 'failed', counters: [0, 1, 0, 0] });
    const { rows } = await admin.query('select address from suppressions where delivery_id = $1', [two]);
    expect(rows).toEqual([{ address: `${two}@example.com` }]);

    // A complaint proves that it arrived.
    expect(await receipts.apply(receipt(three, 'complained'))).toBe('applied');
    expect(await seen(three)).toMatchObject({ state: 'sent', complained: true, counters: [1, 0, 0, 0] });
  });

  it('settles its dead letter, which cannot be replayed any more, not even concurrently', async () => {
    const id = await delivery({ state: 'failed', attempts: ['unknown', 'transient'] });
    const [applied, replayed] = await Promise.allSettled([
      receipts.apply(receipt(id, 'delivered')),
      letters.replay(tenantId, id, null),
    ]);
    expect(applied.status).toBe('fulfilled');
    // Whichever was first: it is not sent again.
    if (replayed.status === 'rejected') expect(replayed.reason).toMatchObject({ code: 'conflict' });
    expect(await seen(id)).toMatchObject({ state: 'delivered', counters: [1, 0, 0, 0] });
    const { rows } = await admin.query('select from due_deliveries where delivery_id = $1', [id]);
    expect(rows).toEqual([]);

    const other = await delivery({ state: 'failed', attempts: ['unknown', 'transient'] });
    await receipts.apply(receipt(other, 'delivered'));
    await expect(letters.replay(tenantId, other, null)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('delivered'),
    });
    expect((await letters.get(tenantId, other))!.settledAt).toBeInstanceOf(Date);
    const open = await letters.list(tenantId, { unreplayed: true }, { limit: 10, cursor: undefined });
    expect(open.rows).toEqual([]);
  });

  it('is refused if every attempt was refused, because the vendor contradicts itself', async () => {
    for (const state of ['failed', 'expired', 'cancelled', 'suppressed'] as const) {
      const id = await delivery({ state, attempts: ['rejected'] });
      expect(await receipts.apply(receipt(id, 'delivered'))).toBe('refused');
      expect(await seen(id)).toMatchObject({ state, timeline: [], events: [] });
    }
    const id = await delivery({ state: 'failed', attempts: ['rejected'] });
    await receipts.apply(receipt(id, 'delivered'));
    expect(await letters.replay(tenantId, id, null)).toMatchObject({ deliveryId: id });
  });

  it('is applied also if it arrived before the end', async () => {
    const id = await delivery({ state: 'waiting', attempts: ['transient'] });
    expect(await receipts.take(receipt(id, 'delivered'))).toBe('early');
    // It is tried again with an unknown outcome, and ends.
    await admin.query(
      `insert into attempts (tenant_id, delivery_id, number, provider, outcome) values ($1, $2, 2, 'ses', 'unknown')`,
      [tenantId, id],
    );
    await admin.query('delete from due_deliveries where delivery_id = $1', [id]);
    await admin.query(`update deliveries set state = 'expired' where id = $1`, [id]);
    await admin.query('update notifications set suppressed = 1 where tenant_id = $1', [tenantId]);
    expect(await receipts.retryParkedOf(tenantId, id)).toEqual({ applied: 1, dropped: 0 });
    expect(await seen(id)).toMatchObject({ state: 'delivered', counters: [1, 0, 0, 0] });
  });
});

describe('an account that did not send the delivery', () => {
  const [sender, earlier, stranger] = [newId(), newId(), newId()];
  const BOUNCE = { suppress: 'bounced', detail: '550' } as const;

  const suppressed = async (): Promise<number> =>
    (await admin.query('select from suppressions where tenant_id = $1', [tenantId])).rows.length;

  it.each(['sent', 'delivered', 'unknown', 'failed', 'expired', 'cancelled', 'suppressed'] as const)(
    'changes nothing of a delivery that is %s, and suppresses no address',
    async (state) => {
      const id = await delivery({
        state,
        account: sender,
        attempts: ['transient', 'unknown'],
        attemptAccounts: [earlier, sender],
      });
      const before = await seen(id);
      for (const kind of ['bounced', 'complained', 'delivered', 'opened'] as const)
        expect(await receipts.take(receipt(id, kind, { accountId: stranger, ...BOUNCE }))).toBe('foreign');
      expect(await seen(id)).toEqual(before);
      expect(await suppressed()).toBe(0);
      expect(await receipts.take(receipt(id, 'bounced', { accountId: sender, ...BOUNCE }))).toBe('applied');
      expect(await suppressed()).toBe(1);
    },
  );

  it('is not believed beside the sender in one batch, whichever comes first', async () => {
    const ids = await each<Made>(new Array<Made>(4).fill({ state: 'sent', account: sender }), delivery);
    const results = await Promise.all(
      ids.flatMap((id, at) => {
        const accounts = at % 2 === 0 ? [stranger, sender] : [sender, stranger];
        return accounts.map((accountId) => receipts.take(receipt(id, 'bounced', { accountId, ...BOUNCE })));
      }),
    );
    const [strangeFirst, strangeLast] = [
      ['foreign', 'applied'],
      ['applied', 'foreign'],
    ];
    expect(results).toEqual([strangeFirst, strangeLast, strangeFirst, strangeLast].flat());
  });

  it('may report if one of the attempts was its own', async () => {
    const id = await delivery({
      state: 'sent',
      account: sender,
      attempts: ['transient', 'sent'],
      attemptAccounts: [earlier, sender],
    });
    expect(await receipts.take(receipt(id, 'delivered', { accountId: earlier }))).toBe('applied');
  });

  it('cannot confirm the unknown attempt of another account, also while the delivery waits', async () => {
    const made = { attempts: ['rejected', 'unknown'], attemptAccounts: [earlier, sender] };
    const failed = await delivery({ state: 'failed', ...made });
    // It may report, but only its own attempt could be confirmed, and that was refused.
    expect(await receipts.take(receipt(failed, 'delivered', { accountId: earlier }))).toBe('refused');
    const waiting = await delivery({ state: 'waiting', ...made });
    for (const accountId of [earlier, stranger])
      expect(await receipts.take(receipt(waiting, 'delivered', { accountId }))).toBe('early');
    expect((await seen(waiting)).state).toBe('waiting');
    for (const id of [failed, waiting])
      expect(await receipts.take(receipt(id, 'delivered', { accountId: sender }))).toBe('applied');
  });

  it('may report on a send whose worker was lost under a release that did not note its account', async () => {
    const id = await delivery({ state: 'unknown', attempts: ['unknown'], attemptAccounts: [null] });
    expect(await receipts.take(receipt(id, 'delivered', { accountId: sender }))).toBe('applied');
    // A webhook has no account, but its provider is known.
    const webhook = await delivery({ state: 'failed', attempts: ['unknown'] });
    expect(await receipts.take(receipt(webhook, 'delivered', { accountId: sender }))).toBe('foreign');
  });

  it('is dropped when the send is recorded, and its early receipt does not displace that of the sender', async () => {
    const id = await delivery({ state: 'waiting' });
    for (const accountId of [stranger, sender, stranger])
      expect(await receipts.take(receipt(id, 'bounced', { accountId, ...BOUNCE }))).toBe('early');
    const { rows } = await admin.query('select from parked_receipts where delivery_id = $1', [id]);
    expect(rows).toHaveLength(2);
    await admin.query('delete from due_deliveries where delivery_id = $1', [id]);
    await admin.query(`update deliveries set state = 'sent', provider_account_id = $2 where id = $1`, [id, sender]);
    expect(await receipts.retryParkedOf(tenantId, id)).toEqual({ applied: 1, dropped: 1 });
    expect(await seen(id)).toMatchObject({ state: 'bounced', timeline: ['bounced'] });
    expect(await suppressed()).toBe(1);
  });
});

describe('many receipts', () => {
  it('of many tenants and kinds take one statement, and each has the effect of a single one', async () => {
    const other = await newTenant();
    const made = await each<Made>(
      [
        { state: 'sent' },
        { state: 'sent', tenant: other },
        { state: 'sent' },
        { state: 'sent' },
        { state: 'bounced' },
        { state: 'waiting' },
        { state: 'waiting', attempts: ['unknown'] },
        { state: 'unknown', attempts: ['unknown'] },
      ],
      delivery,
    );
    const [delivered, theirs, bounced, opened, late, early, doubted, unknown] = made as [
      string,
      string,
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    const results = await Promise.all([
      receipts.take(receipt(delivered, 'delivered')),
      receipts.take(receipt(theirs, 'delivered', { tenantId: other })),
      receipts.take(receipt(bounced, 'bounced', { detail: '550', suppress: 'bounced' })),
      receipts.take(receipt(opened, 'opened')),
      receipts.take(receipt(late, 'delivered')),
      receipts.take(receipt(early, 'delivered')),
      receipts.take(receipt(doubted, 'delivered')),
      receipts.take(receipt(unknown, 'delivered')),
      receipts.take(receipt(newId(), 'delivered')),
      // A delivery of another tenant.
      receipts.take(receipt(theirs, 'bounced')),
    ]);
    expect(results).toEqual([
      'applied',
      'applied',
      'applied',
      'applied',
      'repeated',
      'early',
      'applied',
      'applied',
      'gone',
      'gone',
    ]);
    const found: Seen[] = [];
    for (const id of made) found.push(await seen(id));
    expect(found.map(({ state }) => state)).toEqual([
      'delivered',
      'delivered',
      'bounced',
      'sent',
      'bounced',
      'waiting',
      'delivered',
      'delivered',
    ]);
    expect(found.map(({ counters }) => counters.join(''))).toEqual([
      '1000',
      '1000',
      '0100',
      '1000',
      '0100',
      '0000',
      '1000',
      '1000',
    ]);
    expect(found[3]!.opened).toBe(true);
  });

  it('of the same delivery are applied in order', async () => {
    const [one, two] = [await delivery({ state: 'sent' }), await delivery({ state: 'sent' })];
    const results = await Promise.all([
      receipts.apply(receipt(one, 'delivered')),
      receipts.apply(receipt(two, 'bounced')),
      receipts.apply(receipt(one, 'delivered')),
      receipts.apply(receipt(one, 'opened')),
      receipts.apply(receipt(one, 'bounced')),
      receipts.apply(receipt(two, 'delivered')),
      receipts.apply(receipt(one, 'complained')),
    ]);
    expect(results).toEqual(['applied', 'applied', 'repeated', 'applied', 'applied', 'repeated', 'applied']);
    expect(await seen(one)).toMatchObject({
      state: 'bounced',
      opened: true,
      complained: true,
      counters: [0, 1, 0, 0],
      timeline: ['delivered', 'opened', 'bounced', 'complained'],
      events: ['delivery.delivered', 'delivery.bounced', 'delivery.complained'],
    });
    expect(await seen(two)).toMatchObject({ state: 'bounced', timeline: ['bounced'] });
  });

  it('take a few statements', async () => {
    const ids = await each(new Array<Made>(200).fill({ state: 'sent' }), delivery);
    await Promise.all(ids.map((id) => receipts.take(receipt(id, 'delivered'))));
    const { rows } = await admin.query(
      `select count(*)::int as all, count(distinct xmin::text)::int as commits from deliveries where tenant_id = $1 and state = 'delivered'`,
      [tenantId],
    );
    expect(rows[0].all).toBe(200);
    expect(rows[0].commits).toBeLessThanOrEqual(2);
  });

  it('with one that cannot be stored: the others are applied', async () => {
    const [good, bad, fine] = [
      await delivery({ state: 'sent' }),
      await delivery({ state: 'sent' }),
      await delivery({ state: 'sent' }),
    ];
    const settled = await Promise.allSettled([
      receipts.take(receipt(good, 'delivered')),
      // A reason that the table does not allow.
      receipts.take(receipt(bad, 'bounced', { suppress: 'nonsense' as never })),
      receipts.take(receipt(fine, 'delivered')),
    ]);
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((await seen(good)).state).toBe('delivered');
    expect((await seen(fine)).state).toBe('delivered');
    expect((await seen(bad)).state).toBe('sent');
  });
});

describe('parked receipts', () => {
  beforeEach(() => admin.query('delete from parked_receipts'));

  const parkedOf = async (tenant: string): Promise<number> =>
    (await admin.query('select count(*)::int as count from parked_receipts where tenant_id = $1', [tenant])).rows[0]
      .count;
  const ready = (): Promise<unknown> => admin.query('update parked_receipts set try_at = now()');

  it('are stored once, however often the vendor repeats them', async () => {
    const id = await delivery({ state: 'waiting' });
    for (let time = 0; time < 3; time += 1)
      expect(await receipts.take(receipt(id, 'delivered', { detail: `time ${time}` }))).toBe('early');
    await Promise.all([receipts.take(receipt(id, 'delivered')), receipts.take(receipt(id, 'delivered'))]);
    await receipts.take(receipt(id, 'opened'));
    expect(await parkedOf(tenantId)).toBe(2);
  });

  it("are processed in small shares: many receipts of one tenant do not delay another's", async () => {
    const other = await newTenant();
    await admin.query(
      `insert into parked_receipts (tenant_id, id, delivery_id, kind, created_at)
       select d.tenant_id, gen_random_uuid(), d.id, 'delivered', now() - interval '1 minute'
       from generate_series(1, 3000), (select $1::uuid as tenant_id, $2::uuid as id) d`,
      [tenantId, await delivery({ state: 'waiting' })],
    );
    const theirs = await delivery({ state: 'waiting', tenant: other });
    await receipts.take(receipt(theirs, 'delivered', { tenantId: other }));
    await admin.query('delete from due_deliveries where delivery_id = $1', [theirs]);
    await admin.query(`update deliveries set state = 'sent' where id = $1`, [theirs]);
    await ready();
    expect(await receipts.retryParked(100)).toEqual({ applied: 1, dropped: 0 });
    expect((await seen(theirs)).state).toBe('delivered');
    expect(await parkedOf(other)).toBe(0);
    // Receipts that could not be applied are tried again after the new ones.
    const { rows } = await admin.query(
      'select count(*)::int as count from parked_receipts where tenant_id = $1 and try_at > now()',
      [tenantId],
    );
    expect(rows[0].count).toBeGreaterThanOrEqual(50);
    expect(rows[0].count).toBeLessThanOrEqual(100);
  });

  it('of more tenants than one round serves are all processed', async () => {
    // Sixty tenants without receipts to try now, followed by one with some.
    await admin.query(
      `insert into parked_receipts (tenant_id, id, delivery_id, kind, try_at)
       select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, gen_random_uuid(), gen_random_uuid(), 'delivered', now() + interval '1 hour'
       from generate_series(1, 60) n`,
    );
    const id = await delivery({ state: 'waiting' });
    await receipts.take(receipt(id, 'delivered'));
    await admin.query(`update deliveries set state = 'sent' where id = $1`, [id]);
    const store = new ReceiptsStore(database);
    let applied = 0;
    for (let turn = 0; turn < 2; turn += 1) applied += (await store.retryParked()).applied;
    expect(applied).toBe(1);
  });

  it('are dropped after an hour', async () => {
    const id = await delivery({ state: 'waiting' });
    await receipts.take(receipt(id, 'delivered'));
    await admin.query(`update parked_receipts set created_at = now() - interval '61 minutes'`);
    await ready();
    expect(await receipts.retryParked()).toEqual({ applied: 0, dropped: 1 });
    expect(await parkedOf(tenantId)).toBe(0);
  });
});

describe('receipts of several tenants', () => {
  it('are applied in parallel, however many one tenant has', async () => {
    const shares = new TenantShares();
    const other = await newTenant();
    const [mine, theirs] = [await delivery({ state: 'sent' }), await delivery({ tenant: other, state: 'sent' })];
    const order: string[] = [];
    const write = (of: string, deliveries: DeliveryReceipt[]): Promise<unknown> =>
      shares
        .write(
          deliveries,
          (one) => one.tenantId,
          (one) => receipts.take(one),
        )
        .then((results) => order.push(`${of}: ${results.length}`));
    const flood = Array.from({ length: 20_000 }, () => receipt(newId(), 'delivered'));
    const all = [write('flood', [receipt(mine, 'delivered'), ...flood])];
    all.push(write('other', [receipt(theirs, 'delivered', { tenantId: other })]));
    // Also in a call that begins with another tenant's receipts: all or nothing.
    const mixed = [receipt(theirs, 'delivered', { tenantId: other }), ...flood.slice(0, 1_000)];
    await expect(write('more', mixed)).rejects.toMatchObject({ code: 'unavailable' });
    await Promise.all(all);
    expect(order).toEqual(['other: 1', 'flood: 20001']);
    const { rows } = await admin.query('select state from deliveries where id = any ($1)', [[mine, theirs]]);
    expect(rows).toEqual([{ state: 'delivered' }, { state: 'delivered' }]);
    // After the burst, the next receipt is accepted.
    await write('next', flood.slice(0, 1_000));
    expect(order.at(-1)).toBe('next: 1000');
  }, 60_000);
});
