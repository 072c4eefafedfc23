// Access that ends: REST, server-sent events and WebSockets end within five seconds, also when no hint is published.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { ApiKeysStore, Database, ErasuresStore, SecretBox, TenantsStore, TokenRevocationsStore } from '#database';
import { until } from '#testing';
import { InboxTokens } from '../apps/api/src/access/inbox-tokens.js';
import { type Json, startTestEnvironment, type Tenant, type TestEnvironment } from './test-environment.js';

const LIMIT_MS = 5_000;
const STREAM = '/api/v1/inbox/stream';
/** The tests ask often. */
const UNLIMITED = { recipient_requests_per_minute: 1_000_000 };

let app: TestEnvironment;
/** Stores outside the API: their changes publish no hint. */
let database: Database;

beforeAll(async () => {
  app = await startTestEnvironment({ worker: false });
  database = new Database({ url: app.databaseUrl, poolSize: 2 });
});
afterAll(async () => {
  await database?.close();
  await app?.stop();
});

/** Ways into the inbox of one recipient that are in use. Each resolves when it has ended: with a status or a code. */
interface Ways {
  rest: () => Promise<number>;
  events: Promise<'ended'>;
  socket: Promise<number> | null;
  close: () => void;
}

async function openWays(headers: Record<string, string>, token: string | null): Promise<Ways> {
  const rest = async (): Promise<number> => (await app.call('GET', '/api/v1/inbox', { headers })).status;
  expect(await rest()).toBe(200);
  const controller = new AbortController();
  const response = await fetch(app.url + STREAM, { headers, signal: controller.signal });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  expect((await reader.read()).value).toContain('event: ready');
  const events = (async (): Promise<'ended'> => {
    while (!(await reader.read()).done);
    return 'ended';
  })();
  events.catch(() => undefined);
  const socket = token === null ? null : new WebSocket(app.url.replace('http', 'ws') + STREAM, ['carillon.v1', token]);
  const closed = socket && new Promise<number>((resolve) => socket.on('close', resolve));
  if (socket) await new Promise((resolve, reject) => socket.once('message', resolve).once('error', reject));
  return {
    rest,
    events,
    socket: closed,
    close: () => {
      controller.abort();
      socket?.terminate();
    },
  };
}

const within = async <T>(what: string, promise: Promise<T>): Promise<T> =>
  await Promise.race([
    promise,
    new Promise<never>((_, reject) => setTimeout(() => reject(new Error(`${what} went on for 5 s`)), LIMIT_MS)),
  ]);

/** Waits until all ways have ended. Returns the status of REST and the close code of the socket. */
async function ends({ rest, events, socket, close }: Ways): Promise<[number, number | null]> {
  try {
    const [status, , code] = await Promise.all([
      until(
        'REST is refused',
        async () => {
          const answer = await rest();
          return answer !== 200 && answer;
        },
        LIMIT_MS,
      ),
      within('server-sent events', events),
      socket && within('the socket', socket),
    ]);
    return [status, code];
  } finally {
    close();
  }
}

async function mint(tenant: Tenant, recipientId = 'ann'): Promise<string> {
  return (await tenant.call('POST', `/api/v1/recipients/${recipientId}/inbox-token`, {})).body.token;
}
const asToken = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` });
const asKey = (tenant: Tenant): Record<string, string> => ({ 'X-API-Key': tenant.apiKey, 'X-Recipient-ID': 'ann' });
const viaToken = async (tenant: Tenant): Promise<Ways> => {
  const token = await mint(tenant);
  return await openWays(asToken(token), token);
};
const keyIdOf = async (tenant: Tenant): Promise<string> =>
  (await app.operator('GET', `/internal/tenants/${tenant.id}/api-keys`)).body.data[0].id;

/** How a change is made: over the API, which publishes a hint, or by a store without one. */
const acts: Record<string, Record<'hint' | 'hint lost', (tenant: Tenant) => Promise<unknown>>> = {
  'a suspended tenant': {
    hint: ({ id }) => app.operator('PATCH', `/internal/tenants/${id}`, { status: 'suspended' }),
    'hint lost': ({ id }) => new TenantsStore(database).update(id, { status: 'suspended' }, null),
  },
  'a revoked key': {
    hint: async (tenant) => app.operator('DELETE', `/internal/tenants/${tenant.id}/api-keys/${await keyIdOf(tenant)}`),
    'hint lost': async (tenant) => new ApiKeysStore(database).revoke(tenant.id, await keyIdOf(tenant), null),
  },
  'an expired key': {
    // The process knows the time of the expiry from the key.
    hint: ({ id }) => expireKey(id, 1),
    'hint lost': ({ id }) => expireKey(id, 0),
  },
  'a revoked token': {
    hint: (tenant) => tenant.call('POST', '/api/v1/recipients/ann/inbox-token/revoke'),
    'hint lost': ({ id }) => new TokenRevocationsStore(database).add(id, 'ann', null),
  },
  'an erased recipient': {
    hint: (tenant) => tenant.call('DELETE', '/api/v1/recipients/ann'),
    'hint lost': async ({ id }) => {
      await new TokenRevocationsStore(database).add(id, 'ann', null);
      await new ErasuresStore(database, new SecretBox(app.config.masterKey), app.keys).erase(id, 'ann', null);
    },
  },
};

async function expireKey(tenantId: string, seconds: number): Promise<void> {
  await app.sql.query('update api_keys set expires_at = now() + make_interval(secs => $2) where tenant_id = $1', [
    tenantId,
    seconds,
  ]);
}

const refusal = (cause: string): number => (cause === 'a suspended tenant' ? 403 : 401);

describe.each(Object.keys(acts))('%s', (cause) => {
  it.each(['hint', 'hint lost'] as const)('ends REST, events and sockets of a token: %s', async (hint) => {
    const tenant = await app.tenant(UNLIMITED);
    await tenant.call('PUT', '/api/v1/recipients/ann', { email: 'ann@example.com' });
    const ways = await viaToken(tenant);
    await acts[cause]![hint](tenant);
    expect(await ends(ways)).toEqual([refusal(cause), 4_003]);
  });
});

describe.each(['a suspended tenant', 'a revoked key', 'an expired key'])('%s', (cause) => {
  it.each(['hint', 'hint lost'] as const)('ends REST and events of the key: %s', async (hint) => {
    const tenant = await app.tenant(UNLIMITED);
    const ways = await openWays(asKey(tenant), null);
    await acts[cause]![hint](tenant);
    expect(await ends(ways)).toEqual([refusal(cause), null]);
  });
});

// The key may open the stream again. The inbox of the recipient is then empty, and its items are numbered from 1.
it.each(['hint', 'hint lost'] as const)('an erased recipient ends the events of a key: %s', async (hint) => {
  const tenant = await app.tenant(UNLIMITED);
  await tenant.call('PUT', '/api/v1/recipients/ann', { email: 'ann@example.com' });
  const ways = await openWays(asKey(tenant), null);
  await acts['an erased recipient']![hint](tenant);
  expect(await within('server-sent events', ways.events)).toBe('ended');
  expect(await ways.rest()).toBe(200);
  ways.close();
});

it('an expired token ends REST, events and sockets', async () => {
  const tenant = await app.tenant(UNLIMITED);
  const tokens = new InboxTokens(app.keys);
  const token = await tokens.mint({
    tenantId: tenant.id,
    recipientId: 'ann',
    scopes: ['inbox:read'],
    ttlSeconds: 2,
    keyId: null,
    revocation: 0,
  });
  expect(await ends(await openWays(asToken(token), token))).toEqual([401, 4_001]);
});

describe('revoked tokens', () => {
  const status = async (token: string): Promise<number> =>
    (await app.call('GET', '/api/v1/inbox', { headers: asToken(token) })).status;

  it('do not include those that are minted afterwards, in the same second, nor those of other recipients', async () => {
    const tenant = await app.tenant();
    const [other, first] = [await mint(tenant, 'bob'), await mint(tenant)];
    const later: string[] = [];
    for (let round = 0; round < 3; round += 1) {
      expect((await tenant.call('POST', '/api/v1/recipients/ann/inbox-token/revoke')).status).toBe(204);
      later.push(await mint(tenant));
    }
    const statuses = (): Promise<number[]> => Promise.all([first, ...later, other].map(status));
    await expect.poll(statuses, { timeout: LIMIT_MS }).toEqual([401, 401, 401, 200, 200]);
  });

  it('are refused from the first request on in a process that never saw them before', async () => {
    const tenant = await app.tenant();
    const token = await mint(tenant);
    await new TokenRevocationsStore(database).add(tenant.id, 'ann', null);
    expect(await status(token)).toBe(401);
  });

  it('of an erased recipient do not open an empty inbox, also when nothing was stored', async () => {
    const tenant = await app.tenant();
    const token = await mint(tenant);
    expect((await tenant.call('DELETE', '/api/v1/recipients/ann')).status).toBe(404);
    expect(await status(token)).toBe(401);
    const { rows } = await app.sql.query('select r::text as row from token_revocations r where tenant_id = $1', [
      tenant.id,
    ]);
    expect(rows).toHaveLength(1);
    expect((rows[0] as Json).row).not.toContain('ann');
  });

  it('need the scope of minting', async () => {
    const reader = await app.tenant({}, { scopes: ['inbox:read'] });
    expect((await reader.call('POST', '/api/v1/recipients/ann/inbox-token/revoke')).status).toBe(403);
  });
});
