// The rights of the application's connections on the table of the audit log.

import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { AuditRetentionStore, Database, TenantsStore } from '#database';
import { cloneDatabase, connect } from '#testing';

const NOTE = { action: 'tenant.created', actor: 'operator', sourceAddress: '192.0.2.1', requestId: 'r' } as const;

let database: Database;
let admin: pg.Client;
let drop: () => Promise<void>;
let ann: string;
let bob: string;

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  drop = clone.drop;
  database = new Database({ url: clone.url, poolSize: 2 });
  admin = await connect(clone.url);
  const tenants = new TenantsStore(database);
  ann = (await tenants.create('Ann', {}, NOTE)).id;
  bob = (await tenants.create('Bob', {}, NOTE)).id;
});
afterAll(async () => {
  await database?.close();
  await admin?.end();
  await drop?.();
});

const entries = async (): Promise<number> =>
  (await admin.query('select count(*)::int as count from audit_log')).rows[0].count;

describe('the audit log', () => {
  it('is append-only for the platform', async () => {
    expect(await database.platform.query({ text: 'select subject from audit_log order by id' })).toEqual([
      { subject: ann },
      { subject: bob },
    ]);
    for (const text of [
      `update audit_log set actor = 'nobody'`,
      'delete from audit_log',
      'truncate audit_log',
      'alter table audit_log disable row level security',
      'drop table audit_log',
    ])
      await expect(database.platform.query({ text }), text).rejects.toThrow(/permission denied|must be owner/);
    expect(await entries()).toBe(2);
  });

  it('lets a tenant insert entries of its own and read none', async () => {
    const insert = (tenantId: string): string =>
      `insert into audit_log (tenant_id, id, action, actor) values ('${tenantId}', gen_random_uuid(), 'x', 'y')`;
    await database.sqlForTenant(ann, (sql) => sql.query({ text: insert(ann) }));
    await expect(database.sqlForTenant(ann, (sql) => sql.query({ text: insert(bob) }))).rejects.toThrow(
      'row-level security',
    );
    for (const text of ['select * from audit_log', `update audit_log set actor = 'z'`, 'delete from audit_log'])
      await expect(
        database.sqlForTenant(ann, (sql) => sql.query({ text })),
        text,
      ).rejects.toThrow('permission denied');
    expect(await entries()).toBe(3);
  });

  it('loses entries after its retention, never younger than 30 days, as an owner that is no superuser too', async () => {
    const age = async (days: number, count: number): Promise<void> => {
      await admin.query(
        `insert into audit_log (tenant_id, id, action, actor, created_at)
         select $1, (lpad(to_hex((extract(epoch from t) * 1000)::bigint), 12, '0') || '70008000'
                     || lpad(to_hex(n), 12, '0'))::uuid, 'x', 'y', t
         from generate_series(1, $3) n, (select now() - make_interval(days => $2)) as old (t)`,
        [ann, days, count],
      );
    };
    await age(500, 1_500);
    await age(399, 5);
    await age(29, 5);
    const owner = `audit_owner_${Date.now()}`;
    await admin.query(`create role ${owner}`);
    await admin.query(`
      alter table audit_log owner to ${owner};
      alter function carillon_prune_audit_log(integer, integer) owner to ${owner};
      alter policy owner_reads on audit_log to ${owner};
      alter policy owner_deletes on audit_log to ${owner};`);
    const prune = async (days: number): Promise<number> => {
      let deleted = 0;
      await new AuditRetentionStore(database, days).cleanUps[0]!.run((rows) => (deleted += rows));
      return deleted;
    };
    expect(await prune(400)).toBe(1_500);
    expect(await prune(400)).toBe(0);
    expect(await prune(1)).toBe(5);
    expect(await entries()).toBe(8);
    await admin.query(`reassign owned by ${owner} to current_user; drop owned by ${owner}; drop role ${owner}`);
  });
});
