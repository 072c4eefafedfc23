// Re-wrapping all secrets under a new master key, on many rows.

import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { countSealed, Database, rewrapSecrets, SecretBox } from '#database';
import { newId, PLATFORM_TENANT_ID } from '#domain';
import { cloneDatabase, connect } from '#testing';

const ROWS = Number(process.env.REWRAP_ROWS ?? 2_000);
const [oldKey, newKey] = [randomBytes(32), randomBytes(32)];
const before = new SecretBox(oldKey);
const rotating = new SecretBox(newKey, [oldKey]);
const after = new SecretBox(newKey);

let database: Database;
let admin: pg.Client;
let drop: () => Promise<void>;
const tenants = [newId(), newId(), newId()];

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  drop = clone.drop;
  database = new Database({ url: clone.url, poolSize: 2 });
  admin = await connect(clone.url);
  for (const id of tenants) await admin.query(`insert into tenants (id, name) values ($1, 'Test')`, [id]);
  await insert(ROWS, before);
}, 600_000);
afterAll(async () => {
  await database?.close();
  await admin?.end();
  await drop?.();
});

/** Half endpoints with two secrets each, half stored answers of POST requests, in turn for each tenant. */
async function insert(count: number, box: SecretBox): Promise<void> {
  const half = Math.ceil(count / 2);
  for (let from = 0; from < half; from += 1_000) {
    const ids = Array.from({ length: Math.min(1_000, half - from) }, newId);
    const tenantOf = (index: number): string => tenants[index % tenants.length]!;
    const sealed = (table: string): string[] =>
      ids.map((id, index) => box.seal(`secret of ${id}`, { tenantId: tenantOf(index), table, id }));
    const owners = ids.map((_, index) => tenantOf(index));
    await admin.query(
      `insert into webhook_endpoints (tenant_id, id, url, events, enabled, ordered, secret_sealed, old_secret_sealed)
       select t, i, 'https://example.com', '{}', true, false, s, o
       from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) as r (t, i, s, o)`,
      [owners, ids, sealed('webhook_endpoints'), sealed('webhook_endpoints')],
    );
    await admin.query(
      `insert into idempotency_keys (tenant_id, key, body_hash, response_sealed)
       select t, i, '', s from unnest($1::uuid[], $2::text[], $3::text[]) as r (t, i, s)`,
      [owners, ids, sealed('idempotency_keys')],
    );
  }
}

/** Opens every secret of the test's rows with this box. Returns how many there are. */
async function openAll(box: SecretBox): Promise<number> {
  let opened = 0;
  for (const [table, column, id] of [
    ['webhook_endpoints', 'secret_sealed', 'id'],
    ['webhook_endpoints', 'old_secret_sealed', 'id'],
    ['idempotency_keys', 'response_sealed', 'key'],
  ]) {
    const { rows } = await admin.query(
      `select tenant_id, ${id}::text as id, ${column} as sealed from ${table} where ${column} is not null`,
    );
    for (const row of rows) {
      const clear = box.open(row.sealed, { tenantId: row.tenant_id, table: table!, id: row.id });
      if (clear !== `secret of ${row.id}`) throw new Error(`${table} ${row.id} holds ${clear}`);
    }
    opened += rows.length;
  }
  return opened;
}

const ignore = (): void => undefined;

it('changes every secret once, in batches, and a second run finds nothing', async () => {
  const total = ROWS + ROWS / 2;
  const updatedAt = async (): Promise<unknown> =>
    (await admin.query('select max(updated_at) as at from webhook_endpoints')).rows[0].at;
  const changedAt = await updatedAt();
  const progress: { done: number; total: number }[] = [];
  const startedAt = performance.now();
  const first = await rewrapSecrets(database, rotating, (step) => progress.push(step));
  if (process.env.REWRAP_ROWS)
    console.log(`${total} secrets in ${ROWS} rows: ${Math.round(performance.now() - startedAt)} ms`);
  expect(first).toMatchObject({ rewrapped: total, failed: 0, failures: [] });
  expect(first.counts.map(({ keyId }) => keyId)).toEqual(first.counts.map(() => after.keyId));
  expect(progress.length).toBeGreaterThanOrEqual(total / 500);
  expect(progress.map(({ done }) => done)).toEqual(progress.map(({ done }) => done).sort((a, b) => a - b));
  expect(progress.at(-1)).toMatchObject({ done: total, total });
  expect(await openAll(after)).toBe(total);
  // A worker keeps its connection to an account whose updated_at is the same.
  expect(await updatedAt()).toEqual(changedAt);
  const second = await rewrapSecrets(database, rotating, () => expect.unreachable('nothing is left'));
  expect(second.rewrapped).toBe(0);
}, 600_000);

it('continues where an interrupted run ended', async () => {
  await insert(1_400, before);
  const stop = new Error('interrupted');
  await expect(
    rewrapSecrets(database, rotating, ({ done }) => {
      if (done >= 500) throw stop;
    }),
  ).rejects.toBe(stop);
  const old = (await countSealed(database)).filter(({ keyId }) => keyId === before.keyId);
  const left = old.reduce((sum, { count }) => sum + count, 0);
  expect(left).toBe(2_100 - 500);
  expect(await rewrapSecrets(database, rotating, ignore)).toMatchObject({ rewrapped: left });
});

it('leaves a secret that changes meanwhile as the other process stored it', async () => {
  await insert(2, before);
  const { rows } = await admin.query(
    `select tenant_id, id from webhook_endpoints where split_part(secret_sealed, '.', 2) = $1`,
    [before.keyId],
  );
  const [{ tenant_id: tenantId, id }] = rows;
  const rotated = rotating.seal('rotated', { tenantId, table: 'webhook_endpoints', id });
  let changed = false;
  const meddling = new Proxy(database, {
    get(target, name) {
      if (name !== 'platform') return Reflect.get(target, name, target);
      return {
        query: async (statement: { text: string }) => {
          if (!changed && statement.text.includes('secret_sealed')) {
            changed = true;
            await admin.query('update webhook_endpoints set secret_sealed = $2 where id = $1', [id, rotated]);
          }
          return await target.platform.query(statement);
        },
      };
    },
  });
  const result = await rewrapSecrets(meddling, rotating, ignore);
  expect(result).toMatchObject({ rewrapped: 2, failed: 0 });
  const stored = await admin.query('select secret_sealed from webhook_endpoints where id = $1', [id]);
  expect(stored.rows[0].secret_sealed).toBe(rotated);
  await admin.query('delete from webhook_endpoints where id = $1', [id]);
});

it('names the secrets that it cannot open, and re-wraps the others', async () => {
  const unknown = new SecretBox(randomBytes(32));
  const sealed = (id: string, box: SecretBox): string =>
    box.seal('x', { tenantId: PLATFORM_TENANT_ID, table: 'platform_keys', id });
  await admin.query(`insert into platform_keys (id, key_sealed) values ('a', $1), ('b', $2), ('c', $3)`, [
    sealed('a', unknown),
    sealed('another row', before),
    sealed('c', before),
  ]);
  const result = await rewrapSecrets(database, rotating, ignore);
  expect(result).toMatchObject({ rewrapped: 1, failed: 2 });
  expect(result.failures[0]).toContain(`sealed under master key ${unknown.keyId}`);
  const kept = result.counts.filter(({ column }) => column === 'platform_keys.key_sealed');
  expect(new Map(kept.map(({ keyId, count }) => [keyId, count]))).toEqual(
    new Map([
      [unknown.keyId, 1],
      [before.keyId, 1],
      [after.keyId, 1],
    ]),
  );
});
