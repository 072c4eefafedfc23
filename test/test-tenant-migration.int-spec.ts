import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, it } from 'vitest';
import { ApiKeysStore, Database, migrate, TenantsStore } from '#database';
import { newId } from '#domain';
import { connect, dropDatabase } from '#testing';

const MIGRATIONS = join(import.meta.dirname, '../prisma/migrations');
const FIRST = '20261129223000';

it('the migration gives each tenant a test tenant and moves its test keys, also without a superuser', async () => {
  const before = await mkdtemp(join(tmpdir(), 'carillon-migrations-'));
  for (const name of await readdir(MIGRATIONS))
    if (name < FIRST) await cp(join(MIGRATIONS, name), join(before, name), { recursive: true });
  const name = `test_tenants_${Date.now()}`;
  const server = await connect(inject('postgresUrl'));
  await server.query(`create role ${name} login createrole password 'x'`);
  await server.query(`grant carillon_tenant, carillon_platform to ${name} with admin option`);
  await server.query(`create database ${name} owner ${name}`);
  const url = new URL(inject('postgresUrl'));
  [url.username, url.password, url.pathname] = [name, 'x', `/${name}`];
  await migrate(url.href, before);

  const admin = await connect(Object.assign(new URL(inject('postgresUrl')), { pathname: `/${name}` }).href);
  const [ann, bob] = [newId(), newId()];
  for (const id of [ann, bob]) {
    await admin.query(
      `insert into tenants (id, name, status, settings) values ($1, 'T', 'suspended', '{"locale": "fr"}')`,
      [id],
    );
    for (const mode of ['live', 'test'])
      await admin.query(
        `insert into api_keys (tenant_id, id, key_id, secret_hash, name, mode, scopes) values ($1, $2, $3, '', 'k', $4, '{mailbox:read}')`,
        [id, newId(), `${id}-${mode}`, mode],
      );
    await admin.query(`insert into recipients (tenant_id, id) values ($1, 'r')`, [id]);
  }

  await migrate(url.href, MIGRATIONS);
  const database = new Database({ url: url.href, poolSize: 2 });
  const [tenants, keys] = [new TenantsStore(database), new ApiKeysStore(database)];
  expect((await tenants.list({ limit: 10 })).rows.map(({ id }) => id)).toEqual([bob, ann]);
  for (const id of [ann, bob]) {
    const live = (await tenants.get(id))!;
    const test = (await tenants.get(live.testTenantId!))!;
    expect(test).toMatchObject({ testOf: id, name: 'T', status: 'suspended', settings: { locale: 'fr' } });
    expect(test.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]/);
    expect(test.id.slice(0, 13)).toBe(
      (await tenants.get(id))!.createdAt
        .getTime()
        .toString(16)
        .padStart(12, '0')
        .replace(/^(.{8})/, '$1-'),
    );
    expect((await keys.find([`${id}-live`])).get(`${id}-live`)?.tenantId).toBe(id);
    expect((await keys.find([`${id}-test`])).get(`${id}-test`)?.tenantId).toBe(test.id);
    const { rows } = await admin.query('select tenant_id from recipients where tenant_id = any ($1)', [[id, test.id]]);
    expect(rows).toEqual([{ tenant_id: id }]);
  }
  const forced = await admin.query(
    `select from pg_class where relname in ('tenants', 'api_keys') and relforcerowsecurity and relkind = 'r'`,
  );
  expect(forced.rowCount).toBe(2);

  await database.close();
  await admin.end();
  await dropDatabase(url.href, inject('postgresUrl'));
  await server.query(`drop role ${name}`);
  await server.end();
  await rm(before, { recursive: true });
});
