// What lists of dead letters read, of a tenant with very many of which few match the filter.

import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Database, type DeadLetter, type DeadLetterFilter, DeadLettersStore, type Statement } from '#database';
import { newId } from '#domain';
import { cloneDatabase, connect } from '#testing';

const LETTERS = 34_900;
/** Of one page: that of DeadLettersStore. */
const EXAMINED = 10_000;
/** Blocks of a page that examines all it may: about 30 rows in a block, once in the table and once in its index. */
const MANY_BUFFERS = 2_000;
/** Blocks of a page that is full soon. */
const FEW_BUFFERS = 150;

let database: Database;
let admin: pg.Client;
let drop: () => Promise<void>;
const [tenant, neighbour] = [newId(), newId()];

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  drop = clone.drop;
  database = new Database({ url: clone.url, poolSize: 2 });
  admin = await connect(clone.url);
  for (const id of [tenant, neighbour]) {
    await admin.query(`insert into tenants (id, name) values ($1, 'Test')`, [id]);
    // Three of them, of the oldest fifty, have a code of their own; all but 60 are replayed.
    await admin.query(
      `insert into dead_letters (tenant_id, id, delivery_id, notification_id, recipient_id, channel, provider, reason,
                                 code, detail, attempts, replayed_at)
       select $1, ('01800000-' || $3 || '-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, gen_random_uuid(),
              gen_random_uuid(), 'user-' || n, 'email', 'smtp', 'retries_exhausted',
              case when n in (10, 20, 30) then '550' else '421' end, 'Try again later: the mailbox is busy.', 5,
              case when n % 600 <> 0 then now() end
       from generate_series(1, $2::integer) n`,
      [id, LETTERS, id === tenant ? '0001' : '0000'],
    );
  }
  await admin.query('vacuum analyze dead_letters');
});
afterAll(async () => {
  await database?.close();
  await admin?.end();
  await drop?.();
});

interface Node {
  'Node Type': string;
  'Index Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
  Plans?: Node[];
}

/** The page, the blocks that its statement reads, and the indexes. */
async function read(scope: string | null, filter: DeadLetterFilter, cursor?: string) {
  const statements: Statement[] = [];
  const watch = <T>(statement: Statement, answer: Promise<T>): Promise<T> => {
    statements.push(statement);
    return answer;
  };
  const watched = new Proxy(database, {
    get: (target, name) => {
      if (name === 'queryForTenant')
        return (id: string, statement: Statement) => watch(statement, target.queryForTenant(id, statement));
      if (name === 'platform')
        return { query: (statement: Statement) => watch(statement, target.platform.query(statement)) };
      return Reflect.get(target, name, target);
    },
  });
  const page = await new DeadLettersStore(watched, () => undefined).list(scope, filter, { limit: 50, cursor });
  expect(statements).toHaveLength(1);
  await admin.query(`begin; set local role ${scope === null ? 'carillon_platform' : 'carillon_tenant'}`);
  await admin.query(`set local app.tenant_id = '${scope ?? ''}'`);
  const explain = `explain (analyze, buffers, format json) ${statements[0]!.text}`;
  const { rows } = await admin.query(explain, statements[0]!.values);
  await admin.query('rollback');
  const plan: Node = rows[0]['QUERY PLAN'][0].Plan;
  const indexesOf = (node: Node): string[] => [
    ...(node['Index Name'] && node['Actual Loops'] > 0 ? [node['Index Name']] : []),
    ...(node.Plans ?? []).flatMap(indexesOf),
  ];
  const nodesOf = (node: Node): string[] => [node['Node Type'], ...(node.Plans ?? []).flatMap(nodesOf)];
  expect(nodesOf(plan)).not.toContain('Seq Scan');
  const buffers = plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
  return { ...page, buffers, indexes: [...new Set(indexesOf(plan))] };
}

/** All pages, each of which may read `buffers` blocks. */
async function readAll(scope: string | null, filter: DeadLetterFilter, buffers: number) {
  const found: DeadLetter[] = [];
  let pages = 0;
  for (let cursor: string | undefined, isFirst = true; isFirst || cursor !== undefined; isFirst = false) {
    const page = await read(scope, filter, cursor);
    expect(page.buffers).toBeLessThan(buffers);
    found.push(...page.rows);
    pages += 1;
    cursor = page.nextCursor ?? undefined;
  }
  return { found: found.map(({ recipientId }) => recipientId), pages };
}

describe('a list of dead letters', () => {
  it('with a filter that few match examines 10,000 for a page, and its cursor continues from there', async () => {
    const first = await read(tenant, { code: '550' });
    expect(first).toMatchObject({ rows: [], nextCursor: expect.any(String), indexes: ['dead_letters_pkey'] });
    const all = await readAll(tenant, { code: '550' }, MANY_BUFFERS);
    expect(all).toEqual({ found: ['user-30', 'user-20', 'user-10'], pages: Math.ceil(LETTERS / EXAMINED) });
    const none = await readAll(tenant, { channel: 'sms', reason: 'rejected' }, MANY_BUFFERS);
    expect(none).toEqual({ found: [], pages: Math.ceil(LETTERS / EXAMINED) });
  });

  it('with a filter that all match reads one page', async () => {
    for (const filter of [{}, { channel: 'email', reason: 'retries_exhausted', code: '421' }]) {
      const page = await read(tenant, filter);
      expect([page.rows.length, page.rows[0]!.recipientId]).toEqual([50, `user-${LETTERS}`]);
      expect(page.buffers).toBeLessThan(FEW_BUFFERS);
      expect((await read(tenant, filter, page.nextCursor!)).rows[0]!.recipientId).toBe(`user-${LETTERS - 50}`);
    }
  });

  it('of the unreplayed ones of a tenant reads those only', async () => {
    const open = Math.floor(LETTERS / 600);
    const { rows, nextCursor, buffers, indexes } = await read(tenant, { unreplayed: true });
    expect([rows.length, indexes]).toEqual([50, ['dead_letters_open_idx']]);
    expect(buffers).toBeLessThan(FEW_BUFFERS);
    const next = await read(tenant, { unreplayed: true }, nextCursor!);
    expect([next.rows.length, next.nextCursor]).toEqual([open - 50, null]);
  });

  it('of all tenants has the same limits', async () => {
    const first = await read(null, { code: '550' });
    expect(first).toMatchObject({ rows: [], nextCursor: expect.any(String), indexes: ['dead_letters_id_idx'] });
    const all = await readAll(null, { code: '550' }, MANY_BUFFERS);
    const three = ['user-30', 'user-20', 'user-10'];
    expect(all).toEqual({ found: [...three, ...three], pages: Math.ceil((2 * LETTERS) / EXAMINED) });
    const open = await readAll(null, { unreplayed: true }, MANY_BUFFERS);
    expect(open.found).toHaveLength(2 * Math.floor(LETTERS / 600));
    expect((await read(null, { tenantId: neighbour, unreplayed: true })).indexes).toEqual(['dead_letters_open_idx']);
  });
});
