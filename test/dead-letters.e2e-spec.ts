// The tenant's own dead letters: list, count, replay, discard, and replays of all that match a filter.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '#domain';
import { until } from '#testing';
import { CONTENT, type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const PATH = '/api/v1/dead-letters';

let app: TestEnvironment;

beforeAll(async () => {
  app = await startTestEnvironment();
});
afterAll(() => app?.stop());

const lettersOf = async (tenant: Tenant, query = ''): Promise<Json[]> =>
  (await tenant.call('GET', `${PATH}${query}`)).body.data;

/** Fails deliveries: the sandbox rejects these addresses. */
async function fail(tenant: Tenant, count: number, channel: 'email' | 'sms' = 'email'): Promise<void> {
  const address = channel === 'email' ? 'rejected@simulator.test' : '+15005550004';
  const recipients = Array.from({ length: count }, (_, index) => ({
    recipient_id: `${channel}-${index}`,
    recipient_address: address,
  }));
  const { body } = await tenant.call('POST', '/api/v1/notifications/bulk', {
    channel,
    content: CONTENT[channel],
    recipients,
  });
  expect(body.accepted.length).toBe(count);
  const of = async (): Promise<number> => (await tenant.call('GET', `${PATH}/count?channel=${channel}`)).body.count;
  await until('they are dead letters', async () => (await of()) >= count);
}

async function replay(tenant: Tenant, body: Json): Promise<Json> {
  const answer = await tenant.call('POST', `${PATH}/replay`, body);
  expect([answer.status, answer.body.errors]).toEqual([202, undefined]);
  expect(answer.headers.get('location')).toBe(`${PATH}/replay/${answer.body.id}`);
  return answer.body;
}

async function ended(tenant: Tenant, id: string): Promise<Json> {
  return await until('the replay has ended', async () => {
    const { body } = await tenant.call('GET', `${PATH}/replay/${id}`);
    return body.finished_at === null ? null : body;
  });
}

const auditOf = async (tenant: Tenant): Promise<Json[]> =>
  (
    await app.sql.query('select action, subject, actor, after from audit_log where tenant_id = $1 order by id', [
      tenant.id,
    ])
  ).rows.filter(({ action }) => action.startsWith('dead_letter'));

describe("a tenant's dead letters", () => {
  it('are listed and counted with filters, replayed once and discarded, with entries in the audit log', async () => {
    const tenant = await app.tenant();
    await fail(tenant, 3);
    await fail(tenant, 1, 'sms');
    const all = await lettersOf(tenant);
    expect(all.length).toBe(4);
    expect(all[0]).toMatchObject({ channel: 'sms', provider: 'sandbox', reason: 'rejected', replayed_at: null });
    expect(all[0]).not.toHaveProperty('tenant_id');
    expect((await lettersOf(tenant, '?channel=email&limit=2')).length).toBe(2);
    expect((await lettersOf(tenant, `?failed_after=${all[0].failed_at}`)).length).toBeLessThan(4);
    expect(await lettersOf(tenant, '?provider=twilio')).toEqual([]);
    const bad = await tenant.call('GET', `${PATH}?reason=nothing&tenant_id=${newId()}`);
    expect([bad.status, bad.body.errors.map(({ pointer }: Json) => pointer)]).toEqual([422, ['?reason', '?tenant_id']]);

    const [, first, second] = all;
    expect((await tenant.call('GET', `${PATH}/${first.id}`)).body).toEqual(first);
    const replayed = await tenant.call('POST', `${PATH}/${first.id}/replay`, {});
    expect([replayed.status, replayed.body.replayed_at]).toEqual([202, expect.any(String)]);
    const again = await tenant.call('POST', `${PATH}/${first.id}/replay`, {});
    expect([again.status, again.body.code]).toEqual([409, 'already_replayed']);
    expect((await tenant.call('DELETE', `${PATH}/${second.id}`)).status).toBe(204);
    for (const method of ['GET', 'DELETE'])
      expect((await tenant.call(method, `${PATH}/${second.id}`)).status).toBe(404);
    await until('it has failed again', async () => (await lettersOf(tenant, '?unreplayed=true')).length === 3);
    const actor = expect.stringMatching(/^key:/);
    expect(await auditOf(tenant)).toMatchObject([
      { action: 'dead_letter.replayed', subject: first.id, actor },
      { action: 'dead_letter.discarded', subject: second.id, actor },
    ]);
  });

  it('belong to the tenant: another tenant, and its test key, find nothing and replay nothing', async () => {
    const tenant = await app.tenant();
    await fail(tenant, 1);
    const [letter] = await lettersOf(tenant);
    const key = await app.operator('POST', `/internal/tenants/${tenant.id}/api-keys`, { name: 'Test', mode: 'test' });
    const other = await app.tenant();
    for (const apiKey of [other.apiKey, key.body.api_key]) {
      const headers = { 'X-API-Key': apiKey };
      const ask = (method: string, path: string, body?: Json) => app.call(method, `${PATH}${path}`, { headers, body });
      expect((await ask('GET', '')).body.data).toEqual([]);
      expect((await ask('GET', '/count')).body).toEqual({ count: 0 });
      expect((await ask('GET', `/${letter.id}`)).status).toBe(404);
      expect((await ask('POST', `/${letter.id}/replay`, {})).status).toBe(404);
      expect((await ask('DELETE', `/${letter.id}`)).status).toBe(404);
      expect((await ask('POST', '/replay', { filter: {} })).body.total).toBe(0);
    }
    const { id } = await replay(tenant, { filter: { channel: 'chat' } });
    expect((await other.call('GET', `${PATH}/replay/${id}`)).status).toBe(404);
    expect((await other.call('POST', `${PATH}/replay/${id}/stop`, {})).status).toBe(404);
    expect((await tenant.call('GET', `${PATH}/${letter.id}`)).body).toEqual(letter);
  });
});

describe('a count of dead letters', () => {
  it('examines at most 10,000: of more, the count is a minimum, and a replay has no total', async () => {
    const tenant = await app.tenant();
    await fail(tenant, 1);
    const copy = (count: number) =>
      app.sql.query(
        `insert into dead_letters
         select (jsonb_populate_record(l, jsonb_build_object('id', gen_random_uuid(), 'channel', 'sms'))).*
         from dead_letters l, generate_series(1, $2::int) where l.tenant_id = $1 and l.channel = 'email'`,
        [tenant.id, count],
      );
    const counts = async () => [
      (await tenant.call('GET', `${PATH}/count`)).body,
      (await app.operator('GET', `/internal/dlq/count?tenant_id=${tenant.id}&unreplayed=true`)).body,
      (await tenant.call('POST', `${PATH}/replay`, { filter: {}, dry_run: true })).body,
    ];
    await copy(9_999);
    const exact = { count: 10_000 };
    expect(await counts()).toEqual([exact, exact, { dry_run: true, ...exact }]);
    await copy(2);
    const minimum = { ...exact, at_least: true };
    expect(await counts()).toEqual([minimum, minimum, { dry_run: true, ...minimum }]);
    const few = (await tenant.call('GET', `${PATH}/count?channel=chat`)).body;
    expect(few).toEqual({ count: 0, at_least: true });
    expect((await replay(tenant, { filter: { channel: 'chat' } })).total).toBeNull();
    await app.sql.query(`update dead_letters set replayed_at = now() where tenant_id = $1 and channel = 'sms'`, [
      tenant.id,
    ]);
    expect((await tenant.call('GET', `${PATH}/count?unreplayed=true`)).body).toEqual({ count: 1 });
    expect((await tenant.call('GET', `${PATH}/count?unreplayed=false`)).body).toMatchObject({ at_least: true });
  });
});

describe('a replay of all dead letters that match', () => {
  it('puts each back once, and not those that fail again meanwhile', async () => {
    const tenant = await app.tenant();
    await fail(tenant, 450);
    await fail(tenant, 2, 'sms');
    const [expired] = await lettersOf(tenant, '?channel=email');
    await app.sql.query(`update notifications set expires_at = now() where id = $1`, [expired.notification_id]);
    const dry = await tenant.call('POST', `${PATH}/replay`, { filter: { channel: 'email' }, dry_run: true });
    expect([dry.status, dry.body]).toEqual([200, { dry_run: true, count: 450 }]);
    expect((await lettersOf(tenant, '?unreplayed=false')).length).toBe(0);

    const job = await replay(tenant, { filter: { channel: 'email', reason: 'rejected' } });
    expect(job).toMatchObject({ kind: 'dead_letter_replay', total: 450 });
    expect(await ended(tenant, job.id)).toMatchObject({ state: 'finished', done: 449, failed: 1 });
    await until('all have failed again', async () => {
      const { body } = await tenant.call('GET', `${PATH}/count?channel=email&unreplayed=true`);
      return body.count === 450;
    });
    const { rows } = await app.sql.query(
      `select code, count(*)::int from delivery_log where tenant_id = $1 and code = 'replayed' group by code`,
      [tenant.id],
    );
    expect(rows).toEqual([{ code: 'replayed', count: 449 }]);
    expect((await lettersOf(tenant, '?channel=sms&unreplayed=true')).length).toBe(2);
    expect(await auditOf(tenant)).toMatchObject([
      { action: 'dead_letters.replayed', subject: job.id, after: { filter: { channel: 'email' }, total: 450 } },
    ]);
  });

  it('waits between dead letters for its pace, and can be stopped', async () => {
    const tenant = await app.tenant();
    await fail(tenant, 5);
    const { id } = await replay(tenant, { filter: {}, rate_per_second: 0.01 });
    await until('the first one is replayed', async () => (await lettersOf(tenant, '?unreplayed=false')).length === 1);
    const stopped = await tenant.call('POST', `${PATH}/replay/${id}/stop`, {});
    expect([stopped.status, stopped.body.state]).toEqual([200, 'cancelled']);
    expect(await ended(tenant, id)).toMatchObject({ state: 'cancelled', total: 5, done: 1 });
    expect((await lettersOf(tenant, '?unreplayed=false')).length).toBe(1);
    const { id: finished } = await replay(tenant, { filter: { channel: 'chat' } });
    await ended(tenant, finished);
    const late = await tenant.call('POST', `${PATH}/replay/${finished}/stop`, {});
    expect([late.status, late.body.code]).toEqual([409, 'too_late']);
  });

  it('counts what it has replayed when a chunk is repeated after its worker was lost', async () => {
    const tenant = await app.tenant();
    await fail(tenant, 30);
    await app.sql.query(`
      create function lose_worker() returns trigger language plpgsql as $$
      begin
        if new.kind = 'dead_letter_replay' and new.failures = 0 then raise exception 'the worker is lost'; end if;
        return new;
      end $$;
      create trigger lose_worker before update on jobs for each row when (new.failures = old.failures)
      execute function lose_worker()`);
    const { id } = await replay(tenant, { filter: {} });
    await until('a chunk has failed', async () => {
      const { rows } = await app.sql.query('select failures from jobs where id = $1', [id]);
      return rows[0].failures > 0;
    });
    await app.sql.query('drop trigger lose_worker on jobs');
    expect(await ended(tenant, id)).toMatchObject({ state: 'finished', total: 30, done: 30, failed: 0 });
    expect((await lettersOf(tenant, '?unreplayed=false')).length).toBe(30);
  });
});
