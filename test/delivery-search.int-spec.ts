// The search over deliveries: every combination of filters finds what a full scan finds, in pages that neither lose nor
// repeat a delivery, and each page reads a limited number of rows.

import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Database, type DeliveryFilter, DeliverySearchStore, type Statement } from '#database';
import { type ChannelId, channelIds, type DeliveryState, deliveryStates, lowestId, newId, timeOfId } from '#domain';
import { cloneDatabase, connect } from '#testing';
import { RARE_ADDRESS, RARE_REASON, seedConsole } from './console/seed-console.ts';

/** Three times as many as a page examines, and more notifications of user-1 than it does. */
const DELIVERIES = 16_000;
const DAY_MS = 24 * 3_600_000;
const tenantId = newId();
let database: Database;
let search: DeliverySearchStore;
let admin: pg.Client;
let drop: () => Promise<void>;

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  drop = clone.drop;
  database = new Database({ url: clone.url, poolSize: 2 });
  search = new DeliverySearchStore(database);
  admin = await connect(clone.url);
  await admin.query(`insert into tenants (id, name) values ($1, 'Test')`, [tenantId]);
  await admin.query(
    `insert into webhook_endpoints (tenant_id, id, url, events, secret_sealed)
     values ($1, gen_random_uuid(), 'https://example.com', '{delivery.sent}', '')`,
    [tenantId],
  );
  await seedConsole({ databaseUrl: clone.url, tenantId, deliveries: DELIVERIES });
  // An old send to a topic, and a delivery that a worker has claimed.
  await admin.query(
    `with sent as (
       insert into notifications (tenant_id, id, topic, category, channels, priority, total)
       values ($1, $2, 'topic-1', 'topics', '{email}', 5, 50) returning id
     )
     insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, state, of_topic)
     select $1, (left($2::text, 35) || to_hex(n % 10))::uuid, id, 'user-' || n, 'email', 'sent', true
     from sent, generate_series(1, 9) n`,
    [tenantId, lowestId(Date.now() - 29 * DAY_MS)],
  );
  await admin.query(
    `update due_deliveries set claim_id = gen_random_uuid(), due_at = now() + interval '1 hour'
     where delivery_id in (select delivery_id from due_deliveries order by delivery_id limit 3)`,
  );
}, 60_000);
afterAll(async () => {
  await database?.close();
  await admin?.end();
  await drop?.();
});

/** All pages of a search. Fails for a page that repeats a delivery. */
async function found(filter: DeliveryFilter, limit: number): Promise<{ ids: string[]; pages: number }> {
  const ids: string[] = [];
  let cursor: string | undefined;
  let pages = 0;
  do {
    const page = await search.search(tenantId, filter, { limit, cursor });
    expect(page.rows.length).toBeLessThanOrEqual(limit);
    if (page.searchedUntil !== null) expect(page.nextCursor).not.toBeNull();
    ids.push(...page.rows.map(({ id }) => id));
    cursor = page.nextCursor ?? undefined;
    pages += 1;
  } while (cursor !== undefined);
  expect(new Set(ids).size).toBe(ids.length);
  return { ids, pages };
}

/** The same by a scan of all rows, newest first. */
async function truth(filter: DeliveryFilter): Promise<string[]> {
  const { rows } = await admin.query<{ id: string }>(
    `select d.id from deliveries d
     join notifications n on n.tenant_id = d.tenant_id and n.id = d.notification_id
     left join recipients r on r.tenant_id = d.tenant_id and r.id = d.recipient_id
     left join due_deliveries q on q.tenant_id = d.tenant_id and q.delivery_id = d.id
     cross join lateral (
       select case when q.delivery_id is null then d.state when q.claim_id is null then 'waiting' else 'sending' end as state,
              case when q.delivery_id is null then d.reason else q.reason end as reason) s
     where d.tenant_id = $1 and d.endpoint_id is null
       and ($2::text is null or d.recipient_id = $2) and ($3::text is null or d.channel = $3)
       and ($4::text[] is null or s.state = any ($4)) and ($5::text is null or s.reason = $5)
       and ($6::text is null or n.category = $6) and ($7::text is null or n.template_id = $7)
       and ($8::uuid is null or d.id >= $8) and ($9::uuid is null or d.id < $9)
       and ($10::text is null or coalesce(d.address, case d.channel when 'email' then r.email when 'sms' then r.phone end) = $10)
     order by d.id desc`,
    [
      tenantId,
      filter.recipientId,
      filter.channel,
      filter.states,
      filter.reason,
      filter.category,
      filter.template,
      filter.createdFrom && lowestId(filter.createdFrom.getTime()),
      filter.createdTo && lowestId(filter.createdTo.getTime()),
      filter.address,
    ],
  );
  return rows.map(({ id }) => id);
}

const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined, freq: 1 });
const daysAgo = fc.integer({ min: -1, max: 32 }).map((days) => new Date(Date.now() - days * DAY_MS));
const filters: fc.Arbitrary<DeliveryFilter> = fc.record({
  recipientId: maybe(fc.constantFrom('user-1', 'user-2', 'user-40', 'user-1500', 'nobody')),
  channel: maybe(fc.constantFrom<ChannelId>(...channelIds)),
  states: maybe(fc.uniqueArray(fc.constantFrom<DeliveryState>(...deliveryStates), { minLength: 1, maxLength: 3 })),
  reason: maybe(fc.constantFrom(RARE_REASON, 'rejected', 'frequency_cap', 'quiet_hours', 'scheduled', 'opted_out')),
  category: maybe(fc.constantFrom('orders', 'surveys', 'topics', 'none')),
  template: maybe(fc.constantFrom('invoice', 'none')),
  createdFrom: maybe(daysAgo),
  createdTo: maybe(daysAgo),
  address: maybe(fc.constantFrom(RARE_ADDRESS, 'user-1@example.com', 'user-7@example.com', '+155500000003')),
});

describe('a search', () => {
  it('finds what a scan of all rows finds, with any filters', async () => {
    await fc.assert(
      fc.asyncProperty(filters, async (filter) => {
        const expected = await truth(filter);
        const { ids } = await found(filter, expected.length > 500 ? 1_500 : 40);
        expect(ids.toSorted()).toEqual(expected.toSorted());
      }),
      { numRuns: 25, examples: [[{}], [{ recipientId: 'user-1' }], [{ states: ['waiting', 'failed'] }]] },
    );
  }, 60_000);

  it('is newest first', async () => {
    for (const filter of [{}, { states: ['failed'] as const }, { recipientId: 'user-2' }]) {
      const { rows } = await search.search(tenantId, filter, { limit: 200 });
      const times = rows.map(({ id }) => timeOfId(id));
      expect(times.length).toBeGreaterThan(10);
      expect(times).toEqual(times.toSorted((left, right) => right - left));
    }
  });

  it('finds an address whatever the case in which it is asked for', async () => {
    for (const address of [RARE_ADDRESS, RARE_ADDRESS.toUpperCase()])
      expect((await found({ address }, 50)).ids).toHaveLength(1);
    expect((await found({ reason: RARE_REASON }, 50)).ids).toHaveLength(3);
  });

  it('finds a delivery once whose send named the address of the profile', async () => {
    const address = 'twice@example.com';
    await admin.query(`insert into recipients (tenant_id, id, email) values ($1, 'twice', $2)`, [tenantId, address]);
    for (const named of [address, null])
      await admin.query(
        `with sent as (
           insert into notifications (tenant_id, id, recipient_id, category, channels, priority, total)
           values ($1, $2, 'twice', 'orders', '{email}', 5, 1) returning id
         )
         insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, state, address)
         select $1, $3, id, 'twice', 'email', 'sent', $4 from sent`,
        [tenantId, newId(), newId(), named],
      );
    expect((await found({ address }, 1)).ids).toHaveLength(2);
    expect((await found({ address }, 50)).ids).toHaveLength(2);
    await admin.query(`delete from deliveries where recipient_id = 'twice'`);
    await admin.query(`delete from notifications where recipient_id = 'twice'`);
    await admin.query(`delete from recipients where id = 'twice'`);
  });

  it('finds a template by its key and by its id', async () => {
    const { rows } = await admin.query(`select id from templates where key = 'invoice' and channel = 'email' limit 1`);
    const byId = await search.search(tenantId, { template: rows[0].id }, { limit: 50 });
    expect(byId.rows.length).toBeGreaterThan(0);
    expect(byId).toEqual(await search.search(tenantId, { template: 'invoice' }, { limit: 50 }));
  });

  it('rejects a cursor of another list', async () => {
    for (const text of ['', 'x', newId(), `${newId()}:`, `${newId()}:${newId()}:${newId()}`])
      await expect(
        search.search(tenantId, {}, { limit: 1, cursor: Buffer.from(text).toString('base64url') }),
      ).rejects.toMatchObject({ code: 'validation_failed' });
  });
});

interface Plan {
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
}

/** Blocks that a page reads. */
async function blocksOf(filter: DeliveryFilter): Promise<number> {
  let blocks = 0;
  const watched = new Proxy(database, {
    get(target, name) {
      if (name !== 'queryForTenant') return Reflect.get(target, name, target);
      return async (id: string, { text, values }: Statement) => {
        const explained = { text: `explain (analyze, buffers, format json) ${text}`, values: values! };
        const [row] = await target.queryForTenant<{ 'QUERY PLAN': { Plan: Plan }[] }>(id, explained);
        const plan = row!['QUERY PLAN'][0]!.Plan;
        blocks = plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
        return [];
      };
    },
  });
  await new DeliverySearchStore(watched).search(tenantId, filter, { limit: 50 });
  return blocks;
}

describe('a page', () => {
  it('that is found by an index reads few blocks', async () => {
    const selective: DeliveryFilter[] = [
      { address: RARE_ADDRESS },
      { address: 'nobody@example.com' },
      { reason: RARE_REASON },
      { states: ['unknown'] },
      { recipientId: 'user-1500' },
      { recipientId: 'nobody' },
      { createdTo: new Date(Date.now() - 60 * DAY_MS) },
      { states: ['sending'], channel: 'chat' },
    ];
    for (const filter of selective) expect(await blocksOf(filter), JSON.stringify(filter)).toBeLessThan(2_500);
  });

  it('that no index can find examines a limited number of deliveries, and says how far it came', async () => {
    const nothing: DeliveryFilter[] = [{ category: 'none' }, { template: 'none' }, { providerAccountId: newId() }];
    for (const filter of nothing) {
      const page = await search.search(tenantId, filter, { limit: 50 });
      expect(page).toMatchObject({ rows: [], nextCursor: expect.any(String), searchedUntil: expect.any(Date) });
      expect(await blocksOf(filter), JSON.stringify(filter)).toBeLessThan(75_000);
      const { ids, pages } = await found(filter, 50);
      expect(ids).toEqual([]);
      expect(pages).toBeLessThan(10);
    }
  });
});
