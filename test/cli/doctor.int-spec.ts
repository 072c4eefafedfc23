// `carillon doctor` as a process: finds each fault that a test plants, and nothing else.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '#testing';
import {
  CONTENT,
  type Json,
  simulated,
  startTestEnvironment,
  type Tenant,
  type TestEnvironment,
} from '../test-environment.js';
import { type CommandResult, carillon } from './run-carillon.js';

let environment: TestEnvironment;
let tenant: Tenant;

beforeAll(async () => {
  environment = await startTestEnvironment();
  tenant = await environment.tenant();
  await tenant.call('PUT', '/api/v1/recipients/ann', { email: 'ann@example.com', phone: '+15005550000' });
  await tenant.call('PUT', '/api/v1/topics/news', { name: 'News' });
  await tenant.call('POST', '/api/v1/topics/news/subscriptions', { recipient_ids: ['ann', 'bob', 'eve'] });
  await life();
});
afterAll(async () => {
  await environment.stop();
});

/** Deliveries that end in every way, an inbox, a send to a topic, a digest, an ordering key, an erasure. */
async function life(): Promise<void> {
  await tenant.call('POST', '/api/v1/templates', {
    key: 'daily',
    channel: 'email',
    content: { subject: '{{count}} new', text: '{{#each items}}{{this.title}}{{/each}}' },
  });
  const digest = { window_seconds: 3_600, template_id: 'daily' };
  await tenant.call('PUT', '/api/v1/categories/digest', { name: 'Digest', digest });
  const sent = [];
  for (const word of ['ok', 'bounce', 'complaint', 'bad-address', 'rejected', 'flaky'])
    sent.push(await tenant.send(simulated(word)));
  for (let n = 0; n < 5; n += 1)
    sent.push(
      await tenant.send({ recipient_id: 'ann', channel: 'in_app', content: CONTENT.in_app, ordering_key: 'one' }),
    );
  sent.push(await tenant.send({ topic: 'news', channel: 'in_app', content: CONTENT.in_app }));
  const later = new Date(Date.now() + 3_600_000).toISOString();
  for (const ordering_key of ['two', 'two', undefined])
    await tenant.send({ recipient_id: 'ann', channel: 'sms', content: CONTENT.sms, scheduled_at: later, ordering_key });
  for (let n = 0; n < 3; n += 1)
    await tenant.send({ recipient_id: 'ann', channel: 'email', content: CONTENT.email, category: 'digest' });
  const cancelled = await tenant.send({
    recipient_id: 'ann',
    channel: 'sms',
    content: CONTENT.sms,
    scheduled_at: later,
  });
  await tenant.call('DELETE', `/api/v1/notifications/${cancelled.id}`);
  for (const { id } of sent.filter(({ deliveries }) => deliveries[0]?.recipient_id !== 'person-flaky'))
    await until(
      'it is final',
      async () => !['pending', 'active'].includes((await tenant.notification(id)).status),
      20_000,
    );
  await until('the digest has its items', async () => {
    const { rows } = await environment.sql.query('select 1 from due_deliveries where digest_id is not null');
    return rows.length === 3;
  });
  await tenant.call('DELETE', '/api/v1/recipients/eve');
}

function settings(): Record<string, string> {
  const { config } = environment;
  return {
    NODE_ENV: 'test',
    DATABASE_URL: environment.databaseUrl,
    CARILLON_HOME: config.home,
    MASTER_KEY: config.masterKey.toString('hex'),
    ADMIN_TOKEN: config.adminToken,
  };
}

async function doctor(...args: string[]): Promise<CommandResult> {
  return await carillon(['doctor', '--json', ...args], settings());
}

const problemsOf = (result: CommandResult): Json[] => result.json().checks.flatMap((check: Json) => check.findings);

/** Plants a fault, expects exactly this problem, and takes it back. */
async function finds(problem: string, plant: string, undo: string, examples: unknown): Promise<void> {
  await environment.sql.query(plant);
  const found = await doctor();
  await environment.sql.query(undo);
  expect([found.code, found.stderr]).toEqual([5, '']);
  expect(problemsOf(found)).toEqual([
    {
      problem,
      severity: expect.stringMatching(/^(error|warning)$/),
      count: 1,
      fixed: 0,
      examples,
      meaning: expect.any(String),
      advice: expect.any(String),
    },
  ]);
}

const one = async (text: string): Promise<string> => (await environment.sql.query(text)).rows[0].id as string;

describe('carillon doctor', { timeout: 120_000 }, () => {
  it('finds nothing in a healthy database, and shows what it has examined', async () => {
    const healthy = await doctor();
    expect(problemsOf(healthy)).toEqual([]);
    expect([healthy.code, healthy.stderr, healthy.json().healthy]).toEqual([0, '', true]);
    const { host, pathname } = new URL(environment.databaseUrl);
    expect(healthy.json().database).toBe(`the database ${pathname.slice(1)} on ${host}`);
    const examined = Object.fromEntries(healthy.json().checks.map((check: Json) => [check.check, check.examined]));
    expect(Object.keys(examined)).toEqual([
      'migrations',
      'logins',
      'partitions',
      'secrets',
      'spool',
      'deliveries',
      'queue',
      'jobs',
      'notification_counters',
      'inbox_counters',
      'topic_subscribers',
    ]);
    expect(examined).toMatchObject({ jobs: 1, topic_subscribers: 1, secrets: expect.any(Number) });
    expect(examined['deliveries']).toBeGreaterThan(15);
    expect(examined['queue']).toBeGreaterThan(5);
    const text = await carillon(['doctor'], settings());
    expect(text.stderr).toBe(`Examines ${healthy.json().database}.\n`);
    expect([text.code, text.stdout]).toEqual([
      0,
      expect.stringMatching(/^ok +migrations \(\d+ examined\)\n.*\n\nNothing to do\.\n$/s),
    ]);
  });

  it('finds a wrong counter of a notification, an inbox and a topic, and corrects them with --fix only', async () => {
    const notification = await one(`select id from notifications where total = 1 and succeeded = 1 limit 1`);
    await environment.sql.query('update notifications set succeeded = 0, failed = 1 where id = $1', [notification]);
    await environment.sql.query(`update inbox_counters set unread = 7, last_seq = 0 where recipient_id = 'ann'`);
    await environment.sql.query('update topics set subscribers = 9');
    const found = await doctor();
    const expected = [
      ['notification_counters', [notification]],
      ['inbox_counters', [`${tenant.id} ann`]],
      ['topic_subscribers', [expect.any(String)]],
    ];
    expect(problemsOf(found).map(({ problem, examples }) => [problem, examples])).toEqual(expected);
    expect(found.code).toBe(5);
    const fixed = await doctor('--fix');
    expect(problemsOf(fixed).map(({ problem, count, fixed: corrected }) => [problem, count, corrected])).toEqual(
      expected.map(([problem]) => [problem, 1, 1]),
    );
    expect([fixed.code, fixed.json().healthy]).toEqual([0, true]);
    expect(problemsOf(await doctor())).toEqual([]);
    const { rows } = await environment.sql.query('select succeeded, failed from notifications where id = $1', [
      notification,
    ]);
    expect(rows).toEqual([{ succeeded: 1, failed: 0 }]);
    const counts = await environment.sql.query(`select total, unread from inbox_counters where recipient_id = 'ann'`);
    expect(counts.rows).toEqual([{ total: 6, unread: 6 }]);
  });

  it('finds deliveries that are not in the queue, and rows of the queue that should not be there', async () => {
    const waiting = await one(
      `select delivery_id as id from due_deliveries where ordering_key is null and digest_id is null limit 1`,
    );
    await finds(
      'delivery_without_due_row',
      `create table kept as select * from due_deliveries where delivery_id = '${waiting}';
       delete from due_deliveries where delivery_id = '${waiting}'`,
      'insert into due_deliveries select * from kept; drop table kept',
      [waiting],
    );
    const final = await one(`select id from deliveries where state = 'cancelled' limit 1`);
    await finds(
      'due_row_of_final_delivery',
      `insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at)
       values ('${tenant.id}', '${final}', 'sms', 2, now() + interval '1 hour')`,
      `delete from due_deliveries where delivery_id = '${final}'`,
      [final],
    );
  });

  it('finds rows that nothing will ever make due, by ordering key and by digest', async () => {
    for (const column of ['ordering_key', 'digest_id']) {
      const head = `${column} is not null and due_at < 'infinity'`;
      const id = await one(`select delivery_id as id from due_deliveries where ${head} limit 1`);
      await environment.sql.query('update due_deliveries set not_before = due_at where delivery_id = $1', [id]);
      const found = await (async () => {
        await environment.sql.query(`update due_deliveries set due_at = 'infinity' where delivery_id = $1`, [id]);
        const result = await doctor();
        await environment.sql.query('update due_deliveries set due_at = not_before where delivery_id = $1', [id]);
        return result;
      })();
      const [finding, ...others] = problemsOf(found);
      expect([finding.problem, others]).toEqual(['never_due', []]);
      expect(finding.examples).toContain(id);
      expect(finding.count).toBe(column === 'ordering_key' ? 2 : 3);
    }
  });

  it('finds deliveries that are overdue, and claims that nothing has taken over', async () => {
    // A channel without a worker: nothing claims it meanwhile.
    const waiting = await one(
      `select delivery_id as id from due_deliveries where ordering_key is null and digest_id is null limit 1`,
    );
    const before = `update due_deliveries set channel = 'sms', claim_id = null, due_at = now() + interval '1 hour'`;
    const overdue = `update due_deliveries set channel = 'none', due_at = now() - interval '11 minutes'`;
    const where = `where delivery_id = '${waiting}'`;
    await finds('overdue', `${overdue} ${where}`, `${before} ${where}`, [waiting]);
    await finds('overdue_claim', `${overdue}, claim_id = gen_random_uuid() ${where}`, `${before} ${where}`, [waiting]);
  });

  it('finds jobs that failed, are overdue or have done too little', async () => {
    const job = await one('select id from jobs limit 1');
    const finished = `update jobs set state = 'finished', finished_at = now(), total = done, due_at = now()`;
    await finds('job_failed', `update jobs set state = 'failed'`, finished, [job]);
    await finds('job_total', 'update jobs set total = done + 1', finished, [job]);
    await finds(
      'job_overdue',
      `update jobs set kind = 'none', state = 'running', finished_at = null, due_at = now() - interval '11 minutes'`,
      `${finished}, kind = 'topic_send'`,
      [job],
    );
  });

  it('finds secrets of another master key, and counts those of the previous one', async () => {
    const other = '11'.repeat(16) + environment.config.masterKey.toString('hex').slice(32);
    const unknown = await carillon(['doctor', '--json'], { ...settings(), MASTER_KEY: other });
    expect(unknown.code).toBe(5);
    expect(problemsOf(unknown).map(({ problem }) => problem)).toEqual(['secret_without_key']);
    const previous = await carillon(['doctor', '--json'], {
      ...settings(),
      MASTER_KEY: other,
      MASTER_KEY_PREVIOUS: environment.config.masterKey.toString('hex'),
    });
    expect(problemsOf(previous).map(({ problem }) => problem)).toEqual(['secret_under_previous_key']);
    for (const { stdout } of [unknown, previous]) expect(stdout).not.toContain(settings()['MASTER_KEY']);
  });

  it('finds migrations that are missing, edited, failed or of another release', async () => {
    const last = `(select max(migration_name) from _prisma_migrations)`;
    await finds(
      'migration_edited',
      `update _prisma_migrations set logs = checksum, checksum = 'x' where migration_name = ${last}`,
      `update _prisma_migrations set checksum = logs, logs = null where logs is not null`,
      [expect.any(String)],
    );
    const insert = (rest: string): string =>
      `insert into _prisma_migrations (id, checksum, migration_name, finished_at) values ('x', 'x', '99990101000000_later', ${rest})`;
    const remove = `delete from _prisma_migrations where id = 'x'`;
    await finds('migration_unknown', insert('now()'), remove, ['99990101000000_later']);
    await finds('migration_failed', insert('null'), remove, ['99990101000000_later']);
    await finds(
      'migration_pending',
      `update _prisma_migrations set logs = 'undo', rolled_back_at = now() where migration_name = ${last}`,
      `update _prisma_migrations set logs = null, rolled_back_at = null where logs = 'undo'`,
      [expect.any(String)],
    );
  });

  it('finds outcomes in the spool', async () => {
    const spool = join(environment.config.home, 'elsewhere', 'spool');
    mkdirSync(join(spool, 'unreadable'), { recursive: true });
    writeFileSync(join(spool, 'a.b.json'), '{}');
    writeFileSync(join(spool, 'unreadable', 'c.d.json'), '{');
    const found = await carillon(['doctor', '--json'], { ...settings(), CARILLON_HOME: join(spool, '..') });
    rmSync(spool, { recursive: true });
    expect(problemsOf(found).map(({ problem, examples }) => [problem, examples])).toEqual([
      ['spooled_outcome', ['a.b.json']],
      ['unreadable_outcome', ['c.d.json']],
    ]);
  });

  it('reports wrong settings with 2, and a database that is away with 4', async () => {
    const wrong = await carillon(['doctor'], { ...settings(), RETENTION_DAYS: 'x' });
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      expect.stringContaining('RETENTION_DAYS: must be a number of days'),
    ]);
    const away = new URL(environment.databaseUrl);
    away.port = '1';
    const result = await carillon(['doctor', '--json'], { ...settings(), DATABASE_URL: away.href });
    expect([result.code, result.error().code]).toEqual([4, 'unavailable']);
    expect(result.stderr).not.toContain(away.password);
    const none = await carillon(['doctor'], { CARILLON_HOME: join(environment.config.home, 'none') });
    expect([none.code, none.stderr]).toEqual([2, expect.stringMatching(/^No database: set DATABASE_URL/)]);
  });
});
