// Values with a mark in payloads, addresses and secrets go through everything that might copy them. Every other test
// environment is searched too, when it stops.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startVendor, until, type Vendor, vendors } from '#testing';
import { leaksInText } from './canary/find-leaks.js';
import { watched } from './canary/watched-values.js';
import { type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const MARK = 'canary5f1d';
const ADDRESS = `${MARK}@example.com`;
const PAYLOAD = { name: `${MARK} payload` };
const CONTENT = { subject: `${MARK} subject {{name}}`, text: 'Hello {{name}}' };

let app: TestEnvironment;
let tenant: Tenant;
let vendor: Vendor;

beforeAll(async () => {
  app = await startTestEnvironment();
  tenant = await app.tenant();
  vendor = await startVendor(vendors['sendgrid']!);
});
afterAll(async () => {
  await vendor?.close();
  await app?.stop();
});

const keyed = (key: string): Record<string, string> => ({ 'Idempotency-Key': `${key}-1` });

async function ended(notification: Json): Promise<string> {
  return await until('it has ended', async () => {
    const [{ state }] = (await tenant.notification(notification.id)).deliveries;
    return !['waiting', 'sending', 'accepted'].includes(state) && state;
  });
}

describe('values with a mark', () => {
  it('are in payloads, addresses, credentials and secrets of everything that is sent, refused or repeated', async () => {
    watched.watchSecret(`${MARK}-password`);
    const account = { name: 'marked', provider: 'sendgrid', credentials: vendor.credentials };
    expect((await tenant.call('POST', '/api/v1/provider-accounts', account)).status).toBe(201);
    await tenant.call('PUT', '/api/v1/recipients/marked', { email: ADDRESS, phone: '+15005550000' });
    const mail = { recipient_id: 'marked', channel: 'email', content: CONTENT, payload: PAYLOAD };
    expect(await ended(await tenant.send(mail, keyed('mail')))).toBe('sent');
    expect((await tenant.call('POST', '/api/v1/notifications', mail, keyed('mail'))).status).toBe(202);
    // The vendor's error quotes the address.
    vendor.behave({
      status: 400,
      body: { errors: [{ message: `550 <${ADDRESS.toUpperCase()}>: unknown`, field: 'personalizations.0.to' }] },
    });
    expect(await ended(await tenant.send(mail))).toBe('failed');
    vendor.behave('accept');
    await tenant.send({ ...mail, channel: 'in_app', content: { title: MARK, body: '{{name}}' } });
    await tenant.send({ ...mail, channel: 'sms', content: { text: '{{name}}' } });
    const { recipient_id, ...common } = mail;
    await tenant.call('POST', '/api/v1/notifications/bulk', { ...common, recipients: [{ recipient_id }] });
  });

  it('are in requests that are refused', async () => {
    const refused = [
      await tenant.call('POST', '/api/v1/notifications', `{"${MARK}": ${MARK}}`),
      await tenant.call('POST', '/api/v1/notifications', { channel: 'email', [MARK]: PAYLOAD }),
      await tenant.call('PUT', '/api/v1/recipients/x', { email: `${MARK}@@example.com` }),
      await app.call('GET', `/api/v1/inbox/stream?token=${MARK}-password`),
      await app.call('GET', '/internal/tenants', { headers: { 'X-Admin-Token': `${MARK}-password` } }),
      await app.call('GET', '/api/v1/notifications', { headers: { 'X-API-Key': `${MARK}-password` } }),
    ];
    expect(refused.filter(({ status }) => status < 400)).toEqual([]);
  });

  it('are in answers with a secret that are stored under an Idempotency-Key', async () => {
    const hook = { url: `https://example.com/${MARK}`, events: ['*'] };
    const made = await tenant.call('POST', '/api/v1/webhooks', hook, keyed('hook'));
    expect(made.body.secret).toMatch(/^whsec_/);
    const again = await tenant.call('POST', '/api/v1/webhooks', hook, keyed('hook'));
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    const rotated = await tenant.call('POST', `/api/v1/webhooks/${made.body.id}/rotate-secret`, {}, keyed('rotate'));
    expect(rotated.body.secret).toMatch(/^whsec_/);
    const minted = await tenant.call('POST', '/api/v1/recipients/marked/inbox-token', {}, keyed('token'));
    expect(minted.body.token).toMatch(/^eyJ/);
  });

  it('are found where they belong and nowhere else', async () => {
    const { rows } = await app.sql.query('select payload from notifications where tenant_id = $1', [tenant.id]);
    expect(JSON.stringify(rows)).toContain(PAYLOAD.name);
    // The search finds what is there.
    expect(leaksInText('here', `to ${ADDRESS}: ${PAYLOAD.name}, ${tenant.apiKey}, ${MARK}-password`)).toHaveLength(4);
    expect(await app.leaks()).toEqual([]);
  });
});
