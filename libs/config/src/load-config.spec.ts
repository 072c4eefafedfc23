import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Config, ConfigError, loadConfig, loadDatabaseConfig, settingFaults } from './index.js';

const home = mkdtempSync(join(tmpdir(), 'carillon-config-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const URL = 'postgresql://a:b@localhost/c';
const server = { DATABASE_URL: URL, CARILLON_HOME: home };
const good = { ...server, NODE_ENV: 'development' };
const MASTER_KEY = '8d1f0c6be27a5943b1d06f3ac8e2579410fb6d3e9a7c52481e0d9bf3a6c87152';
const ADMIN_TOKEN = '5c0e9b7f31d8a2460f9d3b6ce1a87254d09f6b3a7e1c8d52';
const faults = (environment: Record<string, string>): readonly string[] => {
  try {
    loadConfig(environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
};

describe('the configuration', () => {
  it('refuses the names of an earlier release and says the new ones', () => {
    expect(faults({ ...good, PAGES: 'false', EGRESS_ALLOW: '10.0.0.0/8', KAFKA_REQUESTS: 'true' })).toEqual([
      'PAGES: is called DEMO_PAGES_ENABLED now',
      'KAFKA_REQUESTS: is called KAFKA_INTAKE_ENABLED now',
      'EGRESS_ALLOW: is called EGRESS_ALLOWED_CIDRS now',
    ]);
  });

  it('refuses a single connection, with which a job would wait for itself', () => {
    const [fault] = faults({ ...good, DATABASE_POOL_SIZE: '1' });
    expect(fault).toMatch(/^DATABASE_POOL_SIZE: .*2/);
    expect(loadConfig({ ...good, DATABASE_POOL_SIZE: '2' }).databasePoolSize).toBe(2);
  });

  it('has a default for everything but the database', () => {
    const config = loadConfig(good);
    expect(config).toMatchObject({
      port: 8_080,
      host: '0.0.0.0',
      embedded: false,
      leaseSeconds: 30,
      pages: false,
      sandboxFallback: false,
    });
    expect(config.concurrency).toEqual({
      email: 1_000,
      sms: 1_000,
      push: 1_000,
      in_app: 1_000,
      chat: 1_000,
      webhook: 1_000,
    });
    expect(Object.isFrozen(config)).toBe(true);
    expect(loadConfig({ ...good, WORKER_SMS_CONCURRENCY: '3', PORT: '' }).concurrency.sms).toBe(3);
  });

  it('keeps the generated secrets, readable only by their owner', () => {
    const [first, second] = [loadConfig(good), loadConfig(good)];
    expect(first.masterKey.equals(second.masterKey)).toBe(true);
    expect(first.adminToken).toBe(second.adminToken);
    expect(first.adminToken.length).toBeGreaterThanOrEqual(32);
    expect(statSync(join(home, 'secrets.json')).mode & 0o777).toBe(0o600);
  });

  it('takes further master keys and a second admin token for a rotation, with the rules of the current ones', () => {
    const [first, second, third] = [randomBytes(32), randomBytes(32), randomBytes(32)];
    const token = randomBytes(32).toString('hex');
    const rotating = {
      ...good,
      NODE_ENV: 'production',
      ADMIN_TOKEN: token,
      ADMIN_TOKEN_PREVIOUS: token.split('').reverse().join(''),
      MASTER_KEY: first.toString('base64'),
      MASTER_KEY_PREVIOUS: `${second.toString('hex')}, ${third.toString('base64')}`,
    };
    const config = loadConfig(rotating);
    expect([config.masterKey, ...config.previousMasterKeys]).toEqual([first, second, third]);
    expect(config.previousAdminToken).toBe(rotating.ADMIN_TOKEN_PREVIOUS);
    expect(config.adminTokenFile).toBeUndefined();
    expect(loadConfig(good)).toMatchObject({ previousMasterKeys: [], previousAdminToken: undefined });
    expect(loadConfig(good).adminTokenFile).toBe(join(home, 'secrets.json'));
    // A weak key of an earlier release can be replaced.
    expect(faults({ ...rotating, MASTER_KEY_PREVIOUS: '0'.repeat(64) })).toEqual([]);
    expect(faults({ ...rotating, MASTER_KEY: '0'.repeat(64) })).toHaveLength(1);
    const wrong = faults({ ...rotating, ADMIN_TOKEN_PREVIOUS: 'short', MASTER_KEY_PREVIOUS: 'too-short' });
    expect(wrong).toEqual([expect.stringMatching(/^MASTER_KEY_PREVIOUS: must be 32 bytes/)]);
    expect(wrong.join()).not.toContain('too-short');
    expect(faults({ ...rotating, ADMIN_TOKEN_PREVIOUS: 'short' })).toEqual([
      expect.stringMatching(/^ADMIN_TOKEN_PREVIOUS: .*32 bytes/),
    ]);
  });

  it('names all errors, with the value unless it is a secret', () => {
    const told = faults({
      CARILLON_HOME: home,
      DATABASE_URL: 'mysql://root:hunter2@x',
      PORT: '99999',
      LOG_LEVEL: 'loud',
      WORKER_CHANNELS: 'email,fax',
    });
    expect(told).toHaveLength(4);
    expect(told.join('\n')).toMatch(
      /DATABASE_URL: must be a URL like.*\nPORT: .*"99999"\nLOG_LEVEL: .*"loud"\nWORKER_CHANNELS: .*fax/s,
    );
    expect(told.join('\n')).not.toContain('hunter2');
    expect(faults({ CARILLON_HOME: home })).toEqual([expect.stringContaining('DATABASE_URL: is needed')]);
  });

  it('refuses weak secrets in production', () => {
    const production = { ...server, NODE_ENV: 'production' };
    expect(faults(production)).toEqual([
      expect.stringContaining('MASTER_KEY: must be set in production'),
      expect.stringContaining('ADMIN_TOKEN: must be set in production'),
    ]);
    const key = { MASTER_KEY };
    expect(faults({ ...production, ...key, ADMIN_TOKEN: 'short' })).toEqual([expect.stringContaining('32 bytes')]);
    expect(faults({ ...production, ...key, ADMIN_TOKEN: 'changemechangemechangemechangeme' })).toEqual([
      expect.stringContaining('well-known'),
    ]);
    const regular = 'x7'.repeat(20);
    const zeros = '0'.repeat(64);
    const told = faults({ ...production, MASTER_KEY: zeros, ADMIN_TOKEN: regular });
    expect(told).toEqual([
      expect.stringMatching(/^MASTER_KEY: must be random .*openssl rand -hex 32/),
      expect.stringMatching(/^ADMIN_TOKEN: must be random .*openssl rand -hex 24/),
    ]);
    for (const value of [regular, zeros]) expect(told.join()).not.toContain(value);
    expect(faults({ ...production, ...key, ADMIN_TOKEN })).toEqual([]);
    expect(faults({ ...good, MASTER_KEY: zeros, ADMIN_TOKEN: 'x' })).toEqual([]);
  });

  it('is production with DATABASE_URL, and not in the embedded profile, unless NODE_ENV is set', () => {
    expect(faults(server)).toEqual([
      expect.stringContaining('MASTER_KEY: must be set'),
      expect.stringContaining('ADMIN_TOKEN: must be set'),
    ]);
    expect(settingFaults(server)).toEqual(faults(server));
    const keys = { MASTER_KEY, ADMIN_TOKEN };
    expect(loadConfig({ ...server, ...keys })).toMatchObject({ production: true, egressAllowedCidrs: [] });
    const loopback = { production: false, egressAllowedCidrs: ['127.0.0.0/8', '::1/128'] };
    for (const NODE_ENV of ['development', 'test']) expect(loadConfig({ ...server, NODE_ENV })).toMatchObject(loopback);
    const embedded = { CARILLON_HOME: home };
    expect(settingFaults(embedded)).toEqual([]);
    expect(loadConfig(embedded, URL)).toMatchObject({ ...loopback, embedded: true });
    expect(settingFaults({ ...embedded, NODE_ENV: 'production' })).toHaveLength(2);
  });

  it('has its listeners for operators on loopback unless their hosts are set', () => {
    const listeners = ({ host, internalHost, metricsHost }: Config): string[] => [host, internalHost, metricsHost];
    expect(listeners(loadConfig(good))).toEqual(['0.0.0.0', '127.0.0.1', '127.0.0.1']);
    const set = { HOST: '10.0.0.1', INTERNAL_HOST: '10.0.0.2', METRICS_HOST: '0.0.0.0' };
    expect(listeners(loadConfig({ ...good, ...set }))).toEqual(['10.0.0.1', '10.0.0.2', '0.0.0.0']);
  });

  it('needs no secrets to migrate', () => {
    expect(loadDatabaseConfig(server)).toEqual({ databaseUrl: URL, databaseLogins: undefined });
    expect(() => loadDatabaseConfig({})).toThrow('DATABASE_URL: is needed');
    expect(() => loadDatabaseConfig({ ...server, PORT: 'x' })).toThrow('PORT: must be a port number');
  });
});
