import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Database, derivedLogins, migrate, OperationsStore } from '#database';
import { newId } from '#domain';
import { cloneDatabase, connect, dropDatabase } from '#testing';

const MIGRATIONS = join(import.meta.dirname, '../prisma/migrations');

let url: string;
let admin: pg.Client;
let database: Database;
let drop: () => Promise<void>;
const [ann, bob] = [newId(), newId()];

beforeAll(async () => {
  ({ url, drop } = await cloneDatabase(inject('postgresUrl')));
  admin = await connect(url);
  database = new Database({ url, poolSize: 2 });
  for (const id of [ann, bob]) {
    await admin.query(`insert into tenants (id, name) values ($1, ($1::uuid)::text)`, [id]);
    await admin.query(`insert into recipients (tenant_id, id) values ($1, 'r')`, [id]);
  }
});
afterAll(async () => {
  await database?.close();
  await admin?.end();
  await drop?.();
});

const names = (): { tenant: string; platform: string } => {
  const { tenant, platform } = derivedLogins(url);
  return { tenant: tenant.name, platform: platform.name };
};
const ownerOf = (databaseUrl: string): string => new URL(databaseUrl).username;

describe('the two logins', () => {
  it('are no superusers, own nothing, bypass nothing, and are members of their role only', async () => {
    const { rows } = await admin.query(
      `select rolname as name, rolsuper or rolcreatedb or rolcreaterole or rolbypassrls or rolreplication as strong,
              rolcanlogin and rolinherit as usable,
              array(select g.rolname::text from pg_auth_members m join pg_roles g on g.oid = m.roleid
                    where m.member = r.oid) as roles,
              (select count(*)::int from pg_shdepend where refclassid = 'pg_authid'::regclass and refobjid = r.oid
                 and deptype in ('o', 'a')) as owned_or_granted
       from pg_roles r where rolname = any ($1) order by 1 desc`,
      [Object.values(names())],
    );
    const common = { strong: false, usable: true, owned_or_granted: 0 };
    expect(rows).toEqual([
      { name: names().tenant, roles: ['carillon_tenant'], ...common },
      { name: names().platform, roles: ['carillon_platform'], ...common },
    ]);
    const { rows: groups } = await admin.query(
      `select count(*)::int as count from pg_auth_members m join pg_roles r on r.oid = m.member
       where r.rolname in ('carillon_tenant', 'carillon_platform')`,
    );
    expect(groups).toEqual([{ count: 0 }]);
  });

  it('are the only ones with which the product connects', async () => {
    await database.queryForTenant(ann, { text: 'select 1' });
    await Promise.all([database.ping(), database.platform.query({ text: 'select 1' })]);
    await database.platformReads.query({ text: 'select 1' });
    const listening = database.newClient();
    await listening.connect();
    const { rows } = await admin.query(
      `select distinct usename as name from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid() order by 1`,
    );
    await listening.end();
    expect(rows.map(({ name }) => name)).toEqual([names().platform, names().tenant]);
  });

  it('may not become another role, read passwords or create objects', async () => {
    const { tenant, platform } = names();
    const owner = ownerOf(url);
    const refused = (own: string, others: string[]): string[] => [
      ...[...others, owner].flatMap((other) => [`set role "${other}"`, `set session authorization "${other}"`]),
      `alter role "${own}" superuser`,
      `alter role "${own}" bypassrls`,
      `grant "${owner}" to "${own}"`,
      'create role another login',
      'select rolpassword from pg_authid',
      'create table stolen (id int)',
      'create schema stolen',
      `create function stolen() returns int language sql as 'select 1'`,
      'alter table recipients disable row level security',
      'drop policy tenant_rows on recipients',
      'truncate recipients',
      `copy (select 1) to program 'true'`,
      `select pg_read_file('postgresql.conf')`,
    ];
    for (const { login, statements } of [
      { login: derivedLogins(url).tenant, statements: refused(tenant, ['carillon_platform', platform]) },
      { login: derivedLogins(url).platform, statements: refused(platform, ['carillon_tenant', tenant]) },
    ]) {
      // A plain client with the simple protocol: what the login may do, whatever our pools allow.
      const client = await connect(login.url);
      for (const statement of statements)
        await expect(client.query(statement), `${login.name}: ${statement}`).rejects.toMatchObject({ code: '42501' });
      await client.end();
    }
  });

  it('see one tenant only, also after `reset role` and `reset session authorization`', async () => {
    const client = await connect(derivedLogins(url).tenant.url);
    await client.query(`begin; set local app.tenant_id = '${ann}'`);
    for (const reset of ['reset role', 'reset session authorization', 'set role none']) {
      await client.query(reset);
      expect((await client.query('select tenant_id from recipients')).rows, reset).toEqual([{ tenant_id: ann }]);
    }
    await client.end();
  });
});

describe('a statement too many', () => {
  const second = `select 1; update recipients set email = 'stolen'`;

  it('is a syntax error on all connections', async () => {
    const error = 'cannot insert multiple commands into a prepared statement';
    await expect(database.queryForTenant(ann, { text: second })).rejects.toThrow(error);
    await expect(database.sqlForTenant(ann, (sql) => sql.query({ text: second }))).rejects.toThrow(error);
    await expect(database.forTenant(ann, (prisma) => prisma.$queryRawUnsafe(second))).rejects.toThrow(error);
    await expect(database.platform.query({ text: second })).rejects.toThrow(error);
    await expect(database.platformReads.query({ text: second })).rejects.toThrow(error);
    await expect(database.sqlAsPlatform((sql) => sql.query({ text: second }))).rejects.toThrow(error);
    await expect(database.asPlatform((prisma) => prisma.$executeRawUnsafe(second))).rejects.toThrow(error);
    const pools = database as unknown as { tenantPool: pg.Pool };
    await expect(pools.tenantPool.query(second)).rejects.toThrow(error);
    expect((await admin.query('select from recipients where email is not null')).rows).toEqual([]);
  });

  it('leaves transactions usable: begin and the tenant are two messages in one round trip', async () => {
    const rows = await database.sqlForTenant(ann, async (sql) => {
      await sql.query({ text: `update recipients set email = 'a@example.com'` });
      return await sql.query({ text: 'select tenant_id, email from recipients' });
    });
    expect(rows).toEqual([{ tenant_id: ann, email: 'a@example.com' }]);
    await expect(
      database.sqlForTenant(ann, async (sql) => {
        await sql.query({ text: `update recipients set email = 'b@example.com'` });
        throw new Error('changed its mind');
      }),
    ).rejects.toThrow('changed its mind');
    const { rows: kept } = await admin.query('select tenant_id, email from recipients where email is not null');
    expect(kept).toEqual([{ tenant_id: ann, email: 'a@example.com' }]);
  });
});

describe('migrations', () => {
  it('create the logins of many databases at once, and change nothing that is as it should be', async () => {
    const server = await connect(inject('postgresUrl'));
    const urls: string[] = [];
    for (let index = 0; index < 4; index += 1) {
      const own = new URL(inject('postgresUrl'));
      own.pathname = `/logins_${randomBytes(4).toString('hex')}`;
      await server.query(`create database "${own.pathname.slice(1)}" template carillon_template`);
      urls.push(own.href);
    }
    await Promise.all(urls.flatMap((own) => [migrate(own, MIGRATIONS), migrate(own, MIGRATIONS)]));
    const all = urls.flatMap((own) => Object.values(derivedLogins(own)).map(({ name }) => name));
    const versions = async (): Promise<unknown[]> =>
      (await server.query('select rolname, xmin::text from pg_authid where rolname = any ($1) order by 1', [all])).rows;
    const before = await versions();
    expect(before).toHaveLength(8);
    await Promise.all(urls.map((own) => migrate(own, MIGRATIONS)));
    expect(await versions()).toEqual(before);
    for (const own of urls) await dropDatabase(own, inject('postgresUrl'));
    await server.end();
  });

  it('repair logins that were changed', async () => {
    const clone = await cloneDatabase(inject('postgresUrl'));
    const { tenant, platform } = derivedLogins(clone.url);
    await admin.query(`alter role "${tenant.name}" superuser bypassrls`);
    await admin.query(`grant carillon_platform, pg_read_all_data to "${tenant.name}"`);
    await admin.query(
      `revoke carillon_platform from "${platform.name}"; alter role "${platform.name}" password 'other'`,
    );
    await migrate(clone.url, MIGRATIONS);
    const repaired = new Database({ url: clone.url, poolSize: 1 });
    expect(await repaired.loginFault()).toBeNull();
    await repaired.close();
    await clone.drop();
  });
});

describe('readiness', () => {
  const checksOf = async (options: {
    url: string;
    logins?: { tenant: string; platform: string };
  }): Promise<unknown> => {
    const one = new Database({ ...options, poolSize: 1 });
    const readiness = await new OperationsStore(one, MIGRATIONS).readiness();
    await one.close();
    return readiness;
  };
  const missing = {
    ready: false,
    checks: { postgres: 'ok', logins: expect.stringContaining('run `npm run migrate`') },
  };

  it('names a login that is missing or has another password', async () => {
    const clone = await cloneDatabase(inject('postgresUrl'));
    expect(await checksOf({ url: clone.url })).toMatchObject({ ready: true });
    const { tenant, platform } = derivedLogins(clone.url);
    for (const { name } of [tenant, platform]) {
      await admin.query(`alter role "${name}" password 'other'`);
      expect(await checksOf({ url: clone.url }), name).toEqual(missing);
      await migrate(clone.url, MIGRATIONS);
      await admin.query(`drop role "${name}"`);
      expect(await checksOf({ url: clone.url }), name).toEqual(missing);
      await migrate(clone.url, MIGRATIONS);
    }
    await clone.drop();
  });

  it('refuses logins of the operator that have more or fewer rights than they should', async () => {
    const { tenant, platform } = derivedLogins(url);
    const checks = async (logins: { tenant: string; platform: string }): Promise<unknown> => checksOf({ url, logins });
    const fault = (text: string): object => ({ ready: false, checks: { logins: expect.stringContaining(text) } });
    expect(await checks({ tenant: tenant.url, platform: platform.url })).toMatchObject({ ready: true });
    expect(await checks({ tenant: url, platform: platform.url })).toMatchObject(
      fault('more rights than carillon_tenant'),
    );
    expect(await checks({ tenant: tenant.url, platform: url })).toMatchObject(
      fault('more rights than carillon_platform'),
    );
    expect(await checks({ tenant: platform.url, platform: platform.url })).toMatchObject(
      fault('more rights than carillon_tenant'),
    );
    await admin.query(`revoke carillon_tenant from "${tenant.name}"`);
    expect(await checks({ tenant: tenant.url, platform: platform.url })).toMatchObject(
      fault('is not a member of carillon_tenant'),
    );
    await migrate(url, MIGRATIONS);
    expect(await checks({ tenant: tenant.url, platform: platform.url })).toMatchObject({ ready: true });
  });
});
