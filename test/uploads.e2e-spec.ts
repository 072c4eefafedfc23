// Sends to the recipients of an upload.

import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Database, ErasuresStore, ExpiredRowsStore, SecretBox } from '#database';
import { lowestId, newId } from '#domain';
import { until } from '#testing';
import {
  type Answer,
  CONTENT,
  type Json,
  startTestEnvironment,
  type Tenant,
  type TestEnvironment,
} from './test-environment.js';

const NDJSON = { 'Content-Type': 'application/x-ndjson' };
const PATH = '/api/v1/notifications/stream';
const HEAD = { channel: 'in_app', content: { title: 'Hello', body: 'Hello {{name}}' }, payload: { name: 'all' } };

let app: TestEnvironment;
let tenant: Tenant;
let database: Database;

beforeAll(async () => {
  app = await startTestEnvironment();
  tenant = await app.tenant();
  database = new Database({ url: app.databaseUrl, poolSize: 2 });
});
afterAll(async () => {
  await database?.close();
  await app?.stop();
});

const ndjson = (...lines: unknown[]): string => lines.map((line) => `${JSON.stringify(line)}\n`).join('');

async function upload(body: string, headers: Record<string, string> = {}, as = tenant): Promise<Answer> {
  return await as.call('POST', PATH, body, { ...NDJSON, ...headers });
}

async function jobOf(answer: Answer, as = tenant): Promise<Json> {
  expect([answer.status, answer.body.errors]).toEqual([202, undefined]);
  expect(answer.headers.get('location')).toBe(`/api/v1/jobs/${answer.body.id}`);
  return await ended(answer.body.id, 'finished', as);
}

async function ended(id: string, state: string, as = tenant): Promise<Json> {
  let job: Json;
  await until(`the job is ${state}`, async () => {
    job = (await as.call('GET', `/api/v1/jobs/${id}`)).body;
    return job.state === state && job.finished_at !== null;
  });
  return job;
}

const errorsOf = async (id: string): Promise<Json[]> =>
  (await tenant.call('GET', `/api/v1/jobs/${id}/errors`)).body.data;

async function countOf(text: string, values: unknown[]): Promise<number> {
  const { rows } = await app.sql.query<{ count: number }>(`select count(*)::int as count from ${text}`, values);
  return rows[0]!.count;
}

const suspend = (path: string): Promise<Answer> => app.operator('PATCH', path, { status: 'suspended' });
const linesOf = (id: string): Promise<number> => countOf('job_lines where job_id = $1', [id]);

describe('an upload', () => {
  it('sends to each line, with the common content and the payload of the line', async () => {
    const people = Array.from({ length: 2_500 }, (_, index) => ({
      recipient_id: `up-${index}`,
      payload: { name: index },
    }));
    const job = await jobOf(await upload(ndjson(HEAD, ...people)));
    expect(job).toMatchObject({ kind: 'upload', total: 2_500, done: 2_500, failed: 0 });
    await until('all are sent', async () => (await countOf(`inbox_items where tenant_id = $1`, [tenant.id])) === 2_500);
    const items = await app.sql.query(`select body from inbox_items where recipient_id = 'up-1234'`);
    expect(items.rows).toEqual([{ body: 'Hello 1234' }]);
    expect(await linesOf(job.id)).toBe(0);
    expect(await countOf('shared_contents where tenant_id = $1', [tenant.id])).toBe(1);
  });

  it('accepts CRLF, blank lines, a profile in a line and a last line without a line feed', async () => {
    const profile = { recipient: { id: 'new-one', email: 'ok@simulator.test' } };
    const body = [JSON.stringify({ channel: 'email', content: CONTENT.email }), '', JSON.stringify(profile), '  ']
      .join('\r\n')
      .concat('\r\n', JSON.stringify({ recipient_id: 'x', recipient_address: 'ok@simulator.test' }));
    expect(await jobOf(await upload(body))).toMatchObject({ total: 2, done: 2, failed: 0 });
    expect((await tenant.call('GET', '/api/v1/recipients/new-one')).body.email).toBe('ok@simulator.test');
  });

  it('keeps the errors of each line, and sends to the others', async () => {
    const template = { key: 'strict', channel: 'email', content: CONTENT.email };
    await tenant.call('POST', '/api/v1/templates', template);
    const head = { channel: 'email', template_id: 'strict' };
    const key = newId();
    const ok = { recipient_id: 'ok', recipient_address: 'ok@simulator.test' };
    const lines = [
      JSON.stringify(head),
      JSON.stringify(ok),
      'not JSON',
      JSON.stringify({ ...ok, extra: 1 }),
      JSON.stringify({ recipient_id: 'without-address' }),
      `{"recipient_id": "nul\\u0000"}`,
      JSON.stringify({ ...ok, payload: { long: 'x'.repeat(300 * 1024) } }),
      `${'['.repeat(30)}${']'.repeat(30)}`,
      JSON.stringify({ ...ok, recipient_address: 'no address' }),
      JSON.stringify({ ...ok, idempotency_key: key }),
      JSON.stringify({ ...ok, recipient_id: 'other', idempotency_key: key }),
      '{"__proto__": {}, "recipient_id": "x"}',
      JSON.stringify({ ...ok, ...Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`${n}`.repeat(2_000), 1])) }),
    ];
    const job = await jobOf(await upload(`${lines.join('\n')}\n`));
    expect(job).toMatchObject({ total: 12, done: 2, failed: 10 });
    const all = await errorsOf(job.id);
    expect(all.map(({ line, code, errors }) => [line, code, errors[0].code])).toEqual([
      [3, 'validation_failed', 'malformed_json'],
      [4, 'validation_failed', 'unknown_field'],
      [5, 'no_address', 'no_address'],
      [6, 'validation_failed', 'invalid_text'],
      [7, 'validation_failed', 'too_large'],
      [8, 'validation_failed', 'too_deep'],
      [9, 'validation_failed', 'bad_address'],
      [11, 'idempotency_mismatch', 'idempotency_mismatch'],
      [12, 'validation_failed', 'malformed_json'],
      [13, 'validation_failed', 'unknown_field'],
    ]);
    expect(all.at(-1).errors.length).toBe(10);
    expect(JSON.stringify(all.at(-1).errors).length).toBeLessThan(11_000);
    const page = (await tenant.call('GET', `/api/v1/jobs/${job.id}/errors?limit=2`)).body;
    const next = `/api/v1/jobs/${job.id}/errors?limit=2&cursor=${page.next_cursor}`;
    expect((await tenant.call('GET', next)).body.data.map(({ line }: Json) => line)).toEqual([5, 6]);
    expect((await tenant.call('GET', `/api/v1/jobs/${newId()}/errors`)).status).toBe(404);
  });

  it('is rejected for its first line, its media type, or without recipients', async () => {
    const unknown = await upload(ndjson({ channel: 'email', template_id: 'nothing' }, { recipient_id: 'x' }));
    expect([unknown.status, unknown.body.code]).toEqual([422, 'unknown_template']);
    expect(unknown.body.detail).toContain('Line 1');
    const wrong = await upload(ndjson({ ...HEAD, channel: 'pigeon' }, { recipient_id: 'x' }));
    expect([wrong.status, wrong.body.errors[0].pointer]).toEqual([422, '/channel']);
    for (const body of ['', '\n\n', ndjson(HEAD)]) expect((await upload(body)).status).toBe(422);
    expect((await tenant.call('POST', PATH, { a: 1 })).status).toBe(415);
    expect((await tenant.call('POST', '/api/v1/notifications', ndjson(HEAD), NDJSON)).status).toBe(415);
  });

  it('with the same key and bytes is the first job again, and is rejected with other bytes', async () => {
    const key = { 'Idempotency-Key': newId() };
    const body = ndjson(HEAD, { recipient_id: 'once' });
    const first = await upload(body, key);
    const again = await upload(body, key);
    expect([again.status, again.body.id, again.headers.get('idempotency-replayed')]).toEqual([
      202,
      first.body.id,
      'true',
    ]);
    await jobOf(first);
    const other = await upload(ndjson(HEAD, { recipient_id: 'twice' }), key);
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_mismatch']);
    const sent = `notifications where tenant_id = $1 and recipient_id in ('once', 'twice')`;
    expect(await countOf(sent, [tenant.id])).toBe(1);
  });

  it('that breaks off sends nothing, and its lines are deleted', async () => {
    const as = await app.tenant();
    const people = Array.from({ length: 3_000 }, (_, index) => ({ recipient_id: `broken-${index}` }));
    const staged = 'job_lines where tenant_id = $1';
    await new Promise<void>((resolve) => {
      const outgoing = request(app.url + PATH, { method: 'POST', headers: { ...NDJSON, 'X-API-Key': as.apiKey } });
      outgoing.on('error', () => resolve());
      outgoing.write(ndjson(HEAD, ...people));
      void until('lines are stored', async () => (await countOf(staged, [as.id])) === 3_000).then(() =>
        outgoing.destroy(),
      );
    });
    await app.sql.query('update job_lines set job_id = $1 where tenant_id = $2', [
      lowestId(Date.now() - 7_200_000),
      as.id,
    ]);
    const cleanUp = new ExpiredRowsStore(database).cleanUps.find(({ table }) => table === 'job_lines')!;
    await cleanUp.run(() => undefined);
    expect(await countOf(staged, [as.id])).toBe(0);
    expect((await as.call('GET', '/api/v1/jobs')).body.data).toEqual([]);
    expect(await countOf('notifications where tenant_id = $1', [as.id])).toBe(0);
  });

  it.each([
    ['its key is revoked', 401, (as: Tenant, key: Json) => `/internal/tenants/${as.id}/api-keys/${key.id}`],
    ['its tenant is suspended', 403, (as: Tenant) => `/internal/tenants/${as.id}`],
  ])('is refused when %s while it arrives', async (_name, status, path) => {
    const as = await app.tenant();
    const { body: key } = await app.operator('POST', `/internal/tenants/${as.id}/api-keys`, {
      name: 'Upload',
      scopes: ['notifications:read', 'notifications:write'],
    });
    const outgoing = request(app.url + PATH, { method: 'POST', headers: { ...NDJSON, 'X-API-Key': key.api_key } });
    const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>;
    const people = Array.from({ length: 1_000 }, (_, index) => ({ recipient_id: `late-${index}` }));
    outgoing.write(ndjson(HEAD, ...people));
    await until('lines are stored', async () => (await countOf('job_lines where tenant_id = $1', [as.id])) === 1_000);
    const ended = status === 401 ? await app.operator('DELETE', path(as, key)) : await suspend(path(as, key));
    expect(ended.status).toBeLessThan(300);
    const headers = { 'X-API-Key': key.api_key };
    const list = (): Promise<Answer> => app.call('GET', '/api/v1/notifications', { headers });
    await until('the process knows', async () => (await list()).status === status);
    outgoing.end();
    const [response] = await answered;
    expect(response.statusCode).toBe(status);
    expect(await countOf('jobs where tenant_id = $1', [as.id])).toBe(0);
  });

  it('with lines of 200 kB is sent in chunks that the database takes in time', { timeout: 60_000 }, async () => {
    const as = await app.tenant();
    const payload = { name: 'x', long: newId().repeat(5_500) };
    const head = { ...HEAD, scheduled_at: new Date(Date.now() + 3_600_000).toISOString() };
    const lines = Array.from({ length: 60 }, (_, index) => ({ recipient_id: `long-${index}`, payload }));
    const answer = await upload(ndjson(head, ...lines), {}, as);
    expect(await jobOf(answer, as)).toMatchObject({ total: 60, done: 60, failed: 0 });
    expect(await countOf('notifications where tenant_id = $1', [as.id])).toBe(60);
    expect(await linesOf(answer.body.id)).toBe(0);
  });

  it('of 100,000 lines is stored without holding them in memory', { timeout: 120_000 }, async () => {
    const as = await app.tenant();
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const usedMb = (): number => {
      gc();
      const { heapUsed, external } = process.memoryUsage();
      return (heapUsed + external) / 1024 / 1024;
    };
    const outgoing = request(app.url + PATH, { method: 'POST', headers: { ...NDJSON, 'X-API-Key': as.apiKey } });
    const answered = once(outgoing, 'response') as Promise<[IncomingMessage]>;
    outgoing.write(ndjson(HEAD));
    const used: number[] = [];
    const startedAt = performance.now();
    for (let from = 0; from < 100_000; from += 500) {
      const lines = Array.from({ length: 500 }, (_, index) => ({
        recipient_id: `many-${from + index}`,
        payload: { name: 'x'.repeat(500) },
      }));
      if (!outgoing.write(ndjson(...lines))) await once(outgoing, 'drain');
      if (from % 10_000 === 0) used.push(usedMb());
    }
    outgoing.end();
    const [response] = await answered;
    const seconds = (performance.now() - startedAt) / 1_000;
    const { id, total } = JSON.parse(String(Buffer.concat(await response.toArray()))) as { id: string; total: number };
    if (process.env['SHOW_FIGURES']) console.info({ seconds, used: used.map(Math.round) });
    await as.call('POST', `/api/v1/jobs/${id}/cancel`);
    expect([response.statusCode, total]).toEqual([202, 100_000]);
    // The lines are 57 MB.
    expect(Math.max(...used) - used[0]!).toBeLessThan(50);
    expect(seconds).toBeLessThan(60);
    await ended(id, 'cancelled', as);
    expect(await linesOf(id)).toBe(0);
  });

  it('keeps its lines while its job exists', async () => {
    const job = await jobOf(await upload(ndjson(HEAD, { nobody: 1 })));
    await app.sql.query('update job_lines set job_id = $1 where job_id = $2', [lowestId(1), job.id]);
    await app.sql.query('update jobs set id = $1 where id = $2', [lowestId(1), job.id]);
    const cleanUp = new ExpiredRowsStore(database).cleanUps.find(({ table }) => table === 'job_lines')!;
    await cleanUp.run(() => undefined);
    expect(await linesOf(lowestId(1))).toBe(1);
  });
});

describe('the job of an upload', () => {
  /** Paused after its creation; no line, or few, have been sent to. */
  async function paused(prefix: string, as: Tenant): Promise<string> {
    const people = Array.from({ length: 5_000 }, (_, index) => ({ recipient_id: `${prefix}-${index}` }));
    const { body } = await upload(
      ndjson(HEAD, ...people, { recipient: { id: prefix, email: `${prefix}@example.com` } }),
      {},
      as,
    );
    expect((await as.call('POST', `/api/v1/jobs/${body.id}/pause`)).status).toBe(200);
    return body.id;
  }

  it('stops when it is cancelled; accepted notifications stay', async () => {
    const as = await app.tenant();
    const id = await paused('gone', as);
    expect((await as.call('POST', `/api/v1/jobs/${id}/cancel`)).status).toBe(200);
    const job = await ended(id, 'cancelled', as);
    expect(job.done).toBeLessThan(5_001);
    expect(await countOf('notifications where tenant_id = $1', [as.id])).toBe(job.done);
    expect(await linesOf(id)).toBe(0);
  });

  it('sends nothing to a recipient who was erased meanwhile', async () => {
    const as = await app.tenant();
    const id = await paused('erased-person', as);
    const { status, body } = await as.call('DELETE', '/api/v1/recipients/erased-person');
    expect([status, body.erased.upload_lines]).toEqual([200, 1]);
    expect(await countOf(`job_lines where item::text ~ 'erased-person@' or recipient_id = 'erased-person'`, [])).toBe(
      0,
    );
    await app.sql.query('update erasures set due_at = now()');
    await new ErasuresStore(database, new SecretBox(app.config.masterKey), app.keys).finishDue();
    await as.call('POST', `/api/v1/jobs/${id}/resume`);
    expect(await ended(id, 'finished', as)).toMatchObject({ total: 5_001, done: 5_000, failed: 1 });
    const errors = (await as.call('GET', `/api/v1/jobs/${id}/errors`)).body.data;
    expect(errors).toEqual([{ line: 5_002, code: 'erased', errors: [] }]);
    expect((await as.call('GET', '/api/v1/recipients/erased-person')).status).toBe(404);
  });

  it('sends once to each line, also when a chunk is repeated after its notifications were committed', async () => {
    const as = await app.tenant();
    await app.sql.query(`
      create function fail_once() returns trigger language plpgsql as $$
      begin
        if (select count(*) from notifications where tenant_id = new.tenant_id) between 1 and 1500 and new.cursor <> '{}'
           and new.failures = 0 then
          raise exception 'the worker is lost';
        end if;
        return new;
      end $$;
      create trigger fail_once before update on jobs for each row when (new.failures = old.failures)
      execute function fail_once()`);
    const people = Array.from({ length: 1_500 }, (_, index) => ({ recipient_id: `crash-${index}` }));
    const { body } = await upload(ndjson(HEAD, ...people), {}, as);
    await until('a chunk has failed', async () => {
      const { rows } = await app.sql.query('select failures from jobs where id = $1', [body.id]);
      return rows[0].failures > 0;
    });
    await app.sql.query('drop trigger fail_once on jobs');
    expect(await ended(body.id, 'finished', as)).toMatchObject({ total: 1_500, done: 1_500, failed: 0 });
    expect(await countOf('notifications where tenant_id = $1', [as.id])).toBe(1_500);
  });
});
