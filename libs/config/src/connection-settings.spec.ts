import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig, settingFaults } from './index.js';

const directory = mkdtempSync(join(tmpdir(), 'carillon-connections-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const server = { DATABASE_URL: 'postgresql://a:b@localhost/c', NODE_ENV: 'test', CARILLON_HOME: directory };
const kafka = { ...server, KAFKA_BROKERS: 'kafka:9093' };
const file = (name: string): string => join(directory, name);

beforeAll(async () => {
  for (const name of ['one', 'two']) {
    const { cert, private: key } = await generate(undefined, { keyType: 'ec' });
    writeFileSync(file(`${name}.crt`), cert);
    writeFileSync(file(`${name}.key`), key);
  }
  writeFileSync(file('empty'), '');
});

describe('the settings of TLS', () => {
  it('are the texts of their files', () => {
    const own = { KAFKA_TLS_CERT_FILE: file('one.crt'), KAFKA_TLS_KEY_FILE: file('one.key') };
    const config = loadConfig({
      ...kafka,
      ...own,
      KAFKA_TLS: 'true',
      REDIS_URL: 'rediss://redis',
      REDIS_TLS_CA_FILE: file('two.crt'),
    });
    expect(config.kafka?.tls).toEqual({
      ca: undefined,
      cert: expect.stringContaining('BEGIN CERTIFICATE'),
      key: expect.stringContaining('PRIVATE KEY'),
    });
    expect(config.redis?.tls).toMatchObject({ ca: expect.stringContaining('BEGIN CERTIFICATE') });
    expect(loadConfig({ ...kafka, KAFKA_TLS: 'true' }).kafka?.tls).toEqual({});
    expect(loadConfig({ ...kafka, REDIS_URL: 'redis://redis' })).toMatchObject({
      kafka: { tls: undefined },
      redis: { tls: undefined },
    });
  });

  it('are refused with a message that names the setting', () => {
    const faults = (more: Record<string, string>): string[] => settingFaults({ ...kafka, KAFKA_TLS: 'true', ...more });
    const missing = file('missing');
    expect(faults({ KAFKA_TLS_CA_FILE: missing, REDIS_TLS_CA_FILE: directory })).toEqual([
      `REDIS_TLS_CA_FILE: cannot be read (EISDIR), got "${directory}"`,
      `KAFKA_TLS_CA_FILE: cannot be read (ENOENT), got "${missing}"`,
    ]);
    expect(faults({ KAFKA_TLS_CA_FILE: file('empty'), KAFKA_TLS_KEY_FILE: file('one.crt') })).toEqual([
      expect.stringMatching(/^KAFKA_TLS_CA_FILE: must be a PEM file with certificates, got/),
      expect.stringMatching(/^KAFKA_TLS_KEY_FILE: must be a PEM file with a private key without a passphrase, got/),
    ]);
    expect(faults({ KAFKA_TLS_CERT_FILE: file('one.crt') })).toEqual([
      'KAFKA_TLS_KEY_FILE: is needed with KAFKA_TLS_CERT_FILE',
    ]);
    expect(faults({ KAFKA_TLS_CERT_FILE: file('one.crt'), KAFKA_TLS_KEY_FILE: file('two.key') })).toEqual([
      'KAFKA_TLS_KEY_FILE: is not the key of the certificate in KAFKA_TLS_CERT_FILE',
    ]);
    const ca = file('one.crt');
    expect(faults({ KAFKA_TLS: 'false', KAFKA_TLS_CA_FILE: ca })).toEqual([
      'KAFKA_TLS: must be true with KAFKA_TLS_CA_FILE',
    ]);
    expect(faults({ REDIS_URL: 'redis://redis', REDIS_TLS_CA_FILE: ca })).toEqual([
      'REDIS_URL: must start with rediss:// with REDIS_TLS_CA_FILE',
    ]);
  });
});

describe('the login of Kafka', () => {
  it('needs a user name and a password', () => {
    expect(settingFaults({ ...kafka, KAFKA_USERNAME: 'ann' })).toEqual([
      'KAFKA_PASSWORD: is needed with KAFKA_USERNAME',
    ]);
    expect(settingFaults({ ...kafka, KAFKA_PASSWORD: 'hunter2' })).toEqual([
      'KAFKA_USERNAME: is needed with KAFKA_PASSWORD',
    ]);
  });

  it('without TLS is a warning in production', () => {
    const secrets = {
      MASTER_KEY: '8d1f0c6be27a5943b1d06f3ac8e2579410fb6d3e9a7c52481e0d9bf3a6c87152',
      ADMIN_TOKEN: '5c0e9b7f31d8a2460f9d3b6ce1a87254d09f6b3a7e1c8d52',
    };
    const login = { ...kafka, ...secrets, KAFKA_USERNAME: 'ann', KAFKA_PASSWORD: 'hunter2' };
    const warnings = (more: Record<string, string>): readonly string[] =>
      loadConfig({ ...login, NODE_ENV: 'production', ...more }).warnings;
    expect(warnings({})).toEqual([expect.stringMatching(/^KAFKA_TLS is not true: .*guessed/)]);
    expect(warnings({ KAFKA_SASL_MECHANISM: 'plain' })).toEqual([
      expect.stringMatching(/^KAFKA_TLS is not true: KAFKA_PASSWORD .* plain text/),
    ]);
    expect(warnings({ KAFKA_TLS: 'true' })).toEqual([]);
    expect(loadConfig(login).warnings).toEqual([]);
    expect(warnings({}).join()).not.toContain('hunter2');
  });
});
