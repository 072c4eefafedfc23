// A send to 10,000 members whose workers, separate processes, are killed while they create its deliveries.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect, until } from '#testing';
import { examineAndStop } from './doctor-findings.js';
import { type RunningProcess, roleEnvironment, startRole } from './processes.js';
import { CONTENT, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const MEMBERS = 10_000;
const PER_CALL = 1_000;

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

const count = async (text: string): Promise<number> => Number((await app.sql.query(text, [tenant.id])).rows[0].count);

it('creates exactly one delivery for each member', { timeout: 120_000 }, async () => {
  await tenant.call('PUT', '/api/v1/topics/all', { name: 'All' });
  for (let first = 0; first < MEMBERS; first += PER_CALL) {
    const ids = Array.from({ length: PER_CALL }, (_, index) => `member-${first + index}`);
    await tenant.call('POST', '/api/v1/topics/all/subscriptions', { recipient_ids: ids });
  }
  expect((await tenant.call('GET', '/api/v1/topics/all')).body.subscribers).toBe(MEMBERS);
  const { id } = await tenant.send({ topic: 'all', channel: 'in_app', content: CONTENT.in_app });
  const expanded = async (): Promise<number> => (await tenant.notification(id)).fan_out.expanded;

  // The chunk under way waits for this lock when its worker is killed: its transaction is open and has written nothing.
  const holder = await connect(app.databaseUrl);
  await holder.query('begin; lock table deliveries in share mode');
  const first = await startWorkerProcess();
  await until('a chunk waits', async () => {
    const { rows } = await app.sql.query(
      `select from pg_locks where relation = 'deliveries'::regclass and not granted`,
    );
    return rows.length > 0;
  });
  await first.kill();
  await holder.query('rollback');
  await holder.end();
  expect(await expanded()).toBe(0);

  const second = await startWorkerProcess();
  await until('some chunks are committed', async () => (await expanded()) >= 2_000);
  await second.kill();
  const afterKill = await expanded();
  expect(afterKill).toBeLessThan(MEMBERS);

  await startWorkerProcess();
  const done = await until(
    'the notification is final',
    async () => {
      const notification = await tenant.notification(id);
      return notification.status === 'sent' ? notification : null;
    },
    60_000,
  );
  expect(done).toMatchObject({
    counts: { sent: MEMBERS },
    fan_out: { total: MEMBERS, expanded: MEMBERS, state: 'finished' },
  });
  const ofTenant = 'from deliveries where tenant_id = $1';
  expect(await count(`select count(*) ${ofTenant}`)).toBe(MEMBERS);
  expect(await count(`select count(distinct recipient_id) ${ofTenant}`)).toBe(MEMBERS);
  expect(await count('select count(*) from inbox_items where tenant_id = $1')).toBe(MEMBERS);
  expect(await count('select count(*) from due_deliveries where tenant_id = $1')).toBe(0);
});
