// Processes of the server profile without NODE_ENV: they are production.

import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ended, launch } from './all-in-one.js';
import { type RunningProcess, startRole } from './processes.js';
import { profileEnvironment } from './profiles.js';
import { http, startTestEnvironment, type TestEnvironment, tenantWith } from './test-environment.js';

let app: TestEnvironment;
let home: string;
let unset: Record<string, string>;

beforeAll(async () => {
  app = await startTestEnvironment({ worker: false });
  home = await mkdtemp(join(tmpdir(), 'carillon-production-'));
  // An empty variable counts as unset.
  const database = { ...profileEnvironment(app.databaseUrl), DATABASE_URL: app.databaseUrl };
  unset = { ...database, CARILLON_HOME: home, NODE_ENV: '', SANDBOX_FALLBACK: '' };
});
afterAll(async () => {
  await app?.stop();
  await rm(home, { recursive: true, force: true });
});

describe('without NODE_ENV', () => {
  const weak = { MASTER_KEY: '00'.repeat(32), ADMIN_TOKEN: 'a'.repeat(40) };

  it.each(['api', 'worker'] as const)('%s does not start without secrets, and generates none', async (role) => {
    const missing = /MASTER_KEY: must be set in production.*\n.*ADMIN_TOKEN: must be set in production/;
    await expect(startRole(role, unset)).rejects.toThrow(missing);
    expect(existsSync(join(home, 'secrets.json'))).toBe(false);
  });

  it.each(['api', 'worker'] as const)('%s does not start with weak secrets, and prints neither', async (role) => {
    const error: Error = await startRole(role, { ...unset, ...weak }).then(
      () => new Error('it started'),
      (caught: Error) => caught,
    );
    expect(error.message).toMatch(/MASTER_KEY: must be random in production.*\n.*ADMIN_TOKEN: must be random/);
    for (const value of Object.values(weak)) expect(error.message).not.toContain(value);
  });

  it('neither does the all-in-one with DATABASE_URL', async () => {
    const { child, output } = launch(home, { ...unset, ...weak });
    expect(await ended(child)).toBe(1);
    expect(output()).toContain('MASTER_KEY: must be random in production');
  });

  describe('an API with good secrets', () => {
    let api: RunningProcess;
    beforeAll(async () => {
      const { masterKey, adminToken } = app.config;
      api = await startRole('api', { ...unset, MASTER_KEY: masterKey.toString('hex'), ADMIN_TOKEN: adminToken });
    });
    afterAll(() => api?.stop());

    it('accepts no endpoint of a vendor and no webhook on loopback', async () => {
      const { id, apiKey } = await app.tenant();
      const tenant = tenantWith((method, path, request) => http(api.url, method, path, request), id, apiKey);
      const ses = { region: 'eu-west-1', access_key_id: 'AKIAABCDEFGHIJKLMNOP', secret_access_key: 'a-secret' };
      const credentials = { ...ses, from: 'a@example.com', endpoint: 'http://127.0.0.1:9/' };
      const account = { name: 'ses', provider: 'ses', credentials };
      const refused = await tenant.call('POST', '/api/v1/provider-accounts', account);
      expect([refused.status, refused.body.errors]).toEqual([
        422,
        [{ pointer: '/credentials/endpoint', code: 'invalid', message: 'is refused in production' }],
      ]);
      const webhook = { url: 'https://127.0.0.1/hook', events: ['*'] };
      expect((await tenant.call('POST', '/api/v1/webhooks', webhook)).status).toBe(422);
    });
  });
});
