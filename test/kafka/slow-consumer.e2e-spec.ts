// Deliveries whose messages wait in the broker for longer than their leases.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { type SmtpSink, startSmtpSink, until } from '#testing';
import { CONTENT, startTestEnvironment, type TestEnvironment } from '../test-environment.js';

const LEASE_SECONDS = 2;
/** Well below the deadline of a send, which is a third of the lease. */
const SEND_MS = 250;
/** Sent one after the other, they take more than seven leases. */
const EMAILS = 60;

let app: TestEnvironment;
let smtp: SmtpSink;

beforeAll(async () => {
  smtp = await startSmtpSink();
  app = await startTestEnvironment({ environment: { LEASE_SECONDS: String(LEASE_SECONDS) } });
});
afterAll(async () => {
  await app?.stop();
  await smtp?.close();
});

it('a delivery whose claims lapse in the broker again and again is sent in the end, not given up', async () => {
  const tenant = await app.tenant({ recipient_limits: { email: { limit: 1_000, window_seconds: 60 } } });
  const credentials = { host: '127.0.0.1', port: smtp.port, tls: 'none', from: 'carillon@example.com' };
  const account = { name: 'smtp', provider: 'smtp', credentials };
  expect((await tenant.call('POST', '/api/v1/provider-accounts', account)).status).toBe(201);
  smtp.answerData('hang');
  const releases = setInterval(() => smtp.release(), SEND_MS);
  // The messages of one recipient are in one partition and are processed one after the other.
  const recipients = Array.from({ length: EMAILS }, () => ({
    recipient_id: 'ann',
    recipient_address: 'ann@example.com',
  }));
  const body = { channel: 'email', content: CONTENT.email, recipients };
  expect((await tenant.call('POST', '/api/v1/notifications/bulk', body)).status).toBe(202);
  const states = await until(
    'all are final',
    async () => {
      const { rows: waiting } = await app.sql.query('select count(*)::int as n from due_deliveries');
      if (waiting[0].n > 0) return false;
      return (await app.sql.query('select state, reason, count(*)::int as n from deliveries group by 1, 2')).rows;
    },
    120_000,
  );
  clearInterval(releases);
  smtp.answerData(null);
  expect(states).toEqual([{ state: 'sent', reason: null, n: EMAILS }]);
}, 150_000);
