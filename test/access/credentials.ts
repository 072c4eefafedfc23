// The columns of the attack matrix: a credential, whose data the requests name, and the answer by kind of route.

import { crc32 } from 'node:zlib';
import { decodeJwt, decodeProtectedHeader, type JWTHeaderParameters, SignJWT, UnsecuredJWT } from 'jose';
import { newApiKey, newId, type Scope, scopes, signPreferenceLink, signUnsubscription } from '#domain';
import { type Tenant, type TestEnvironment, tenantWith } from '../test-environment.js';
import type { Examples } from './examples.js';
import type { AccessKind, Route } from './openapi-routes.js';
import { seedOperator, seedTenant } from './seed-tenant.ts';

/**
 * - `as missing`: like for ids of which nothing exists, without anything of the victim
 * - `works`: a success, or a conflict with the state of what was found
 */
export type Expected = 'unauthenticated' | 'forbidden' | 'as missing' | 'works';

export interface Credential {
  apiKey?: string;
  token?: string;
  adminToken?: string;
}

/** The owner of the data that requests ask for. */
export interface Victim {
  examples: Examples;
  /** In every text of the victim's data. */
  mark: string;
}

/** Reads the data of a victim. */
export interface Owner {
  apiKey: string;
  victim: Victim;
}

export interface Column {
  name: string;
  victim: Victim;
  credential: (route: Route) => Credential | Promise<Credential>;
  /** By kind of route. Public routes answer as without credentials. */
  expected: Record<Exclude<AccessKind, 'public'>, Expected>;
}

const REFUSED: Column['expected'] = {
  tenant: 'unauthenticated',
  recipient: 'unauthenticated',
  socket: 'unauthenticated',
  operator: 'unauthenticated',
};
/** An API key opens no socket. */
const forKey = (tenant: Expected): Column['expected'] => ({ ...REFUSED, tenant, recipient: tenant });
const forToken = (recipient: Expected): Column['expected'] => ({ ...REFUSED, recipient, socket: recipient });

/** Every scope that a token can have. */
const ALL: Scope[] = ['inbox:read', 'inbox:write', 'preferences:write'];

/** Creates two tenants with data, the attackers, and their credentials. */
export async function makeColumns(app: TestEnvironment): Promise<{ columns: Column[]; owners: Owner[] }> {
  const [owner, other, suspended] = [await app.tenant(), await app.tenant(), await app.tenant()];
  const victim = await makeVictim(app, owner, 'ownmark');
  const { recipient } = victim.examples;
  const keyOf = keysOf(app);
  const mint = async (tenant: Tenant, who: string, wanted?: Scope[]): Promise<string> =>
    (await tenant.call('POST', `/api/v1/recipients/${who}/inbox-token`, wanted ? { scopes: wanted } : {})).body.token;

  const revoked = await keyOf(owner, {});
  await app.operator('DELETE', `/internal/tenants/${owner.id}/api-keys/${revoked.id}`);
  const expired = await keyOf(owner, { expires_at: new Date(Date.now() + 1_000).toISOString() });
  const testKey = await keyOf(owner, { mode: 'test' });
  const elsewhere = await keyOf(owner, { allowed_ips: ['192.0.2.0/24'] });
  const ofTestKey = tenantWith(app.call, owner.id, testKey.apiKey);
  const tokens = {
    own: await mint(owner, recipient, ALL),
    otherRecipient: await mint(owner, 'somebody-else', ALL),
    suspended: await mint(suspended, recipient, ALL),
    revoked: await mint(owner, 'has-no-access', ALL),
  };
  await owner.call('POST', '/api/v1/recipients/has-no-access/inbox-token/revoke', {});
  await app.operator('PATCH', `/internal/tenants/${suspended.id}`, { status: 'suspended' });
  const keys = new Map<Scope, string>();
  for (const scope of scopes)
    keys.set(scope, (await keyOf(owner, { scopes: scopes.filter((one) => one !== scope) })).apiKey);
  const without: Record<string, string> = {
    'inbox:read': await mint(owner, recipient, ['inbox:write']),
    'inbox:write': await mint(owner, recipient, ['inbox:read']),
    'preferences:write': await mint(owner, recipient),
  };
  const forged = forgedTokens((await app.keys.inboxSigningKey()).key, tokens.own);
  const column = (
    name: string,
    expected: Column['expected'],
    credential: Credential | Column['credential'],
  ): Column => ({
    name,
    victim,
    credential: typeof credential === 'function' ? credential : () => credential,
    expected,
  });
  const unknown = newApiKey('live').text;
  const columns = [
    column('nothing', REFUSED, {}),
    column('a malformed key', REFUSED, { apiKey: `${owner.apiKey.slice(0, -1)}!` }),
    column('a well-formed key that does not exist', REFUSED, { apiKey: unknown }),
    column('the id of a key with another secret', REFUSED, { apiKey: wrongSecret(owner.apiKey) }),
    column('a revoked key', REFUSED, { apiKey: revoked.apiKey }),
    column('an expired key', REFUSED, { apiKey: expired.apiKey }),
    column('the key of a suspended tenant', forKey('forbidden'), { apiKey: suspended.apiKey }),
    column("a key without the route's scope", forKey('forbidden'), ({ scope }) => ({
      apiKey: (scope && keys.get(scope)) ?? owner.apiKey,
    })),
    column("another tenant's key", forKey('as missing'), { apiKey: other.apiKey }),
    column("the tenant's test key", forKey('as missing'), { apiKey: testKey.apiKey }),
    column('a key for other addresses', forKey('forbidden'), { apiKey: elsewhere.apiKey }),
    // A new one each time: the test key has erased its recipient of the same id.
    column('a token of the same recipient id from a test key', forToken('as missing'), async () => ({
      token: await mint(ofTestKey, recipient, ALL),
    })),
    column('a token of another recipient', forToken('as missing'), { token: tokens.otherRecipient }),
    // A new one each time: the other tenant's key has erased its recipient of the same id.
    column('a token of the same recipient id at another tenant', forToken('as missing'), async () => ({
      token: await mint(other, recipient, ALL),
    })),
    column('a token of a suspended tenant', forToken('forbidden'), { token: tokens.suspended }),
    column("a token without the route's scope", forToken('forbidden'), ({ scope }) => ({
      token: without[scope ?? ''] ?? tokens.own,
    })),
    column('a malformed token', REFUSED, { token: 'nonsense' }),
    column('an expired token', REFUSED, { token: await forged.sign({ expires: '-1s' }) }),
    column('a revoked token', REFUSED, { token: tokens.revoked }),
    column('a token for another audience', REFUSED, { token: await forged.sign({ audience: 'other' }) }),
    column('a token with alg none', REFUSED, { token: forged.unsigned() }),
    column('a token signed with another key', REFUSED, { token: await forged.sign({ key: Buffer.alloc(32, 1) }) }),
    column('a wrong operator token', REFUSED, { adminToken: 'x'.repeat(40) }),
    column("the operator's token", { ...REFUSED, operator: 'works' }, { adminToken: app.config.adminToken }),
    column("the recipient's token", forToken('works'), { token: await forged.sign({}) }),
    column("the tenant's key", forKey('works'), { apiKey: owner.apiKey }),
  ];
  return { columns, owners: [{ apiKey: owner.apiKey, victim }] };
}

async function makeVictim(app: TestEnvironment, tenant: Tenant, mark: string): Promise<Victim> {
  const ofTenant = await seedTenant(tenant.call, mark);
  const ofOperator = await seedOperator(app.operator, tenant.call, tenant.id);
  const linked = await tenant.call('PUT', '/api/v1/recipients/has-a-link', {});
  const unsubscribeToken = signUnsubscription(app.keys.unsubscribeKey, {
    tenantId: tenant.id,
    // Not the one whose data is compared: everybody who has the link may unsubscribe.
    recipientId: 'has-a-link',
    category: ofTenant.category,
    profileCreatedAt: null,
  });
  const preferencesToken = signPreferenceLink(app.keys.unsubscribeKey, {
    tenantId: tenant.id,
    recipientId: 'has-a-link',
    profileCreatedAt: Date.parse(linked.body.created_at),
    expiresAt: Math.floor(Date.now() / 1_000) + 3_600,
  });
  return {
    mark,
    examples: { ...ofTenant, ...ofOperator, unsubscribeToken, preferencesToken, consoleKey: tenant.apiKey },
  };
}

const keysOf =
  (app: TestEnvironment) =>
  async (tenant: Tenant, body: Record<string, unknown>): Promise<{ id: string; apiKey: string }> => {
    const answer = await app.operator('POST', `/internal/tenants/${tenant.id}/api-keys`, { name: 'k', ...body });
    if (answer.status !== 201) throw new Error(`no key: ${answer.status} ${JSON.stringify(answer.body)}`);
    return { id: answer.body.id, apiKey: answer.body.api_key };
  };

/** Tokens that the API would not mint, like a real one but for what is given, and signed with the API's key. */
function forgedTokens(ownKey: Buffer, real: string) {
  const { exp: _exp, aud: _aud, jti: _jti, ...claims } = decodeJwt(real);
  const header = decodeProtectedHeader(real) as JWTHeaderParameters;
  return {
    sign: async ({ audience = 'inbox', expires = '10m', key = ownKey }): Promise<string> =>
      await new SignJWT(claims)
        .setProtectedHeader(header)
        .setAudience(audience)
        .setJti(newId())
        .setExpirationTime(expires)
        .sign(key),
    unsigned: (): string =>
      new UnsecuredJWT(claims).setAudience('inbox').setJti(newId()).setExpirationTime('10m').encode(),
  };
}

/** A key with the id of a real one, another secret and the published checksum, six base62 digits of the CRC-32. */
function wrongSecret(apiKey: string): string {
  const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  const body = apiKey.slice(0, 'car_live_'.length + 8) + 'A'.repeat(30);
  let checksum = '';
  for (let rest = crc32(body); checksum.length < 6; rest = Math.floor(rest / 62))
    checksum = digits[rest % 62] + checksum;
  return body + checksum;
}
