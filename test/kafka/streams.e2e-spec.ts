// Events and requests as an external program sees them; the document that describes them; and broker outages.

import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import kafkajs, { type Consumer, type Kafka, type Producer } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { parse } from 'yaml';
import { type FinishedSpan, spanSink, useSpanSink } from '#telemetry';
import { until } from '#testing';
import { type KafkaService, startKafka } from '../../services/kafka.ts';
import { leaksInText } from '../canary/find-leaks.js';
import { watched } from '../canary/watched-values.js';
import { profileEnvironment } from '../profiles.js';
import {
  CONTENT,
  type Json,
  simulated,
  startTestEnvironment,
  type Tenant,
  type TestEnvironment,
} from '../test-environment.js';

interface Message {
  topic: string;
  key: string;
  headers: Record<string, string>;
  value: Json;
}

let app: TestEnvironment;
let tenant: Tenant;
let client: Kafka;
let consumer: Consumer;
let producer: Producer;
let prefix: string;
const messages: Message[] = [];
const document = parse(readFileSync(join(import.meta.dirname, '../../docs/asyncapi.yaml'), 'utf8')) as Json;

beforeAll(async () => {
  app = await startTestEnvironment({ environment: { KAFKA_INTAKE_ENABLED: 'true' } });
  tenant = await app.tenant();
  prefix = profileEnvironment(app.databaseUrl)['KAFKA_PREFIX']!;
  client = new kafkajs.Kafka({
    brokers: inject('kafkaBrokers').split(','),
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { retries: 20 },
  });
  kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD] ??= () => {
    throw new Error('the product registers its codec');
  };
  const admin = client.admin();
  await admin.connect();
  await until(
    'the topics are there',
    async () => (await admin.listTopics()).includes(`${prefix}.requests.results`),
    15_000,
  );
  await admin.disconnect();
  consumer = client.consumer({ groupId: `${prefix}.reader`, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({
    topics: [`${prefix}.events`, `${prefix}.requests.results`, `${prefix}.dead-letters`],
    fromBeginning: true,
  });
  await consumer.run({
    eachMessage: async ({ topic, message }) => {
      const text = message.value!.toString();
      let value: Json = text;
      try {
        value = JSON.parse(text);
      } catch {}
      messages.push({
        topic: topic.slice(prefix.length + 1),
        key: message.key?.toString() ?? '',
        headers: Object.fromEntries(
          Object.entries(message.headers ?? {}).map(([name, given]) => [name, String(given)]),
        ),
        value,
      });
    },
  });
  producer = client.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
}, 60_000);
afterAll(async () => {
  await consumer?.disconnect();
  await producer?.disconnect();
  await app?.stop();
});

const eventsOf = (recipientId: string): Message[] =>
  messages.filter(({ topic, key }) => topic === 'events' && key === `${tenant.id}:${recipientId}`);
const typesOf = (recipientId: string): string[] => eventsOf(recipientId).map(({ value }) => value.type);

describe('docs/asyncapi.yaml', () => {
  it('is a valid AsyncAPI 3.0 document', () => {
    const ajv = new Ajv({ strict: false, allErrors: true, logger: false });
    const schema = createRequire(import.meta.url)('@asyncapi/specs/schemas/3.0.0-without-$id.json');
    const valid = ajv.compile(schema);
    expect(valid(document), JSON.stringify(valid.errors?.slice(0, 5))).toBe(true);
  });
});

describe('events', () => {
  /** The schema of a message in the document. */
  const schemas = new Map<string, ValidateFunction>();
  beforeAll(() => {
    const ajv = new Ajv({ strict: false, allErrors: true, logger: false });
    ajv.addFormat('uuid', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    ajv.addFormat('date-time', (text) => !Number.isNaN(Date.parse(text)));
    for (const { name, payload } of Object.values<Json>(document.components.messages))
      if (payload) schemas.set(name, ajv.compile(payload));
  });

  it('report every end, as documented, in order per recipient, once', async () => {
    const sent = await tenant.send({ ...simulated('ok', 'ok') });
    await tenant.send({ ...simulated('rejected', 'refused') });
    await tenant.send({ recipient_id: 'reader', channel: 'in_app', content: CONTENT.in_app });
    const later = await tenant.send({
      ...simulated('ok', 'later'),
      scheduled_at: new Date(Date.now() + 3_600_000).toISOString(),
    });
    await tenant.call('DELETE', `/api/v1/notifications/${later.id}`);
    const bounced = await tenant.send({ ...simulated('bounce', 'bounced') });
    await until(
      'all have ended',
      () => typesOf('bounced').length >= 3 && typesOf('refused').length >= 2 && typesOf('ok').length >= 3,
      20_000,
    );
    const { data: items } = (await tenant.call('GET', '/api/v1/inbox', undefined, { 'X-Recipient-ID': 'reader' })).body;
    for (let twice = 0; twice < 2; twice += 1)
      await tenant.call('POST', `/api/v1/inbox/${items[0].id}/read`, undefined, { 'X-Recipient-ID': 'reader' });
    await until('it is read', () => typesOf('reader').includes('inbox.item_read'), 10_000);

    expect(typesOf('ok')).toEqual(['delivery.sent', 'notification.finished', 'delivery.delivered']);
    expect(typesOf('refused')).toEqual(['delivery.failed', 'notification.finished']);
    expect(typesOf('reader')).toEqual(['delivery.sent', 'notification.finished', 'inbox.item_read']);
    expect(typesOf('later')).toEqual(['delivery.cancelled', 'notification.finished']);
    expect(typesOf('bounced')).toEqual(['delivery.sent', 'notification.finished', 'delivery.bounced']);
    const [first] = eventsOf('ok');
    expect(first!.headers['content-type']).toBe('application/cloudevents+json; charset=utf-8');
    expect(first!.value).toMatchObject({
      specversion: '1.0',
      source: `/tenants/${tenant.id}`,
      type: 'delivery.sent',
      subject: sent.deliveries[0].id,
      tenantid: tenant.id,
      data: { notification_id: sent.id, channel: 'email', state: 'sent', provider: 'sandbox', attempts: 1 },
    });
    expect(eventsOf('bounced').at(-1)!.value.data).toMatchObject({ notification_id: bounced.id, state: 'bounced' });
    const all = messages.filter(({ topic }) => topic === 'events').map(({ value }) => value);
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    for (const event of all) {
      const valid = schemas.get(event.type)!;
      expect(valid(event), `${JSON.stringify(event)} ${JSON.stringify(valid.errors)}`).toBe(true);
    }
    await until(
      'nothing is left behind',
      async () => Number((await app.sql.query('select count(*) from events')).rows[0].count) === 0,
    );
  }, 60_000);
});

describe('requests from the topic', () => {
  const results = (key: string): Json[] =>
    messages.filter((message) => message.topic === 'requests.results' && message.key === key).map(({ value }) => value);
  const ask = async (
    key: string,
    value: unknown,
    headers: Record<string, string> = { 'x-api-key': tenant.apiKey },
  ): Promise<Json[]> => {
    const before = results(key).length;
    await producer.send({
      topic: `${prefix}.requests`,
      messages: [{ key, value: typeof value === 'string' ? value : JSON.stringify(value), headers }],
    });
    await until('there is a result', () => results(key).length > before, 15_000);
    return results(key);
  };

  it('are accepted like HTTP requests, once per key, over both ways', async () => {
    const body = { ...simulated('ok', 'streamed') };
    const [result] = await ask('order-1', body);
    expect(result).toMatchObject({
      status: 202,
      replayed: false,
      request: expect.stringMatching(/\.requests:\d+:\d+$/),
    });
    await until('it is sent', async () => (await tenant.notification(result.notification_id)).status === 'sent');
    expect((await ask('order-1', body)).at(-1)).toMatchObject({
      status: 202,
      replayed: true,
      notification_id: result.notification_id,
    });
    const over = await tenant.call('POST', '/api/v1/notifications', body, { 'Idempotency-Key': 'order-1' });
    expect([over.status, over.body.id]).toEqual([202, result.notification_id]);
    expect((await ask('order-1', { ...body, type: 'other' })).at(-1)).toMatchObject({
      status: 422,
      code: 'idempotency_mismatch',
    });
    const named = await ask('order-2', body, { 'x-api-key': tenant.apiKey, 'idempotency-key': 'order-1' });
    expect(named.at(-1)).toMatchObject({ status: 202, replayed: true });
  }, 60_000);

  it('of a test key belong to the test tenant, with idempotency keys of its own', async () => {
    const key = await app.operator('POST', `/internal/tenants/${tenant.id}/api-keys`, { name: 't', mode: 'test' });
    const { test_tenant_id: testTenantId } = (await app.operator('GET', `/internal/tenants/${tenant.id}`)).body;
    const body = simulated('ok', 'tested');
    const [live] = await ask('both', body);
    const test = (await ask('both', body, { 'x-api-key': key.body.api_key })).at(-1);
    expect([live, test]).toMatchObject([
      { status: 202, replayed: false },
      { status: 202, replayed: false },
    ]);
    const { rows } = await app.sql.query('select id, tenant_id from notifications where id = any ($1)', [
      [live.notification_id, test.notification_id],
    ]);
    expect(new Map(rows.map(({ id, tenant_id }) => [id, tenant_id]))).toEqual(
      new Map([
        [live.notification_id, tenant.id],
        [test.notification_id, testTenantId],
      ]),
    );
  }, 60_000);

  it('add spans to the traces only with a valid key', async () => {
    const spans: FinishedSpan[] = [];
    const before = spanSink();
    useSpanSink({ isSampled: () => true, add: (span) => void spans.push(span) });
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const headers = { traceparent, 'x-api-key': 'car_wrong' };
    expect((await ask('stranger', simulated('ok'), headers)).at(-1)).toMatchObject({ status: 401 });
    const invalid = await ask('known', {}, { traceparent, 'x-api-key': tenant.apiKey });
    useSpanSink(before);
    expect(invalid.at(-1)).toMatchObject({ status: 422 });
    const accepts = spans.filter(({ name }) => name === 'accept');
    expect(accepts).toMatchObject([
      {
        traceId: 'a'.repeat(32),
        attributes: { 'carillon.code': 'validation_failed', 'carillon.tenant_id': tenant.id },
      },
    ]);
  }, 60_000);

  it('get all validation errors, and need a valid tenant', async () => {
    expect((await ask('bad', { recipient_id: '', chanel: 'email' })).at(-1)).toMatchObject({
      status: 422,
      code: 'validation_failed',
      errors: expect.arrayContaining([expect.objectContaining({ pointer: '/chanel', code: 'unknown_field' })]),
    });
    expect((await ask('nul', { ...simulated('ok'), payload: { a: ['\u0000'] } })).at(-1)).toMatchObject({
      status: 422,
      errors: [expect.objectContaining({ pointer: '/payload/a/0', code: 'invalid_text' })],
    });
    expect((await ask('who', simulated('ok'), {})).at(-1)).toMatchObject({ status: 401, code: 'unauthenticated' });
    const key = await app.operator('POST', `/internal/tenants/${tenant.id}/api-keys`, {
      name: 'r',
      scopes: ['inbox:read'],
    });
    expect((await ask('scope', simulated('ok'), { 'x-api-key': key.body.api_key })).at(-1)).toMatchObject({
      status: 403,
      code: 'forbidden',
    });
    const bound = await app.operator('POST', `/internal/tenants/${tenant.id}/api-keys`, {
      name: 'b',
      allowed_ips: ['0.0.0.0/0', '::/0'],
    });
    expect((await ask('bound', simulated('ok'), { 'x-api-key': bound.body.api_key })).at(-1)).toMatchObject({
      status: 403,
      detail: 'This API key has allowed_ips, so it can only be used over HTTP, where the address is known.',
    });
    // If long keys were truncated, two of them could be equal, and the second request would count as a replay.
    expect((await ask('k'.repeat(256), simulated('ok'))).at(-1)).toMatchObject({
      status: 422,
      errors: [expect.objectContaining({ pointer: 'Idempotency-Key' })],
    });
    const credentials = {
      'X-API-Key': tenant.apiKey,
      authorization: `Bearer ${tenant.apiKey}`,
      'x-company-password': tenant.apiKey,
    };
    const kept = { 'Idempotency-Key': 'one', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };
    expect((await ask('json', '{"recipient_id":', { ...credentials, ...kept })).at(-1)).toMatchObject({
      status: 400,
      code: 'malformed_json',
    });
    const [letter] = messages.filter(({ topic }) => topic === 'dead-letters');
    expect(letter).toMatchObject({
      key: 'json',
      value: '{"recipient_id":',
      headers: { ...kept, 'carillon-reason': 'not JSON' },
    });
    expect(JSON.stringify(letter)).not.toContain(tenant.apiKey);
    expect(Object.keys(letter!.headers).sort()).toEqual([
      'Idempotency-Key',
      'carillon-offset',
      'carillon-partition',
      'carillon-reason',
      'carillon-topic',
      'traceparent',
    ]);
    const poison = await app.operator('GET', '/internal/poison-messages');
    expect(poison.body.data).toEqual([
      expect.objectContaining({
        topic: `${prefix}.requests`,
        reason: 'not JSON',
        value: Buffer.from('{"recipient_id":').toString('base64'),
      }),
    ]);
  }, 60_000);
});

describe('a request that fails because of an internal error', () => {
  /** Makes the database reject the notifications of one recipient with an internal error, and counts the attempts. */
  const refuse = async (recipientId: string): Promise<{ tries(): Promise<number>; end(): Promise<unknown> }> => {
    await app.sql.query(`create sequence tries_of_${recipientId};
      grant all on sequence tries_of_${recipientId} to public;
      create function refuse_${recipientId}() returns trigger language plpgsql as $$ begin
        perform nextval('tries_of_${recipientId}');
        raise exception 'broken' using errcode = 'XX000';
      end $$;
      create trigger refuse_${recipientId} before insert on notifications for each row
      when (new.recipient_id = '${recipientId}') execute function refuse_${recipientId}()`);
    return {
      tries: async () =>
        Number(
          (
            await app.sql.query(
              `select case when is_called then last_value else 0 end as n from tries_of_${recipientId}`,
            )
          ).rows[0].n,
        ),
      end: () => app.sql.query(`drop trigger refuse_${recipientId} on notifications`),
    };
  };
  const ask = (recipientId: string): Promise<unknown> =>
    producer.send({
      topic: `${prefix}.requests`,
      messages: [
        {
          key: recipientId,
          value: JSON.stringify(simulated('ok', recipientId)),
          headers: { 'x-api-key': tenant.apiKey },
        },
      ],
    });
  const resultOf = (key: string): Json | undefined =>
    messages.find((message) => message.topic === 'requests.results' && message.key === key)?.value;

  it('is retried until it is accepted, and gets no result before', async () => {
    const fault = await refuse('stumbles');
    await ask('stumbles');
    await until('it has failed', async () => (await fault.tries()) >= 2);
    expect(resultOf('stumbles')).toBeUndefined();
    await fault.end();
    const result = await until('it is answered', () => resultOf('stumbles'), 15_000);
    expect(result).toMatchObject({ status: 202, replayed: false });
    await until('it is sent', async () => (await tenant.notification(result.notification_id)).status === 'sent');
  }, 60_000);

  it('repeatedly is stored as a poison message with its bytes, and delays no other request', async () => {
    const fault = await refuse('never');
    await ask('never');
    await until('it has failed', async () => (await fault.tries()) >= 1);
    await ask('neighbour');
    expect(await until('the neighbour is answered', () => resultOf('neighbour'))).toMatchObject({ status: 202 });
    expect(await until('it is given up', () => resultOf('never'), 20_000)).toMatchObject({
      status: 500,
      code: 'internal',
    });
    const poison = await app.operator('GET', '/internal/poison-messages');
    expect(poison.body.data).toContainEqual(
      expect.objectContaining({
        topic: `${prefix}.requests`,
        reason: expect.stringContaining('failed 5 times'),
        value: Buffer.from(JSON.stringify(simulated('ok', 'never'))).toString('base64'),
      }),
    );
    const letter = messages.find(({ topic, key }) => topic === 'dead-letters' && key === 'never');
    expect(letter!.headers['carillon-reason']).toContain('failed 5 times');
    expect(JSON.stringify([letter, poison.body])).not.toContain(tenant.apiKey);
    await fault.end();
  }, 60_000);
});

describe('the topics of these tests', () => {
  it('have no secret, and no address or payload but in requests that were set aside', () => {
    expect(messages.some(({ topic }) => topic === 'dead-letters')).toBe(true);
    const leaks = messages.flatMap(({ topic, headers, value }) => {
      const text = JSON.stringify([headers, value]);
      return topic === 'dead-letters' ? watched.secretsIn(text) : leaksInText(topic, text);
    });
    expect(leaks).toEqual([]);
  });
});

describe('while the broker is unavailable', () => {
  let directory: string;
  let kafka: KafkaService;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'carillon-kafka-'));
    kafka = await startKafka({ directory, jars: join(import.meta.dirname, '../../.services') });
  }, 60_000);
  afterAll(async () => {
    await kafka?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it('accepts continue and deliveries wait, even from before the start; readiness reports it, and all are sent later', async () => {
    await kafka.kill();
    const away = await startTestEnvironment({ environment: { KAFKA_BROKERS: kafka.brokers, LEASE_SECONDS: '5' } });
    const sender = await away.tenant();
    const first = await sender.send(simulated('ok', 'first'));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect((await sender.notification(first.id)).status).toBe('pending');
    await kafka.start();
    await until('it is sent', async () => (await sender.notification(first.id)).status === 'sent', 30_000);
    // Again, with a worker that was connected before.
    await kafka.kill();
    const second = await sender.send(simulated('ok', 'second'));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await kafka.start();
    await until('it is sent', async () => (await sender.notification(second.id)).status === 'sent', 40_000);
    const { rows } = await away.sql.query('select count(*)::int as n from mailbox_messages');
    expect(rows[0].n).toBe(2);
    const relayed = async (): Promise<boolean> => (await away.sql.query('select from events')).rowCount === 0;
    await until('the events are out, too', relayed, 20_000);
    await away.stop();
  }, 150_000);
});
