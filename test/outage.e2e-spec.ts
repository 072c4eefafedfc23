// Outages of the database, simulated by a proxy.

import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startSmtpSink, startTcpProxy, type TcpProxy, until } from '#testing';
import { examineAndStop } from './doctor-findings.js';
import { CONTENT, simulated, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const LEASE_SECONDS = 6;

let proxy: TcpProxy;
let app: TestEnvironment;
let tenant: Tenant;

beforeAll(async () => {
  const { hostname, port } = new URL(inject('postgresUrl'));
  proxy = await startTcpProxy({ host: hostname, port: Number(port) });
  app = await startTestEnvironment({ through: proxy.port, environment: { LEASE_SECONDS: String(LEASE_SECONDS) } });
  tenant = await app.tenant({ recipient_limits: { email: { limit: 1_000, window_seconds: 60 } } });
});
afterAll(async () => {
  proxy?.pass();
  await examineAndStop(app);
  await proxy?.close();
});

describe.each(['blackhole', 'reset'] as const)('a database behind a %s', (mode) => {
  it('leads to 503 with Retry-After in time and to failing readiness, recovers by itself, and loses nothing accepted', async () => {
    const before = await tenant.send(simulated('ok', `before-${mode}`));
    proxy[mode]();
    try {
      const startedAt = performance.now();
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          tenant.call('POST', '/api/v1/notifications', simulated('ok', `away-${mode}-${index}`), {
            'Idempotency-Key': `${mode}-${index}`,
          }),
        ),
      );
      expect(performance.now() - startedAt).toBeLessThan(3_500);
      expect(new Set(answers.map(({ status, body }) => `${status} ${body.code}`))).toEqual(
        new Set(['503 unavailable']),
      );
      expect(Number(answers[0]!.headers.get('retry-after'))).toBeGreaterThan(0);
      expect((await app.call('GET', '/livez')).status).toBe(200);
      expect((await app.call('GET', '/readyz')).body).toMatchObject({
        status: 'not_ready',
        checks: { postgres: 'away' },
      });
    } finally {
      proxy.pass();
    }
    const backAt = performance.now();
    await until(
      'it accepts again',
      async () =>
        (
          await tenant.call('POST', '/api/v1/notifications', simulated('ok', `away-${mode}-0`), {
            'Idempotency-Key': `${mode}-0`,
          })
        ).status === 202,
    );
    const after = await tenant.send(simulated('ok', `after-${mode}`));
    for (const { id } of [before, after])
      await until('it is sent', async () => (await tenant.notification(id)).status === 'sent', 20_000);
    expect(performance.now() - backAt).toBeLessThan(20_000);
    expect((await app.call('GET', '/readyz')).status).toBe(200);
    // No request was stored in part.
    const { rows } = await app.sql.query(
      `select count(*)::int as n from notifications n where tenant_id = $1 and not exists (select from deliveries d where d.tenant_id = n.tenant_id and d.notification_id = n.id)`,
      [tenant.id],
    );
    expect(rows[0].n).toBe(0);
  }, 60_000);
});

describe('an outcome that cannot be recorded for longer than a lease', () => {
  it('goes to the spool, and is recorded before the next claim: one send', async () => {
    const vendor = await startSmtpSink();
    const account = {
      name: 'smtp',
      provider: 'smtp',
      credentials: { host: '127.0.0.1', port: vendor.port, tls: 'none', from: 'carillon@example.com' },
    };
    const mine = await app.tenant();
    expect((await mine.call('POST', '/api/v1/provider-accounts', account)).status).toBe(201);
    vendor.answerData('hang');
    const sent = await mine.send({
      recipient_id: 'x',
      recipient_address: 'x@example.com',
      channel: 'email',
      content: CONTENT.email,
    });
    await until('the vendor has it', () => vendor.log.length === 1);
    proxy.reset();
    vendor.answerData(null);
    vendor.release();
    const spool = join(app.config.home, 'spool');
    await until(
      'the outcome is in the spool',
      () => existsSync(spool) && readdirSync(spool).length === 1,
      (LEASE_SECONDS + 5) * 1_000,
    );
    proxy.pass();
    await until('it is recorded', async () => (await mine.notification(sent.id)).status === 'sent', 20_000);
    expect(vendor.log).toHaveLength(1);
    const delivery = await mine.delivery(sent.deliveries[0].id);
    expect(delivery).toMatchObject({ state: 'sent', attempts: 1, provider: 'smtp' });
    expect(delivery.timeline.filter(({ code }: { code: string }) => code === 'attempt')).toHaveLength(1);
    expect(readdirSync(spool)).toEqual([]);
    await vendor.close();
  }, 60_000);
});

describe('an outcome in the spool of one worker, and another worker with its own spool', () => {
  /** A third of the lease: no other worker claims a send with an unknown outcome for so long. */
  const MARGIN_SECONDS = LEASE_SECONDS / 3;

  it.each([
    ['that never lost the database', { direct: true, awaySeconds: 0 }],
    [
      'that lost it as well, for longer than the lease and the margin',
      { direct: false, awaySeconds: MARGIN_SECONDS + 1 },
    ],
  ])(
    '%s, is recorded by its owner: one send',
    async (_name, { direct, awaySeconds }) => {
      const vendor = await startSmtpSink();
      const home = await mkdtemp(join(tmpdir(), 'carillon-other-'));
      const credentials = { host: '127.0.0.1', port: vendor.port, tls: 'none', from: 'carillon@example.com' };
      const mine = await app.tenant();
      const account = { name: 'smtp', provider: 'smtp', credentials };
      expect((await mine.call('POST', '/api/v1/provider-accounts', account)).status).toBe(201);
      vendor.answerData('hang');
      const email = { recipient_id: 'x', recipient_address: 'x@example.com', channel: 'email', content: CONTENT.email };
      const sent = await mine.send(email);
      await until('the vendor has it', () => vendor.log.length === 1);
      const keys = { MASTER_KEY: app.config.masterKey.toString('hex'), ADMIN_TOKEN: app.config.adminToken };
      const other = await app.startWorker({
        ...keys,
        CARILLON_HOME: home,
        ...(direct && { DATABASE_URL: app.databaseUrl }),
      });
      proxy.reset();
      vendor.answerData(null);
      vendor.release();
      const spool = join(app.config.home, 'spool');
      const spooled = (): boolean => existsSync(spool) && readdirSync(spool).some((file) => file.endsWith('.json'));
      await until('the outcome is in the spool', spooled, (LEASE_SECONDS + 5) * 1_000);
      const isOld = `select from due_deliveries where tenant_id = $1 and due_at < now() - make_interval(secs => $2)`;
      await until('it has been away', async () => (await app.sql.query(isOld, [mine.id, awaySeconds])).rowCount === 1);
      proxy.pass();
      await until('it is recorded', async () => (await mine.notification(sent.id)).status === 'sent', 20_000);
      expect(vendor.log).toHaveLength(1);
      expect(await mine.delivery(sent.deliveries[0].id)).toMatchObject({ state: 'sent', attempts: 1 });
      await other.stop();
      await vendor.close();
      await rm(home, { recursive: true, force: true });
    },
    60_000,
  );
});
