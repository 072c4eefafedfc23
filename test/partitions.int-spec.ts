// Weekly partitions: their bounds in every time zone of the server, and the effect of creating them on traffic.

import type pg from 'pg';
import { describe, expect, inject, it } from 'vitest';
import { Database, migrate, OperationsStore, PartitionsStore } from '#database';
import { cloneDatabase, connect } from '#testing';
import { MIGRATIONS, startTestEnvironment } from './test-environment.js';

const DAY = 86_400_000;
const PARENTS = ['notifications', 'deliveries', 'attempts', 'delivery_log'];

interface Bounds {
  parent: string;
  first: number;
  end: number;
}

/** The bounds of all partitions in milliseconds, in order, as the catalogue has them. */
async function bounds(client: pg.Client): Promise<Bounds[]> {
  const { rows } = await client.query<{ parent: string; bound: string }>(
    `select inhparent::regclass::text as parent, pg_get_expr(c.relpartbound, c.oid) as bound from pg_inherits join pg_class c on c.oid = inhrelid where c.relkind = 'r'`,
  );
  return rows
    .map(({ parent, bound }) => {
      const [first, end] = [...bound.matchAll(/'([0-9a-f-]{36})'/g)].map(([, id]) =>
        Number.parseInt(id!.replaceAll('-', '').slice(0, 12), 16),
      );
      return { parent, first: first!, end: end! };
    })
    .sort((left, right) => left.first - right.first);
}

function expectWholeWeeks(found: Bounds[], from: number, until: number): void {
  for (const parent of PARENTS) {
    const own = found.filter((row) => row.parent === parent && row.end > from && row.first < until);
    expect(own[0]!.first, parent).toBeLessThanOrEqual(from);
    expect(own.at(-1)!.end, parent).toBeGreaterThanOrEqual(until);
    own.forEach(({ first, end }, index) => {
      expect(end - first, parent).toBe(7 * DAY);
      expect(new Date(first).toISOString(), parent).toMatch(/T00:00:00\.000Z$/);
      expect(new Date(first).getUTCDay(), parent).toBe(1);
      if (index > 0) expect(first, parent).toBe(own[index - 1]!.end);
    });
  }
}

/** A POSIX zone whose clocks go back or ahead ten days from now. */
function zoneChanging(way: 'back' | 'ahead'): string {
  const dayOfYear = (days: number): number => {
    const at = new Date(Date.now() + days * DAY);
    return Math.max(1, Math.min(365, Math.ceil((at.getTime() - Date.UTC(at.getUTCFullYear(), 0, 1)) / DAY)));
  };
  const [summerFrom, summerUntil] = way === 'back' ? [dayOfYear(-100), dayOfYear(10)] : [dayOfYear(10), dayOfYear(110)];
  return `WIN-1SUM-2,J${summerFrom},J${summerUntil}`;
}

describe('on a server where daylight saving begins or ends within the month', () => {
  it.each(['back', 'ahead'] as const)('%s: a fresh migration creates whole weeks without a gap', async (way) => {
    const server = await connect(inject('postgresUrl'));
    const name = `zone_${way}_${Date.now()}`;
    await server.query(`create database ${name}`);
    await server.query(`alter database ${name} set timezone = '${zoneChanging(way)}'`);
    const url = new URL(inject('postgresUrl'));
    url.pathname = `/${name}`;
    try {
      await migrate(url.href, MIGRATIONS);
      const client = await connect(url.href);
      const { rows } = await client.query<{ hours: number }>(
        `select extract(epoch from (now() at time zone current_setting('timezone') + interval '20 days') at time zone current_setting('timezone') - now())::int / 3600 as hours`,
      );
      expect(rows[0]!.hours).toBe(20 * 24 + (way === 'back' ? 1 : -1));
      expectWholeWeeks(await bounds(client), Date.now(), Date.now() + 28 * DAY);
      await client.end();
    } finally {
      await server.query(`drop database ${name} with (force)`);
      await server.end();
    }
  });

  it.each(['back', 'ahead'] as const)('%s: more weeks can be created in its zone', async (way) => {
    const clone = await cloneDatabase(inject('postgresUrl'));
    let client = await connect(clone.url);
    try {
      await client.query(
        `alter database ${new URL(clone.url).pathname.slice(1)} set timezone = '${zoneChanging(way)}'`,
      );
      for (const { name } of (
        await client.query(
          `select c.relname as name from pg_inherits join pg_class c on c.oid = inhrelid where c.relkind = 'r'`,
        )
      ).rows)
        await client.query(`drop table ${name}`);
      await client.end();
      client = await connect(clone.url);
      await client.query('select carillon_make_partitions(6)');
      expectWholeWeeks(await bounds(client), Date.now(), Date.now() + 42 * DAY);
    } finally {
      await client.end();
      await clone.drop();
    }
  });
});

const ZONES = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe'];
/** Days before the changes of the clocks in these zones. */
const AUTUMN = '2026-10-20T12:00:00Z';
const SPRING = '2027-03-10T12:00:00Z';

describe('the function', () => {
  it.each(ZONES)('creates whole weeks in %s across both ends of daylight saving', async (zone) => {
    const clone = await cloneDatabase(inject('postgresUrl'));
    const client = await connect(clone.url);
    await client.query(`set timezone = '${zone}'`);
    for (const at of [AUTUMN, SPRING]) {
      const from = Date.parse(at);
      // Also late in the week, on the days on which each zone changes its clocks, and in the first and last hour of a week.
      for (const days of [0, 4.49, 5.4, 11.4, 12.49, 12.51, 18.5, 25.5]) {
        const now = new Date(from + days * DAY);
        await client.query('select carillon_make_partitions(4, $1)', [now]);
        const { rows } = await client.query('select carillon_partition_horizon_days($1) as days', [now]);
        expect(rows[0].days).toBeGreaterThanOrEqual(28);
      }
      expectWholeWeeks(await bounds(client), from, from + (25 + 28) * DAY);
    }
    await client.end();
    await clone.drop();
  });

  it('closes gaps and respects overlaps that a zone with daylight saving caused', async () => {
    const clone = await cloneDatabase(inject('postgresUrl'));
    const client = await connect(clone.url);
    const id = (time: string): string =>
      `${Date.parse(time).toString(16).padStart(12, '0')}${'0'.repeat(20)}`.replace(
        /^(.{8})(.{4})(.{4})(.{4})/,
        '$1-$2-$3-$4-',
      );
    for (const parent of PARENTS) {
      // An hour too short, as the spring made it in Berlin; then, in autumn, an hour too long.
      for (const [name, from, until] of [
        ['20270322', '2027-03-22T00:00:00Z', '2027-03-28T23:00:00Z'],
        ['20270329', '2027-03-29T00:00:00Z', '2027-04-05T00:00:00Z'],
        ['20261019', '2026-10-19T00:00:00Z', '2026-10-26T01:00:00Z'],
      ])
        await client.query(
          `create table ${parent}_${name} partition of ${parent} for values from ('${id(from!)}') to ('${id(until!)}')`,
        );
    }
    for (const at of ['2026-10-20T12:00:00Z', '2027-03-30T12:00:00Z']) {
      expect(
        (await client.query('select carillon_partition_horizon_days($1) as days', [at])).rows[0].days,
      ).toBeLessThan(7);
      await client.query('select carillon_make_partitions(4, $1)', [at]);
    }
    const names = await client.query(
      `select name, to_timestamp(first_ms / 1000) as first, to_timestamp(end_ms / 1000) as "end" from carillon_partitions()
       where parent = 'deliveries' and name in ('deliveries_20261026_010000', 'deliveries_20270328_230000') order by 1`,
    );
    expect(names.rows).toEqual([
      {
        name: 'deliveries_20261026_010000',
        first: new Date('2026-10-26T01:00:00Z'),
        end: new Date('2026-11-02T00:00:00Z'),
      },
      {
        name: 'deliveries_20270328_230000',
        first: new Date('2027-03-28T23:00:00Z'),
        end: new Date('2027-03-29T00:00:00Z'),
      },
    ]);
    for (const parent of PARENTS)
      for (const at of ['2026-10-26T00:30:00Z', '2026-10-26T01:00:00Z', '2027-03-28T23:30:00Z', '2027-04-20T00:00:00Z'])
        expect(
          (
            await client.query('select carillon_covered_until($1, $2)::float8 - $2::float8 as ahead', [
              parent,
              Date.parse(at),
            ])
          ).rows[0].ahead,
          `${parent} ${at}`,
        ).toBeGreaterThan(0);
    await client.end();
    await clone.drop();
  });
});

describe('every connection of the product', () => {
  it('uses UTC, whatever the time zone of the server', async () => {
    const clone = await cloneDatabase(inject('postgresUrl'));
    const admin = await connect(clone.url);
    await admin.query(`alter database ${new URL(clone.url).pathname.slice(1)} set timezone = 'Australia/Lord_Howe'`);
    const database = new Database({ url: clone.url, poolSize: 1 });
    const listening = database.newClient();
    try {
      const text = `select current_setting('timezone') as zone`;
      const tenant = '00000000-0000-7000-8000-000000000001';
      expect(await database.platform.query({ text })).toEqual([{ zone: 'UTC' }]);
      expect(await database.sqlForTenant(tenant, (sql) => sql.query({ text }))).toEqual([{ zone: 'UTC' }]);
      expect(await database.forTenant(tenant, (prisma) => prisma.$queryRawUnsafe(text))).toEqual([{ zone: 'UTC' }]);
      await listening.connect();
      expect((await listening.query(text)).rows).toEqual([{ zone: 'UTC' }]);
    } finally {
      await listening.end();
      await database.close();
      await admin.end();
      await clone.drop();
    }
  });
});

describe('creating partitions', () => {
  it('during accepts and records: nothing fails, nothing waits for a lock', async () => {
    const clone = await cloneDatabase(inject('postgresUrl'));
    const admin = await connect(clone.url);
    const database = new Database({ url: clone.url, poolSize: 2 });
    const partitions = new PartitionsStore(database);
    const writers = await Promise.all(Array.from({ length: 4 }, () => connect(clone.url)));
    let writing = true;
    let written = 0;
    /** Each transaction touches the tables in another order, as accept, load, record and cancel do between them. */
    const write = async (client: pg.Client, tables: string[]): Promise<void> => {
      while (writing) {
        await client.query('begin');
        for (const table of tables) await client.query(`lock table ${table} in row exclusive mode`);
        await client.query('commit');
        written += 1;
      }
    };
    const traffic = Promise.all(
      writers.map((client, index) => write(client, [...PARENTS.slice(index), ...PARENTS.slice(0, index)])),
    );
    traffic.catch(() => undefined);
    for (let weeks = 5; weeks < 17; weeks += 1) {
      const before = written;
      expect(await partitions.make(weeks)).toBe(4);
      expect(written).toBeGreaterThan(before);
    }
    writing = false;
    await traffic;
    expectWholeWeeks(await bounds(admin), Date.now(), Date.now() + 16 * 7 * DAY);
    await Promise.all([...writers, admin].map((client) => client.end()));
    await database.close();
    await clone.drop();
  });

  it('during an open transaction that has written to all of them', async () => {
    const clone = await cloneDatabase(inject('postgresUrl'));
    const database = new Database({ url: clone.url, poolSize: 2 });
    const admin = await connect(clone.url);
    await admin.query('begin');
    for (const table of PARENTS) await admin.query(`delete from ${table}`);
    expect(await new PartitionsStore(database).make(6)).toBe(8);
    await admin.query('rollback');
    await admin.end();
    await database.close();
    await clone.drop();
  });

  it('a locked table does not prevent the partitions of other tables or the start of the API', async () => {
    const app = await startTestEnvironment({ worker: false });
    const database = new Database({ url: app.databaseUrl, poolSize: 2 });
    const partitions = new PartitionsStore(database);
    const last = async (table: string): Promise<string> =>
      (
        await app.sql.query('select name from carillon_partitions() where parent = $1 order by first_ms desc limit 1', [
          table,
        ])
      ).rows[0].name;
    // CREATE INDEX, for one, takes such a lock.
    const holding = await connect(app.databaseUrl);
    await holding.query('begin');
    await holding.query('lock table deliveries in share mode');
    const before = await last('delivery_log');
    await expect(partitions.make(5)).rejects.toMatchObject({ code: '55P03' });
    expect(await last('delivery_log')).not.toBe(before);
    expect(await partitions.horizonDays()).toBeLessThan(35);
    await holding.query('rollback');

    // An API starts with one week ahead, and warns.
    for (const table of PARENTS)
      while ((await bounds(app.sql)).some(({ parent, end }) => parent === table && end > Date.now() + 7 * DAY))
        await app.sql.query(`drop table ${await last(table)}`);
    await holding.query('begin');
    await holding.query('lock table deliveries in share mode');
    const { startApi } = await import('../apps/api/src/start-api.js');
    const { createLogger } = await import('#telemetry');
    const second = await startApi(
      { ...app.config, port: 0, databaseUrl: app.databaseUrl },
      {
        logger: createLogger({ level: 'silent', role: 'test' }),
        migrationsDirectory: MIGRATIONS,
        metricsFallback: true,
      },
    );
    const readiness = await fetch(`http://127.0.0.1:${second.operationsPort}/readyz`);
    expect(readiness.status).toBe(200);
    expect(((await readiness.json()) as { checks: { partitions: string } }).checks.partitions).toMatch(
      /^warning: made for \d\.\d more days only/,
    );
    const metrics = await (await fetch(`http://127.0.0.1:${second.operationsPort}/metrics`)).text();
    const shown = Number(/^carillon_partition_horizon_days(?:\{.*\})? (\S+)/m.exec(metrics)![1]);
    expect(shown).toBeGreaterThan(0);
    expect(shown).toBeLessThan(7);
    await second.stop();
    await holding.query('rollback');
    await partitions.make();
    expect(await partitions.horizonDays()).toBeGreaterThan(28);
    expect((await new OperationsStore(database, MIGRATIONS).readiness()).checks.partitions).toBe('ok');
    await holding.end();
    await database.close();
    await app.stop();
  });

  it('happens once if many processes try at the same time', async () => {
    const clone = await cloneDatabase(inject('postgresUrl'));
    const databases = Array.from({ length: 4 }, () => new Database({ url: clone.url, poolSize: 1 }));
    const made = await Promise.all(databases.map((database) => new PartitionsStore(database).make(8)));
    expect(made.reduce((sum, count) => sum + count, 0)).toBe(16);
    await Promise.all(databases.map((database) => database.close()));
    await clone.drop();
  });
});
