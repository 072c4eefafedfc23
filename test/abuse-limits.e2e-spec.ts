// Limits of wrong credentials and of recipients. Correct credentials work meanwhile.

import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newApiKey, newId, signUnsubscription } from '#domain';
import { reporters, startVendor, vendors } from '#testing';
import { type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const PUBLIC_URL = 'https://notify.example.com';
let app: TestEnvironment;
let tenant: Tenant;

beforeAll(async () => {
  app = await startTestEnvironment({ worker: false, environment: { PUBLIC_URL } });
  tenant = await app.tenant();
});
afterAll(() => app?.stop());

interface Call {
  method?: string;
  path: string;
  headers?: Record<string, string>;
  body?: string;
  /** An address of loopback. */
  from: string;
  url?: string;
}

function call({ method = 'GET', path, headers = {}, body, from, url = app.url }: Call): Promise<{
  status: number;
  headers: Record<string, unknown>;
}> {
  return new Promise((resolve, reject) => {
    request(url + path, { method, localAddress: from, headers }, (response) => {
      response.resume().on('end', () => resolve({ status: response.statusCode!, headers: response.headers }));
    })
      .on('error', reject)
      .end(body);
  });
}

const times = async (count: number, make: () => Call): Promise<number[]> => {
  const statuses: number[] = [];
  for (let done = 0; done < count; done += 50)
    statuses.push(
      ...(await Promise.all(Array.from({ length: Math.min(50, count - done) }, () => call(make())))).map(
        ({ status }) => status,
      ),
    );
  return statuses;
};
/** Whether most of 20 calls are refused: a limit allows one call a second, so the next one may pass. */
const isLimited = async (make: () => Call): Promise<boolean> => count(await times(20, make), 429) > 10;
const count = (statuses: number[], status: number): number => statuses.filter((one) => one === status).length;

/**
 * Makes calls of one source until no look-up is left, whatever the speed of this machine: 60 failures are allowed, and
 * 600 look-ups beyond them; one failure and ten look-ups a second come back.
 */
async function exhaustLookups(make: () => Call): Promise<number[]> {
  const statuses: number[] = [];
  const startedAt = performance.now();
  while (statuses.length < 700 + (11 * (performance.now() - startedAt)) / 1_000)
    statuses.push(...(await times(50, make)));
  return statuses;
}

/** Runs `work` while no statement can read the table. */
async function whileLocked<T>(table: string, work: () => Promise<T>): Promise<T> {
  await app.sql.query(`begin; lock table ${table} in access exclusive mode`);
  try {
    return await work();
  } finally {
    await app.sql.query('rollback');
  }
}

const wrongKey = (from: string, headers: Record<string, string> = {}): Call => ({
  path: '/api/v1/notifications',
  headers: { 'X-API-Key': newApiKey('live').text, ...headers },
  from,
});
const rightKey = (from: string, apiKey = tenant.apiKey): Call => ({
  path: '/api/v1/notifications',
  headers: { 'X-API-Key': apiKey },
  from,
});

describe('wrong API keys', () => {
  it('beyond the limit cause no look-up, while known keys work and new ones soon do', async () => {
    const fresh = await app.tenant();
    expect((await call(rightKey('127.0.0.1'))).status).toBe(200);
    const statuses = await exhaustLookups(() => wrongKey('127.7.0.1'));
    expect(count(statuses, 401)).toBeGreaterThanOrEqual(60);
    expect(count(statuses, 401)).toBeLessThan(statuses.length / 4);
    const locked = await whileLocked('api_keys', async () => {
      const known = call(rightKey('127.7.0.1'));
      return { wrong: await times(50, () => wrongKey('127.7.0.1')), known: (await known).status };
    });
    expect(locked.known).toBe(200);
    // A few may be allowed by now: one failure a second, and ten look-ups a second.
    expect(count(locked.wrong, 429)).toBeGreaterThan(15);
    const first = async (): Promise<number> => (await call(rightKey('127.7.0.1', fresh.apiKey))).status;
    await expect.poll(first, { timeout: 10_000 }).toBe(200);
  });

  it('of other addresses are counted apart', async () => {
    await times(70, () => wrongKey('127.7.0.2'));
    expect((await call(wrongKey('127.7.0.3'))).status).toBe(401);
  });
});

describe('behind a proxy', () => {
  const forwarded = (address: string): Record<string, string> => ({ 'X-Forwarded-For': address });

  it('the header with the address of the client is ignored, unless the proxy is trusted', async () => {
    await times(70, () => wrongKey('127.7.0.4', forwarded('203.0.113.1')));
    expect(await isLimited(() => wrongKey('127.7.0.4', forwarded('203.0.113.2')))).toBe(true);
    expect((await call(wrongKey('127.7.0.5', forwarded('203.0.113.1')))).status).toBe(401);
  });

  it('a trusted one names the client, who cannot add another address', async () => {
    const behind = await startTestEnvironment({ worker: false, environment: { TRUSTED_PROXIES: '127.7.0.0/24' } });
    try {
      const { url } = behind;
      const wrong = (from: string, address: string): Call => ({ ...wrongKey(from, forwarded(address)), url });
      await times(70, () => wrong('127.7.0.6', `198.51.100.${Math.ceil(Math.random() * 200)}, 203.0.113.1`));
      expect(await isLimited(() => wrong('127.7.0.6', '203.0.113.1'))).toBe(true);
      expect(await isLimited(() => wrong('127.7.0.7', '203.0.113.1'))).toBe(true);
      expect((await call(wrong('127.7.0.6', '203.0.113.2'))).status).toBe(401);
      // An address outside the ranges is the client itself.
      expect((await call(wrong('127.8.0.1', '203.0.113.1'))).status).toBe(401);
    } finally {
      await behind.stop();
    }
  });
});

describe('requests with recipient tokens', () => {
  it('have a limit per recipient, shown in headers, for REST and streams', async () => {
    const limited = await app.tenant({ recipient_requests_per_minute: 3 });
    const mint = async (id: string): Promise<Record<string, string>> => ({
      Authorization: `Bearer ${(await limited.call('POST', `/api/v1/recipients/${id}/inbox-token`, {})).body.token}`,
    });
    const answers = [];
    // Another token of the recipient has no limit of its own.
    for (let asked = 0; asked < 4; asked += 1)
      answers.push(await app.call('GET', '/api/v1/inbox/counts', { headers: await mint('ann') }));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
    expect(answers[0]!.headers.get('ratelimit-policy')).toBe('"requests";q=3;w=60');
    expect(answers[0]!.headers.get('ratelimit')).toMatch(/^"requests";r=2;t=\d+$/);
    expect(Number(answers[3]!.headers.get('retry-after'))).toBeGreaterThan(0);
    const upgrade: Call = {
      path: '/api/v1/inbox/stream',
      headers: {
        ...(await mint('ann')),
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64'),
      },
      from: '127.0.0.1',
    };
    expect((await call(upgrade)).status).toBe(429);
    expect((await app.call('GET', '/api/v1/inbox/counts', { headers: await mint('bob') })).status).toBe(200);
    const plain = { headers: { 'X-API-Key': limited.apiKey, 'X-Recipient-ID': 'ann' } };
    expect((await app.call('GET', '/api/v1/inbox/counts', plain)).status).toBe(200);
  });

  it('are not used up by a token that was revoked', async () => {
    const limited = await app.tenant({ recipient_requests_per_minute: 3 });
    const mint = async (): Promise<Record<string, string>> => ({
      Authorization: `Bearer ${(await limited.call('POST', '/api/v1/recipients/ann/inbox-token', {})).body.token}`,
    });
    const counts = async (headers: Record<string, string>): Promise<number> =>
      (await app.call('GET', '/api/v1/inbox/counts', { headers })).status;
    const leaked = await mint();
    expect((await limited.call('POST', '/api/v1/recipients/ann/inbox-token/revoke')).status).toBe(204);
    for (let asked = 0; asked < 6; asked += 1) expect(await counts(leaked)).toBe(401);
    expect(await counts(await mint())).toBe(200);
  });
});

describe('receipts', () => {
  async function reporter(): Promise<{ right: (from: string) => Call; wrong: (from: string) => Call }> {
    const vendor = await startVendor(vendors['resend']!);
    const { body: account } = await tenant.call('POST', '/api/v1/provider-accounts', {
      name: newId(),
      provider: 'resend',
      credentials: vendor.credentials,
    });
    await vendor.close();
    const { headers, body } = reporters['resend']!.report('delivered', {
      credentials: vendor.credentials,
      url: account.receipts_url,
      tenantId: tenant.id,
      deliveryId: newId(),
    });
    const path = account.receipts_url.slice(PUBLIC_URL.length);
    const right = (from: string): Call => ({
      method: 'POST',
      path,
      headers: headers as Json,
      body: body as Json,
      from,
    });
    return { right, wrong: (from) => ({ ...right(from), body: `${body} ` }) };
  }

  it('with wrong signatures are limited, but never those of an address that sends valid ones', async () => {
    const { right, wrong } = await reporter();
    expect((await call(right('127.7.1.1'))).status).toBe(200);
    const statuses = await times(100, () => wrong('127.7.1.1'));
    expect([count(statuses, 403) >= 60, count(statuses, 403) < 75]).toEqual([true, true]);
    expect(count(statuses, 403) + count(statuses, 429)).toBe(100);
    expect(await times(100, () => right('127.7.1.1'))).toEqual(Array(100).fill(200));
    // Another account, another address.
    const other = await reporter();
    expect((await call(other.wrong('127.7.1.1'))).status).toBe(403);
    expect((await call(wrong('127.7.1.2'))).status).toBe(403);
    // An address that never sent a valid one is refused before the signature is checked. One call a second passes.
    const first: number[] = [];
    for (const from of ['127.7.1.12', '127.7.1.13', '127.7.1.14']) {
      await times(100, () => wrong(from));
      first.push((await call(right(from))).status);
    }
    expect(first).toContain(429);
  });

  it('for unknown accounts are limited before the look-up, while those for known accounts are taken', async () => {
    const { right } = await reporter();
    expect((await call(right('127.7.1.3'))).status).toBe(200);
    const unknown = (id = newId()): Call => ({
      method: 'POST',
      path: `/receipts/resend/${id}`,
      body: '{}',
      from: '127.7.1.3',
    });
    const statuses = await exhaustLookups(unknown);
    expect(count(statuses, 404)).toBeLessThan(statuses.length / 4);
    const locked = await whileLocked('provider_accounts', () => times(50, unknown));
    expect(count(locked, 429)).toBeGreaterThan(15);
    expect((await call(right('127.7.1.3'))).status).toBe(200);
  });

  it('for a deleted account are looked up once, so that its vendor is not limited', async () => {
    const id = newId();
    const statuses = await times(200, () => ({
      method: 'POST',
      path: `/receipts/resend/${id}`,
      body: '{}',
      from: '127.7.1.4',
    }));
    expect(count(statuses.slice(50), 404)).toBe(150);
  });
});

describe('unsubscribe links', () => {
  const link = (recipientId: string): string =>
    signUnsubscription(app.keys.unsubscribeKey, {
      tenantId: tenant.id,
      recipientId,
      category: 'news',
      profileCreatedAt: null,
    });
  const click = (token: string, from: string): Call => ({ method: 'POST', path: `/unsubscribe/${token}`, from });

  it('are limited each, and wrong ones per address', async () => {
    const statuses = await times(160, () => click(link('ann'), '127.7.2.1'));
    expect([count(statuses, 200) >= 120, count(statuses, 429) > 0]).toEqual([true, true]);
    expect((await call(click(link('bob'), '127.7.2.1'))).status).toBe(200);
    const wrong = await times(100, () => click(`${link('ann')}x`, '127.7.2.2'));
    expect([count(wrong, 404) >= 60, count(wrong, 429) > 0]).toEqual([true, true]);
    expect((await call(click(link('cid'), '127.7.2.2'))).status).toBe(200);
    expect((await call(click('nonsense', '127.7.2.3'))).status).toBe(404);
  });
});
