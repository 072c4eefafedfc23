// The export of a recipient over HTTP: complete, and read while it is sent.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '#domain';
import { type RunningProcess, roleEnvironment, startRole } from './processes.js';
import { CONTENT, type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

/** By hand, for docs/export.md: EXPORT_DELIVERIES=100000. */
const DELIVERIES = Number(process.env['EXPORT_DELIVERIES'] ?? 20_000);

let app: TestEnvironment;
let tenant: Tenant;
let home: string;
let api: RunningProcess;

beforeAll(async () => {
  app = await startTestEnvironment();
  tenant = await app.tenant();
  home = await mkdtemp(join(tmpdir(), 'carillon-export-'));
  api = await startRole('api', {
    ...roleEnvironment(app),
    CARILLON_HOME: home,
    // Less than the answer of 100,000 deliveries has: it cannot be in memory as a whole.
    NODE_OPTIONS: '--max-old-space-size=128',
  });
});
afterAll(async () => {
  await api?.stop();
  await app?.stop();
  await rm(home, { recursive: true, force: true });
});

async function open(id: string): Promise<Response> {
  return await fetch(`${api.url}/api/v1/recipients/${id}/export`, { headers: { 'X-API-Key': tenant.apiKey } });
}

async function exported(id: string): Promise<Json[]> {
  return (await (await open(id)).text())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/** Megabytes that the process has in memory. */
async function memory(): Promise<number> {
  const status = await readFile(`/proc/${api.child.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) / 1_024;
}

async function createDeliveries(recipientId: string, count: number): Promise<void> {
  const ids = Array.from({ length: count }, () => newId());
  await app.sql.query(
    `insert into notifications (tenant_id, id, recipient_id, category, channels, priority, total, content)
     select $1, id, $3, 'default', '{email}', 5, 1, jsonb_build_object('subject', 'Hello', 'text', repeat('x', 500))
     from unnest($2::uuid[]) as id`,
    [tenant.id, ids, recipientId],
  );
  await app.sql.query(
    `insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, state)
     select $1, id, id, $3, 'email', 'sent' from unnest($2::uuid[]) as id`,
    [tenant.id, ids, recipientId],
  );
  await app.sql.query(
    `insert into delivery_log (tenant_id, delivery_id, id, code, detail)
     select $1, id, gen_random_uuid(), 'sent', 'accepted' from unnest($2::uuid[]) as id`,
    [tenant.id, ids],
  );
}

describe('the export over HTTP', () => {
  it('has the rows of a recipient between a first and a last line, and is audited', async () => {
    const sent = await tenant.send({
      recipient: { id: 'ann', email: 'ann@example.com' },
      channel: 'email',
      content: CONTENT.email,
    });
    const lines = await exported('ann');
    const kinds = lines.map(({ kind }) => kind);
    expect(kinds[0]).toBe('export');
    expect(kinds).toEqual(expect.arrayContaining(['profile', 'notification', 'delivery']));
    expect(lines[0].data.recipient_id).toBe('ann');
    expect(lines.find(({ kind }) => kind === 'notification').data.id).toBe(sent.id);
    expect(lines.at(-1)).toEqual({ kind: 'end', data: { lines: lines.length - 2 } });
    const { rows } = await app.sql.query(`select action from audit_log where tenant_id = $1`, [tenant.id]);
    expect(rows.map(({ action }) => action)).toContain('recipient.exported');
  });

  it('of an unknown recipient is not found', async () => {
    expect((await open('nobody')).status).toBe(404);
  });

  it(`is read in pages: ${DELIVERIES} deliveries need little memory`, async () => {
    for (let at = 0; at < DELIVERIES; at += 10_000) await createDeliveries('bob', Math.min(10_000, DELIVERIES - at));
    await app.sql.query('analyze notifications, deliveries, delivery_log');
    // Connects and compiles.
    await exported('ann');
    const before = await memory();
    const startedAt = performance.now();
    let [lines, bytes, peak] = [0, 0, before];
    for await (const chunk of (await open('bob')).body!) {
      bytes += chunk.length;
      for (const byte of chunk) if (byte === 10) lines += 1;
      peak = Math.max(peak, await memory());
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    const figures = `${lines} lines, ${(bytes / 1e6).toFixed(0)} MB in ${seconds.toFixed(1)} s, `;
    if (process.env['EXPORT_DELIVERIES'])
      console.info(`${figures}memory ${before.toFixed(0)} to ${peak.toFixed(0)} MB`);
    // Each notification and each delivery, and the first and the last line.
    expect(lines).toBe(2 * DELIVERIES + 2);
    expect(peak - before).toBeLessThan(150);
  }, 300_000);
});
