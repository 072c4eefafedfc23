// The keys of the platform that outlive a master key: creation, the start with a wrong master key, rotation.

import { randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';
import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { Database, PlatformKeys, ProviderAccountsStore, SecretBox, WrongMasterKey } from '#database';
import { newId } from '#domain';
import { cloneDatabase, connect } from '#testing';
import { InboxTokens } from '../apps/api/src/access/inbox-tokens.js';

let database: Database;
let admin: pg.Client;
let drop: () => Promise<void>;
const tenantId = newId();
const masterKey = randomBytes(32);
const box = new SecretBox(masterKey);

beforeEach(async () => {
  const clone = await cloneDatabase(inject('postgresUrl'));
  drop = clone.drop;
  database = new Database({ url: clone.url, poolSize: 4 });
  admin = await connect(clone.url);
  await admin.query(`insert into tenants (id, name) values ($1, 'Test')`, [tenantId]);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await database?.close();
  await admin?.end();
  await drop?.();
});

async function prepared(withBox = box): Promise<PlatformKeys> {
  const keys = new PlatformKeys(database, withBox);
  await keys.prepare();
  return keys;
}

/** Moves the monotonic clock of this process ahead. */
function passSeconds(seconds: number): void {
  const now = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => now() + seconds * 1_000);
}

/** As in a database of a release without platform keys. */
async function addApiKey(): Promise<void> {
  await admin.query(
    `insert into api_keys (tenant_id, id, key_id, secret_hash, name, mode, scopes)
     values ($1, $2, 'abcdefgh', '', 'Test', 'live', '{}')`,
    [tenantId, newId()],
  );
}

/** An account whose credentials are sealed under {@link masterKey}. */
async function addAccount(): Promise<void> {
  const account = {
    name: 'smtp',
    provider: 'smtp',
    channel: 'email' as const,
    credentials: { password: 'x' },
    masked: {},
    order: 0,
    enabled: true,
    pacePerSecond: null,
    allowed: { tenants: undefined, from: undefined, channels: undefined },
  };
  await new ProviderAccountsStore(database, box).create(tenantId, account, null);
}

const storedKeys = async (): Promise<number> =>
  (await admin.query('select count(*)::int as n from platform_keys')).rows[0].n;

describe('the platform keys', () => {
  it('of a new database are random, and all processes that start together use the same', async () => {
    const all = await Promise.all([prepared(), prepared(), prepared()]);
    expect(new Set(all.map((keys) => keys.apiKeyPepper.toString('hex'))).size).toBe(1);
    expect(new Set(all.map((keys) => keys.unsubscribeKey.toString('hex'))).size).toBe(1);
    expect(all[0]!.apiKeyPepper.equals(box.derive('api-keys'))).toBe(false);
    expect(await storedKeys()).toBe(4);
    const { rows } = await admin.query('select key_sealed from platform_keys');
    for (const { key_sealed: sealed } of rows) expect(sealed).toMatch(/^v1\./);
  });

  it('of an older release stay as they were derived from MASTER_KEY, also after a new one', async () => {
    await addApiKey();
    for (const keys of [await prepared(), await prepared(new SecretBox(randomBytes(32), [masterKey]))]) {
      expect(keys.apiKeyPepper).toEqual(box.derive('api-keys'));
      expect(keys.unsubscribeKey).toEqual(box.derive('unsubscribe'));
      expect(await keys.inboxSigningKey()).toMatchObject({ id: 'k1', key: box.derive('inbox-tokens') });
    }
  });

  it.each([
    ['with', true],
    ['without', false],
  ])('of an older release stay, %s a secret, if MASTER_KEY is replaced at the upgrade', async (_, hasSecret) => {
    await addApiKey();
    if (hasSecret) await addAccount();
    const keys = await prepared(new SecretBox(randomBytes(32), [masterKey]));
    expect(keys.apiKeyPepper).toEqual(box.derive('api-keys'));
    expect(keys.unsubscribeKey).toEqual(box.derive('unsubscribe'));
  });

  it('are not created if it is unknown which previous master key derived them', async () => {
    await addApiKey();
    const rotated = new SecretBox(randomBytes(32), [randomBytes(32), masterKey]);
    await expect(prepared(rotated)).rejects.toThrow('several keys');
    expect(await storedKeys()).toBe(0);
    await addAccount();
    expect((await prepared(rotated)).apiKeyPepper).toEqual(box.derive('api-keys'));
  });

  it('are not created under a master key that does not open the other secrets', async () => {
    await addApiKey();
    await addAccount();
    await expect(prepared(new SecretBox(randomBytes(32)))).rejects.toThrow(WrongMasterKey);
    expect(await storedKeys()).toBe(0);
    expect((await prepared()).apiKeyPepper).toEqual(box.derive('api-keys'));
  });

  it('are not visible to a connection of a tenant', async () => {
    await prepared();
    for (const id of [tenantId, '00000000-0000-0000-0000-000000000000'])
      await expect(database.queryForTenant(id, { text: 'select from platform_keys' })).rejects.toThrow(
        'permission denied',
      );
  });

  it('do not open with a wrong master key: the error says what to do', async () => {
    await prepared();
    const wrong = new SecretBox(randomBytes(32));
    const error = await prepared(wrong).catch((thrown: Error) => thrown);
    expect(error).toBeInstanceOf(WrongMasterKey);
    for (const text of ['MASTER_KEY does not open', 'MASTER_KEY_PREVIOUS', box.keyId, wrong.keyId])
      expect((error as Error).message).toContain(text);
  });
});

describe('a rotation of the key that signs recipient tokens', () => {
  const mint = (tokens: InboxTokens): Promise<string> =>
    tokens.mint({
      tenantId,
      recipientId: 'ann',
      scopes: ['inbox:read'],
      ttlSeconds: 3_600,
      keyId: null,
      revocation: 0,
    });
  const keyIdOf = (token: string): string =>
    JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString('utf8')).kid;

  it('lets earlier tokens live on; a process that has not noticed accepts the new ones', async () => {
    const [one, other] = [await prepared(), await prepared()];
    const [tokens, otherTokens] = [new InboxTokens(one), new InboxTokens(other)];
    const first = await mint(tokens);
    expect(keyIdOf(first)).toBe('k1');
    const keyId = await one.rotateInboxKey(false);
    const fresh = await prepared();
    const second = await mint(new InboxTokens(fresh));
    expect(keyIdOf(second)).toBe(keyId);
    for (const all of [tokens, otherTokens, new InboxTokens(fresh)])
      for (const token of [first, second]) expect(await all.verify(token)).toMatchObject({ recipientId: 'ann' });
    // After half a minute the others sign with the new key.
    passSeconds(31);
    expect(keyIdOf(await mint(otherTokens))).toBe(keyId);
    // A second rotation keeps both older keys; an overlap later they are gone.
    await one.rotateInboxKey(false);
    expect(await new InboxTokens(await prepared()).verify(first)).toBeDefined();
    await admin.query(`update platform_keys set retired_at = retired_at - interval '66 minutes'`);
    await expect(new InboxTokens(await prepared()).verify(first)).rejects.toMatchObject({ code: 'unauthenticated' });
    await one.rotateInboxKey(false);
    const { rows } = await admin.query(`select id from platform_keys where id like 'inbox-tokens/%'`);
    expect(rows).toHaveLength(2);
  });

  it('with --end-tokens ends earlier tokens, also verified ones, within half a minute', async () => {
    const keys = await prepared();
    const tokens = new InboxTokens(keys);
    const token = await mint(tokens);
    await tokens.verify(token);
    await (await prepared()).rotateInboxKey(true);
    passSeconds(31);
    await expect(tokens.verify(token)).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(await tokens.verify(await mint(tokens))).toMatchObject({ recipientId: 'ann' });
  });

  it('refuses tokens with an invented key id, at a cost of one statement a second for all of them', async () => {
    let statements = 0;
    const counting = new Proxy(database, {
      get(target, name) {
        if (name === 'platform') statements += 1;
        return Reflect.get(target, name, target);
      },
    });
    const keys = new PlatformKeys(counting, box);
    await keys.prepare();
    statements = 0;
    const tokens = new InboxTokens(keys);
    const { key } = await keys.inboxSigningKey();
    const forged = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        new SignJWT({ tid: tenantId, scope: 'inbox:read' })
          .setProtectedHeader({ alg: 'HS256', kid: `k${index + 2}` })
          .setAudience('inbox')
          .setSubject('ann')
          .setJti('j')
          .setExpirationTime('60s')
          .sign(key),
      ),
    );
    const results = await Promise.allSettled(forged.map((token) => tokens.verify(token)));
    expect(new Set(results.map((result) => result.status))).toEqual(new Set(['rejected']));
    expect(statements).toBe(1);
  });
});
