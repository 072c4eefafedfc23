// Runs every query of every dashboard on a real Prometheus that scrapes two APIs and two workers under a small load.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { counters, gauges, histograms, type MetricDefinition, tenantCounters } from '#telemetry';
import { startVendor, until, type Vendor, vendors } from '#testing';
import { dashboards } from '../../scripts/dashboards/dashboards.js';
import { freePort } from '../../services/programs.ts';
import { fetchPrometheus, type PrometheusService, startPrometheus } from '../../services/prometheus.ts';
import { type RunningProcess, roleEnvironment, startRole } from '../processes.js';
import {
  CONTENT,
  http,
  simulated,
  startTestEnvironment,
  type Tenant,
  type TestEnvironment,
  tenantWith,
} from '../test-environment.js';

const ROOT = join(import.meta.dirname, '../..');
const TENANTS = 6;
/** METRICS_TENANTS: fewer than there are tenants. */
const TENANT_SERIES = 4;

let directory: string;
let app: TestEnvironment;
let prometheus: PrometheusService;
let endpoint: Vendor;
let tenants: Tenant[];
let inboxToken: string;
let waves = 0;
const running: RunningProcess[] = [];
const metricsUrls: string[] = [];
const streams: { close(): void }[] = [];

beforeAll(async () => {
  const programs = await fetchPrometheus(join(ROOT, '.services'));
  directory = await mkdtemp(join(tmpdir(), 'carillon-dashboards-'));
  app = await startTestEnvironment({ worker: false });
  endpoint = await startVendor(vendors['webhook']!);
  const ports = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const [apis, workers] = [ports.slice(0, 2), ports.slice(2)];
  const targets = (of: number[]): string[] => of.map((port) => `127.0.0.1:${port}`);
  metricsUrls.push(...targets(ports).map((target) => `http://${target}/metrics`));
  for (const [role, of] of [
    ['api', apis],
    ['worker', workers],
  ] as const)
    for (const port of of) running.push(await start(role, port));
  // The rules without their long intervals.
  const rules = await readFile(join(ROOT, 'deployments/prometheus/alerts.yaml'), 'utf8');
  await writeFile(join(directory, 'alerts.yaml'), rules.replaceAll(/interval: \d+s/g, 'interval: 1s'));
  prometheus = await startPrometheus(programs, {
    directory,
    jobs: { 'carillon-api': targets(apis), 'carillon-worker': targets(workers) },
    rules: ['alerts.yaml'],
  });
  await prepareTenants();
}, 180_000);

afterAll(async () => {
  for (const stream of streams) stream.close();
  await prometheus?.stop();
  await Promise.all(running.map((one) => one.kill()));
  await endpoint?.close();
  await app?.stop();
  if (directory) await rm(directory, { recursive: true, force: true });
}, 60_000);

async function start(role: 'api' | 'worker', metricsPort: number): Promise<RunningProcess> {
  return await startRole(role, {
    ...roleEnvironment(app),
    METRICS_PORT: String(metricsPort),
    METRICS_TENANTS: String(TENANT_SERIES),
  });
}

async function prepareTenants(): Promise<void> {
  const made = await Promise.all(Array.from({ length: TENANTS }, () => app.tenant()));
  tenants = made.map(({ id, apiKey }, index) =>
    tenantWith((method, path, options) => http(running[index % 2]!.url, method, path, options), id, apiKey),
  );
  const first = tenants[0]!;
  const answers = [
    await first.call('POST', '/api/v1/webhooks', { url: `${endpoint.url}/hook`, events: ['*'] }),
    await first.call('PUT', '/api/v1/topics/news', { name: 'News' }),
    await first.call('PUT', '/api/v1/recipients/member', { email: 'member@example.com' }),
    await first.call('POST', '/api/v1/topics/news/subscriptions', { recipient_ids: ['member'] }),
    await first.call('POST', '/api/v1/suppressions', { channel: 'email', address: 'no@example.com', reason: 'manual' }),
  ];
  expect(answers.filter(({ status }) => status >= 300)).toEqual([]);
  inboxToken = (await first.call('POST', '/api/v1/recipients/ann/inbox-token', {})).body.token as string;
  const path = '/api/v1/inbox/stream';
  const socket = new WebSocket(running[0]!.url.replace('http', 'ws') + path, ['carillon.v1', inboxToken]);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  streams.push(socket);
}

/** One send of each kind: accepted, replayed, rejected, sent, failed, held, suppressed, to topics and to the inbox. */
async function sendWave(): Promise<void> {
  waves += 1;
  const [first] = tenants as [Tenant];
  const email = { channel: 'email', content: CONTENT.email };
  const sends = tenants.flatMap((tenant, index) => [
    tenant.send(simulated('ok', `ok-${waves}`)),
    tenant.send(simulated(index % 2 === 0 ? 'rejected' : 'flaky', `other-${waves}-${index}`)),
    tenant.send({ recipient_id: 'ann', channel: 'in_app', content: { title: 'Hello', body: 'Hello there' } }),
    tenant.call('POST', '/api/v1/notifications/bulk', {
      ...email,
      recipients: [0, 1, 2].map((place) => ({
        recipient_id: `b${waves}-${place}`,
        recipient_address: 'b@example.com',
      })),
    }),
  ]);
  const content = { text: `Hello {{#each names}}{{this}}{{/each}}`, subject: 'Hello' };
  sends.push(
    first.send({ topic: 'news', ...email }),
    first.send({ recipient_id: 'no', recipient_address: 'no@example.com', ...email }),
    first.send({
      recipient_id: 'r',
      recipient_address: 'r@example.com',
      ...email,
      content,
      payload: { names: ['Ann'] },
    }),
    first.send(
      { recipient_id: 'same', recipient_address: 'same@example.com', ...email },
      { 'Idempotency-Key': 'same' },
    ),
    first.call('POST', '/api/v1/notifications', { recipient_id: 'x', channel: 'email' }),
    first.call('GET', '/api/v1/notifications?limit=1'),
    http(running[0]!.url, 'GET', '/api/v1/inbox', { headers: { Authorization: `Bearer ${inboxToken}` } }),
  );
  await Promise.all(sends);
}

interface PanelQuery {
  dashboard: string;
  panel: string;
  expr: string;
}

/** The queries of panels that must have data. */
const queries: PanelQuery[] = Object.entries(dashboards).flatMap(([dashboard, { rows }]) =>
  rows.flatMap(({ panels }) =>
    panels
      .filter(({ isEmptyWhenHealthy }) => !isEmptyWhenHealthy)
      .flatMap((panel) => panel.queries.map(({ expr }) => ({ dashboard, panel: panel.title, expr }))),
  ),
);

async function ask(path: string, parameters: Record<string, string>): Promise<{ values?: [number, string][] }[]> {
  const answer = await fetch(`${prometheus.url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
  const { status, error, data } = (await answer.json()) as {
    status: string;
    error?: string;
    data: { result: { values?: [number, string][] }[] };
  };
  if (status !== 'success') throw new Error(`${parameters['query']}: ${error}`);
  return data.result;
}

/** Whether a query has a number since the start of the test. The rate of nothing is not a number. */
async function hasData({ expr }: PanelQuery): Promise<boolean> {
  const query = expr
    .replaceAll('$__rate_interval', '10s')
    .replaceAll('$__range', '2m')
    .replaceAll(/\$(channel|provider|tenant)\b/g, '.*');
  const now = Date.now() / 1_000;
  const result = await ask('query_range', { query, start: String(now - 120), end: String(now), step: '1' });
  return result.some(({ values }) => values?.some(([, value]) => value !== 'NaN' && !value.includes('Inf')));
}

describe('the dashboards', () => {
  it('have data under load in every panel that is not empty when all is well, and no alert fires', async () => {
    let left = queries;
    await until(
      'every query returns data',
      async () => {
        await sendWave();
        const found = await Promise.all(left.map(hasData));
        left = left.filter((_, index) => !found[index]);
        return left.length === 0;
      },
      120_000,
    ).catch((error: Error) => {
      const without = left.map(({ dashboard, panel, expr }) => `${dashboard} / ${panel}: ${expr}`);
      throw new Error(`${error.message}\nwithout data:\n${without.join('\n')}`);
    });
    expect(queries.length).toBeGreaterThan(80);
    expect(await ask('query', { query: 'ALERTS{alertstate="firing"}' })).toEqual([]);
  }, 180_000);
});

describe('the metrics of a running deployment', () => {
  const listed = new Map<string, MetricDefinition>([
    ...Object.values({ ...counters, ...tenantCounters }).map((metric) => [`${metric.name}_total`, metric] as const),
    ...Object.values(histograms).flatMap((metric) =>
      ['bucket', 'count', 'sum'].map((part) => [`${metric.name}_${part}`, metric] as const),
    ),
    ...Object.values(gauges).map((metric) => [metric.name as string, metric] as const),
  ]);

  it('have the labels of the list, and no ids or addresses in them', async () => {
    const lines = (await Promise.all(metricsUrls.map(async (url) => await (await fetch(url)).text())))
      .join('\n')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith('target_info'));
    expect(lines.length).toBeGreaterThan(500);
    const problems = lines.flatMap((line) => {
      const [, name, text] = /^(\w+)(?:\{(.*)\})? /.exec(line) ?? [];
      const metric = listed.get(name ?? '');
      if (!metric) return [`not in the list: ${line}`];
      const labels = [...(text ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, value]) => ({
        label,
        value,
      }));
      return labels
        .filter(({ label }) => label !== 'le' && !label!.startsWith('otel_scope'))
        .filter(({ label, value }) => {
          if (!metric.labels.includes(label!)) return true;
          if (label === 'tenant') return value !== 'other' && !tenants.some(({ id }) => id === value);
          return /[0-9a-f]{8}-[0-9a-f]{4}-|@|\d{7}/.test(value!);
        })
        .map(({ label }) => `${label}: ${line}`);
    });
    expect(problems).toEqual([]);
    for (const name of ['carillon_tenant_deliveries_total', 'carillon_tenant_notifications_total']) {
      const own = lines.filter((line) => line.startsWith(name)).map((line) => /tenant="([^"]+)"/.exec(line)?.[1]);
      expect(new Set(own).size, name).toBeLessThanOrEqual(TENANT_SERIES * 2 + 1);
    }
  });
});
