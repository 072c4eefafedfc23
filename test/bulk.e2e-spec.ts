// One large content for many recipients: stored once, loaded once, with memory of a few times the body.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '#testing';
import { roleEnvironment, startRole } from './processes.js';
import {
  http,
  type Json,
  startTestEnvironment,
  type Tenant,
  type TestEnvironment,
  tenantWith,
} from './test-environment.js';

const BULK = '/api/v1/notifications/bulk';

let app: TestEnvironment;
let tenant: Tenant;

beforeAll(async () => {
  app = await startTestEnvironment();
  tenant = await app.tenant();
});
afterAll(() => app?.stop());

const rows = async (text: string, values: unknown[] = []): Promise<Json[]> => (await app.sql.query(text, values)).rows;
const sharedContents = (): Promise<Json[]> =>
  rows('select * from shared_contents where tenant_id = $1 order by id', [tenant.id]);
const recipients = (count: number, prefix = 'user'): Json[] =>
  Array.from({ length: count }, (_, index) => ({ recipient_id: `${prefix}-${index}` }));

describe('the common content of a bulk send', () => {
  it('is stored once, and the payload of each recipient overrides it', async () => {
    const { body } = await tenant.call('POST', BULK, {
      channel: 'in_app',
      content: { title: 'Hello {{name}}', body: '{{greeting}} from {{sender.name}}' },
      payload: { name: 'you', greeting: 'Good day', sender: { name: 'Ann' } },
      recipients: [{ recipient_id: 'bob' }, { recipient_id: 'eve', payload: { name: 'Eve', sender: { name: 'Zoe' } } }],
    });
    expect(await sharedContents()).toMatchObject([
      {
        content: { title: 'Hello {{name}}', body: '{{greeting}} from {{sender.name}}' },
        payload: { name: 'you', greeting: 'Good day', sender: { name: 'Ann' } },
      },
    ]);
    const ids = body.accepted.map(({ id }: Json) => id);
    expect(await rows('select content, payload from notifications where id = any ($1) order by id', [ids])).toEqual([
      { content: null, payload: null },
      { content: null, payload: { name: 'Eve', sender: { name: 'Zoe' } } },
    ]);
    for (const id of ids) await until('it is sent', async () => (await tenant.notification(id)).status === 'sent');
    const items = await rows('select title, body from inbox_items where tenant_id = $1 order by recipient_id', [
      tenant.id,
    ]);
    expect(items).toEqual([
      { title: 'Hello you', body: 'Good day from Ann' },
      { title: 'Hello Eve', body: 'Good day from Zoe' },
    ]);
  });

  it('is not stored for a replay, and deleted if no item was accepted', async () => {
    const before = (await sharedContents()).length;
    const body = {
      channel: 'in_app',
      content: { title: 'Hello', body: 'There' },
      recipients: recipients(3, 'again'),
    };
    const send = (): Promise<Json> => tenant.call('POST', BULK, body, { 'Idempotency-Key': 'again' });
    const first = await send();
    expect((await send()).body).toEqual(first.body);
    expect((await sharedContents()).length).toBe(before + 1);
    const refused = await tenant.call('POST', BULK, {
      channel: 'email',
      content: { subject: 'Hello', text: 'There' },
      recipients: recipients(3, 'without-address'),
    });
    expect(refused.body.errors).toMatchObject([{ code: 'no_address' }, { code: 'no_address' }, { code: 'no_address' }]);
    expect((await sharedContents()).length).toBe(before + 1);
  });

  it('is distinguished by the key of the call', async () => {
    const body = { channel: 'in_app', content: { title: '{{a}}', body: 'x' }, payload: { a: 1 } };
    const send = (more: Json): Promise<Json> =>
      tenant.call(
        'POST',
        BULK,
        { ...body, ...more, recipients: [{ recipient_id: 'a', payload: { b: 1 } }] },
        { 'Idempotency-Key': 'common part' },
      );
    expect((await send({})).status).toBe(202);
    expect((await send({ payload: { a: 2 } })).body.errors).toMatchObject([{ code: 'idempotency_mismatch' }]);
  });
});

describe('a payload of 4.8 MB to 1,000 recipients', () => {
  const payload = {
    name: 'Ann',
    rows: Array.from({ length: 24_000 }, (_, index) => ({ number: index, text: 'x'.repeat(171) })),
  };
  const bodyTo = (prefix: string): string =>
    JSON.stringify({
      channel: 'in_app',
      content: { title: 'Hello {{name}}', body: 'There' },
      payload,
      recipients: recipients(1_000, prefix),
    });

  it('takes at most ten times its size of memory in the API, and its notifications can be read like others', async () => {
    const body = bodyTo('many');
    expect(body.length).toBeGreaterThan(4_750_000);
    const home = await mkdtemp(join(tmpdir(), 'carillon-bulk-'));
    const api = await startRole('api', {
      // Collects garbage as if memory were scarce.
      NODE_OPTIONS: '--max-old-space-size=128 --max-semi-space-size=2',
      ...roleEnvironment(app),
      CARILLON_HOME: home,
    });
    const mine = tenantWith((method, path, options) => http(api.url, method, path, options), tenant.id, tenant.apiKey);
    // Warm-up: compiles, connects and fills caches.
    const small = { ...JSON.parse(body), payload: { name: 'Ann' } };
    for (let round = 0; round < 5; round += 1) expect((await mine.call('POST', BULK, small)).status).toBe(202);
    const { now: before } = await memoryOf(api.child.pid!);
    const { status, body: answer } = await mine.call('POST', BULK, body, { 'Idempotency-Key': 'large' });
    expect([status, answer.accepted?.length]).toEqual([202, 1_000]);
    expect((await mine.call('GET', '/api/v1/notifications?limit=200')).body.data).toHaveLength(200);
    for (const { id } of answer.accepted.slice(0, 50)) expect((await mine.notification(id)).id).toBe(id);
    const again = await mine.call('POST', BULK, body, { 'Idempotency-Key': 'large' });
    expect(again.body).toEqual(answer);
    const { peak } = await memoryOf(api.child.pid!);
    expect((peak - before) / body.length).toBeLessThan(10);
    expect(await api.stop()).toBe(0);
    await rm(home, { recursive: true, force: true });
  }, 60_000);

  it('is read once by the worker, not once per delivery', async () => {
    const reads = async (): Promise<number> =>
      Number((await rows(`select idx_scan from pg_stat_user_tables where relname = 'shared_contents'`))[0].idx_scan);
    await until(
      'all are sent',
      async () => {
        const [{ count }] = await rows('select count(*)::int as count from due_deliveries where tenant_id = $1', [
          tenant.id,
        ]);
        return count === 0;
      },
      60_000,
    );
    const before = await reads();
    const { body: answer } = await tenant.call('POST', BULK, bodyTo('worker'));
    expect(answer.accepted).toHaveLength(1_000);
    await until(
      'all are sent',
      async () => {
        const [{ count }] = await rows('select count(*)::int as count from due_deliveries where tenant_id = $1', [
          tenant.id,
        ]);
        return count === 0;
      },
      60_000,
    );
    const [{ sent }] = await rows(
      `select count(*)::int as sent from inbox_items where tenant_id = $1 and recipient_id like 'worker-%' and title = 'Hello Ann'`,
      [tenant.id],
    );
    expect(sent).toBe(1_000);
    // Within a second; some reads may belong to earlier sends.
    await until('the statistics are there', async () => (await reads()) > before);
    expect((await reads()) - before).toBeLessThan(20);
  }, 120_000);
});

/** The memory of a process in bytes: the current value, and the peak since the last call. */
async function memoryOf(pid: number): Promise<{ now: number; peak: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  await writeFile(`/proc/${pid}/clear_refs`, '5');
  const read = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)![1]) * 1_024;
  return { now: read('VmRSS'), peak: read('VmHWM') };
}
