// deployments/otel in a real OpenTelemetry Collector: both files are valid, and real spans reach a stand-in for Tempo.

import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '#testing';
import { buildCollector, type CollectorService, startCollector, validateConfig } from '../../services/collector.ts';
import { freePort } from '../../services/programs.ts';
import { type RunningProcess, roleEnvironment, startRole } from '../processes.js';
import { CONTENT, http, startTestEnvironment, type Tenant, type TestEnvironment } from '../test-environment.js';
import { type OtlpReceiver, startOtlpReceiver } from '../tracing/otlp-receiver.js';

const ROOT = join(import.meta.dirname, '../..');
const TRACES = join(ROOT, 'deployments/otel/traces.yaml');
const LOGS = join(ROOT, 'deployments/otel/logs.yaml');
const TRACE_ID = randomBytes(16).toString('hex');

let program: string;
let directory: string;
let app: TestEnvironment;
let tenant: Tenant;
let receiver: OtlpReceiver;
const running: RunningProcess[] = [];
const collectors: CollectorService[] = [];

beforeAll(async () => {
  program = await buildCollector(join(ROOT, '.services'));
  directory = await mkdtemp(join(tmpdir(), 'carillon-collector-'));
  app = await startTestEnvironment({ worker: false });
  tenant = await app.tenant();
  receiver = await startOtlpReceiver();
}, 600_000);
afterAll(async () => {
  for (const one of running) await one.stop();
  for (const one of collectors) await one.stop();
  await receiver?.close();
  await app?.stop();
  if (directory) await rm(directory, { recursive: true, force: true });
});

async function start(config: string, changes: object): Promise<CollectorService> {
  const at = join(directory, String(collectors.length));
  const collector = await startCollector(program, { directory: at, config, changes });
  collectors.push(collector);
  return collector;
}

const listensOn = (grpc: number, http: number): object => ({
  otlp: { protocols: { grpc: { endpoint: `127.0.0.1:${grpc}` }, http: { endpoint: `127.0.0.1:${http}` } } },
});
/** OTLP as JSON, which the receiver of the tests reads. */
const toReceiver = (): object => ({ endpoint: receiver.url, encoding: 'json', compression: 'none' });

describe('the collectors of the compose file', { timeout: 60_000 }, () => {
  it.each([TRACES, LOGS])('accept %s, and no key that they do not know', async (file) => {
    await validateConfig(program, file);
    const wrong = join(directory, 'wrong.yaml');
    await writeFile(wrong, (await readFile(file, 'utf8')).replace('limit_mib', 'limit_mb'));
    await expect(validateConfig(program, wrong)).rejects.toThrow('limit_mb');
  });

  it('pass the spans of an API and a worker on to Tempo, over both protocols', async () => {
    const [grpc, http1, tempo, unused] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
    // Tempo takes OTLP over gRPC: a collector stands in for it.
    await start(TRACES, {
      receivers: listensOn(tempo, unused),
      exporters: { otlphttp: toReceiver() },
      service: { pipelines: { traces: { exporters: ['otlphttp'] } } },
    });
    await start(TRACES, {
      receivers: listensOn(grpc, http1),
      exporters: { 'otlp/tempo': { endpoint: `127.0.0.1:${tempo}` } },
    });
    const environment = { ...roleEnvironment(app), LOG_LEVEL: 'debug', OTEL_BSP_SCHEDULE_DELAY: '50' };
    const overHttp = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${http1}`, OTEL_EXPORTER_OTLP_PROTOCOL: '' };
    const overGrpc = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${grpc}`, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' };
    const api = await startRole('api', { ...environment, ...overHttp });
    running.push(api);
    running.push(await startRole('worker', { ...environment, ...overGrpc }));
    const headers = { 'X-API-Key': tenant.apiKey, traceparent: `00-${TRACE_ID}-${'1'.repeat(16)}-01` };
    const body = {
      recipient_id: 'ann',
      channel: 'email',
      recipient_address: 'ann@example.com',
      content: CONTENT.email,
    };
    expect((await http(api.url, 'POST', '/api/v1/notifications', { body, headers })).status).toBe(202);
    const wanted = ['accept', 'claim', 'deliver', 'load', 'send', 'provider', 'record'];
    const spans = await until('the spans are at Tempo', () => {
      const found = receiver.spans.filter(({ traceId }) => traceId === TRACE_ID);
      return wanted.every((name) => found.some((span) => span.name === name)) && found;
    });
    expect(new Set(spans.map(({ service }) => service))).toEqual(new Set(['carillon-api', 'carillon-worker']));
    for (const { output } of collectors) expect(output()).not.toMatch(/\terror\t/);
  });
});
