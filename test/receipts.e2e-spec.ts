// Receipts end to end: HTTP calls signed like the vendors' calls.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '#domain';
import { type ReportKind, reporters, sendgridReport, startVendor, until, type Vendor, vendors } from '#testing';
import {
  type Answer,
  CONTENT,
  http,
  type Json,
  startTestEnvironment,
  type Tenant,
  type TestEnvironment,
} from './test-environment.js';

const PUBLIC_URL = 'https://notify.example.com';
const open: (() => Promise<unknown>)[] = [];
let app: TestEnvironment;

beforeAll(async () => {
  // The deadline is a third of the lease: a hanging send is aborted after two seconds.
  app = await startTestEnvironment({ environment: { PUBLIC_URL, LEASE_SECONDS: '6' } });
});
afterAll(() => app?.stop());
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

async function accountAt(id: string, tenant: Tenant): Promise<{ vendor: Vendor; account: Json }> {
  const vendor = await startVendor(vendors[id]!);
  open.push(() => vendor.close());
  const { status, body } = await tenant.call('POST', '/api/v1/provider-accounts', {
    name: id,
    provider: id,
    credentials: vendor.credentials,
  });
  expect([status, body.detail]).toEqual([201, undefined]);
  return { vendor, account: body };
}

const mail = (to: string): Record<string, unknown> => ({
  recipient_id: to,
  recipient_address: `${to}@example.com`,
  channel: 'email',
  content: CONTENT.email,
});

async function ended(tenant: Tenant, deliveryId: string, state: string, waitMs = 15_000): Promise<Json> {
  return await until(
    `${deliveryId} is ${state}`,
    async () => {
      const delivery = await tenant.delivery(deliveryId);
      return delivery.state === state && delivery;
    },
    waitMs,
  );
}

function report(
  { vendor, account }: { vendor: Vendor; account: Json },
  tenant: Tenant,
  kind: ReportKind,
  deliveryId: string,
): Promise<Answer> {
  const reporter = reporters[vendor.description.id]!;
  const options = { credentials: vendor.credentials, url: account.receipts_url, tenantId: tenant.id, deliveryId };
  const { headers, body } = reporter.report(kind, options);
  const path = (reporter.urlOf?.(options) ?? account.receipts_url).slice(PUBLIC_URL.length);
  return http(app.url, 'POST', path, { headers, body });
}

describe('a delivery that ended after an attempt with an unknown outcome', () => {
  it('becomes delivered when its receipt arrives, is counted as such, and cannot be replayed', async () => {
    const tenant = await app.tenant({ retry_schedule_seconds: [0.05] });
    const at = await accountAt('resend', tenant);
    at.vendor.behave(() => (at.vendor.sends.length === 1 ? 'hang' : { status: 503 }));
    const sent = await tenant.send(mail('late'));
    const { id } = sent.deliveries[0];
    const failed = await ended(tenant, id, 'failed');
    expect(failed.timeline.filter(({ code }: Json) => code === 'attempt').map(({ outcome }: Json) => outcome)).toEqual([
      'unknown',
      'transient',
    ]);
    expect((await tenant.notification(sent.id)).status).toBe('failed');
    const [letter] = (await app.operator('GET', `/internal/dlq?tenant_id=${tenant.id}`)).body.data;
    expect(letter).toMatchObject({ delivery_id: id, settled_at: null });

    expect((await report(at, tenant, 'delivered', id)).body).toEqual({ taken: 1 });
    const delivered = await ended(tenant, id, 'delivered');
    expect(delivered).toMatchObject({ reason: null, provider: 'resend', attempts: 2 });
    expect(delivered.timeline.map(({ code }: Json) => code)).toEqual(
      expect.arrayContaining(['failed', 'settled', 'delivered']),
    );
    expect((await tenant.notification(sent.id)).status).toBe('sent');

    const replayed = await app.operator('POST', `/internal/dlq/${letter.id}/replay`);
    expect([replayed.status, replayed.body.code]).toEqual([409, 'conflict']);
    expect(replayed.body.detail).toContain('delivered');
    expect((await app.operator('GET', `/internal/dlq/${letter.id}`)).body.settled_at).not.toBeNull();
    expect((await app.operator('GET', `/internal/dlq?tenant_id=${tenant.id}&unreplayed=true`)).body.data).toEqual([]);
    expect(at.vendor.sends).toHaveLength(2);
  }, 30_000);

  it('also if it was cancelled or expired meanwhile', async () => {
    const tenant = await app.tenant({ retry_schedule_seconds: [600, 600] });
    const at = await accountAt('resend', tenant);
    at.vendor.behave('reset');
    const waits = async (body: Record<string, unknown>): Promise<Json> => {
      const sent = await tenant.send(body);
      await until('it was tried', async () => (await tenant.delivery(sent.deliveries[0].id)).reason === 'retry');
      return sent;
    };
    const cancelled = await waits(mail('cancelled'));
    expect((await tenant.call('DELETE', `/api/v1/notifications/${cancelled.id}`)).status).toBe(200);
    const expired = await waits({ ...mail('expired'), expires_at: new Date(Date.now() + 1_500).toISOString() });
    await ended(tenant, cancelled.deliveries[0].id, 'cancelled');
    await ended(tenant, expired.deliveries[0].id, 'expired');
    for (const { id, deliveries } of [cancelled, expired]) {
      await report(at, tenant, 'delivered', deliveries[0].id);
      await ended(tenant, deliveries[0].id, 'delivered');
      expect((await tenant.notification(id)).status).toBe('sent');
    }
    expect(at.vendor.sends).toHaveLength(2);
  }, 30_000);

  it('also if its worker was lost', async () => {
    const tenant = await app.tenant();
    await tenant.call('PUT', '/api/v1/recipients/ann', { email: 'ann@example.com' });
    const at = await accountAt('resend', tenant);
    at.vendor.behave('hang');
    const { deliveries } = await tenant.send({ recipient_id: 'ann', channel: 'email', content: CONTENT.email });
    const { id } = deliveries[0];
    await until('the vendor has it', () => at.vendor.sends.length === 1);
    // The state after a crash of the worker. It cannot be sent again, because the recipient has no address any more.
    await app.sql.query(
      `update due_deliveries set claim_id = gen_random_uuid(), due_at = now() where delivery_id = $1`,
      [id],
    );
    await tenant.call('PATCH', '/api/v1/recipients/ann', { email: null });
    const failed = await ended(tenant, id, 'failed');
    expect(failed.reason).toBe('no_address');
    expect(failed.timeline.filter(({ code }: Json) => code === 'attempt')).toMatchObject([
      { outcome: 'unknown', attempt: 1 },
    ]);
    await report(at, tenant, 'delivered', id);
    await ended(tenant, id, 'delivered');
  }, 30_000);
});

describe('many receipts in one call', () => {
  it('of SendGrid, of the maximum size, are applied in a few commits', async () => {
    const tenant = await app.tenant();
    const { account } = await accountAt('sendgrid', tenant);
    const ids = Array.from({ length: 1_250 }, newId);
    await app.sql.query(
      `with one as (
         insert into notifications (tenant_id, id, recipient_id, category, channels, priority, total, succeeded)
         select $1, id, 'ann', 'default', '{email}', 5, 1, 1 from unnest($2::uuid[]) id returning id
       )
       insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, state, sent_at, provider_account_id)
       select $1, id, id, 'ann', 'email', 'sent', now(), $3 from one`,
      [tenant.id, ids, account.id],
    );
    const events = ids.flatMap((deliveryId, at) => {
      const delivered = { kind: 'delivered' as const, tenantId: tenant.id, deliveryId };
      return at % 2 === 0 ? [delivered] : [delivered, { ...delivered, kind: 'opened' as const }];
    });
    const { headers, body } = sendgridReport(events);
    expect(body.length).toBeGreaterThan(600_000);
    const path = account.receipts_url.slice(PUBLIC_URL.length);
    const answer = await http(app.url, 'POST', path, { headers, body });
    expect([answer.status, answer.body]).toEqual([200, { taken: 1_875 }]);
    const { rows } = await app.sql.query(
      `select count(*) filter (where state = 'delivered')::int as delivered, count(opened_at)::int as opened, count(distinct xmin::text)::int as commits
       from deliveries where tenant_id = $1`,
      [tenant.id],
    );
    expect(rows[0]).toMatchObject({ delivered: 1_250, opened: 625 });
    // 250 of a tenant at a time, and two commits if a delivery has two receipts.
    expect(rows[0].commits).toBeLessThanOrEqual(20);
    const large = await http(app.url, 'POST', path, { headers, body: `${body}${' '.repeat(500_000)}` });
    expect(large.status).toBe(413);
  }, 30_000);

  it('with a wrong signature are refused before they are parsed', async () => {
    const tenant = await app.tenant();
    const { account } = await accountAt('sendgrid', tenant);
    const { headers, body } = sendgridReport([{ kind: 'delivered', tenantId: tenant.id, deliveryId: newId() }]);
    const path = account.receipts_url.slice(PUBLIC_URL.length);
    expect((await http(app.url, 'POST', path, { headers, body: body.replace('delivered', 'bounce') })).status).toBe(
      403,
    );
    expect((await http(app.url, 'POST', path, { headers, body })).body).toEqual({ taken: 1 });
    // A changed account is read again.
    const edited = await tenant.call('PATCH', `/api/v1/provider-accounts/${account.id}`, { enabled: false });
    expect(edited.status).toBe(200);
    expect((await tenant.call('DELETE', `/api/v1/provider-accounts/${account.id}`)).status).toBe(204);
    await until('it is not known any more', async () => {
      const { status } = await http(app.url, 'POST', path, { headers, body });
      return status === 404;
    });
  }, 30_000);
});
