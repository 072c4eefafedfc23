// An upload of 10,000 lines whose workers, separate processes, are killed while they send to its lines.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect, until } from '#testing';
import { examineAndStop } from './doctor-findings.js';
import { type RunningProcess, roleEnvironment, startRole } from './processes.js';
import { CONTENT, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const LINES = 10_000;

let app: TestEnvironment;
let tenant: Tenant;
const workers: RunningProcess[] = [];

beforeAll(async () => {
  app = await startTestEnvironment({ worker: false });
  tenant = await app.tenant();
});
afterAll(async () => {
  for (const worker of workers) await worker.kill();
  await examineAndStop(app);
});

async function startWorkerProcess(): Promise<RunningProcess> {
  const worker = await startRole('worker', {
    ...roleEnvironment(app),
    LEASE_SECONDS: '5',
  });
  workers.push(worker);
  return worker;
}

async function countOf(text: string): Promise<number> {
  const { rows } = await app.sql.query<{ count: number }>(`select count(*)::int as count ${text}`, [tenant.id]);
  return rows[0]!.count;
}

it('an upload with killed workers sends once to each line, beside another tenant', { timeout: 120_000 }, async () => {
  const lines = Array.from({ length: LINES }, (_, index) => JSON.stringify({ recipient_id: `line-${index}` }));
  const head = JSON.stringify({ channel: 'in_app', content: CONTENT.in_app });
  const headers = { 'Content-Type': 'application/x-ndjson' };
  const answer = await tenant.call('POST', '/api/v1/notifications/stream', [head, ...lines].join('\n'), headers);
  expect([answer.status, answer.body.total]).toEqual([202, LINES]);
  const { id } = answer.body;
  const job = async () => (await tenant.call('GET', `/api/v1/jobs/${id}`)).body;
  const accepted = (): Promise<number> => countOf('from notifications where tenant_id = $1');

  // The accepts of the chunk wait for this lock when its worker is killed. The server commits them after the lock ends,
  // and rolls back the transaction of the chunk.
  const holder = await connect(app.databaseUrl);
  await holder.query('begin; lock table deliveries in share mode');
  const first = await startWorkerProcess();
  await until('the accepts of a chunk wait', async () => {
    const { rows } = await app.sql.query(
      `select from pg_locks where relation = 'deliveries'::regclass and not granted`,
    );
    return rows.length > 0;
  });
  await first.kill();
  await holder.query('rollback');
  await holder.end();
  await until('accepts of the lost chunk are committed', async () => (await accepted()) > 0);
  expect((await job()).done).toBe(0);

  const second = await startWorkerProcess();
  const other = await app.tenant();
  await until('some chunks are committed', async () => (await job()).done >= 2_000);
  const single = await other.send({ recipient_id: 'ann', channel: 'in_app', content: CONTENT.in_app });
  await until('the other tenant is served', async () => (await other.notification(single.id)).status === 'sent');
  await second.kill();
  expect((await job()).done).toBeLessThan(LINES);

  await startWorkerProcess();
  await until(
    'all lines are sent to',
    async () => (await countOf('from inbox_items where tenant_id = $1')) === LINES,
    60_000,
  );
  await until('the job is finished', async () => (await job()).state === 'finished');
  expect(await job()).toMatchObject({ total: LINES, done: LINES, failed: 0 });
  expect(await accepted()).toBe(LINES);
  const ofTenant = 'from deliveries where tenant_id = $1';
  expect(await countOf(ofTenant)).toBe(LINES);
  expect(await countOf(`from (select distinct recipient_id ${ofTenant}) as recipients`)).toBe(LINES);
  expect(await countOf('from job_lines where tenant_id = $1')).toBe(0);
});
