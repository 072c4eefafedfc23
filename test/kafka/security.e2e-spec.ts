// TLS and logins against a real Kafka: certificates of a private CA, each mechanism, certificates of clients, and what
// happens while a setting is wrong.

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import kafkajs from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '#testing';
import { type Certificate, makeCa, type PrivateCa } from '../../services/certificates.ts';
import { type KafkaService, startKafka } from '../../services/kafka.ts';
import { type SecureListeners, secureListeners } from '../../services/kafka-security.ts';
import { watched } from '../canary/watched-values.js';
import { profileEnvironment } from '../profiles.js';
import { simulated, startTestEnvironment, type Tenant, type TestEnvironment } from '../test-environment.js';

const secret = (): string => randomBytes(18).toString('base64url');
const USERNAME = 'carillon';
const passwords = { plain: secret(), 'scram-sha-256': secret(), 'scram-sha-512': secret() };
const wrongPassword = secret();

let directory: string;
let ca: PrivateCa;
let otherCa: PrivateCa;
let own: Certificate;
let listeners: SecureListeners;
let kafka: KafkaService;
let app: TestEnvironment;
let tenant: Tenant;

/** The settings that work, with one mechanism. */
const login = (mechanism: keyof typeof passwords = 'scram-sha-512'): Record<string, string> => ({
  KAFKA_BROKERS: `localhost:${listeners.saslPort}`,
  KAFKA_TLS: 'true',
  KAFKA_TLS_CA_FILE: ca.certFile,
  KAFKA_SASL_MECHANISM: mechanism,
  KAFKA_USERNAME: USERNAME,
  KAFKA_PASSWORD: passwords[mechanism],
});
const withoutLogin = (): Record<string, string> => ({ ...login(), KAFKA_USERNAME: '', KAFKA_PASSWORD: '' });

beforeAll(async () => {
  for (const each of [...Object.values(passwords), wrongPassword]) watched.watchSecret(each);
  directory = await mkdtemp(join(tmpdir(), 'carillon-kafka-security-'));
  [ca, otherCa] = await Promise.all([makeCa(directory, 'ca'), makeCa(directory, 'other-ca')]);
  own = await ca.issue('carillon');
  const certificate = await ca.issue('localhost');
  listeners = await secureListeners({ directory, ca, certificate, username: USERNAME, passwords });
  kafka = await startKafka({ directory, jars: join(import.meta.dirname, '../../.services'), more: listeners });
  app = await startTestEnvironment({
    worker: false,
    environment: { ...login(), KAFKA_INTAKE_ENABLED: 'true', WORKER_CHANNELS: 'email' },
  });
  tenant = await app.tenant();
}, 90_000);
afterAll(async () => {
  await app?.stop();
  await kafka?.stop();
  await rm(directory, { recursive: true, force: true });
});

const isSent = async (id: string): Promise<boolean> => (await tenant.notification(id)).status === 'sent';
const count = async (table: string): Promise<number> =>
  (await app.sql.query<{ n: number }>(`select count(*)::int as n from ${table}`)).rows[0]!.n;

describe('a listener with TLS', () => {
  it.each([
    ['SCRAM-SHA-512', () => login('scram-sha-512')],
    ['SCRAM-SHA-256', () => login('scram-sha-256')],
    ['PLAIN', () => login('plain')],
    [
      'a certificate of the client',
      () => ({
        ...withoutLogin(),
        KAFKA_BROKERS: `localhost:${listeners.mutualPort}`,
        KAFKA_TLS_CERT_FILE: own.certFile,
        KAFKA_TLS_KEY_FILE: own.keyFile,
      }),
    ],
  ])('and %s carries deliveries and events', async (_name, environment) => {
    const worker = await app.startWorker(environment());
    const { id } = await tenant.send(simulated('ok'));
    await until('it is sent', () => isSent(id), 15_000);
    await until('its events are published', async () => (await count('events')) === 0);
    expect(await worker.readiness()).toMatchObject({ ready: true, checks: { kafka: 'ok' } });
    await worker.stop();
  });

  it('carries requests to the API', async () => {
    const prefix = profileEnvironment(app.databaseUrl)['KAFKA_PREFIX']!;
    const client = new kafkajs.Kafka({ brokers: [kafka.brokers], logLevel: kafkajs.logLevel.NOTHING });
    const producer = client.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
    await producer.connect();
    const value = JSON.stringify(simulated('ok', 'asked'));
    const headers = { 'x-api-key': tenant.apiKey };
    await producer.send({ topic: `${prefix}.requests`, messages: [{ key: 'asked', value, headers }] });
    await producer.disconnect();
    const accepted = async (): Promise<boolean> =>
      (await app.sql.query(`select from notifications where recipient_id = 'asked'`)).rowCount === 1;
    await until('it is accepted', accepted, 10_000);
  });
});

describe('with a wrong setting', () => {
  it('sends are accepted, readiness and the log report it, and all are sent after it is corrected', async () => {
    const before = await count('mailbox_messages');
    const cases: [setting: string, environment: Record<string, string>][] = [
      ['KAFKA_USERNAME, KAFKA_PASSWORD', { ...login(), KAFKA_PASSWORD: wrongPassword }],
      ['KAFKA_USERNAME, KAFKA_PASSWORD', { ...login('plain'), KAFKA_PASSWORD: wrongPassword }],
      ['KAFKA_TLS_CA_FILE', { ...login(), KAFKA_TLS_CA_FILE: otherCa.certFile }],
      ['KAFKA_BROKERS: the certificate', { ...login(), KAFKA_BROKERS: `127.0.0.1:${listeners.saslPort}` }],
      ['KAFKA_TLS:', { ...login(), KAFKA_BROKERS: kafka.brokers }],
      ['KAFKA_TLS_CERT_FILE', { ...withoutLogin(), KAFKA_BROKERS: `localhost:${listeners.mutualPort}` }],
    ];
    const { id } = await tenant.send(simulated('ok'));
    for (const [index, [setting, environment]] of cases.entries()) {
      const from = app.logs().length;
      const worker = await app.startWorker(environment);
      await until(`the log names ${setting}`, () => app.logs().slice(from).includes(`; check ${setting}`), 15_000);
      expect([setting, await worker.readiness()]).toMatchObject([setting, { ready: true, checks: { kafka: 'away' } }]);
      const { status } = await tenant.call('POST', '/api/v1/notifications', simulated('ok', `person-${index}`));
      expect(status).toBe(202);
      await worker.stop();
    }
    expect(await isSent(id)).toBe(false);
    expect(await count('mailbox_messages')).toBe(before);

    const worker = await app.startWorker();
    await until('all are sent', async () => (await count('due_deliveries')) === 0, 15_000);
    expect(await count('deliveries')).toBeGreaterThan(before + cases.length);
    expect(await count('mailbox_messages')).toBe(await count('deliveries'));
    // The same when the brokers go away later.
    await kafka.kill();
    await until('it is away', async () => (await worker.readiness()).checks['kafka'] === 'away', 15_000);
    expect((await worker.readiness()).ready).toBe(true);
  }, 60_000);
});
