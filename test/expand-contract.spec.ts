// Migrations keep the statements of the previous release working, because both releases run during an upgrade
// (docs/upgrading.md).

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const MIGRATIONS = join(import.meta.dirname, '../prisma/migrations');

/** The first migration to which the rule applies. */
const FIRST = '20261130010000';

/** Changes that break statements of a release that does not know them. */
const CONTRACTS: Readonly<Record<string, RegExp>> = {
  'renames something': /\brename\s+(to|column|constraint)\b/,
  'drops a table or a view': /\bdrop\s+(table|view|materialized view)\b/,
  'drops a column': /\bdrop\s+column\b/,
  'drops a function or a type': /\bdrop\s+(function|procedure|type)\b/,
  'changes the type of a column': /\balter\s+column\s+\S+\s+(set\s+data\s+)?type\b/,
  'forbids null': /\bset\s+not\s+null\b/,
  'drops a default': /\bdrop\s+default\b/,
  'adds a column that must be given':
    /\badd\s+column\s+(?:(?!,\s*add\s|;).)*\bnot\s+null\b(?!(?:(?!,\s*add\s|;).)*\bdefault\b)(?<!\bdefault\b(?:(?!,\s*add\s|;).)*)/,
  'adds a constraint to rows that exist': /\badd\s+constraint\s+\S+\s+(check|unique|foreign|exclude)\b/,
};

/** Migration and change, with the reason why the previous release does not notice. */
const ALLOWED: Readonly<Record<string, string>> = {
  '20261130022000_policy_changes renames something':
    'the table, columns and indexes of 20261130011000_quiet_hours_changes, which is of the same release',
  '20261130022000_policy_changes drops a function or a type':
    'carillon_release_limits of 20261130012000_caps_and_quotas, which is of the same release',
};

function contractsIn(sql: string): string[] {
  const statements = sql.replace(/--.*$/gm, '').toLowerCase().replace(/\s+/g, ' ');
  return Object.entries(CONTRACTS).flatMap(([change, pattern]) => (pattern.test(statements) ? [change] : []));
}

describe('a migration', () => {
  it('only expands the schema, unless the previous release does not use what it takes away', () => {
    const names = readdirSync(MIGRATIONS).filter((name) => /^\d{14}_/.test(name) && name >= FIRST);
    expect(names.length).toBeGreaterThan(10);
    const found = names.flatMap((name) =>
      contractsIn(readFileSync(join(MIGRATIONS, name, 'migration.sql'), 'utf8')).map((change) => `${name} ${change}`),
    );
    expect(found).toEqual(Object.keys(ALLOWED));
  });

  it('that breaks the previous release is found by its statements, and no other is', () => {
    for (const [sql, change] of [
      ['alter table due_deliveries rename column paced to pace_reserved;', 'renames something'],
      ['ALTER TABLE decisions\n RENAME TO delivery_log', 'renames something'],
      ['drop table x', 'drops a table or a view'],
      ['alter table x drop column y, add column z integer', 'drops a column'],
      ['drop function carillon_x(uuid)', 'drops a function or a type'],
      ['alter table x alter column y type bigint', 'changes the type of a column'],
      ['alter table x alter column y set data type bigint', 'changes the type of a column'],
      ['alter table x alter column y set not null', 'forbids null'],
      ['alter table x alter column y drop default', 'drops a default'],
      ['alter table x add column a integer default 1, add column y text not null;', 'adds a column that must be given'],
      ['alter table x add constraint x_check check (y > 0)', 'adds a constraint to rows that exist'],
    ] as const)
      expect(contractsIn(sql), sql).toEqual([change]);
    for (const sql of [
      "alter table x add column y text not null default 'a' check (y in ('a')), add column z integer;",
      "alter table x add column y text default 'a' not null;",
      'create table x (y text not null); alter table z add column y text;',
      '-- drop table x\ncreate index i on x (y) where y is not null;',
      'alter table x drop constraint y',
    ])
      expect(contractsIn(sql), sql).toEqual([]);
  });
});
