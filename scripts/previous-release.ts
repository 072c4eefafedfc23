// npm run previous-release -- d6d98e5   runs the processes of that commit beside those of this one, on this schema
//
// During an upgrade both releases run on the new schema (docs/upgrading.md). The old API and worker start on their own
// schema and get traffic; the migrations of this release are applied meanwhile; then another old worker, and the API
// and a worker of this release, join. Fails if a request fails, a message is sent twice or not at all, a process logs an
// error, or doctor finds something.

import { strict as assert } from 'node:assert';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startEmbeddedPostgres } from '#embedded-postgres';
import { run } from '../services/programs.ts';
import { buildRelease, type Release } from './previous-release/checkout.ts';
import { type Role, startRole } from './previous-release/processes.ts';
import { request, Traffic } from './previous-release/traffic.ts';
import { startVendor, type Vendor } from './previous-release/vendor.ts';

const ROOT = join(import.meta.dirname, '..');
/** Of each phase: before the migration, while it runs and after it, with both releases. */
const PHASE_MS = 5_000;
const ANSWERS_MS = 10_000;

const [reference] = process.argv.slice(2);
if (reference === undefined) {
  console.error('Name a commit, a branch or a tag: npm run previous-release -- d6d98e5');
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), 'carillon-previous-'));
// As root, PostgreSQL runs as another user, which needs access.
chmodSync(folder, 0o755);
const closing: (() => unknown)[] = [];
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => cleanUp().finally(() => process.exit(1)));
try {
  await main(reference);
} finally {
  await cleanUp();
}

/** Stops what was started, the last first. Goes on if one does not stop, and then throws its error. */
async function cleanUp(): Promise<void> {
  const failed: unknown[] = [];
  for (let close = closing.pop(); close !== undefined; close = closing.pop()) {
    try {
      await close();
    } catch (error) {
      failed.push(error);
    }
  }
  rmSync(folder, { recursive: true, force: true });
  if (failed.length > 0) throw failed[0];
}

async function main(name: string): Promise<void> {
  const current: Release = { name: 'this release', directory: ROOT };
  const previous = await buildRelease(ROOT, name, join(folder, 'source'));
  console.log(`${previous.name} is built`);
  const environment = await prepareEnvironment();
  await migrate(previous, environment);
  const vendor = await startVendor();
  closing.push(vendor.close);
  const roles: Role[] = [];
  const start = async (role: 'api' | 'worker', release: Release): Promise<string> => {
    const started = await startRole(role, release, {
      ...environment,
      CARILLON_HOME: join(folder, `home-${roles.length}`),
    });
    roles.push(started);
    closing.push(started.stop);
    return started.url;
  };

  const old = await start('api', previous);
  await start('worker', previous);
  const { apiKey, receipts } = await prepareTenant(old, environment['ADMIN_TOKEN']!, vendor);
  const traffic = new Traffic([old], apiKey);
  await traffic.prepare();
  vendor.reportTo([old + receipts]);
  await sendFor(PHASE_MS, traffic);
  const [applied] = await Promise.all([migrate(current, environment), sendFor(PHASE_MS, traffic)]);
  console.log(`applied beside the old processes: ${applied.join(', ')}`);
  await start('worker', previous);
  const fresh = await start('api', current);
  await start('worker', current);
  vendor.reportTo([old + receipts, fresh + receipts]);
  traffic.use([old, fresh]);
  await sendFor(PHASE_MS, traffic);

  const { requests, notifications, unsent } = await traffic.finish();
  await checkSends(vendor, traffic.addresses);
  console.log(
    `${requests} requests, ${notifications} notifications; ${traffic.addresses.size} messages, each sent once`,
  );
  console.log(`${unsent} notifications were cancelled or suppressed, and not sent`);
  for (const { stop } of roles) await stop();
  const errors = roles.flatMap((role) => role.errors());
  if (errors.length > 0) throw new Error(`processes logged errors:\n${errors.slice(0, 40).join('\n')}`);
  console.log('no process logged an error');
  console.log((await doctor(current, environment)).trim());
}

async function prepareEnvironment(): Promise<Record<string, string>> {
  const server = await startEmbeddedPostgres({ directory: join(folder, 'postgres'), database: 'carillon' });
  closing.push(server.stop);
  return {
    PATH: process.env['PATH'] ?? '',
    NODE_ENV: 'test',
    LOG_LEVEL: 'warn',
    SANDBOX_FALLBACK: 'true',
    // Of the receipts' URLs; only their path is used.
    PUBLIC_URL: 'https://notify.example.com',
    DATABASE_URL: server.url('carillon'),
    MASTER_KEY: randomBytes(32).toString('hex'),
    ADMIN_TOKEN: randomBytes(32).toString('base64url'),
  };
}

async function migrate(release: Release, environment: Record<string, string>): Promise<string[]> {
  const output = await run(process.execPath, [join(release.directory, 'dist/apps/carillon/src/migrate.js')], {
    env: environment,
  });
  // A migration that waits for a lock is named several times.
  return [...new Set(output.match(/\b\d{14}_\w+/g))];
}

/** Throws if it finds something. */
async function doctor(release: Release, environment: Record<string, string>): Promise<string> {
  const cli = join(release.directory, 'dist/apps/carillon/src/cli.js');
  return await run(process.execPath, [cli, 'doctor'], { env: { ...environment, CARILLON_HOME: join(folder, 'home') } });
}

async function prepareTenant(
  url: string,
  adminToken: string,
  vendor: Vendor,
): Promise<{ apiKey: string; receipts: string }> {
  const asOperator = { 'X-Admin-Token': adminToken };
  const settings = { requests_per_minute: 1_000_000, retry_schedule_seconds: [0.2, 0.2] };
  const tenant = await request('POST', `${url}/internal/tenants`, asOperator, { name: 'Both releases', settings });
  const key = await request('POST', `${url}/internal/tenants/${tenant.id}/api-keys`, asOperator, { name: 'Key' });
  const account = await request(
    'POST',
    `${url}/api/v1/provider-accounts`,
    { 'X-API-Key': key.api_key },
    { name: 'Vendor', provider: 'postmark', credentials: vendor.credentials },
  );
  return { apiKey: key.api_key, receipts: new URL(account.receipts_url).pathname };
}

async function sendFor(ms: number, traffic: Traffic): Promise<void> {
  for (const until = Date.now() + ms; Date.now() < until; ) await traffic.round();
}

/** Waits for the answers to all receipts: a delivery is `delivered` a moment before the vendor has the answer. */
async function checkSends({ accepted, receipts }: Vendor, addresses: ReadonlySet<string>): Promise<void> {
  const wrong = [...new Set([...addresses, ...accepted.keys()])]
    .map((address) => ({ address, expected: addresses.has(address) ? 1 : 0, sent: accepted.get(address) ?? 0 }))
    .filter(({ expected, sent }) => expected !== sent);
  assert.deepEqual(wrong, [], 'a message was sent too often or not at all');
  const answers = (): number => [...receipts.values()].reduce((sum, count) => sum + count, 0);
  for (const until = Date.now() + ANSWERS_MS; answers() < accepted.size && Date.now() < until; ) await delay(50);
  assert.deepEqual([...receipts], [['200', accepted.size]], 'answers to receipts');
}
