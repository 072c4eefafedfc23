import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError, loadConfig } from './index.js';

const home = mkdtempSync(join(tmpdir(), 'carillon-config-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const URL = 'postgresql://a:b@localhost/c';
const good = { DATABASE_URL: URL, CARILLON_HOME: home };
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
    const production = { ...good, NODE_ENV: 'production' };
    expect(faults(production)).toEqual([
      'MASTER_KEY: must be set in production',
      'ADMIN_TOKEN: must be set in production',
    ]);
    const key = { MASTER_KEY: 'ab'.repeat(32) };
    expect(faults({ ...production, ...key, ADMIN_TOKEN: 'short' })).toEqual([expect.stringContaining('32 bytes')]);
    expect(faults({ ...production, ...key, ADMIN_TOKEN: 'changemechangemechangemechangeme' })).toEqual([
      expect.stringContaining('well-known'),
    ]);
    expect(faults({ ...production, ...key, ADMIN_TOKEN: 'x7'.repeat(20) })).toEqual([]);
  });
});
