// TLS and logins against a real Redis: certificates of a private CA, host names, passwords, certificates of clients.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { Redis as RedisClient } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectionAdvice, loadConfig } from '#config';
import { Redis } from '#redis';
import { until } from '#testing';
import { type Certificate, makeCa, type PrivateCa } from '../../services/certificates.ts';
import { startSecureRedis } from '../../services/redis.ts';

let directory: string;
let ca: PrivateCa;
let otherCa: PrivateCa;
let own: Certificate;
let server: { port: number; stop(): Promise<void> };
/** Needs a certificate of the client. */
let mutual: typeof server;
const opened: Redis[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'carillon-redis-tls-'));
  [ca, otherCa] = await Promise.all([makeCa(directory, 'ca'), makeCa(directory, 'other-ca')]);
  const certificate = await ca.issue('localhost');
  own = await ca.issue('carillon');
  server = await startSecureRedis({ directory, ca, certificate, mutual: false });
  mutual = await startSecureRedis({ directory, ca, certificate, mutual: true });
});
afterAll(async () => {
  for (const each of [server, mutual]) await each?.stop();
  await rm(directory, { recursive: true, force: true });
});
afterEach(async () => {
  for (const redis of opened.splice(0)) await redis.close();
});

interface Opened {
  redis: Redis;
  faults: Error[];
  advice(): string[];
}

/** Connects with these settings, as the processes do. */
async function open(environment: Record<string, string>): Promise<Opened> {
  const all = { NODE_ENV: 'test', CARILLON_HOME: directory, ...environment };
  const { redis: config } = loadConfig(all, 'postgresql://localhost/carillon');
  const faults: Error[] = [];
  const redis = await Redis.make({ ...config!, prefix: 'test', onFault: (error) => faults.push(error) });
  opened.push(redis);
  await redis.connect();
  return { redis, faults, advice: () => faults.map((error) => connectionAdvice('REDIS', error)) };
}

describe('a rediss:// URL', () => {
  it('connects with TLS, user, password and number, and only to a server whose certificate is trusted', async () => {
    const trusted = getCACertificates('default');
    try {
      const { redis, faults } = await open({ REDIS_URL: `rediss://ann:p%40ss@localhost:${server.port}/3` });
      expect(redis.connected).toBe(false);
      expect(faults[0]?.message).toMatch(/unable to verify|self.signed certificate|unable to get/);
      // As NODE_EXTRA_CA_CERTS does.
      setDefaultCACertificates([...trusted, ca.cert]);
      await until('it is trusted', () => redis.connected);
      const other = new RedisClient(`rediss://ann:p%40ss@localhost:${server.port}`);
      expect(await other.client('LIST')).toMatch(/ db=3 .*user=ann /);
      other.disconnect();
    } finally {
      setDefaultCACertificates(trusted);
    }
  });

  it('trusts the CA of REDIS_TLS_CA_FILE', async () => {
    const url = `rediss://ann:p%40ss@localhost:${server.port}`;
    const { redis, faults } = await open({ REDIS_URL: url, REDIS_TLS_CA_FILE: ca.certFile });
    expect(redis.connected).toBe(true);
    await redis.publish('c', 'x');
    expect(faults).toEqual([]);
  });

  it('does not connect with a wrong CA, host name or password, and says once which setting to check', async () => {
    const cases = [
      { url: `rediss://ann:p%40ss@localhost:${server.port}`, ca: otherCa, setting: 'REDIS_TLS_CA_FILE' },
      { url: `rediss://ann:p%40ss@127.0.0.1:${server.port}`, ca, setting: 'REDIS_URL: the certificate' },
      { url: `rediss://ann:wr0ng@localhost:${server.port}`, ca, setting: 'the password in REDIS_URL' },
      { url: `rediss://localhost:${server.port}`, ca, setting: 'the password in REDIS_URL' },
    ];
    const all = await Promise.all(
      // Each makes several attempts.
      cases.map(async (each) => open({ REDIS_URL: each.url, REDIS_TLS_CA_FILE: each.ca.certFile })),
    );
    for (const { redis } of all) {
      expect(redis.connected).toBe(false);
      await expect(redis.publish('c', 'x')).rejects.toThrow();
    }
    expect(all.map(({ advice }) => advice())).toEqual(cases.map(({ setting }) => [expect.stringContaining(setting)]));
    const texts = all.flatMap(({ faults }) => faults.map(({ message, stack }) => `${message} ${stack}`));
    expect(texts.join()).not.toContain('wr0ng');
  });

  it('shows the certificate of REDIS_TLS_CERT_FILE to a server that wants one', async () => {
    const url = { REDIS_URL: `rediss://ann:p%40ss@localhost:${mutual.port}`, REDIS_TLS_CA_FILE: ca.certFile };
    const refused = await open(url);
    expect(refused.redis.connected).toBe(false);
    // Often the connection is reset before the reason is read.
    await until('the reason is known', () => refused.advice().some((text) => text.includes('REDIS_TLS_CERT_FILE')));
    const client = { REDIS_TLS_CERT_FILE: own.certFile, REDIS_TLS_KEY_FILE: own.keyFile };
    expect((await open({ ...url, ...client })).redis.connected).toBe(true);
  });
});
