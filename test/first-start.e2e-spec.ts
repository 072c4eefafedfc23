import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { derivedLogins } from '#database';
import { connect, until } from '#testing';
import { freePort } from '../services/programs.ts';
import { type AllInOne, ended, launch, startAllInOne } from './all-in-one.js';

let home: string;
let environment: Record<string, string>;
const running: AllInOne[] = [];

async function start(more: Record<string, string> = {}): Promise<AllInOne> {
  const started = await startAllInOne(home, { ...environment, ...more });
  running.push(started);
  return started;
}

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'carillon-first-'));
  // The home folder of root is not readable for other users: the start must work nevertheless.
  chmodSync(home, 0o700);
  environment = { PORT: String(await freePort()), METRICS_PORT: String(await freePort()) };
});
afterAll(async () => {
  const last = running.at(-1);
  if (last && last.child.exitCode === null && last.child.signalCode === null) {
    await last.stop();
  }
  // In that case the data are in another folder, behind a link.
  rmSync(realpathSync(join(home, 'postgres')), { recursive: true, force: true });
  rmSync(home, { recursive: true, force: true });
});

/** As in a home of an earlier release, whose server runs on after a SIGKILL. */
async function dropLogins(): Promise<void> {
  const { port, password } = JSON.parse(readFileSync(join(home, 'postgres.json'), 'utf8')) as Record<string, string>;
  const url = `postgresql://carillon:${password}@127.0.0.1:${port}/carillon`;
  const sql = await connect(url);
  for (const { name } of Object.values(derivedLogins(url))) await sql.query(`drop role "${name}"`);
  await sql.end();
}

describe('the first start', { timeout: 120_000 }, () => {
  it('prints a banner whose curl command works, and keeps all data after a SIGKILL', async () => {
    const first = await start();
    expect(first.readyMs).toBeLessThan(20_000);
    for (const text of ['/mailbox', '/demo', '/docs', 'Admin token', first.apiKey])
      expect(first.output()).toContain(text);
    const file = join(home, 'secrets.json');
    const secrets = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
    expect(first.output()).toContain(`in ${file}`);
    for (const secret of Object.values(secrets)) expect(first.output()).not.toContain(secret);

    const { stdout } = await promisify(execFile)('bash', ['-c', first.curl]);
    expect(stdout).toMatch(/^HTTP\/1\.1 202/);
    const mail = await until(
      'the mail is there',
      async () => (await first.tenant.call('GET', '/api/v1/mailbox')).body.data[0],
    );
    expect(mail).toMatchObject({ channel: 'email', to: 'alice@example.com', message: { subject: 'Welcome, Alice' } });

    // A delivery still waits when the process is killed.
    const waiting = await first.tenant.send({
      recipient_id: 'user-123',
      channel: 'email',
      template_id: 'welcome',
      payload: { name: 'Later' },
      scheduled_at: new Date(Date.now() + 3_000).toISOString(),
    });
    first.child.kill('SIGKILL');
    await ended(first.child);
    await dropLogins();

    const second = await start();
    expect(second.apiKey).toBe(first.apiKey);
    expect(second.output()).toContain('outlived');
    expect((await second.tenant.call('GET', '/api/v1/mailbox')).body.data.at(-1).id).toBe(mail.id);
    // A broker gives a killed worker's partitions to the next one when its session ends, after ten seconds.
    await until(
      'what waited is sent',
      async () => (await second.tenant.notification(waiting.id)).status === 'sent',
      20_000,
    );
  });

  it('stops a second instance on the same home with an error, without disturbing the first', async () => {
    const { child, output } = launch(home, { ...environment, PORT: String(await freePort()), METRICS_PORT: '0' });
    expect(await ended(child)).toBe(1);
    expect(output()).toMatch(
      /Another Carillon \(process \d+\) is running on .+postgres\. Stop it first, or give this one a CARILLON_HOME of its own\./,
    );
    expect(output()).not.toContain('    at ');
    expect((await running.at(-1)!.tenant.call('GET', '/api/v1/mailbox')).status).toBe(200);
  });

  it('stops cleanly on SIGTERM, including the database, and starts again if its port is in use', async () => {
    const last = running.at(-1)!;
    expect(await last.stop()).toBe(0);
    const place = join(home, 'postgres');
    expect(() => readFileSync(join(place, 'postmaster.pid'))).toThrow();

    // A stale pid file with the id of another running process, and the old port in use.
    const { port } = JSON.parse(readFileSync(`${place}.json`, 'utf8')) as { port: number };
    const squatter = createServer().listen(port, '127.0.0.1');
    await new Promise((resolve) => squatter.once('listening', resolve));
    writeFileSync(join(place, 'postmaster.pid'), `${process.pid}\n${place}\n0\n${port}\n\n127.0.0.1\n\nready\n`);
    const again = await start();
    expect((await again.tenant.call('GET', '/api/v1/mailbox')).body.data.length).toBeGreaterThan(0);
    squatter.close();
  });

  it('reports the port that is in use', async () => {
    const other = mkdtempSync(join(tmpdir(), 'carillon-other-'));
    const { child, output } = launch(other, environment);
    expect(await ended(child)).toBe(1);
    expect(output()).toMatch(/Carillon cannot listen: .*EADDRINUSE.*(PORT)/s);
    rmSync(other, { recursive: true, force: true });
  });

  it('reports all wrong variables at once, without their secrets', async () => {
    const { child, output } = launch(home, { PORT: 'eighty', LEASE_SECONDS: '0', MASTER_KEY: 'short-secret-value' });
    expect(await ended(child)).toBe(1);
    expect(output()).toContain('3 settings are wrong');
    for (const text of ['PORT: must be a port number, got "eighty"', 'LEASE_SECONDS:', 'MASTER_KEY: must be 32 bytes'])
      expect(output()).toContain(text);
    expect(output()).not.toContain('short-secret-value');
  });

  it('serves metrics, and logs no private data at any level', async () => {
    const last = running.at(-1)!;
    await last.stop();
    const { masterKey } = JSON.parse(readFileSync(join(home, 'secrets.json'), 'utf8')) as { masterKey: string };
    const configured = {
      ADMIN_TOKEN: randomBytes(32).toString('hex'),
      ADMIN_TOKEN_PREVIOUS: randomBytes(32).toString('hex'),
      MASTER_KEY: randomBytes(32).toString('hex'),
      MASTER_KEY_PREVIOUS: masterKey,
    };
    const loud = await start({ LOG_LEVEL: 'trace', OTEL_EXPORTER_OTLP_ENDPOINT: '', ...configured });
    const marks = {
      address: 'canary-address@example.com',
      payload: 'canary-payload',
      subject: 'canary-subject',
      password: 'canary-password',
      token: 'canary-token',
    };
    const { tenant } = loud;
    await tenant.call('POST', '/api/v1/provider-accounts', {
      name: 'canary',
      provider: 'smtp',
      order: 9,
      enabled: false,
      credentials: {
        host: 'localhost',
        port: 1,
        tls: 'none',
        user: 'u',
        password: marks.password,
        from: 'a@example.com',
      },
    });
    const sent = await tenant.send({
      recipient: { id: 'canary', email: marks.address },
      channel: 'email',
      content: { subject: marks.subject, text: '{{x}}' },
      payload: { x: marks.payload },
    });
    await until('it is sent', async () => (await tenant.notification(sent.id)).status === 'sent', 20_000);
    await tenant.call('POST', '/api/v1/notifications', `{"${marks.payload}": ${marks.payload}}`);
    await fetch(`${loud.url}/api/v1/inbox/stream?token=${marks.token}`);
    await fetch(`${loud.url}/internal/tenants`, { headers: { 'X-Admin-Token': marks.token } });
    const metrics = await (await fetch(`http://127.0.0.1:${environment['METRICS_PORT']}/metrics`)).text();
    for (const name of [
      'carillon_http_request_seconds_bucket',
      'carillon_deliveries_outcomes_total',
      'carillon_attempt_seconds_count',
      'carillon_queue_waiting',
      '# TYPE carillon_queue_oldest_due_seconds gauge',
      '# TYPE carillon_oldest_transaction_seconds gauge',
    ])
      expect(metrics).toContain(name);
    const log = await until('the log has it all', () => {
      const lines = loud
        .output()
        .split('\n')
        .filter((line) => line.startsWith('{'));
      return (
        lines.some((line) => line.includes('"outcome":"sent"')) &&
        lines.some((line) => line.includes('"status":401')) &&
        lines.join('\n')
      );
    });
    for (const mark of [...Object.values(marks), loud.apiKey.slice(17)]) expect(log + metrics).not.toContain(mark);
    expect(loud.output()).toContain('as set by ADMIN_TOKEN');
    for (const secret of Object.values(configured)) expect(loud.output() + metrics).not.toContain(secret);
    expect(log).toContain(sent.deliveries[0].id);
    expect(log).toMatch(
      /"request_id":"[^"]+","tenant_id":"[^"]+","key_id":"\w{8}","method":"POST","route":"\/api\/v1\/notifications","status":202/,
    );
  });

  it('serves its pages to this machine only', async () => {
    const { url } = running.at(-1)!;
    const page = await fetch(`${url}/mailbox`);
    expect([page.status, page.headers.get('content-security-policy')]).toEqual([
      200,
      expect.stringContaining("default-src 'none'"),
    ]);
    const { request } = await import('node:http');
    const status = await new Promise((resolve) =>
      request(`${url}/demo`, { headers: { Host: 'rebound.example' } }, (answer) => resolve(answer.statusCode)).end(),
    );
    expect(status).toBe(404);
  });
});
