// Runs the lines of a page as a reader would: in one shell, in a folder like that of a clone.

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database, migrate, PlatformKeys, SecretBox } from '#database';
import { until } from '#testing';
import { type Demo, seedDemo } from '../../apps/carillon/src/seed-demo.js';
import { freePort } from '../../services/programs.ts';
import { type AllInOne, startAllInOne } from '../all-in-one.js';
import { http, MIGRATIONS, simulated, tenantWith } from '../test-environment.js';
import { type ListedLine, ROOT, scriptOf } from './page-script.js';

/** For all lines of a page. */
const LIMIT_MS = 240_000;

export interface Readers {
  /** Migrates a database, and creates a demo tenant in it. The lines get the same MASTER_KEY. */
  fill(databaseUrl: string): Promise<void>;
  /** Runs the lines of a page and returns what they print. Throws an error that names the line that failed. */
  follow(page: string, listed: readonly ListedLine[], more: Record<string, string>): Promise<string>;
  stop(): Promise<void>;
}

/** One Carillon for all pages, as `npm start` starts it; each page has a demo tenant of its own. */
export async function startReaders(): Promise<Readers> {
  const folder = mkdtempSync(join(tmpdir(), 'carillon-pages-'));
  const home = join(folder, 'home');
  mkdirSync(home);
  const port = await freePort();
  const app: AllInOne = await startAllInOne(home, { PORT: String(port), METRICS_PORT: '0' });
  const secrets = JSON.parse(readFileSync(join(home, 'secrets.json'), 'utf8')) as Record<string, string>;
  const address = JSON.parse(readFileSync(join(home, 'postgres.json'), 'utf8')) as Record<string, string>;
  const url = `postgresql://carillon:${address['password']}@127.0.0.1:${address['port']}/carillon`;
  const database = new Database({ url, poolSize: 2 });
  const box = new SecretBox(Buffer.from(secrets['masterKey']!, 'hex'));
  const keys = new PlatformKeys(database, box);
  await keys.prepare();

  return {
    fill: async (databaseUrl) => {
      await migrate(databaseUrl, MIGRATIONS);
      const other = new Database({ url: databaseUrl, poolSize: 2 });
      const otherKeys = new PlatformKeys(other, box);
      await otherKeys.prepare();
      await seedDemo(other, otherKeys, mkdtempSync(join(folder, 'filled-')));
      await other.close();
    },
    follow: async (page, listed, more) => {
      const place = mkdtempSync(join(folder, 'page-'));
      for (const name of readdirSync(ROOT)) symlinkSync(join(ROOT, name), join(place, name));
      const ownPort = await freePort();
      const startsOwn = /^npm start\b/m.test(scriptOf(page, listed, port));
      const script = scriptOf(page, listed, startsOwn ? ownPort : port);
      const variables: Record<string, string> = { ...more, MASTER_KEY: secrets['masterKey']! };
      variables['ADMIN_TOKEN'] = secrets['adminToken']!;
      variables['OIDC_CLIENT_SECRET'] = 'given by the provider';
      if (!startsOwn) {
        const pageHome = join(place, '.carillon');
        mkdirSync(pageHome);
        for (const name of readdirSync(home).filter((one) => one !== 'demo.json'))
          symlinkSync(join(home, name), join(pageHome, name));
        const demo: Demo = await seedDemo(database, keys, pageHome);
        Object.assign(variables, { KEY: demo.apiKey, TENANT: demo.tenantId });
        if (/\$(DELIVERY|DEAD_LETTER|JOB|KEY)_ID/.test(script))
          Object.assign(variables, await idsOf(app, demo, secrets['adminToken']!));
      }
      const path = `${more['PROGRAMS'] ?? ''}:${join(ROOT, 'node_modules/.bin')}:${process.env.PATH}`;
      return await runScript(place, page, script, variables, { PATH: path, PORT: String(ownPort) });
    },
    stop: async () => {
      await database.close();
      const ended = new Promise((resolve) => app.child.once('exit', resolve));
      app.child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Ids that a reader has from earlier answers. */
async function idsOf(app: AllInOne, { tenantId, apiKey }: Demo, adminToken: string): Promise<Record<string, string>> {
  const tenant = tenantWith((method, path, request) => http(app.url, method, path, request), tenantId, apiKey);
  const sent = await tenant.send(simulated('bad-address'));
  await tenant.send(simulated('bad-address'));
  const letters = await until('the dead letters are there', async () => {
    const { data } = (await tenant.call('GET', '/api/v1/dead-letters')).body;
    return data.length === 2 ? data : null;
  });
  const headers = { 'X-Admin-Token': adminToken };
  const key = await http(app.url, 'POST', `/internal/tenants/${tenantId}/api-keys`, {
    body: { name: 'Another' },
    headers,
  });
  // It replays the older one, and runs for another 100 s.
  const job = await http(app.url, 'POST', '/internal/dlq/replay', {
    body: { filter: { tenant_id: tenantId }, rate_per_second: 0.01 },
    headers,
  });
  return {
    DELIVERY_ID: sent.deliveries[0].id,
    DEAD_LETTER_ID: letters[0].id,
    KEY_ID: key.body.id,
    JOB_ID: job.body.id,
  };
}

async function runScript(
  place: string,
  page: string,
  script: string,
  variables: Readonly<Record<string, string>>,
  more: Readonly<Record<string, string>>,
): Promise<string> {
  const file = join(place, 'page.sh');
  writeFileSync(file, script);
  // The reader's variables are not exported: lines that need that must say so.
  const given = Object.entries(variables).map(([name, value]) => `${name}='${value}' given_${name}='${value}'`);
  const start = `${given.join('; ')}; . '${join(import.meta.dirname, 'page-functions.sh')}'; . '${file}'`;
  const environment = {
    HOME: place,
    TMPDIR: place,
    ROOT,
    PAGE: page,
    METRICS_PORT: '0',
    LOG_LEVEL: 'error',
    npm_config_update_notifier: 'false',
    ...more,
  };
  // A process group of its own, so that a page that takes too long leaves nothing behind.
  const child = spawn('bash', ['-c', start], { cwd: place, env: environment, detached: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const timer = setTimeout(() => process.kill(-child.pid!, 'SIGTERM'), LIMIT_MS);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  if (code !== 0)
    throw new Error(`${page} ended with ${code ?? `no end within ${LIMIT_MS} ms`}:\n${output.slice(-4_000)}`);
  return output;
}
