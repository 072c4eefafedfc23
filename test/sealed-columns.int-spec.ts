// Every column with sealed secrets is in the list that `npm run rewrap` reads.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, it } from 'vitest';
import { sealedColumns } from '#database';
import { cloneDatabase, connect } from '#testing';

it('the list of sealed columns is the one of the database', async () => {
  const { url, drop } = await cloneDatabase(inject('postgresUrl'));
  const admin = await connect(url);
  const { rows } = await admin.query(`
    select c.relname as table, a.attname as column, k.attname as id, format_type(k.atttypid, null) as "idType"
    from pg_attribute a
    join pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p') and not c.relispartition
    join pg_index i on i.indrelid = c.oid and i.indisprimary
    join pg_attribute k on k.attrelid = c.oid and k.attnum = i.indkey[1]
    where c.relnamespace = 'public'::regnamespace and a.attname like '%sealed%' and not a.attisdropped`);
  const sorted = (columns: readonly object[]): string[] =>
    columns.map((column) => JSON.stringify(Object.entries(column).sort())).sort();
  expect(sorted(rows)).toEqual(sorted(sealedColumns));
  expect(sealedColumns.at(-1)!.table).toBe('platform_keys');
  await admin.end();
  await drop();
});

it('only these files seal secrets, each into columns of the list', () => {
  const root = join(import.meta.dirname, '..');
  const callers = ['apps', 'libs'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !path.endsWith('.spec.ts') && !path.includes('generated'))
      .map((path) => `${folder}/${path}`)
      .filter((path) => /\bbox\.seal\(/i.test(readFileSync(join(root, path), 'utf8'))),
  );
  expect(callers.sort()).toEqual([
    'apps/api/src/console/oidc/oidc-sign-in.ts', // the cookie of a sign-in that is under way, no column
    'libs/database/src/secrets/platform-keys.ts',
    'libs/database/src/stores/idempotency.store.ts',
    'libs/database/src/stores/provider-accounts.store.ts',
    'libs/database/src/stores/webhook-endpoints.store.ts',
  ]);
});
