// The pages of a replay by filter, of a tenant with many dead letters.

import type pg from 'pg';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { Database, DeadLettersStore, type LockedJob } from '#database';
import { newId } from '#domain';
import { cloneDatabase, connect } from '#testing';
import { DeadLetterReplayKind } from '../apps/worker/src/jobs/dead-letter-replay.kind.js';

const LETTERS = 5_000;
/** Of one page: those of DeadLettersStore. */
const EXAMINED = 2_000;

let database: Database;
let admin: pg.Client;
let drop: () => Promise<void>;

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  drop = clone.drop;
  database = new Database({ url: clone.url, poolSize: 10 });
  admin = await connect(clone.url);
});
afterAll(async () => {
  await database?.close();
  await admin?.end();
  await drop?.();
});

const idOf = (n: number): string => `01800000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`;

/** Every 500th has the reason `rejected`. Their deliveries are gone, so none can be replayed. */
async function makeLetters(): Promise<string> {
  const tenant = newId();
  await admin.query(`insert into tenants (id, name) values ($1, 'Test')`, [tenant]);
  await admin.query(
    `insert into dead_letters (tenant_id, id, delivery_id, notification_id, recipient_id, channel, reason, attempts)
     select $1, ('01800000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, gen_random_uuid(), gen_random_uuid(),
            'r', 'email', case when n % 500 = 0 then 'rejected' else 'retries_exhausted' end, 1
     from generate_series(1, $2::integer) n`,
    [tenant, LETTERS],
  );
  await admin.query('vacuum analyze dead_letters');
  return tenant;
}

/** The chunks of a job until its end. */
async function chunksOf(tenantId: string, reason: string, maxItems: number) {
  const kind = new DeadLetterReplayKind('dead_letter_replay', new DeadLettersStore(database, () => undefined));
  const chunks = [];
  for (let cursor = {}, isLast = false; !isLast; ) {
    const job = { tenantId, id: newId(), createdAt: new Date(), input: { filter: { reason } }, cursor, maxItems };
    const chunk = await kind.runChunk(job as unknown as LockedJob);
    chunks.push({ items: chunk.items, failed: chunk.failed, cursor: chunk.cursor });
    ({ cursor, isLast } = chunk);
  }
  return chunks;
}

it('a replay examines a limited number of dead letters in a chunk, whether they match or not', async () => {
  const tenant = await makeLetters();
  const none = { items: 0, failed: 0 };
  expect(await chunksOf(tenant, 'misconfigured', 1_000)).toEqual([
    { ...none, cursor: { after: idOf(EXAMINED) } },
    { ...none, cursor: { after: idOf(2 * EXAMINED) } },
    { ...none, cursor: { after: idOf(LETTERS) } },
  ]);
  expect(await chunksOf(tenant, 'rejected', 1_000)).toEqual([
    { items: 4, failed: 4, cursor: { after: idOf(EXAMINED) } },
    { items: 4, failed: 4, cursor: { after: idOf(2 * EXAMINED) } },
    { items: 2, failed: 2, cursor: { after: idOf(LETTERS) } },
  ]);
  // A chunk that is full goes on after its last match.
  const paced = await chunksOf(tenant, 'rejected', 3);
  expect(paced.slice(0, 2)).toEqual([
    { items: 3, failed: 3, cursor: { after: idOf(1_500) } },
    { items: 3, failed: 3, cursor: { after: idOf(3_000) } },
  ]);
  expect(paced.reduce((sum, { items }) => sum + items, 0)).toBe(10);
});

it('a replay reads the dead letters of a chunk by the primary key', async () => {
  const tenant = await makeLetters();
  const plans: string[] = [];
  const explaining = new Proxy(database, {
    get(target, name) {
      if (name !== 'queryForTenant') return Reflect.get(target, name, target);
      return async (of: string, statement: { text: string; values: unknown[] }) => {
        const { rows } = await admin.query(`explain ${statement.text}`, statement.values);
        plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
        return await target.queryForTenant(of, statement);
      };
    },
  });
  const filter = { reason: 'misconfigured' };
  const page = { filter, job: newId(), requestedAt: new Date(), after: idOf(0), limit: 200 };
  await new DeadLettersStore(explaining, () => undefined).toReplay(tenant, page);
  expect(plans).toEqual([expect.stringMatching(/Index Scan using dead_letters_pkey/)]);
  expect(plans[0]).not.toMatch(/Seq Scan/);
});
