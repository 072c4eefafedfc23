// The processes with TLS to Redis, while a setting is wrong and after it is corrected.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '#testing';
import { makeCa, type PrivateCa } from '../../services/certificates.ts';
import { startSecureRedis } from '../../services/redis.ts';
import { watched } from '../canary/watched-values.js';
import { simulated, startTestEnvironment } from '../test-environment.js';

const WRONG_PASSWORD = 'aWrongPasswordOfRedis';

let directory: string;
let ca: PrivateCa;
let otherCa: PrivateCa;
let redis: { port: number; stop(): Promise<void> };

beforeAll(async () => {
  watched.watchSecret(WRONG_PASSWORD);
  directory = await mkdtemp(join(tmpdir(), 'carillon-redis-tls-'));
  [ca, otherCa] = await Promise.all([makeCa(directory, 'ca'), makeCa(directory, 'other-ca')]);
  redis = await startSecureRedis({ directory, ca, certificate: await ca.issue('localhost'), mutual: false });
});
afterAll(async () => {
  await redis?.stop();
  await rm(directory, { recursive: true, force: true });
});

describe('a wrong setting of Redis', () => {
  it.each([
    ['password', 'the password in REDIS_URL', () => ({ password: WRONG_PASSWORD, ca: ca.certFile })],
    ['CA', 'REDIS_TLS_CA_FILE', () => ({ password: 'p%40ss', ca: otherCa.certFile })],
  ])(
    '(%s) stops no accept and holds deliveries with limits until it is corrected; the log says to check %s',
    async (_name, setting, wrong) => {
      const settings = (password: string, caFile: string): Record<string, string> => ({
        REDIS_URL: `rediss://ann:${password}@localhost:${redis.port}`,
        REDIS_TLS_CA_FILE: caFile,
      });
      const app = await startTestEnvironment({
        worker: false,
        environment: settings(wrong().password, wrong().ca),
      });
      const worker = await app.startWorker();
      expect((await app.call('GET', '/readyz')).body).toMatchObject({ status: 'ok', checks: { redis: 'away' } });
      const lines = app.logs().split('\n');
      for (const what of ['holding rate-limited deliveries', 'inbox streams poll'])
        expect(lines.filter((line) => line.includes(what) && line.includes(setting))).toHaveLength(1);

      // By default every recipient has a limit of e-mails.
      const tenant = await app.tenant();
      const { id } = await tenant.send(simulated('ok'));
      const held = 'select from due_deliveries where reason is not null';
      await until('it is held', async () => (await app.sql.query(held)).rowCount === 1);
      expect((await tenant.notification(id)).status).toBe('pending');

      // Started again with the right setting. Beside it, the other one would go on holding what it claims.
      await worker.stop();
      await app.startWorker(settings('p%40ss', ca.certFile));
      await until('it is sent', async () => (await tenant.notification(id)).status === 'sent', 15_000);
      await app.stop();
    },
    40_000,
  );
});
