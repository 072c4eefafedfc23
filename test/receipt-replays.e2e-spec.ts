// Calls of vendors that were captured and are sent again, later or with other content. docs/receipts.md says what each
// vendor's signature proves; here are the effects.

import { createHmac } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '#domain';
import { type Report, type ReportKind, reporters, startVendor, vendors } from '#testing';
import {
  type Answer,
  http,
  type Json,
  startTestEnvironment,
  type Tenant,
  type TestEnvironment,
} from './test-environment.js';

const PUBLIC_URL = 'https://notify.example.com';
const open: (() => Promise<unknown>)[] = [];
let app: TestEnvironment;
let tenant: Tenant;

beforeAll(async () => {
  app = await startTestEnvironment({ environment: { PUBLIC_URL }, worker: false });
  tenant = await app.tenant();
  // A reader of events, so that they are stored.
  await app.sql.query(
    `insert into webhook_endpoints (tenant_id, id, url, events, secret_sealed)
     values ($1, $2, 'https://example.com', '{*}', '')`,
    [tenant.id, newId()],
  );
});
afterAll(() => app?.stop());
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

interface Account {
  id: string;
  provider: string;
  receiptsUrl: string;
  credentials: Record<string, unknown>;
}

async function accountAt(provider: string): Promise<Account> {
  const vendor = await startVendor(vendors[provider]!);
  open.push(() => vendor.close());
  const { status, body } = await tenant.call('POST', '/api/v1/provider-accounts', {
    name: `${provider} ${newId()}`,
    provider,
    credentials: vendor.credentials,
  });
  expect([status, body.detail]).toEqual([201, undefined]);
  return { id: body.id, provider, receiptsUrl: body.receipts_url, credentials: vendor.credentials };
}

const isSms = (provider: string): boolean => provider === 'twilio' || provider === 'vonage';

/** A delivery that the account has sent, or that ended in another state. */
async function delivery({ id: accountId, provider }: Account, state = 'sent'): Promise<string> {
  const id = newId();
  const address = isSms(provider) ? '+4915112345678' : `${id}@example.com`;
  const counter = state === 'sent' ? 'succeeded' : 'failed';
  await app.sql.query(
    `with one as (
       insert into notifications (tenant_id, id, recipient_id, category, channels, priority, total, ${counter})
       values ($1, $2, 'ann', 'default', $3, 5, 1, 1)
     )
     insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, address, state, sent_at,
                             provider_account_id)
     values ($1, $2, $2, 'ann', ($3::text[])[1], $4, $5, now(), $6)`,
    [tenant.id, id, [isSms(provider) ? 'sms' : 'email'], address, state, accountId],
  );
  return id;
}

interface Captured extends Report {
  path: string;
}

function capture(account: Account, kind: ReportKind, deliveryId: string, signedAt?: Date): Captured {
  const { provider, credentials, receiptsUrl: url } = account;
  const options = { credentials, url, tenantId: tenant.id, deliveryId, ...(signedAt && { signedAt }) };
  const reporter = reporters[provider]!;
  return { ...reporter.report(kind, options), path: (reporter.urlOf?.(options) ?? url).slice(PUBLIC_URL.length) };
}

const post = ({ path, headers, body }: Captured): Promise<Answer> => http(app.url, 'POST', path, { headers, body });

/** All that a receipt may change. */
async function effects(deliveryId: string): Promise<Json> {
  const { rows } = await app.sql.query(
    `select to_jsonb(d) as delivery, to_jsonb(n) as notification,
            (select count(*)::int from delivery_log l where l.tenant_id = d.tenant_id and l.delivery_id = d.id) as log,
            (select count(*)::int from events e where e.tenant_id = d.tenant_id) as events,
            (select count(*)::int from suppressions s where s.tenant_id = d.tenant_id) as suppressions,
            (select count(*)::int from parked_receipts p where p.tenant_id = d.tenant_id) as parked
     from deliveries d join notifications n on n.tenant_id = d.tenant_id and n.id = d.notification_id
     where d.tenant_id = $1 and d.id = $2`,
    [tenant.id, deliveryId],
  );
  return rows[0];
}

/** Removes the suppression that a delivery has caused, like a tenant that has talked to the recipient. */
async function unsuppress(deliveryId: string): Promise<void> {
  const { rows } = await app.sql.query('select id from suppressions where delivery_id = $1', [deliveryId]);
  expect(rows).toHaveLength(1);
  expect((await tenant.call('DELETE', `/api/v1/suppressions/${rows[0].id}`)).status).toBe(204);
}

describe.each(Object.keys(reporters))('captured calls of %s', (provider) => {
  const kinds = reporters[provider]!.kinds;

  it('have no effect on a delivery that has bounced, nor suppress its address again', async () => {
    const account = await accountAt(provider);
    const id = await delivery(account);
    const calls = kinds.filter((kind) => kind !== 'complained').map((kind) => capture(account, kind, id));
    const order = ['delivered', 'opened', 'bounced'];
    const sorted = kinds
      .filter((kind) => kind !== 'complained')
      .map((kind, at) => ({ kind, call: calls[at]! }))
      .sort((left, right) => order.indexOf(left.kind) - order.indexOf(right.kind));
    for (const { call } of sorted) expect((await post(call)).body).toEqual({ taken: 1 });
    expect((await effects(id)).delivery).toMatchObject({ state: 'bounced' });
    await unsuppress(id);
    const before = await effects(id);
    for (const { call } of [...sorted, ...sorted.toReversed()]) expect((await post(call)).status).toBe(200);
    expect(await effects(id)).toEqual(before);
  });

  it.runIf(kinds.includes('complained'))('complain once, also after the suppression was removed', async () => {
    const account = await accountAt(provider);
    const id = await delivery(account);
    const [delivered, complained] = [capture(account, 'delivered', id), capture(account, 'complained', id)];
    for (const call of [delivered, complained]) expect((await post(call)).body).toEqual({ taken: 1 });
    await unsuppress(id);
    const before = await effects(id);
    expect(before.delivery.complained_at).not.toBeNull();
    for (const call of [complained, delivered, complained]) expect((await post(call)).status).toBe(200);
    // A new call about the same complaint is a repeat, too.
    expect((await post(capture(account, 'complained', id))).status).toBe(200);
    expect(await effects(id)).toEqual(before);
  });

  it('about a delivery that the provider has refused suppress its address once', async () => {
    const account = await accountAt(provider);
    const id = await delivery(account, 'failed');
    const bounced = capture(account, 'bounced', id);
    expect((await post(bounced)).body).toEqual({ taken: 1 });
    expect((await effects(id)).delivery).toMatchObject({ state: 'failed' });
    await unsuppress(id);
    const before = await effects(id);
    for (let time = 0; time < 2; time += 1) expect((await post(bounced)).status).toBe(200);
    expect(await effects(id)).toEqual(before);
    // The bounce of another delivery does suppress it again.
    const next = await delivery(account);
    expect((await post(capture(account, 'bounced', next))).status).toBe(200);
    await unsuppress(next);
  });

  it('signed by another account of the tenant, or of the platform, change nothing', async () => {
    const [account, other] = [await accountAt(provider), await accountAt(provider)];
    const made = await app.operator('POST', '/internal/provider-accounts', {
      name: `${provider} ${newId()}`,
      provider,
      credentials: other.credentials,
    });
    expect([made.status, made.body.detail]).toEqual([201, undefined]);
    const platform = { ...other, id: made.body.id, receiptsUrl: made.body.receipts_url };
    for (const state of ['sent', 'failed']) {
      const id = await delivery(account, state);
      const before = await effects(id);
      for (const stranger of [other, platform])
        for (const kind of kinds) {
          expect((await post(capture(stranger, kind, id))).body).toEqual({ taken: 1 });
          expect(await effects(id)).toEqual(before);
        }
    }
    // The platform's account reports on the delivery that the tenant sent through it.
    const sent = await delivery(platform);
    expect((await post(capture(platform, 'bounced', sent))).body).toEqual({ taken: 1 });
    expect((await effects(sent)).delivery.state).toBe('bounced');
    await unsuppress(sent);
    expect((await app.operator('DELETE', `/internal/provider-accounts/${platform.id}`)).status).toBe(204);
  });

  it.runIf(['ses', 'sendgrid', 'mailgun', 'resend'].includes(provider))('of 2017 are refused', async () => {
    const account = await accountAt(provider);
    const id = await delivery(account);
    const before = await effects(id);
    const answer = await post(capture(account, 'complained', id, new Date('2017-05-03')));
    expect([answer.status, answer.body.code]).toEqual([403, 'forbidden']);
    expect(await effects(id)).toEqual(before);
  });
});

describe('the signed token of a call of Mailgun', () => {
  const tokens = async (): Promise<number> =>
    (await app.sql.query('select count(*)::int as count from used_tokens')).rows[0].count;

  it('cannot sign another event, nor one about another delivery', async () => {
    const account = await accountAt('mailgun');
    const stored = await tokens();
    const [id, victim] = [await delivery(account), await delivery(account)];
    const delivered = capture(account, 'delivered', id);
    expect((await post(delivered)).body).toEqual({ taken: 1 });
    const before = [await effects(id), await effects(victim)];
    for (const body of [
      delivered.body.replace('"delivered"', '"complained"'),
      delivered.body.replaceAll(id, victim),
      delivered.body.replace('"delivered"', '"clicked"'),
    ]) {
      const answer = await post({ ...delivered, body });
      expect([answer.status, answer.body.code]).toEqual([403, 'forbidden']);
      expect(answer.body.detail).toContain('used before');
    }
    expect([await effects(id), await effects(victim)]).toEqual(before);
    // The vendor's own repeat, for example after a 503, is accepted.
    expect((await post(delivered)).body).toEqual({ taken: 1 });
    expect(await tokens()).toBe(stored + 1);
  });

  it('of an event of no interest cannot sign a complaint either', async () => {
    const account = await accountAt('mailgun');
    const id = await delivery(account);
    const complained = capture(account, 'complained', id);
    const clicked = { ...complained, body: complained.body.replace('"complained"', '"clicked"') };
    expect((await post(clicked)).body).toEqual({ taken: 0 });
    expect((await post(complained)).status).toBe(403);
    expect((await effects(id)).delivery.complained_at).toBeNull();
  });

  it('is used by one of many calls at once', async () => {
    const account = await accountAt('mailgun');
    const ids: string[] = [];
    while (ids.length < 10) ids.push(await delivery(account));
    const first = capture(account, 'bounced', ids[0]!);
    const answers = await Promise.all(ids.map((id) => post({ ...first, body: first.body.replaceAll(ids[0]!, id) })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...new Array<number>(9).fill(403)]);
    for (const id of ids) await app.sql.query('delete from suppressions where delivery_id = $1', [id]);
  });

  it('cannot sign an invented event at another account with the same key, of this tenant or another', async () => {
    const [one, two] = [await accountAt('mailgun'), await accountAt('mailgun')];
    const other = await app.tenant();
    const theirs = await other.call('POST', '/api/v1/provider-accounts', {
      name: 'Mailgun',
      provider: 'mailgun',
      credentials: one.credentials,
    });
    expect(two.credentials['webhook_signing_key']).toBe(one.credentials['webhook_signing_key']);
    const stored = await tokens();
    const [id, victim] = [await delivery(one), await delivery(two)];
    const call = capture(one, 'delivered', id);
    expect((await post(call)).body).toEqual({ taken: 1 });
    const before = [await effects(id), await effects(victim)];
    for (const url of [two.receiptsUrl, theirs.body.receipts_url]) {
      const elsewhere = { ...call, path: url.slice(PUBLIC_URL.length) };
      const invented = elsewhere.body.replace('"delivered"', '"complained"').replaceAll(id, victim);
      const answer = await post({ ...elsewhere, body: invented });
      expect([answer.status, answer.body.code]).toEqual([403, 'forbidden']);
      // Unchanged, it is a report on a delivery that the account did not send.
      expect((await post(elsewhere)).body).toEqual({ taken: 1 });
    }
    expect([await effects(id), await effects(victim)]).toEqual(before);
    expect(await tokens()).toBe(stored + 1);
  });

  it('of an account of the platform is bound in the same way', async () => {
    const vendor = await startVendor(vendors['mailgun']!);
    open.push(() => vendor.close());
    const made = await app.operator('POST', '/internal/provider-accounts', {
      name: 'Mailgun',
      provider: 'mailgun',
      credentials: vendor.credentials,
    });
    expect(made.status).toBe(201);
    const { id: accountId, receipts_url: receiptsUrl } = made.body;
    const account = { id: accountId, provider: 'mailgun', receiptsUrl, credentials: vendor.credentials };
    const id = await delivery(account);
    const delivered = capture(account, 'delivered', id);
    expect((await post(delivered)).body).toEqual({ taken: 1 });
    expect((await post({ ...delivered, body: delivered.body.replace('"delivered"', '"complained"') })).status).toBe(
      403,
    );
    expect((await app.operator('DELETE', `/internal/provider-accounts/${made.body.id}`)).status).toBe(204);
  });

  it('with a signature but with fields of other types than documented is no error of ours', async () => {
    const account = await accountAt('mailgun');
    const id = await delivery(account);
    const signature = (): Json => {
      const [timestamp, token] = [String(Math.floor(Date.now() / 1_000)), newId()];
      const key = String(account.credentials['webhook_signing_key']);
      return {
        timestamp,
        token,
        signature: createHmac('sha256', key)
          .update(timestamp + token)
          .digest('hex'),
      };
    };
    const variables = { carillon: `${tenant.id}.${id}` };
    for (const event of [
      null,
      5,
      'text',
      [],
      { event: 'failed', severity: 'permanent', reason: { toString: 1 }, 'user-variables': variables },
      { event: 'failed', severity: 'permanent', 'delivery-status': { message: ['x'] }, 'user-variables': variables },
      { event: {}, 'user-variables': 'x' },
    ]) {
      const body = JSON.stringify({ signature: signature(), 'event-data': event });
      const { status } = await post({ ...capture(account, 'delivered', id), body });
      expect([event, status]).toEqual([event, 200]);
    }
  });
});
