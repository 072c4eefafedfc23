// Traces of real processes, as a collector gets them.

import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { reporters, startVendor, until, type Vendor, vendors } from '#testing';
import { type RunningProcess, roleEnvironment, startRole } from './processes.js';
import {
  CONTENT,
  http,
  type Json,
  startTestEnvironment,
  type Tenant,
  type TestEnvironment,
} from './test-environment.js';
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from './tracing/otlp-receiver.js';

const PUBLIC_URL = 'https://notify.example.com';
/** Empty settings count as unset. */
const NO_TRACES = { OTEL_EXPORTER_OTLP_ENDPOINT: '', OTEL_EXPORTER_OTLP_PROTOCOL: '' };
const SERVER = 2;
const CLIENT = 3;

let app: TestEnvironment;
let collector: OtlpReceiver;
let vendor: Vendor;
let tenant: Tenant;
let account: Json;
const running: RunningProcess[] = [];

beforeAll(async () => {
  app = await startTestEnvironment({ worker: false, environment: { PUBLIC_URL } });
  tenant = await app.tenant({ retry_schedule_seconds: [] });
  vendor = await startVendor(vendors['resend']!);
  const body = { name: 'mail', provider: 'resend', credentials: vendor.credentials };
  account = (await tenant.call('POST', '/api/v1/provider-accounts', body)).body;
});
async function stopAll(): Promise<void> {
  for (const process of running.splice(0)) await process.stop();
  vendor?.behave('accept');
  await collector?.close();
}
afterAll(async () => {
  await vendor?.close();
  await app?.stop();
});

async function start(role: 'api' | 'worker', environment: Record<string, string> = {}): Promise<RunningProcess> {
  const process = await startRole(role, {
    ...roleEnvironment(app),
    PUBLIC_URL,
    ...environment,
  });
  running.push(process);
  return process;
}

interface Caller {
  traceId: string;
  spanId: string;
}

const newCaller = (): Caller => ({ traceId: randomBytes(16).toString('hex'), spanId: randomBytes(8).toString('hex') });

async function send(api: RunningProcess, { traceId, spanId }: Caller, channel: 'email' | 'in_app', flags = '01') {
  const headers = { 'X-API-Key': tenant.apiKey, traceparent: `00-${traceId}-${spanId}-${flags}` };
  const body = {
    recipient_id: traceId,
    channel,
    content: CONTENT[channel],
    ...(channel === 'email' && { recipient_address: 'canary-of-traces@example.com' }),
    payload: { secret_of_payload: 'canary payload of traces' },
  };
  const { status, body: sent } = await http(api.url, 'POST', '/api/v1/notifications', { body, headers });
  expect(status).toBe(202);
  return sent;
}

const ofTrace = ({ traceId }: Caller): ReceivedSpan[] => collector.spans.filter((span) => span.traceId === traceId);

/** The spans of the trace by name, once the collector has all of these. */
async function spansOf(caller: Caller, names: readonly string[]): Promise<Record<string, ReceivedSpan>> {
  const spans = await until(`the collector has ${names.join(', ')}`, () => {
    const found = ofTrace(caller);
    return names.every((name) => found.some((span) => span.name === name)) && found;
  });
  expect(spans.map(({ name }) => name).sort()).toEqual([...names].sort());
  return Object.fromEntries(spans.map((span) => [span.name, span]));
}

const STEPS = ['load', 'consent', 'digest', 'limit', 'render', 'send', 'record'];

describe('the trace of a notification', { timeout: 60_000 }, () => {
  let api: RunningProcess;
  beforeAll(async () => {
    collector = await startOtlpReceiver();
    api = await start('api', collector.environment);
    await start('worker', collector.environment);
  });
  afterAll(stopAll);

  it('continues that of the caller from the request to the receipt', async () => {
    const caller = newCaller();
    const sent = await send(api, caller, 'email');
    const [{ id }] = sent.deliveries;
    const names = ['accept', 'claim', 'deliver', ...STEPS, 'provider'];
    const spans = await spansOf(caller, names);
    const { accept, claim, deliver, send: sending, provider } = spans as Record<string, ReceivedSpan>;
    expect(accept).toMatchObject({ service: 'carillon-api', kind: SERVER, parentSpanId: caller.spanId });
    expect(accept!.attributes).toMatchObject({
      'http.route': '/api/v1/notifications',
      'http.response.status_code': 202,
      'carillon.tenant_id': tenant.id,
      'carillon.notification_id': sent.id,
    });
    expect(claim).toMatchObject({ service: 'carillon-worker', parentSpanId: accept!.spanId });
    expect(deliver).toMatchObject({ service: 'carillon-worker', parentSpanId: claim!.spanId, error: undefined });
    expect(deliver!.attributes).toMatchObject({ 'carillon.delivery_id': id, 'carillon.outcome': 'sent' });
    for (const step of STEPS) expect(spans[step], step).toMatchObject({ parentSpanId: deliver!.spanId });
    expect(provider).toMatchObject({ kind: CLIENT, parentSpanId: sending!.spanId });
    expect(provider!.attributes).toMatchObject({
      'carillon.provider': 'resend',
      'carillon.provider_account_id': account.id,
      'carillon.outcome': 'sent',
    });
    expect(provider!.startedAt).toBeGreaterThanOrEqual(sending!.startedAt);
    expect(provider!.endedAt).toBeLessThanOrEqual(sending!.endedAt);

    const reporter = reporters['resend']!;
    const options = { credentials: vendor.credentials, url: account.receipts_url, tenantId: tenant.id, deliveryId: id };
    const { headers, body } = reporter.report('delivered', options);
    const path = (reporter.urlOf?.(options) ?? account.receipts_url).slice(PUBLIC_URL.length);
    expect((await http(api.url, 'POST', path, { headers, body })).body).toEqual({ taken: 1 });
    const { receipt } = await spansOf(caller, [...names, 'receipt']);
    expect(receipt).toMatchObject({ service: 'carillon-api', parentSpanId: accept!.spanId });
    expect(receipt!.attributes).toMatchObject({ 'carillon.delivery_id': id, 'carillon.receipt': 'delivered' });
    expect(await tenant.delivery(id)).toMatchObject({
      address: 'canary-of-traces@example.com',
      provider_account_id: account.id,
      trace_id: caller.traceId,
    });

    const texts = collector.text();
    for (const value of ['canary', 'Hello', tenant.apiKey, ...vendors['resend']!.secrets])
      expect(texts, value).not.toContain(value);
  });

  it('has no span of a request without a caller: 401, 403 and 429', async () => {
    const keyed = async (more: Json): Promise<string> =>
      (await app.operator('POST', `/internal/tenants/${tenant.id}/api-keys`, { name: 'k', ...more })).body.api_key;
    const limited = await app.tenant();
    await app.operator('PATCH', `/internal/tenants/${limited.id}`, { settings: { requests_per_minute: 1 } });
    const keys = ['car_wrong', await keyed({ scopes: ['inbox:read'] }), limited.apiKey, limited.apiKey];
    const strangers = keys.map(() => newCaller());
    const statuses: number[] = [];
    for (const [index, { traceId, spanId }] of strangers.entries()) {
      const headers = {
        'X-API-Key': keys[index]!,
        'X-Request-Id': `stranger-${index}`,
        traceparent: `00-${traceId}-${spanId}-01`,
      };
      statuses.push((await http(api.url, 'POST', '/api/v1/notifications', { body: {}, headers })).status);
    }
    expect(statuses).toEqual([401, 403, 422, 429]);
    const last = newCaller();
    await send(api, last, 'in_app');
    await until('the collector has the span of the last request', () =>
      ofTrace(last).some(({ name }) => name === 'accept'),
    );
    expect(strangers.map((stranger) => ofTrace(stranger).length)).toEqual([0, 0, 1, 0]);
    expect(collector.text().match(/stranger-\d/g)).toEqual(['stranger-2']);
  });

  it('has the same spans for the inbox, without a provider', async () => {
    const caller = newCaller();
    await send(api, caller, 'in_app');
    const { deliver } = await spansOf(caller, ['accept', 'claim', 'deliver', ...STEPS]);
    expect(deliver!.attributes).toMatchObject({ 'carillon.channel': 'in_app', 'carillon.outcome': 'in_inbox' });
  });

  it('has the spans of a delivery whose attempt fails, also if the caller has decided against the trace', async () => {
    const before = vendor.sends.length;
    const accepted = newCaller();
    await send(api, accepted, 'email', '00');
    await until('it is sent', () => vendor.sends.length > before);
    vendor.behave({ status: 422, body: { name: 'validation_error', message: 'canary of the vendor' } });
    const failed = newCaller();
    await send(api, failed, 'email', '00');
    const { deliver, provider } = await spansOf(failed, ['claim', 'deliver', ...STEPS, 'provider']);
    expect(deliver!.error).toEqual(expect.any(String));
    expect(provider).toMatchObject({ kind: CLIENT, error: deliver!.error });
    expect(provider!.attributes).toMatchObject({ 'carillon.outcome': 'rejected', 'carillon.code': provider!.error });
    expect(ofTrace(accepted)).toEqual([]);
    expect(collector.text()).not.toContain('canary');
  });
});

describe.runIf(inject('profile') === 'postgres')('the exporter', { timeout: 60_000 }, () => {
  afterEach(stopAll);

  it('sends nothing without its settings, and protobuf with the endpoint alone', async () => {
    collector = await startOtlpReceiver();
    const silent = await start('api', NO_TRACES);
    const api = await start('api', {
      ...NO_TRACES,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_SERVICE_NAME: 'mine',
      OTEL_BSP_SCHEDULE_DELAY: '60000',
    });
    await start('worker', NO_TRACES);
    await send(silent, newCaller(), 'email');
    await send(api, newCaller(), 'email');
    // The stop exports what is queued: the exporter waits for a minute otherwise.
    for (const process of running.splice(0)) expect(await process.stop()).toBe(0);
    expect(collector.requests.map(({ contentType }) => contentType)).toEqual(['application/x-protobuf']);
    expect(collector.requests[0]!.body).toContain('mine');
    expect(collector.requests[0]!.body.match(/accept/g)).toHaveLength(1);
  });

  it.each(['away', 'hanging'] as const)('harms neither sends nor the stop if the collector is %s', async (how) => {
    collector = await startOtlpReceiver();
    const settings = { ...collector.environment, LOG_LEVEL: 'warn' };
    if (how === 'hanging') collector.hang();
    else await collector.close();
    const [api] = [await start('api', settings), await start('worker', settings)];
    const before = vendor.sends.length;
    for (let count = 0; count < 20; count += 1) await send(api, newCaller(), 'email');
    await until('all are sent', () => vendor.sends.length === before + 20, 30_000);
    if (how === 'away')
      await until(
        'the log has it',
        () => running.every((each) => each.output().includes('exporting traces failed')),
        20_000,
      );
    const startedAt = performance.now();
    const codes = await Promise.all(running.splice(0).map((process) => process.stop()));
    expect(codes).toEqual([0, 0]);
    expect(performance.now() - startedAt).toBeLessThan(6_000);
  });
});
