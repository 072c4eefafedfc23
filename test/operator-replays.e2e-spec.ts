// The operator's replays of all dead letters that match a filter: jobs of the platform, over one tenant or all.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '#domain';
import { until } from '#testing';
import { CONTENT, type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const PATH = '/internal/dlq/replay';

let app: TestEnvironment;

beforeAll(async () => {
  app = await startTestEnvironment();
});
afterAll(() => app?.stop());

const openOf = async (tenant: Tenant): Promise<Json[]> =>
  (await app.operator('GET', `/internal/dlq?tenant_id=${tenant.id}&unreplayed=true&limit=200`)).body.data;

/** A tenant with so many dead letters: the sandbox rejects this address. */
async function tenantWith(count: number): Promise<Tenant> {
  const tenant = await app.tenant();
  const recipients = Array.from({ length: count }, (_, index) => ({
    recipient_id: `user-${index}`,
    recipient_address: 'rejected@simulator.test',
  }));
  const bulk = { channel: 'email', content: CONTENT.email, recipients };
  const { body } = await tenant.call('POST', '/api/v1/notifications/bulk', bulk);
  expect(body.accepted.length).toBe(count);
  await until('they are dead letters', async () => (await openOf(tenant)).length === count);
  return tenant;
}

async function start(body: Json): Promise<Json> {
  const answer = await app.operator('POST', PATH, body);
  expect([answer.status, answer.body.errors]).toEqual([202, undefined]);
  expect(answer.headers.get('location')).toBe(`${PATH}/${answer.body.id}`);
  return answer.body;
}

async function ended(id: string): Promise<Json> {
  return await until('the replay has ended', async () => {
    const { body } = await app.operator('GET', `${PATH}/${id}`);
    return body.finished_at === null ? null : body;
  });
}

const replaysOf = async (tenant: Tenant): Promise<Json[]> =>
  (
    await app.sql.query(
      `select l.replay_job as job, count(*)::int as count, count(distinct l.delivery_id)::int as deliveries
       from dead_letters l where l.tenant_id = $1 and l.replayed_at is not null group by 1 order by 2`,
      [tenant.id],
    )
  ).rows;

const auditOf = async (job: string): Promise<Json[]> =>
  (await app.operator('GET', '/internal/audit?limit=200')).body.data
    .filter(({ subject }: Json) => subject === job)
    .reverse();

describe('a replay of the operator', () => {
  it('is over one tenant or over all, counts first with a dry run, and is unknown to tenants', async () => {
    const [one, other] = [await tenantWith(12), await tenantWith(5)];
    const [newest] = await openOf(one);
    const filter = { channel: 'email', provider: 'sandbox', reason: 'rejected', code: newest!.code };
    const ofOne = { filter: { tenant_id: one.id, ...filter }, dry_run: true };
    const dry = await app.operator('POST', PATH, ofOne);
    expect([dry.status, dry.body]).toEqual([200, { dry_run: true, count: 12 }]);
    expect(await replaysOf(one)).toEqual([]);

    const job = await start({ ...ofOne, dry_run: false });
    expect(job).toMatchObject({ kind: 'operator_dead_letter_replay', total: 12, done: 0, skipped: 0, failed: 0 });
    expect(await ended(job.id)).toMatchObject({ state: 'finished', total: 12, done: 12, skipped: 0, failed: 0 });
    expect(await replaysOf(one)).toEqual([{ job: job.id, count: 12, deliveries: 12 }]);
    expect((await openOf(other)).length).toBe(5);
    await until('all have failed again', async () => (await openOf(one)).length === 12);

    const all = await start({ filter });
    expect(await ended(all.id)).toMatchObject({ state: 'finished', total: 17, done: 17 });
    expect(await replaysOf(one)).toContainEqual({ job: all.id, count: 12, deliveries: 12 });
    expect(await replaysOf(other)).toEqual([{ job: all.id, count: 5, deliveries: 5 }]);
    expect((await app.operator('GET', PATH)).body.data.map(({ id }: Json) => id)).toEqual([all.id, job.id]);
    expect(await auditOf(job.id)).toMatchObject([
      { action: 'dead_letters.replayed', actor: 'operator', after: { filter: ofOne.filter, total: 12 } },
    ]);

    expect((await one.call('GET', '/api/v1/jobs')).body.data).toEqual([]);
    for (const path of [`/api/v1/jobs/${job.id}`, `/api/v1/dead-letters/replay/${job.id}`])
      expect((await one.call('GET', path)).status, path).toBe(404);
    const own = await one.call('POST', '/api/v1/dead-letters/replay', { filter: { channel: 'chat' } });
    expect((await app.operator('GET', `${PATH}/${own.body.id}`)).status).toBe(404);
  });

  it('names the field and the value of an unknown filter; a filter without matches ends at once', async () => {
    const unknown = { channel: 'fax', provider: 'twillio', reason: 'bad_luck', failed_after: 'today', colour: 1 };
    const bad = await app.operator('POST', PATH, { filter: unknown });
    expect(bad.status).toBe(422);
    const messages = bad.body.errors.map(({ pointer, message }: Json) => `${pointer} ${message}`);
    for (const [name, value] of Object.entries(unknown)) {
      const [message] = messages.filter((text: string) => text.startsWith(`/filter/${name} `));
      expect(message, name).toContain(JSON.stringify(name === 'colour' ? name : value));
    }
    const missing = newId();
    const refused = await app.operator('POST', PATH, { filter: { tenant_id: missing } });
    expect([refused.status, refused.body.errors]).toEqual([
      422,
      [
        {
          pointer: '/filter/tenant_id',
          code: 'unknown_tenant',
          message: `must be the id of a tenant, got "${missing}"`,
        },
      ],
    ]);
    const none = await start({ filter: { channel: 'push' } });
    expect(await ended(none.id)).toMatchObject({ state: 'finished', total: 0, done: 0, skipped: 0, failed: 0 });
    for (const [method, suffix] of [
      ['GET', ''],
      ['PATCH', ''],
      ['POST', '/pause'],
      ['POST', '/resume'],
      ['POST', '/stop'],
    ] as const) {
      const body = method === 'PATCH' ? { pace_per_second: 1 } : {};
      const answer = await app.operator(method, `${PATH}/${missing}${suffix}`, method === 'GET' ? undefined : body);
      expect([answer.status, answer.body.code], `${method} ${suffix}`).toEqual([404, 'not_found']);
    }
  });

  it('keeps its pace, is paused, resumed and stopped, each with an entry in the audit log', async () => {
    const tenant = await tenantWith(6);
    const { id } = await start({ filter: { tenant_id: tenant.id }, rate_per_second: 0.01 });
    await until('the first one is replayed', async () => (await replaysOf(tenant)).length === 1);
    const ask = async (method: string, suffix: string, body?: Json): Promise<Json> =>
      (await app.operator(method, `${PATH}/${id}${suffix}`, method === 'POST' ? {} : body)).body;
    expect(await ask('POST', '/pause')).toMatchObject({ state: 'paused', done: 1, total: 6 });
    expect(await ask('PATCH', '', { pace_per_second: 2 })).toMatchObject({ state: 'paused', pace_per_second: 2 });
    expect(await ask('POST', '/resume')).toMatchObject({ state: 'running' });
    await until('two more are replayed', async () => (await ask('GET', '')).done >= 3);
    expect(await ask('POST', '/stop')).toMatchObject({ state: 'cancelled' });
    const { done } = await ended(id);
    expect(done).toBeLessThan(6);
    expect(await replaysOf(tenant)).toEqual([{ job: id, count: done, deliveries: done }]);
    expect(await ask('POST', '/resume')).toMatchObject({ code: 'conflict' });
    const changed = { action: 'dead_letters_replay.changed', actor: 'operator', tenant_id: null };
    expect(await auditOf(id)).toMatchObject([
      { action: 'dead_letters.replayed' },
      { ...changed, before: { state: 'running' }, after: { state: 'paused' } },
      { ...changed, before: { pace_per_second: 0.01 }, after: { pace_per_second: 2 } },
      { ...changed, before: { state: 'paused' }, after: { state: 'running' } },
      { ...changed, before: { state: 'running' }, after: { state: 'cancelled' } },
    ]);
  });

  it('skips what another replay was first to replay, or what was settled meanwhile', async () => {
    const tenant = await tenantWith(8);
    const first = await start({ filter: { tenant_id: tenant.id }, rate_per_second: 0.01 });
    await until('the first one is replayed', async () => (await replaysOf(tenant)).length === 1);
    await app.sql.query(
      `update dead_letters set settled_at = now() where id = (
         select id from dead_letters where tenant_id = $1 and replayed_at is null and failed_at < $2
         order by id desc limit 1)`,
      [tenant.id, first.created_at],
    );
    const second = await start({ filter: { tenant_id: tenant.id, failed_before: first.created_at } });
    expect(await ended(second.id)).toMatchObject({ state: 'finished', total: 6, done: 6, skipped: 0 });
    await app.operator('PATCH', `${PATH}/${first.id}`, { pace_per_second: null });
    expect(await ended(first.id)).toMatchObject({ state: 'finished', total: 8, done: 1, skipped: 7, failed: 0 });
    expect(await replaysOf(tenant)).toEqual([
      { job: first.id, count: 1, deliveries: 1 },
      { job: second.id, count: 6, deliveries: 6 },
    ]);
  });
});
