// The operator's overview of the queue, compared with the real counts.

import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { Database, OverviewStore, type QueueFigures, QueueFiguresStore } from '#database';
import { newId } from '#domain';
import { cloneDatabase, connect, until } from '#testing';

let database: Database;
let admin: pg.Client;
let url: string;
let drop: () => Promise<void>;
let queue: QueueFiguresStore;
const [ann, bob] = [newId(), newId()];

beforeAll(async () => {
  ({ url, drop } = await cloneDatabase(inject('postgresUrl')));
  database = new Database({ url, poolSize: 8 });
  queue = new QueueFiguresStore(database);
  admin = await connect(url);
  for (const id of [ann, bob]) await admin.query(`insert into tenants (id, name) values ($1, ($1::uuid)::text)`, [id]);
});
afterAll(async () => {
  await database?.close();
  await admin?.end();
  await drop?.();
});
beforeEach(async () => {
  await admin.query('truncate due_deliveries, queue_figures');
});

/** Inserts e-mails and text messages of a tenant: a third due, a third claimed, the rest scheduled or blocked. */
async function fill(tenantId: string, pairs: number, client = admin): Promise<void> {
  await client.query(
    `insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at, claim_id)
     select $1, gen_random_uuid(), c, 2,
            case n % 6 when 0 then now() - interval '1 minute' when 1 then now() - interval '2 minutes' when 4 then 'infinity' else now() + interval '1 hour' end,
            case when n % 6 in (2, 3) then gen_random_uuid() end
     from generate_series(0, $2 - 1) n cross join unnest(array['email', 'sms']) c`,
    [tenantId, pairs],
  );
}

/** Counts the rows directly, without a store. */
async function truth(): Promise<Pick<QueueFigures, 'channels' | 'tenants'>> {
  const { rows: channels } = await admin.query(
    `select channel, count(*)::int as waiting, count(*) filter (where due_at <= now())::int as due,
            count(*) filter (where claim_id is not null and due_at > now())::int as "inFlight" from due_deliveries group by channel order by channel`,
  );
  const { rows: tenants } = await admin.query(
    `select tenant_id as id, count(*)::int as due from due_deliveries where due_at <= now() group by 1 order by 2 desc, 1`,
  );
  return { channels, tenants };
}

const comparable = ({ channels, tenants }: QueueFigures): unknown => ({
  channels: channels
    .map(({ oldestDueSeconds: _age, ...rest }) => rest)
    .sort((left, right) => left.channel.localeCompare(right.channel)),
  tenants: tenants.toSorted((left, right) => right.due - left.due || left.id.localeCompare(right.id)),
});

describe('a short queue', () => {
  it('is counted for each reader, and the count is not stored', async () => {
    for (const pairs of [0, 6, 60]) {
      await fill(ann, pairs);
      expect(comparable(await queue.read())).toEqual(await truth());
      expect(await queue.keep()).toBeNull();
    }
    expect((await queue.read()).channels[0]!.oldestDueSeconds).toBeGreaterThan(119);
    expect((await admin.query('select from queue_figures')).rows).toEqual([]);
  });
});

describe('a long queue', () => {
  it('is counted by one worker at a time, at most once a second, and readers see when', async () => {
    await fill(ann, 3_000);
    await fill(bob, 1_200);
    const counted = (await Promise.all(Array.from({ length: 8 }, () => queue.keep()))).filter((done) => done !== null);
    expect(counted).toHaveLength(1);
    expect(comparable(counted[0]!)).toEqual(await truth());
    // From now on readers see the stored count, not later changes.
    await fill(bob, 600);
    expect(await queue.keep()).toBeNull();
    const read = await queue.read();
    expect(comparable(read)).toEqual(comparable(counted[0]!));
    expect(read.countedAt).toEqual(counted[0]!.countedAt);
    await admin.query('update queue_figures set next_at = now()');
    expect(comparable((await queue.keep())!)).toEqual(await truth());
  });

  it('is counted less often if counting takes long', async () => {
    await fill(ann, 3_000);
    const lock = await connect(url);
    await lock.query('begin');
    await lock.query('lock table due_deliveries in access exclusive mode');
    const counting = queue.refresh(10_000);
    const waitsSince = await until('the count waits', async () => {
      const { rows } = await admin.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return rows.length > 0 && performance.now();
    });
    await until('some time has passed', () => performance.now() - waitsSince > 200);
    await lock.query('commit');
    await counting;
    await lock.end();
    const { rows } = await admin.query<{ pause: number }>(
      'select extract(epoch from next_at - counted_at)::float8 as pause from queue_figures',
    );
    expect(rows[0]!.pause).toBeGreaterThan(0.2 * 49);
  });

  it('is counted by the reader if no worker does, at once and again when the count is old', async () => {
    await fill(ann, 3_000);
    expect(comparable(await queue.read())).toEqual(await truth());
    await fill(bob, 600);
    await admin.query(`update queue_figures set next_at = now() - interval '1 minute'`);
    expect(comparable(await queue.read())).toEqual(await truth());
  });

  it('is reported with the last count if it cannot be counted in time', async () => {
    await fill(ann, 3_000);
    const first = await queue.read();
    await admin.query(`update queue_figures set next_at = now() - interval '1 minute'`);
    const lock = await connect(url);
    await lock.query(`begin; select pg_advisory_xact_lock(hashtext('carillon_count_queue'))`);
    expect(await queue.read()).toMatchObject({ countedAt: first.countedAt, channels: first.channels });
    await lock.query(
      "delete from queue_figures; commit; begin; select pg_advisory_xact_lock(hashtext('carillon_count_queue'))",
    );
    await expect(queue.read()).rejects.toMatchObject({ code: 'unavailable' });
    await lock.end();
  });

  it('is counted consistently during accepts and claims, and exactly in the end', async () => {
    await fill(ann, 3_000);
    let running = true;
    const churn = Array.from({ length: 4 }, async () => {
      const client = await connect(url);
      const own = newId();
      while (running) {
        await fill(own, 60, client);
        // Each commit claims or ends as many e-mails as text messages.
        await client.query(
          `update due_deliveries set claim_id = gen_random_uuid(), due_at = now() + interval '30 seconds' where tenant_id = $1 and due_at <= now()`,
          [own],
        );
        await client.query('delete from due_deliveries where tenant_id = $1 and claim_id is not null', [own]);
      }
      await client.end();
    });
    for (let turn = 0; turn < 10; turn += 1) {
      await admin.query('update queue_figures set next_at = now()');
      const { channels } = (await queue.refresh())!;
      const [email, sms] = ['email', 'sms'].map((id) => channels.find(({ channel }) => channel === id)!.waiting);
      expect(email).toBe(sms);
    }
    running = false;
    await Promise.all(churn);
    await admin.query('update queue_figures set next_at = now()');
    expect(comparable((await queue.refresh())!)).toEqual(await truth());
  });
});

describe('the overview', () => {
  it('names the tenants with the most that is due, and costs a fraction of a count', async () => {
    await fill(ann, 60_000);
    await fill(bob, 18_000);
    const overview = new OverviewStore(database);
    expect((await overview.read()).tenants).toEqual([
      { id: ann, name: ann, testOf: null, due: 40_000 },
      { id: bob, name: bob, testOf: null, due: 12_000 },
    ]);
    const best = async (work: () => Promise<unknown>): Promise<number> => {
      const times: number[] = [];
      for (let turn = 0; turn < 10; turn += 1) {
        const startedAt = performance.now();
        await work();
        times.push(performance.now() - startedAt);
      }
      return Math.min(...times);
    };
    await queue.refresh();
    await admin.query(`update queue_figures set next_at = now() + interval '1 hour'`);
    const reading = await best(() => overview.read());
    expect(reading).toBeLessThan(0.5 * (await best(() => truth())));
  });
});
