// npm run fuzz                       sends generated requests to every route of the OpenAPI document (Schemathesis), and
//                                    fails for a 5xx or an answer that the document does not describe
// npm run fuzz -- --max-examples 200 tries longer; the default is for CI
// npm run fuzz -- --seed 7           tries other values

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { freePort } from '../services/programs.ts';
import { type Call, seedOperator, seedTenant } from '../test/access/seed-tenant.ts';

const ROOT = join(import.meta.dirname, '..');
const REQUIREMENTS = join(ROOT, 'test/fuzz/requirements.txt');
const SETTINGS = join(ROOT, 'test/fuzz/schemathesis.toml');
const HOOKS = join(ROOT, 'test/fuzz/hooks.py');
const PYTHON = join(ROOT, 'node_modules/.cache/schemathesis');
const START_MS = 60_000;
/** The exit status if Schemathesis cannot be installed: EX_UNAVAILABLE of sysexits.h. */
const NOT_INSTALLED = 69;
/** Schemathesis reads a response to its end, so the proxy ends streams of server-sent events. */
const STREAM_MS = 300;
/** The operator's routes come last: they may suspend the tenant and revoke its keys. */
const GROUPS = {
  'the inbox': '^/api/v1/inbox',
  'the other routes of tenants': '^/api/v1/(?!inbox)',
  'public routes': '^/(?!api|internal)',
  'routes of the operator': '^/internal',
};

const { values: options } = parseArgs({
  options: { 'max-examples': { type: 'string', default: '12' }, seed: { type: 'string', default: '1' } },
});
const schemathesis = installSchemathesis();
const home = mkdtempSync(join(tmpdir(), 'carillon-fuzz-'));
const adminToken = randomBytes(32).toString('base64url');
let product: ChildProcess | undefined;
try {
  const url = await startProduct();
  const proxy = await startProxy(url);
  const credentials = await makeCredentials(url);
  const failed: string[] = [];
  for (const [name, paths] of Object.entries(GROUPS)) {
    console.log(`\n== ${name}`);
    if ((await fuzz(proxy.url, paths, credentials)) !== 0) failed.push(name);
  }
  proxy.server.closeAllConnections();
  proxy.server.close();
  console.log(
    `\nfuzz: ${proxy.requests()} requests, failures in ${failed.length === 0 ? 'no routes' : failed.join(', ')}`,
  );
  process.exitCode = failed.length === 0 ? 0 : 1;
} finally {
  await stopProduct();
  rmSync(home, { recursive: true, force: true });
}

/** Installs the pinned packages into a virtual environment of Python, once. */
function installSchemathesis(): string {
  const stamp = join(PYTHON, 'requirements.txt');
  const wanted = readFileSync(REQUIREMENTS, 'utf8');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    const install = (program: string, ...parameters: string[]): void => {
      const { status } = spawnSync(program, parameters, { stdio: 'inherit' });
      if (status === 0) return;
      console.error(`${program} ${parameters.join(' ')} failed (Debian: apt-get install python3-venv)`);
      process.exit(NOT_INSTALLED);
    };
    rmSync(PYTHON, { recursive: true, force: true });
    install('python3', '-m', 'venv', PYTHON);
    install(join(PYTHON, 'bin/pip'), 'install', '--quiet', '--no-deps', '--requirement', REQUIREMENTS);
    writeFileSync(stamp, wanted);
  }
  return join(PYTHON, 'bin/schemathesis');
}

/** The all-in-one with a new embedded database. */
async function startProduct(): Promise<string> {
  const { DATABASE_URL: _none, ...environment } = process.env;
  const child = spawn(process.execPath, [join(ROOT, 'dist/apps/carillon/src/main.js')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...environment,
      NODE_ENV: 'test',
      CARILLON_HOME: home,
      HOST: '127.0.0.1',
      PORT: String(await freePort()),
      METRICS_PORT: '0',
      LOG_LEVEL: 'error',
      ADMIN_TOKEN: adminToken,
    },
  });
  product = child;
  return await new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`it did not start in ${START_MS} ms`)), START_MS).unref();
    child.once('exit', (code) => reject(new Error(`it ended with ${code}`)));
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      const text = chunk.toString();
      output += text;
      // Lines of the log: every 5xx has one.
      if (text.startsWith('{')) process.stdout.write(text);
      const ready = /^Carillon is ready on (\S+)$/m.exec(output);
      if (ready) resolve(ready[1] ?? '');
    });
  });
}

async function stopProduct(): Promise<void> {
  const child = product;
  if (!child || child.exitCode !== null) return;
  child.removeAllListeners('exit');
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await exited;
}

/** Counts the requests, ends streams, and gives each request an address, because failures are limited by address. */
async function startProxy(target: string): Promise<{ url: string; server: Server; requests(): number }> {
  const { hostname, port } = new URL(target);
  let requests = 0;
  const server = createServer((incoming, outgoing) => {
    requests += 1;
    const forwarded = request(
      {
        hostname,
        port,
        method: incoming.method,
        path: incoming.url,
        headers: incoming.headers,
        localAddress: `127.78.${Math.floor(requests / 250) % 250}.${1 + (requests % 250)}`,
      },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
        answer.on('close', () => outgoing.end());
        if (answer.headers['content-type']?.startsWith('text/event-stream'))
          setTimeout(() => {
            outgoing.end();
            forwarded.destroy();
          }, STREAM_MS);
      },
    );
    // An answer from the headers alone closes the connection before the body is written.
    forwarded.on('error', () => outgoing.headersSent || outgoing.destroy());
    incoming.pipe(forwarded);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    requests: () => requests,
  };
}

/** A tenant with one of everything, and what authenticates as it, as its recipient and as the operator. */
async function makeCredentials(url: string): Promise<Record<string, string>> {
  const callerWith =
    (credentials: Record<string, string>): Call =>
    async (method, path, body, headers) => {
      const answer = await fetch(url + path, {
        method,
        headers: { ...credentials, ...headers, ...(body !== undefined && { 'Content-Type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      return { status: answer.status, body: text === '' ? null : JSON.parse(text) };
    };
  const operator = callerWith({ 'X-Admin-Token': adminToken });
  const settings = { requests_per_minute: 1_000_000 };
  const { body: tenant } = await operator('POST', '/internal/tenants', { name: 'Fuzz', settings });
  const { body: key } = await operator('POST', `/internal/tenants/${tenant.id}/api-keys`, { name: 'Fuzz' });
  const call = callerWith({ 'X-API-Key': key.api_key });
  const { recipient } = await seedTenant(call, 'fuzz');
  await seedOperator(operator, call, tenant.id);
  const hour = { ttl_seconds: 3_600 };
  const { body: minted } = await call('POST', `/api/v1/recipients/${recipient}/inbox-token`, hour);
  return { FUZZ_API_KEY: key.api_key, FUZZ_ADMIN_TOKEN: adminToken, FUZZ_RECIPIENT_TOKEN: minted.token };
}

/** Returns the exit code of Schemathesis. */
async function fuzz(url: string, paths: string, credentials: Record<string, string>): Promise<number | null> {
  const child = spawn(
    schemathesis,
    [
      ...['--config-file', SETTINGS, 'run', `${url}/openapi.json`, '--no-color', '--include-path-regex', paths],
      ...['--seed', options.seed, '--max-examples', options['max-examples'], '--continue-on-failure'],
      ...['--request-retries', '2'],
    ],
    // It writes its cache into the working directory.
    {
      cwd: home,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...credentials, SCHEMATHESIS_HOOKS: HOOKS },
    },
  );
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
}
