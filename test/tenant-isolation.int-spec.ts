import { readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  Database,
  derivedLogins,
  InboxStore,
  migrate,
  NotificationsStore,
  RecipientsStore,
  type Sql,
  type Statement,
  TemplatesStore,
  TenantsStore,
} from '#database';
import { newId } from '#domain';
import { cloneDatabase, connect, dropDatabase, until } from '#testing';
import { prismaMigrateDeploy } from './prisma-engine.js';

let database: Database;
let url: string;
let admin: pg.Client;
let drop: () => Promise<void>;
const [ann, bob] = [newId(), newId()];
const notifications = { [ann]: newId(), [bob]: newId() };

/** Tables without a tenant: Prisma's own. */
const NOT_OURS = ['_prisma_migrations'];

const MIGRATION_NAMES = readdirSync(join(import.meta.dirname, '../prisma/migrations'))
  .filter((name) => /^\d{14}_/.test(name))
  .sort();

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  ({ url, drop } = clone);
  database = new Database({ url: clone.url, poolSize: 5 });
  admin = await connect(clone.url);
  for (const id of [ann, bob]) {
    await admin.query(`insert into tenants (id, name) values ($1, ($1::uuid)::text)`, [id]);
    await admin.query(
      `insert into recipients (tenant_id, id, email) values ($1, 'r', ($1::uuid)::text || '@example.com')`,
      [id],
    );
    await admin.query(
      `insert into notifications (tenant_id, id, recipient_id, category, channels, priority, total) values ($1, $2, 'r', 'default', '{email}', 5, 1)`,
      [id, notifications[id]],
    );
    await admin.query(
      `insert into inbox_items (tenant_id, recipient_id, seq, id, category, title, body) values ($1, 'r', 1, $2, 'default', ($1::uuid)::text, 'x')`,
      [id, newId()],
    );
  }
});
afterAll(async () => {
  await database?.close();
  await admin?.end();
  await drop?.();
});

describe('the catalogue', () => {
  it('protects every table: forced row-level security, both policies, the tenant first in every key', async () => {
    const { rows } = await admin.query<{
      table: string;
      forced: boolean;
      policies: string[];
      roles: string[];
      columns: string[];
      keys: string[];
    }>(`
      select c.relname as table, c.relrowsecurity and c.relforcerowsecurity as forced,
             array(select p.polname::text from pg_policy p where p.polrelid = c.oid order by 1) as policies,
             array(select r.rolname::text from pg_policy p join pg_roles r on r.oid = any (p.polroles) where p.polrelid = c.oid order by 1) as roles,
             array(select a.attname::text from pg_attribute a where a.attrelid = c.oid and a.attnum > 0) as columns,
             array(select pg_get_indexdef(i.indexrelid, 1, true) from pg_index i where i.indrelid = c.oid and i.indisprimary) as keys
      from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition`);
    const tables = rows.filter(({ table }) => !NOT_OURS.includes(table));
    expect(tables.length).toBeGreaterThanOrEqual(23);
    const { rows: owners } = await admin.query<{ name: string }>('select current_user as name');
    for (const { table, forced, policies, roles, columns, keys } of tables) {
      const tenantColumn = table === 'tenants' ? 'id' : 'tenant_id';
      // The owner of the audit log deletes what has expired; no other role may.
      const isAudit = table === 'audit_log';
      // Every tenant reads the templates of the platform, and only those of the nil UUID.
      const isTemplate = table === 'templates' || table === 'template_versions';
      expect({ table, forced, policies, roles, hasTenant: columns.includes(tenantColumn), keys }).toEqual({
        table,
        forced: true,
        policies: [
          ...(isAudit ? ['owner_deletes', 'owner_reads'] : []),
          'platform_rows',
          ...(isTemplate ? ['platform_templates'] : []),
          'tenant_rows',
        ],
        roles: [
          ...owners.flatMap(({ name }) => (isAudit ? [name, name] : [])),
          'carillon_platform',
          'carillon_tenant',
          ...(isTemplate ? ['carillon_tenant'] : []),
        ],
        hasTenant: true,
        keys: [tenantColumn],
      });
    }
  });

  it('grants no access to a partition except through its parent', async () => {
    const { rows } = await admin.query<{ count: string }>(`
      select count(*) from pg_class c where c.relispartition and c.relkind = 'r'
        and (has_table_privilege('carillon_tenant', c.oid, 'select') or has_table_privilege('carillon_platform', c.oid, 'select'))`);
    expect(rows[0]!.count).toBe('0');
  });

  it('runs no code of a caller as the owner', async () => {
    const { url, drop } = await cloneDatabase(inject('postgresUrl'));
    const plain = new pg.Client({ connectionString: url, options: '-c role=carillon_platform' });
    await plain.connect();
    const { rows } = await plain.query(
      `select proname, proconfig[1] as path from pg_proc where proname like 'carillon%' and (prosecdef or proconfig::text like '%search_path%')`,
    );
    expect(rows.length).toBeGreaterThan(3);
    for (const { proname, path } of rows) expect(path, proname).toMatch(/^search_path=\w+, pg_temp$/);
    const ranAs: string[] = [];
    plain.on('notice', ({ message }) => ranAs.push(message!));
    await plain.query(`
      create function pg_temp.evil(one integer) returns integer language plpgsql immutable as $$ begin raise notice '%', current_user; return 1; end $$;
      create temporary table notifications (id uuid not null, x integer) partition by range (id);
      create index on pg_temp.notifications ((pg_temp.evil(1)), id);
      create temporary table pg_inherits (inhrelid oid, inhparent oid)`);
    const { rows: made } = await plain.query(`select carillon_make_partition('notifications', 8) as name`);
    expect(made[0].name).toMatch(/^notifications_\d{8}$/);
    const { rows: real } = await plain.query(
      `select from pg_catalog.pg_inherits where inhparent = 'public.notifications'::regclass and inhrelid = $1::regclass`,
      [`public.${made[0].name}`],
    );
    expect(real).toHaveLength(1);
    // The caller's own index is created with the caller's rights.
    expect(ranAs.every((role) => role === 'carillon_platform')).toBe(true);
    await expect(plain.query(`select carillon_make_partition('tenants')`)).rejects.toThrow('has no weekly partitions');
    await plain.end();
    await drop();
  });

  it('has partitions from last week to four weeks ahead, and creates missing ones', async () => {
    const count = async (): Promise<number> =>
      Number(
        (await admin.query(`select count(*) from pg_inherits where inhparent = 'deliveries'::regclass`)).rows[0].count,
      );
    expect(await count()).toBe(6);
    await admin.query('select carillon_make_partitions(6)');
    expect(await count()).toBe(8);
  });
});

describe('a tenant', () => {
  it('gets an error without a tenant setting, not an empty result', async () => {
    await admin.query('begin');
    await admin.query('set local role carillon_tenant');
    await expect(admin.query('select * from recipients')).rejects.toThrow('app.tenant_id');
    await admin.query('rollback');
  });

  it("sees only its own rows in a query without where, and cannot write another's", async () => {
    await database.sqlForTenant(ann, async (sql) => {
      for (const table of ['recipients', 'notifications', 'inbox_items']) {
        const rows = await sql.query<{ tenant_id: string }>({ text: `select tenant_id from ${table}` });
        expect(rows.map((row) => row.tenant_id)).toEqual([ann]);
      }
    });
    await expect(
      database.sqlForTenant(ann, (sql) =>
        sql.query({ text: `insert into recipients (tenant_id, id) values ('${bob}', 'x')` }),
      ),
    ).rejects.toThrow('row-level security');
    expect(
      await database.sqlForTenant(ann, (sql) =>
        sql.query({ text: `update recipients set email = 'stolen' where tenant_id = '${bob}' returning 1` }),
      ),
    ).toEqual([]);
    await expect(database.sqlForTenant("x'; drop table tenants; --", async () => undefined)).rejects.toThrow(
      'not a tenant id',
    );
  });

  it('can use its statement after another one with the same name was rejected', async () => {
    const single = new Database({ url, poolSize: 1 });
    const statement: Statement = { name: 'twice', text: 'select tenant_id from recipients' };
    expect(await single.queryForTenant(ann, statement)).toEqual([{ tenant_id: ann }]);
    await expect(
      single.queryForTenant(ann, { name: 'twice', text: 'select nonsense from recipients' }),
    ).rejects.toThrow('nonsense');
    expect(await single.queryForTenant(ann, statement)).toEqual([{ tenant_id: ann }]);
    await single.close();
  });

  it('cannot refer to rows of another tenant', async () => {
    await expect(
      admin.query(
        `insert into devices (tenant_id, recipient_id, token, platform) values ($1, 'only-bobs', 't', 'ios')`,
        [ann],
      ),
    ).rejects.toThrow('foreign key');
  });

  it('leaks nothing in a thousand transactions, twenty at a time on five connections', async () => {
    const own: Statement = { name: 'own', text: 'select tenant_id from recipients' };
    const fails: Statement = { name: 'fails', text: 'select tenant_id, 1 / (length(email) - 48) from recipients' };
    const ways: ((id: string) => Promise<{ tenant_id: string }[]>)[] = [
      (id) =>
        database.forTenant(id, async (prisma) =>
          (await prisma.recipient.findMany()).map((row) => ({ tenant_id: row.tenantId })),
        ),
      (id) => database.sqlForTenant(id, (sql) => sql.query(own)),
      (id) => database.queryForTenant(id, own),
      async (id) => (await database.pipelineForTenant<{ tenant_id: string }[][]>(id, [own, own])).flat().slice(1),
      async (id) => {
        await expect(database.pipelineForTenant(id, [own, fails, own])).rejects.toThrow('division by zero');
        return [{ tenant_id: id }];
      },
    ];
    let scopes = 0;
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        while (scopes < 1_000) {
          scopes += 1;
          const id = scopes % 2 === 0 ? ann : bob;
          const rows = await ways[scopes % ways.length]!(id);
          expect(rows.map((row) => row.tenant_id)).toEqual([id]);
        }
      }),
    );
  });

  it('is set on a connection for one round trip only, whatever its result', async () => {
    const single = new Database({ url, poolSize: 1 });
    const select: Statement = { text: 'select email from recipients' };
    const trips: [string, Statement[]][] = [
      ['', [select]],
      ['division by zero', [select, { text: 'select 1 / 0' }]],
      ['does not exist', [{ name: 'wrong', text: 'select nothing from recipients' }]],
      ['invalid input syntax', [{ name: 'typed', text: 'select $1::uuid', values: ['no uuid'] }]],
      ['took too long', [{ text: 'select pg_sleep(5)' }]],
      ['cannot be reached', [select, { text: 'select pg_sleep(3), $1', values: ['killed'] }]],
    ];
    const kill = `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query = 'select pg_sleep(3), $1'`;
    for (const [message, statements] of trips) {
      const trip = single.pipelineForTenant(ann, statements);
      if (statements.at(-1)!.values?.[0] === 'killed')
        void until('the statement runs and is killed', async () => (await admin.query(kill)).rows.length > 0);
      await (message === '' ? trip : expect(trip).rejects.toThrow(message));
      // The same connection, or its successor, without a tenant.
      const without = (single as unknown as { tenantPool: pg.Pool }).tenantPool.query('select email from recipients');
      await expect(without).rejects.toThrow(/app\.tenant_id|invalid input syntax for type uuid: ""/);
    }
    await single.close();
  });

  it('commits all statements of a round trip or none', async () => {
    const insert = (text: string): Statement => ({
      text: `insert into recipients (tenant_id, id) values ($1, $2) returning id`,
      values: [ann, text],
    });
    await expect(database.pipelineForTenant(ann, [insert('one'), insert('two'), insert('one')])).rejects.toThrow(
      'duplicate key',
    );
    const circle: { self?: unknown } = {};
    circle.self = circle;
    await expect(
      database.pipelineForTenant(ann, [insert('one'), { text: 'select $1::jsonb', values: [circle] }]),
    ).rejects.toThrow('circular');
    await expect(database.pipelineForTenant(ann, [insert('three'), insert('four')])).resolves.toEqual([
      [{ id: 'three' }],
      [{ id: 'four' }],
    ]);
    const { rows } = await admin.query<{ id: string }>(
      `delete from recipients where tenant_id = $1 and id <> 'r' returning id`,
      [ann],
    );
    expect(rows.map(({ id }) => id).sort()).toEqual(['four', 'three']);
  });
});

describe('the stores, with every tenant condition removed from their queries', () => {
  // Row-level security must suffice: each store runs on a database that removes the tenant condition from its SQL.
  const struckOut = (statement: Statement): Statement => ({
    values: statement.values ?? [],
    text: statement.text.replaceAll(/(\w+\.)?tenant_id = \$1(?!:)/g, () => '($1::uuid is not null or true)'),
  });
  const forgetful = (): Database =>
    new Proxy(database, {
      get(target, name) {
        if (name === 'queryForTenant')
          return (tenantId: string, statement: Statement) => target.queryForTenant(tenantId, struckOut(statement));
        if (name === 'pipelineForTenant')
          return (tenantId: string, statements: Statement[]) =>
            target.pipelineForTenant(tenantId, statements.map(struckOut));
        if (name !== 'sqlForTenant') return Reflect.get(target, name, target);
        return (tenantId: string, work: (sql: Sql) => Promise<unknown>) =>
          target.sqlForTenant(tenantId, (sql) => work({ query: (statement) => sql.query(struckOut(statement)) }));
      },
    });

  it('leak nothing', async () => {
    const store = new NotificationsStore(forgetful());
    const list = await store.list(ann, {}, { limit: 10 });
    expect(list.rows.map(({ notification }) => notification.tenantId)).toEqual([ann]);
    expect(await store.get(ann, notifications[bob]!)).toBeNull();
    expect(await store.cancel(ann, notifications[bob]!)).toBeNull();
    const inbox = await new InboxStore(forgetful()).list(ann, 'r', { limit: 10 });
    expect(inbox.rows.map(({ title }) => title)).toEqual([ann]);
    const [item] = (await new InboxStore(database).list(bob, 'r', { limit: 1 })).rows;
    expect(await new InboxStore(forgetful()).change(ann, 'r', item!.id, 'read')).toBeNull();
    expect((await new RecipientsStore(forgetful()).get(ann, 'r'))?.email).toBe(`${ann}@example.com`);
    expect(await new TemplatesStore(database).get(ann, { idOrKey: newId() })).toBeNull();
  });
});

describe('migrations', () => {
  const catalogue = async (url: string): Promise<unknown[]> => {
    const client = await connect(url);
    const { rows } = await client.query(`
      select 'column' as kind, table_name || '.' || column_name as name, data_type || coalesce(column_default, '') || is_nullable as what from information_schema.columns where table_schema = 'public'
      union all select 'index', indexname, indexdef from pg_indexes where schemaname = 'public'
      union all select 'policy', tablename || '.' || policyname, coalesce(qual, '') || coalesce(with_check, '') || roles::text from pg_policies where schemaname = 'public'
      union all select 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) from pg_constraint where connamespace = 'public'::regnamespace
      order by 1, 2, 3`);
    await client.end();
    return rows;
  };

  it("lead to the same schema if we or Prisma apply them, and each accepts the other's work", async () => {
    const name = `prisma_${Date.now()}`;
    const server = await connect(inject('postgresUrl'));
    await server.query(`create database ${name}`);
    const theirs = new URL(inject('postgresUrl'));
    theirs.pathname = `/${name}`;
    expect(await prismaMigrateDeploy(theirs.href)).toEqual(MIGRATION_NAMES);
    expect(await migrate(theirs.href, join(import.meta.dirname, '../prisma/migrations'))).toEqual([]);
    const ours = await cloneDatabase(inject('postgresUrl'));
    expect(await prismaMigrateDeploy(ours.url)).toEqual([]);
    const [mine, prismas] = [await catalogue(ours.url), await catalogue(theirs.href)];
    expect(prismas).toEqual(mine);
    expect(mine.length).toBeGreaterThan(300);
    await ours.drop();
    await dropDatabase(theirs.href, inject('postgresUrl'));
    await server.end();
  });

  it('create every table of prisma/schema.prisma with its columns', async () => {
    const models = [
      ...readFileSync(join(import.meta.dirname, '../prisma/schema.prisma'), 'utf8').matchAll(/^model (\w)(\w+) /gm),
    ].map(([, first, rest]) => first!.toLowerCase() + rest);
    expect(models).toHaveLength(14);
    await database.asPlatform(async (prisma) => {
      // Prisma names every column of the model; one that is not there is an error.
      for (const model of models)
        await (prisma as unknown as Record<string, { findMany(options: object): Promise<unknown[]> }>)[model]!.findMany(
          { take: 1 },
        );
    });
  });

  it('work for an owner who may not create roles, once an administrator has run the SQL of the message', async () => {
    const name = `plain_${Date.now()}`;
    const server = await connect(inject('postgresUrl'));
    await server.query(`create role ${name} login password 'x'`);
    await server.query(`grant carillon_tenant, carillon_platform to ${name}`);
    await server.query(`create database ${name} owner ${name}`);
    const url = new URL(inject('postgresUrl'));
    [url.username, url.password, url.pathname] = [name, 'x', `/${name}`];
    const applied = (): Promise<string[]> => migrate(url.href, join(import.meta.dirname, '../prisma/migrations'));
    const { message } = await applied().then(
      () => new Error('no error'),
      (error: Error) => error,
    );
    expect(message).toContain('may not create the two logins');
    expect(message).not.toContain(derivedLogins(url.href).tenant.password);
    await server.query(message.split('\n\n')[1]!);
    expect(await applied()).toEqual([]);
    const plain = new Database({ url: url.href, poolSize: 1 });
    expect(await plain.loginFault()).toBeNull();
    const { id } = await new TenantsStore(plain).create('Plain', {}, null);
    expect(await plain.sqlForTenant(id, (sql) => sql.query({ text: 'select name from tenants' }))).toEqual([
      { name: 'Plain' },
    ]);
    await plain.platform.query({ text: 'select carillon_make_partitions()' });
    await plain.close();
    await dropDatabase(url.href, inject('postgresUrl'));
    await server.query(`drop role ${name}`);
    await server.end();
  });

  it('wait for a lock without blocking others, and continue when it is free', async () => {
    const { url, drop } = await cloneDatabase(inject('postgresUrl'));
    const directory = await withLater('alter table tenants add column later integer');
    const [reader, other] = [await connect(url), await connect(url)];
    await reader.query('begin; select from tenants');
    const waits: string[] = [];
    const migrating = migrate(url, directory, { onWait: (message) => waits.push(message) });
    await until('it waits', () => waits.length > 0, 5_000);
    await other.query(`set statement_timeout = '500ms'; select from tenants`);
    await reader.query('commit');
    expect(await migrating).toEqual(['20990101000000_later']);
    expect(waits[0]).toContain('20990101000000_later waits for a lock');
    for (const client of [reader, other]) await client.end();
    await drop();
    await rm(directory, { recursive: true });
  });

  it('are rolled back and tried again after a deadlock, and the other transaction goes on', async () => {
    const { url, drop } = await cloneDatabase(inject('postgresUrl'));
    const directory = await withLater('lock table recipients; select pg_sleep(0.2); lock table tenants');
    const other = await connect(url);
    await other.query('begin; lock table tenants in access share mode');
    const waits: string[] = [];
    const migrating = migrate(url, directory, { onWait: (message) => waits.push(message) });
    await until('it has the first lock', async () => {
      const held = await other.query(
        `select from pg_locks where relation = 'recipients'::regclass and mode = 'AccessExclusiveLock' and granted`,
      );
      return held.rowCount === 1;
    });
    // Both wait for each other now.
    await other.query('lock table recipients in access share mode; commit');
    expect(await migrating).toEqual(['20990101000000_later']);
    expect(waits[0]).toContain('20990101000000_later waits for a lock');
    await other.end();
    await drop();
    await rm(directory, { recursive: true });
  });

  it('refuse to continue after one that was edited', async () => {
    const clone = await cloneDatabase(inject('postgresUrl'));
    const client = await connect(clone.url);
    await client.query(`update _prisma_migrations set checksum = 'another'`);
    await client.end();
    await expect(migrate(clone.url, join(import.meta.dirname, '../prisma/migrations'))).rejects.toThrow(
      'edited after it had been applied',
    );
    await clone.drop();
  });
});

/** A folder with our migrations, and one more. */
async function withLater(sql: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'carillon-migrations-'));
  await cp(join(import.meta.dirname, '../prisma/migrations'), directory, { recursive: true });
  await mkdir(join(directory, '20990101000000_later'));
  await writeFile(join(directory, '20990101000000_later/migration.sql'), sql);
  return directory;
}
