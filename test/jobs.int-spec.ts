// Jobs and the runner, with kinds of these tests.

import type pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, inject, it } from 'vitest';
import { type ChunkResult, Database, JobsStore, type LockedJob, RunningJobsStore, type Sql } from '#database';
import { DomainError, newId, PLATFORM_TENANT_ID } from '#domain';
import { createLogger } from '#telemetry';
import { cloneDatabase, connect, until } from '#testing';
import { JobRunner } from '../apps/worker/src/jobs/job-runner.js';

const logger = createLogger({ level: 'silent', role: 'test' });
const running: JobRunner[] = [];
let database: Database;
let admin: pg.Client;
let jobs: JobsStore;
let drop: () => Promise<void>;

beforeAll(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  drop = clone.drop;
  database = new Database({ url: clone.url, poolSize: 4 });
  admin = await connect(clone.url);
  jobs = new JobsStore(database);
});
afterEach(async () => {
  for (const runner of running.splice(0)) await runner.stop();
  await admin.query('truncate jobs');
});
afterAll(async () => {
  await database?.close();
  await admin?.end();
  await drop?.();
});

async function makeTenant(): Promise<string> {
  const id = newId();
  await admin.query(`insert into tenants (id, name) values ($1, 'Test')`, [id]);
  return id;
}

async function makeJob(tenantId: string, total = 3, pacePerSecond: number | null = null): Promise<string> {
  const id = newId();
  const input = { note: 'x' };
  await jobs.create(tenantId, { id, kind: 'upload', input, total, pacePerSecond, notificationId: null, dueAt: null });
  return id;
}

/** Handles one item at a time until `total`, and runs `work` in each chunk. */
function start(work: (job: LockedJob, sql: Sql) => Promise<void>, cancelled?: (job: LockedJob) => void): JobRunner {
  const runner = new JobRunner(
    new RunningJobsStore(database),
    [
      {
        kind: 'upload',
        runChunk: async (job, sql): Promise<ChunkResult> => {
          await work(job, sql);
          const at = ((job.cursor['at'] as number | undefined) ?? 0) + 1;
          return { items: 1, done: 1, failed: 0, cursor: { at }, isLast: at === job.total };
        },
        ...(cancelled && {
          cancelChunk: async (job): Promise<ChunkResult> => {
            cancelled(job);
            return { items: 0, done: 0, failed: 0, cursor: {}, isLast: true };
          },
        }),
      },
    ],
    logger,
  );
  running.push(runner);
  runner.start();
  return runner;
}

it('jobs run to their end, one chunk for each transaction, in turn of the tenants', async () => {
  const [many, few] = [await makeTenant(), await makeTenant()];
  const ids = [await makeJob(many, 20), await makeJob(many, 20), await makeJob(many, 20)];
  const one = await makeJob(few, 5);
  const order: string[] = [];
  start(async ({ tenantId }) => void order.push(tenantId));
  await until('all are finished', async () => (await jobs.list(many, { state: 'finished' }, { limit: 9 })).rows[2]);
  const job = (await jobs.get(few, one))!;
  expect(job).toMatchObject({ state: 'finished', done: 5, failed: 0, total: 5, error: null });
  expect(job.finishedAt!.getTime()).toBeGreaterThanOrEqual(job.startedAt!.getTime());
  // The one job of `few` had every second turn until it was finished.
  expect(order.slice(0, 10).filter((tenant) => tenant === few)).toHaveLength(5);
  expect((await jobs.list(many, {}, { limit: 9 })).rows.map(({ id }) => id)).toEqual(ids.toReversed());
  const { rows } = await admin.query('select from jobs where cursor <> $1 or input <> $1', ['{}']);
  expect(rows).toEqual([]);
});

it("jobs of the platform have a tenant's turn, and are unknown to tenants", async () => {
  const tenants = [await makeTenant(), await makeTenant()];
  const own = await Promise.all(tenants.map((tenant) => makeJob(tenant, 20)));
  const ofPlatform = await makeJob(PLATFORM_TENANT_ID, 5);
  for (const tenant of tenants) expect(await jobs.get(tenant, ofPlatform)).toBeNull();
  const order: string[] = [];
  start(async ({ tenantId }) => void order.push(tenantId));
  for (const [at, id] of own.entries())
    await until('it is finished', async () => (await jobs.get(tenants[at]!, id))?.state === 'finished');
  expect(await jobs.get(PLATFORM_TENANT_ID, ofPlatform)).toMatchObject({ state: 'finished', done: 5 });
  const turns = order.slice(0, 15).filter((tenant) => tenant === PLATFORM_TENANT_ID);
  expect(turns).toHaveLength(5);
});

it('jobs are run by one worker at a time, and none is run twice', async () => {
  const tenant = await makeTenant();
  const ids = await Promise.all([makeJob(tenant, 40), makeJob(tenant, 40)]);
  const seen: string[] = [];
  for (let worker = 0; worker < 3; worker += 1)
    start(async ({ id, cursor }) => void seen.push(`${id} ${cursor['at'] ?? 0}`));
  for (const id of ids) await until('it is finished', async () => (await jobs.get(tenant, id))?.state === 'finished');
  expect(new Set(seen).size).toBe(80);
  expect(seen).toHaveLength(80);
});

it('jobs keep nothing of a chunk that fails, name its error, try again later, and fail at last', async () => {
  const tenant = await makeTenant();
  const id = await makeJob(tenant);
  let failure: Error | null = new DomainError('unknown_template', 'There is no template "x".');
  start(async (job, sql) => {
    await sql.query({
      text: 'insert into recipients (tenant_id, id) values ($1, $2)',
      values: [tenant, `r${job.done}`],
    });
    if (failure) throw failure;
  });
  await until('it has failed once', async () => (await jobs.get(tenant, id))?.error);
  expect(await jobs.get(tenant, id)).toMatchObject({
    state: 'running',
    done: 0,
    error: { code: 'unknown_template', message: 'There is no template "x".' },
  });
  expect((await admin.query('select id from recipients where tenant_id = $1', [tenant])).rows).toEqual([]);
  const { rows } = await admin.query('select due_at > now() as later from jobs where id = $1', [id]);
  expect(rows).toEqual([{ later: true }]);
  failure = new Error('secret internals');
  await admin.query('update jobs set failures = 9, due_at = now() where id = $1', [id]);
  const failed = await until('it fails', async () => {
    const job = await jobs.get(tenant, id);
    return job?.state === 'failed' ? job : null;
  });
  expect(failed.error).toEqual({ code: 'internal', message: expect.stringContaining("The worker's log") });
  failure = null;
  await jobs.move(tenant, id, 'running');
  await until('it is finished', async () => (await jobs.get(tenant, id))?.state === 'finished');
  expect(await jobs.get(tenant, id)).toMatchObject({ done: 3, error: null });
});

it('jobs whose chunks time out do not stop those of other tenants, and fail at last', async () => {
  const [slow, other] = [await makeTenant(), await makeTenant()].sort() as [string, string];
  const id = await makeJob(slow);
  const others = await makeJob(other, 3);
  start(async ({ tenantId }, sql) => {
    if (tenantId !== slow) return;
    await sql.query({ text: `set local statement_timeout = '20ms'` });
    await sql.query({ text: 'select pg_sleep(1)' });
  });
  await until('the other one is finished', async () => (await jobs.get(other, others))?.state === 'finished');
  await until('the failure is noted', async () => (await jobs.get(slow, id))?.error);
  await admin.query('update jobs set failures = 9, due_at = now() where id = $1', [id]);
  await until('it fails', async () => (await jobs.get(slow, id))?.state === 'failed');
});

it('jobs do nothing after the answer to a pause, and go on where they were', async () => {
  const tenant = await makeTenant();
  const id = await makeJob(tenant, 30);
  let chunks = 0;
  start(async () => {
    chunks += 1;
  });
  await until('it has begun', () => chunks > 0);
  const paused = (await jobs.move(tenant, id, 'paused'))!;
  const before = chunks;
  expect(paused).toMatchObject({ state: 'paused', done: chunks });
  const other = await makeJob(tenant, 1);
  await until('another one is finished', async () => (await jobs.get(tenant, other))?.state === 'finished');
  expect(chunks).toBe(before + 1);
  await jobs.move(tenant, id, 'running');
  await until('it is finished', async () => (await jobs.get(tenant, id))?.state === 'finished');
  expect(chunks).toBe(31);
  await expect(jobs.move(tenant, id, 'paused')).rejects.toMatchObject({ code: 'conflict' });
  await expect(jobs.move(tenant, id, 'cancelled')).rejects.toMatchObject({ code: 'too_late' });
  expect(await jobs.move(await makeTenant(), id, 'paused')).toBeNull();
});

it('jobs are cancelled, and undo what they have left', async () => {
  const tenant = await makeTenant();
  const id = await makeJob(tenant, 1_000, 5);
  const undone: string[] = [];
  start(
    async () => undefined,
    (job) => undone.push(job.id),
  );
  await until('it has begun', async () => (await jobs.get(tenant, id))!.done > 0);
  await jobs.move(tenant, id, 'cancelled');
  await until('it has ended', async () => (await jobs.get(tenant, id))!.finishedAt);
  expect(undone).toEqual([id]);
  expect(await jobs.get(tenant, id)).toMatchObject({ state: 'cancelled' });
});

it('jobs keep their pace, which may change', async () => {
  const tenant = await makeTenant();
  const id = await makeJob(tenant, 60, 10);
  const startedAt = performance.now();
  start(async () => undefined);
  await until('it has begun', async () => (await jobs.get(tenant, id))!.done >= 5);
  expect(performance.now() - startedAt).toBeGreaterThan(390);
  expect(await jobs.setPace(tenant, id, null)).toMatchObject({ pacePerSecond: null });
  await until('it is finished', async () => (await jobs.get(tenant, id))?.state === 'finished', 3_000);
});

it('jobs let the chunk under way end when the worker stops', async () => {
  const tenant = await makeTenant();
  const id = await makeJob(tenant, 5);
  const { promise: hasBegun, resolve: begin } = Promise.withResolvers<void>();
  const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
  const runner = start(async () => {
    begin();
    await mayEnd;
  });
  await hasBegun;
  const stopped = runner.stop();
  end();
  await stopped;
  expect(await jobs.get(tenant, id)).toMatchObject({ state: 'running', done: 1 });
});
