// Runs the built product with PostgreSQL and Redis under load, with faults at fixed times, while Prometheus scrapes it.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ADMIN_TOKEN, BenchEnvironment, type BenchTenant } from '../../bench/src/bench-environment.ts';
import { freePort } from '../../services/programs.ts';
import { type PrometheusPrograms, startPrometheus } from '../../services/prometheus.ts';
import { type RedisService, startRedis } from '../../services/redis.ts';
import type { Period } from './read-dashboard.ts';
import { startTraffic, type Traffic } from './traffic.ts';
import { accountsOf, startVendors, type Vendors } from './vendors.ts';

const SCRAPE_SECONDS = 5;
/** Before the pictures begin, so that the first rates are complete. */
const WARM_UP_SECONDS = 30;
const SECONDS = 300;
const BACKLOG = 1_500;
const TENANTS = 3;
const RECIPIENTS = 100;

export interface MeasureOptions {
  root: string;
  /** Where Prometheus keeps what it has scraped. */
  directory: string;
  programs: PrometheusPrograms;
}

interface Deployment {
  vendors: Vendors;
  traffic: Traffic;
  redis: RedisService;
  /** Starts one more worker on the port of the metrics that the one before had. */
  restartWorker(): Promise<void>;
  killWorker(): Promise<void>;
}

/** What happens, by the seconds since the pictures begin. */
const FAULTS: readonly [second: number, what: string, run: (on: Deployment) => Promise<void> | void][] = [
  [50, 'Postmark answers 503', ({ vendors }) => vendors.postmark.fail(true)],
  [105, 'Postmark works again', ({ vendors }) => vendors.postmark.fail(false)],
  [130, 'Twilio is slow', ({ vendors }) => vendors.twilio.respondIn(1_100)],
  [150, `a bulk send of ${BACKLOG}`, ({ traffic }) => traffic.sendBacklog(BACKLOG)],
  [170, 'Twilio is as before', ({ vendors }) => vendors.twilio.respondIn(130)],
  [190, 'a worker is killed', ({ killWorker }) => killWorker()],
  [215, 'it starts again', ({ restartWorker }) => restartWorker()],
  [240, 'Redis is away', ({ redis }) => redis.kill()],
  [260, 'Redis is back', ({ redis }) => redis.start()],
];

/** Returns the time that the pictures show. */
export async function measure({ root, directory, programs }: MeasureOptions): Promise<Period> {
  const services = mkdtempSync(join(tmpdir(), 'carillon-images-'));
  const close: (() => Promise<unknown> | void)[] = [() => rmSync(services, { recursive: true, force: true })];
  try {
    const redis = await startRedis({ directory: join(services, 'redis') });
    close.unshift(() => redis.stop());
    const product = await BenchEnvironment.open();
    close.unshift(() => product.close());
    let receiptsUrl: string | undefined;
    const vendors = await startVendors(() => receiptsUrl);
    close.unshift(() => {
      for (const vendor of Object.values(vendors)) vendor.close();
    });

    const ports = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
    const settings = {
      NODE_ENV: 'development',
      PUBLIC_URL: 'https://notify.example.com',
      REDIS_URL: redis.url,
    };
    const start = (role: 'api' | 'worker', port: number) =>
      product.start(role, { ...settings, METRICS_PORT: String(port) });
    const apis = [await start('api', ports[0]), await start('api', ports[1])];
    await start('worker', ports[2]);
    let worker = await start('worker', ports[3]);
    const urls = apis.map(({ port }) => `http://127.0.0.1:${port}`);

    const rules = readFileSync(join(root, 'deployments/prometheus/alerts.yaml'), 'utf8');
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'alerts.yaml'), rules.replaceAll(/interval: \d+s/g, `interval: ${SCRAPE_SECONDS}s`));
    const targets = (of: readonly number[]): string[] => of.map((port) => `127.0.0.1:${port}`);
    const prometheus = await startPrometheus(programs, {
      directory,
      jobs: { 'carillon-api': targets(ports.slice(0, 2)), 'carillon-worker': targets(ports.slice(2)) },
      rules: ['alerts.yaml'],
      intervalSeconds: SCRAPE_SECONDS,
    });
    close.unshift(() => prometheus.stop());

    const tenants: BenchTenant[] = [];
    for (let count = 0; count < TENANTS; count += 1) tenants.push(await product.tenant(RECIPIENTS));
    receiptsUrl = await makeAccounts(urls[0] ?? '', tenants, vendors);
    const [first, sandboxed, ...others] = tenants as [BenchTenant, BenchTenant];
    const traffic = await startTraffic(urls, { first, sandboxed, others });
    const deployment: Deployment = {
      vendors,
      traffic,
      redis,
      killWorker: () => worker.kill(),
      restartWorker: async () => {
        worker = await start('worker', ports[3]);
      },
    };
    const period = await runFaults(deployment);
    console.log(`answers by status: ${JSON.stringify(await traffic.stop())}`);
    return period;
  } finally {
    for (const one of close) await one();
  }
}

async function runFaults(deployment: Deployment): Promise<Period> {
  await delay(WARM_UP_SECONDS * 1_000);
  // A multiple of the step, so that Prometheus answers with the same times for each query.
  const start = Math.ceil(Date.now() / 1_000 / SCRAPE_SECONDS) * SCRAPE_SECONDS;
  for (const [second, what, run] of FAULTS) {
    await delay(Math.max(0, (start + second) * 1_000 - Date.now()));
    console.log(`${second} s: ${what}`);
    await run(deployment);
  }
  await delay(Math.max(0, (start + SECONDS) * 1_000 - Date.now()));
  return { start, end: start + SECONDS, step: SCRAPE_SECONDS };
}

/** The accounts of the platform, the sandbox for one tenant, an endpoint for another. Returns where Postmark reports to. */
async function makeAccounts(url: string, tenants: readonly BenchTenant[], vendors: Vendors): Promise<string> {
  const post = async (
    path: string,
    headers: Record<string, string>,
    body: object,
  ): Promise<{ receipts_url?: string }> => {
    const answer = await fetch(url + path, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (answer.status !== 201) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as { receipts_url?: string };
  };
  const [first, sandboxed] = tenants.map(({ apiKey }) => ({ 'x-api-key': apiKey }));
  const made: { receipts_url?: string }[] = [];
  for (const account of accountsOf(vendors))
    made.push(
      await post(
        '/internal/provider-accounts',
        { 'x-admin-token': ADMIN_TOKEN },
        { name: account['provider'], ...account },
      ),
    );
  await post('/api/v1/provider-accounts', sandboxed ?? {}, {
    name: 'sandbox',
    provider: 'sandbox',
    channel: 'email',
    credentials: {},
  });
  await post('/api/v1/webhooks', first ?? {}, {
    url: `${vendors.endpoint.url}/hook`,
    events: ['delivery.delivered', 'delivery.bounced', 'delivery.failed'],
  });
  return url + new URL(made[0]?.receipts_url ?? '').pathname;
}
