// A rotation of MASTER_KEY and ADMIN_TOKEN, with all that depends on them, in real processes.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import type pg from 'pg';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { SecretBox, sealedColumns } from '#database';
import { hashSecret, newApiKey, newId, scopes, signUnsubscription } from '#domain';
import {
  cloneDatabase,
  connect,
  type SmtpSink,
  startSmtpSink,
  startVendor,
  until,
  type Vendor,
  vendors,
} from '#testing';
import { type RunningProcess, startRole } from './processes.js';
import { profileEnvironment } from './profiles.js';
import { type Answer, http, type Json } from './test-environment.js';

const PUBLIC_URL = 'http://notify.example.com';
const [keyA, keyB] = [randomBytes(32), randomBytes(32)];
const [tokenA, tokenB] = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')];
const tenantId = newId();

let databaseUrl: string;
let drop: () => Promise<void>;
let sql: pg.Client;
let sink: SmtpSink;
let hook: Vendor;
let home: string;
let running: RunningProcess[] = [];
let url: string;

/** Everything that must keep working. Each start adds to it. */
const kept = {
  apiKeys: [] as string[],
  inboxTokens: [] as string[],
  links: [] as string[],
  webhookSecret: '',
  adminTokens: [tokenA],
};

const settings = (masterKey: Buffer, more: Record<string, string> = {}): Record<string, string> => ({
  ...profileEnvironment(databaseUrl),
  DATABASE_URL: databaseUrl,
  CARILLON_HOME: home,
  PUBLIC_URL,
  MASTER_KEY: masterKey.toString('hex'),
  ADMIN_TOKEN: tokenA,
  LOG_LEVEL: 'warn',
  ...more,
});

async function restart(environment: Record<string, string>): Promise<void> {
  await stop();
  running = [await startRole('api', environment)];
  running.push(await startRole('worker', environment));
  url = running[0]!.url;
}

async function stop(): Promise<void> {
  for (const one of running.splice(0)) await one.stop();
}

const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  http(url, method, path, { body, headers: { 'X-API-Key': kept.apiKeys[0]!, ...headers } });

/** Runs a built command. Its output contains both streams. */
async function command(
  name: string,
  environment: Record<string, string>,
  ...args: string[]
): Promise<{ code: number; output: string }> {
  return await new Promise((resolve) => {
    const file = join(import.meta.dirname, `../dist/apps/carillon/src/${name}.js`);
    const env = { ...process.env, NODE_ENV: 'test', ...environment };
    execFile(process.execPath, [file, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr }),
    );
  });
}

/** As a release without platform keys left them: derived from MASTER_KEY. */
async function addKeysOfAnEarlierRelease(): Promise<void> {
  const box = new SecretBox(keyA);
  const key = newApiKey('live');
  await sql.query(`insert into tenants (id, name) values ($1, 'Test')`, [tenantId]);
  await sql.query(
    `insert into api_keys (tenant_id, id, key_id, secret_hash, name, mode, scopes)
     values ($1, $2, $3, $4, 'Test', 'live', $5)`,
    [tenantId, newId(), key.keyId, hashSecret(box.derive('api-keys'), key.secret), scopes],
  );
  const token = await new SignJWT({ tid: tenantId, scope: 'inbox:read' })
    .setProtectedHeader({ alg: 'HS256', kid: 'k1', typ: 'JWT' })
    .setAudience('inbox')
    .setSubject('ann')
    .setJti(newId())
    .setIssuedAt()
    .setExpirationTime('3600s')
    .sign(box.derive('inbox-tokens'));
  const link = signUnsubscription(box.derive('unsubscribe'), {
    tenantId,
    recipientId: 'ann',
    category: 'old',
    profileCreatedAt: null,
  });
  kept.apiKeys.push(key.text);
  kept.inboxTokens.push(token);
  kept.links.push(`/unsubscribe/${link}`);
}

const account = (name: string): Record<string, unknown> => ({
  name,
  provider: 'smtp',
  credentials: { host: '127.0.0.1', port: sink.port, tls: 'none', from: 'carillon@example.com' },
});

const createHook = (): Promise<Answer> =>
  call('POST', '/api/v1/webhooks', { url: `${hook.url}/hook`, events: ['delivery.sent'] }, { 'Idempotency-Key': 'h' });

/** Creates one secret of each kind with the running processes. */
async function createSecrets(): Promise<void> {
  const operator = { 'X-Admin-Token': kept.adminTokens.at(-1)! };
  const key = await http(url, 'POST', `/internal/tenants/${tenantId}/api-keys`, {
    body: { name: 'Test' },
    headers: operator,
  });
  kept.apiKeys.push(key.body.api_key);
  const minted = await call('POST', '/api/v1/recipients/ann/inbox-token', {});
  kept.inboxTokens.push(minted.body.token);
}

/** Sends an e-mail with the tenant's account, and returns it once the vendor and the webhook have it. */
async function sendsMail(): Promise<string> {
  const [mails, calls] = [sink.log.length, hook.sends.length];
  const recipient = { id: 'ann', email: 'ann@example.com' };
  const content = { subject: 'Hello', text: 'Hello' };
  const sent = await call('POST', '/api/v1/notifications', { recipient, channel: 'email', content });
  expect([sent.status, sent.body.detail]).toEqual([202, undefined]);
  await until('the vendor has the e-mail', () => sink.log.length > mails, 30_000);
  await until('the webhook has the event', () => hook.sends.length > calls, 30_000);
  const event = hook.sends.at(-1)!;
  expect(() => new Webhook(kept.webhookSecret).verify(event.body, event.headers)).not.toThrow();
  return sink.log
    .at(-1)!
    .raw.toString()
    .replace(/\r\n\s+/g, ' ');
}

async function everythingWorks(): Promise<void> {
  const statuses = async (requests: Promise<Answer>[]): Promise<number[]> =>
    (await Promise.all(requests)).map(({ status }) => status);
  const { apiKeys, inboxTokens, links, adminTokens } = kept;
  expect({
    apiKeys: await statuses(apiKeys.map((key) => call('GET', '/api/v1/templates', undefined, { 'X-API-Key': key }))),
    inboxTokens: await statuses(
      inboxTokens.map((token) => http(url, 'GET', '/api/v1/inbox', { headers: { Authorization: `Bearer ${token}` } })),
    ),
    links: await statuses(links.map((link) => http(url, 'GET', link))),
    adminTokens: await statuses(
      adminTokens.map((token) => http(url, 'GET', '/internal/tenants', { headers: { 'X-Admin-Token': token } })),
    ),
  }).toEqual({
    apiKeys: apiKeys.map(() => 200),
    inboxTokens: inboxTokens.map(() => 200),
    links: links.map(() => 200),
    adminTokens: adminTokens.map(() => 200),
  });
  const replayed = await createHook();
  expect([replayed.headers.get('idempotency-replayed'), replayed.body.secret]).toEqual(['true', kept.webhookSecret]);
  const mail = await sendsMail();
  const link = /^List-Unsubscribe:\s*<([^>]+)>/im.exec(mail)![1]!.replaceAll(' ', '');
  kept.links.push(link.slice(PUBLIC_URL.length));
}

/** `table.column` of every column of the database that holds a sealed text. */
async function columnsWithSealedTexts(): Promise<string[]> {
  const { rows: columns } = await sql.query(
    `select table_name as table, column_name as column from information_schema.columns
     where table_schema = 'public' and data_type in ('text', 'jsonb', 'bytea', 'ARRAY')`,
  );
  const found: string[] = [];
  for (const { table, column } of columns) {
    const { rowCount } = await sql.query(
      `select from "${table}" where "${column}"::text ~ 'v1\\.[0-9a-f]{8}\\.' limit 1`,
    );
    if (rowCount! > 0) found.push(`${table}.${column}`);
  }
  return found;
}

beforeAll(async () => {
  ({ url: databaseUrl, drop } = await cloneDatabase(inject('postgresUrl')));
  sql = await connect(databaseUrl);
  sink = await startSmtpSink();
  hook = await startVendor(vendors['webhook']!);
  home = mkdtempSync(join(tmpdir(), 'carillon-rotation-'));
  await addKeysOfAnEarlierRelease();
});
afterAll(async () => {
  await stop();
  await sink?.close();
  await hook?.close();
  await sql?.end();
  await drop?.();
  rmSync(home, { recursive: true, force: true });
});

// Each test continues where the one before ended.
describe('a rotation of the master key and the admin token', { timeout: 120_000 }, () => {
  it('starts with keys of an earlier release, which go on working', async () => {
    await restart(settings(keyA));
    expect((await call('POST', '/api/v1/provider-accounts', account('first'))).status).toBe(201);
    const made = await createHook();
    expect(made.body.secret).toMatch(/^whsec_/);
    kept.webhookSecret = made.body.secret;
    await createSecrets();
    await everythingWorks();
    expect(await columnsWithSealedTexts()).toEqual(expect.arrayContaining(['idempotency_keys.response_sealed']));
  });

  it('is refused without the previous key, by every role, with a message that says what to do', async () => {
    await stop();
    for (const role of ['api', 'worker'] as const) {
      const refused: Error = await startRole(role, settings(keyB)).then(
        () => expect.unreachable('it has started'),
        (error: Error) => error,
      );
      const { message } = refused;
      expect(message).toContain('ended with 1');
      expect(message).toContain('MASTER_KEY does not open the secrets of this database');
      expect(message).toContain('MASTER_KEY_PREVIOUS');
      expect(message).not.toContain('    at ');
      expect(message).not.toContain(keyB.toString('hex'));
    }
  });

  it('keeps everything working with the new key and the previous one, and accepts both admin tokens', async () => {
    const environment = settings(keyB, {
      MASTER_KEY_PREVIOUS: keyA.toString('hex'),
      ADMIN_TOKEN: tokenB,
      ADMIN_TOKEN_PREVIOUS: tokenA,
    });
    await restart(environment);
    kept.adminTokens.push(tokenB);
    await createSecrets();
    await call('POST', '/api/v1/provider-accounts', { ...account('second'), order: 5 });
    await everythingWorks();
    await until('it has warned', () => running[0]!.output().includes('ADMIN_TOKEN_PREVIOUS is set'));
    for (const secret of [tokenA, tokenB, keyA.toString('hex'), keyB.toString('hex')])
      for (const one of running) expect(one.output()).not.toContain(secret);
  });

  it('re-wraps all secrets while the processes run; the count before changes nothing', async () => {
    const environment = settings(keyB, { MASTER_KEY_PREVIOUS: keyA.toString('hex') });
    const [oldId, newKeyId] = [new SecretBox(keyA).keyId, new SecretBox(keyB).keyId];
    for (let twice = 0; twice < 2; twice += 1) {
      const counted = await command('rewrap', environment, '--dry-run');
      expect(counted.code).toBe(0);
      expect(counted.output).toContain(`platform_keys.key_sealed: 4 secrets under master key ${oldId}\n`);
      expect(counted.output).toContain(`1 secret under master key ${newKeyId} (current)`);
      expect(counted.output).toMatch(/A run would re-wrap \d+ secrets\. Nothing was changed\./);
    }
    const wrong = await command('rewrap', settings(keyB));
    expect(wrong.code).toBe(1);
    expect(wrong.output).toContain(`sealed under master key ${oldId}`);
    expect(wrong.output).toContain('keep MASTER_KEY_PREVIOUS');
    const done = await command('rewrap', environment);
    expect([done.code, done.output]).toEqual([0, expect.stringContaining('MASTER_KEY_PREVIOUS can be removed')]);
    expect(done.output).toMatch(/Re-wrapped \d+ secrets/);
    const again = await command('rewrap', settings(keyB));
    expect([again.code, again.output]).toEqual([0, expect.stringContaining('Re-wrapped 0 secrets')]);
    const known = sealedColumns.map(({ table, column }) => `${table}.${column}`);
    expect(known).toEqual(expect.arrayContaining(await columnsWithSealedTexts()));
    await everythingWorks();
  });

  it('is complete with the new key and token alone; the old ones are refused', async () => {
    await restart(settings(keyB, { ADMIN_TOKEN: tokenB }));
    kept.adminTokens = [tokenB];
    await everythingWorks();
    const old = await http(url, 'GET', '/internal/tenants', { headers: { 'X-Admin-Token': tokenA } });
    expect(old.status).toBe(401);
    await expect(startRole('api', settings(keyA))).rejects.toThrow('MASTER_KEY does not open');
  });

  it('of the key that signs recipient tokens needs no restart, also with several APIs', async () => {
    const environment = settings(keyB, { ADMIN_TOKEN: tokenB });
    running.push(await startRole('api', environment));
    const rotated = await command('rotate-token-key', environment);
    expect([rotated.code, rotated.output]).toEqual([0, expect.stringContaining('stay valid until they expire')]);
    // Started after the rotation: it signs with the new key, which the others have not seen.
    const fresh = await startRole('api', environment);
    running.push(fresh);
    const minted: Json = await http(fresh.url, 'POST', '/api/v1/recipients/ann/inbox-token', {
      body: {},
      headers: { 'X-API-Key': kept.apiKeys[0]! },
    });
    kept.inboxTokens.push(minted.body.token);
    for (const api of running.filter((one) => one.url !== '')) {
      url = api.url;
      await everythingWorks();
    }
  });
});
