// The local time of the members of a topic whose profiles change while their deliveries are created.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { Database, expandTopicSend, RunningJobsStore, type Sql, type Statement } from '#database';
import { atLocalTime, PLATFORM_TENANT_ID } from '#domain';
import { CONTENT, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const CHANGE = `
  update recipients set timezone = case id when 'moves' then 'America/Lima' end where tenant_id = $1 and id <> 'stays'`;

let app: TestEnvironment;
let tenant: Tenant;
let database: Database;

beforeAll(async () => {
  app = await startTestEnvironment({ worker: false });
  tenant = await app.tenant({ timezone: 'Asia/Dubai' });
  database = new Database({ url: app.databaseUrl, poolSize: 2 });
});
afterAll(async () => {
  await database?.close();
  await app?.stop();
});

it('is that of the tenant for those whose zone or subscription is new, and never at once', async () => {
  for (const id of ['stays', 'moves', 'clears'])
    await tenant.call('PUT', `/api/v1/recipients/${id}`, { timezone: 'Asia/Tokyo' });
  await tenant.call('PUT', '/api/v1/topics/all', { name: 'All' });
  await tenant.call('POST', '/api/v1/topics/all/subscriptions', { recipient_ids: ['stays', 'moves', 'clears'] });
  const local = new Date(Date.now() + 13.5 * 3_600_000).toISOString().slice(0, 19);
  const send = { topic: 'all', channel: 'in_app', content: CONTENT.in_app, scheduled_at_local: local };
  const { id } = await tenant.send(send);

  /** Changes two profiles after the zones were read. */
  const during = (sql: Sql): Sql => ({
    async query<Row extends object>(statement: Statement): Promise<Row[]> {
      const rows = await sql.query<Row>(statement);
      if (statement.name === 'zones_of_members') await app.sql.query(CHANGE, [tenant.id]);
      return rows;
    },
  });
  const jobs = new RunningJobsStore(database);
  await jobs.runNext(PLATFORM_TENANT_ID, ['topic_send'], (job, sql) => expandTopicSend(job, during(sql)));

  const { body } = await tenant.call('GET', `/api/v1/notifications/${id}/deliveries`);
  const due = Object.fromEntries(
    body.data.map(({ recipient_id, due_at }: Record<string, string>) => [recipient_id, due_at]),
  );
  const at = (zone: string): string => atLocalTime(local, zone).toISOString();
  expect(due).toEqual({ stays: at('Asia/Tokyo'), moves: at('Asia/Dubai'), clears: at('Asia/Dubai') });
});
