// Traces of deliveries that are made after the request: of topics, schedules, events and replays.

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startVendor, until, type Vendor, vendors } from '#testing';
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

let app: TestEnvironment;
let collector: OtlpReceiver;
let receiver: Vendor;
let tenant: Tenant;
let api: RunningProcess;
let worker: RunningProcess;

beforeAll(async () => {
  app = await startTestEnvironment({ worker: false });
  tenant = await app.tenant({ retry_schedule_seconds: [] });
  collector = await startOtlpReceiver();
  receiver = await startVendor(vendors['webhook']!);
  const environment = { ...roleEnvironment(app), ...collector.environment };
  [api, worker] = [await startRole('api', environment), await startRole('worker', environment)];
});
afterAll(async () => {
  await worker?.stop();
  await api?.stop();
  await receiver?.close();
  await collector?.close();
  await app?.stop();
});

/** A request with a trace of its own. */
async function traced(method: string, path: string, body: Json): Promise<{ traceId: string; answer: Json }> {
  const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
  const headers = { 'X-API-Key': tenant.apiKey, traceparent: `00-${traceId}-${spanId}-01` };
  const { status, body: answer } = await http(api.url, method, path, { body, headers });
  expect([status >= 200 && status < 300, answer.errors]).toEqual([true, undefined]);
  return { traceId, answer };
}

const spanOf = async (traceId: string, name: string, attributes: Json = {}): Promise<ReceivedSpan> =>
  await until(`the span ${name} of ${traceId}`, () =>
    collector.spans.find(
      (span) =>
        span.traceId === traceId &&
        span.name === name &&
        Object.entries(attributes).every(([key, value]) => span.attributes[key] === value),
    ),
  );

const claimOf = (traceId: string, channel: string): Promise<ReceivedSpan> =>
  spanOf(traceId, 'claim', { 'carillon.channel': channel });
const deliverOf = (traceId: string, channel: string): Promise<ReceivedSpan> =>
  spanOf(traceId, 'deliver', { 'carillon.channel': channel });

const toAnn = { recipient_id: 'ann', channel: 'in_app', content: CONTENT.in_app };

describe('one trace', { timeout: 60_000 }, () => {
  it('has the deliveries that the job of a send to a topic makes', async () => {
    await tenant.call('PUT', '/api/v1/topics/news', { name: 'News' });
    await tenant.call('POST', '/api/v1/topics/news/subscriptions', { recipient_ids: ['ann', 'bob'] });
    const { recipient_id: _ann, ...rest } = toAnn;
    const { traceId } = await traced('POST', '/api/v1/notifications', { ...rest, topic: 'news' });
    const accept = await spanOf(traceId, 'accept');
    const claims = await until('both are claimed', () => {
      const found = collector.spans.filter((span) => span.traceId === traceId && span.name === 'claim');
      return found.length === 2 && found;
    });
    expect(claims.map(({ parentSpanId }) => parentSpanId)).toEqual([accept.spanId, accept.spanId]);
  });

  it('has the delivery of its events to a webhook endpoint, whose receiver can continue it', async () => {
    const hook = { url: `${receiver.url}/hook`, events: ['notification.finished'] };
    const made = await tenant.call('POST', '/api/v1/webhooks', hook);
    expect(made.status).toBe(201);
    const { traceId } = await traced('POST', '/api/v1/notifications', toAnn);
    const accept = await spanOf(traceId, 'accept');
    expect(await claimOf(traceId, 'webhook')).toMatchObject({ parentSpanId: accept.spanId });
    const deliver = await deliverOf(traceId, 'webhook');
    expect(deliver.attributes).toMatchObject({ 'carillon.outcome': 'sent' });
    const headers = receiver.sends.map((sent) => sent.headers['traceparent']);
    expect(headers).toContain(`00-${traceId}-${deliver.spanId}-01`);
    await tenant.call('DELETE', `/api/v1/webhooks/${made.body.id}`);
  });

  it('of each occurrence of a schedule links to the request that created it', async () => {
    const schedule = { rrule: 'FREQ=DAILY;BYHOUR=9;BYMINUTE=0', timezone: 'Europe/Paris', notification: toAnn };
    const { traceId, answer } = await traced('POST', '/api/v1/schedules', schedule);
    const accept = await spanOf(traceId, 'accept');
    expect(accept.attributes).toMatchObject({ 'carillon.schedule_id': answer.id });
    const fired = new Set<string>();
    for (const minute of ['01', '02']) {
      await app.sql.query('update schedules set next_at = now(), next_local = $2 where id = $1', [
        answer.id,
        `2026-11-30T09:${minute}:00`,
      ]);
      const fire = await until('it is fired', () =>
        collector.spans.find(
          ({ name, link, traceId: own }) => name === 'fire' && link?.traceId === traceId && !fired.has(own),
        ),
      );
      fired.add(fire.traceId);
      expect(fire).toMatchObject({ parentSpanId: undefined, link: { spanId: accept.spanId } });
      expect(fire.attributes).toMatchObject({ 'carillon.tenant_id': tenant.id, 'carillon.schedule_id': answer.id });
      expect(await claimOf(fire.traceId, 'in_app')).toMatchObject({ parentSpanId: fire.spanId });
      const { body } = await tenant.call('GET', `/api/v1/schedules/${answer.id}`);
      expect(fire.attributes['carillon.notification_id']).toBe(body.last_notification_id);
    }
    expect(fired.size).toBe(2);
  });

  it('has the second life of a dead letter that is replayed', async () => {
    const failing = {
      ...toAnn,
      channel: 'email',
      recipient_address: 'rejected@simulator.test',
      content: CONTENT.email,
    };
    const { traceId, answer } = await traced('POST', '/api/v1/notifications', failing);
    const accept = await spanOf(traceId, 'accept');
    await claimOf(traceId, 'email');
    const letter = await until('it is a dead letter', async () => {
      const { body } = await app.operator('GET', '/internal/dlq');
      return body.data.find(({ notification_id: id }: Json) => id === answer.id);
    });
    expect((await app.operator('POST', `/internal/dlq/${letter.id}/replay`)).status).toBe(202);
    const claims = await until('it is claimed again', () => {
      const found = collector.spans.filter((span) => span.traceId === traceId && span.name === 'claim');
      return found.length === 2 && found;
    });
    expect(claims.map(({ parentSpanId }) => parentSpanId)).toEqual([accept.spanId, accept.spanId]);
  });
});
