import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { newId, PLATFORM_TENANT_ID } from '#domain';
import type { Database } from '../database.js';
import { sealedColumns } from './sealed-columns.js';
import { keyIdOfSealed, type SecretBox, WrongMasterKey } from './secret-box.js';

/**
 * `api-keys` hashes API keys, `inbox-tokens` signs recipient tokens, `unsubscribe` signs links in e-mails, `addresses`
 * hashes the addresses of erased recipients on the suppression list.
 */
const purposes = ['api-keys', 'inbox-tokens', 'unsubscribe', 'addresses'] as const;
type Purpose = (typeof purposes)[number];
/** An earlier release derived the others from MASTER_KEY. */
const NEVER_DERIVED: readonly Purpose[] = ['addresses'];

export interface SigningKey {
  id: string;
  key: Buffer;
}

interface PlatformKey extends SigningKey {
  purpose: Purpose;
  isRetired: boolean;
}

const TABLE = 'platform_keys';
const KEY_BYTES = 32;
/** The key id in the tokens of earlier releases. */
const FIRST_KEY_ID = 'k1';
/** How long a retired key verifies tokens: their longest lifetime, 60 minutes, and time for all processes to notice. */
const OVERLAP_MINUTES = 65;
/** After this time a process reads the keys again before it uses one. */
const KNOWN_MS = 30_000;
/** Between two reads: tokens with invented key ids cause one statement a second. */
const MIN_RELOAD_MS = 1_000;

/**
 * The keys of the platform that do not change with MASTER_KEY. They are sealed like other secrets; `prepare()` creates
 * and opens them at the start.
 */
export class PlatformKeys {
  private keys: readonly PlatformKey[] = [];
  private loadedAt = Number.NEGATIVE_INFINITY;
  private loading: Promise<void> | undefined;

  constructor(
    private readonly database: Database,
    private readonly box: SecretBox,
  ) {}

  /**
   * Opens the keys, and creates those that are missing. Call before anything uses them, once the database has all
   * migrations. Throws {@link WrongMasterKey} if this process cannot open the secrets of the database.
   */
  async prepare(): Promise<void> {
    try {
      await this.load();
      const missing = purposes.filter((purpose) => !this.find(purpose));
      if (missing.length === 0) return;
      await this.create(missing, (await this.keyIdInUse()) ?? this.keyIdBeforeUpgrade());
      await this.load();
    } catch (error) {
      if (!(error instanceof WrongMasterKey)) throw error;
      throw new WrongMasterKey(
        `MASTER_KEY does not open the secrets of this database: ${error.message}. Set MASTER_KEY to the key that ` +
          'they were sealed under, or add that key to MASTER_KEY_PREVIOUS (docs/secrets.md).',
        { cause: error },
      );
    }
  }

  /** The HMAC key of the stored API key hashes. */
  get apiKeyPepper(): Buffer {
    return this.current('api-keys').key;
  }

  /** The key that signs unsubscribe links. */
  get unsubscribeKey(): Buffer {
    return this.current('unsubscribe').key;
  }

  /** The HMAC key of the addresses of erased recipients. */
  get addressKey(): Buffer {
    return this.current('addresses').key;
  }

  /** The newest key for recipient tokens. */
  async inboxSigningKey(): Promise<SigningKey> {
    await this.refresh();
    return this.current('inbox-tokens');
  }

  /** The key of a recipient token; undefined if it is unknown or its overlap has ended. */
  async inboxKey(id: string): Promise<Buffer | undefined> {
    await this.refresh();
    const known = this.inboxKeyById(id);
    if (known) return known;
    // Another process may have signed with a key that is newer than our list.
    await this.reload();
    return this.inboxKeyById(id);
  }

  /**
   * Makes a new key sign recipient tokens. Tokens under older keys stay valid until they expire, or with `endTokens`
   * only until the processes notice, after 30 s. Returns the id of the new key.
   */
  async rotateInboxKey(endTokens: boolean): Promise<string> {
    const keyId = newId();
    const id = `inbox-tokens/${keyId}`;
    await this.database.platform.query({
      text: ROTATE,
      values: [PLATFORM_TENANT_ID, id, this.seal(id, randomBytes(KEY_BYTES)), endTokens],
    });
    return keyId;
  }

  private current(purpose: Purpose): PlatformKey {
    const found = this.find(purpose);
    if (!found) throw new Error(`the platform key ${purpose} is not loaded`);
    return found;
  }

  /** The newest key for this purpose. */
  private find(purpose: Purpose): PlatformKey | undefined {
    return this.keys.find((key) => key.purpose === purpose && !key.isRetired);
  }

  private inboxKeyById(id: string): Buffer | undefined {
    return this.keys.find((key) => key.purpose === 'inbox-tokens' && key.id === id)?.key;
  }

  /** Reads the keys again when they are older than 30 s. Keeps the known ones if the database does not answer. */
  private async refresh(): Promise<void> {
    if (performance.now() - this.loadedAt > KNOWN_MS) await this.reload();
  }

  private async reload(): Promise<void> {
    this.loading ??= this.loadAfterPause().finally(() => {
      this.loading = undefined;
    });
    await this.loading;
  }

  private async loadAfterPause(): Promise<void> {
    const pauseMs = this.loadedAt + MIN_RELOAD_MS - performance.now();
    if (pauseMs > 0) await delay(pauseMs);
    try {
      await this.load();
    } catch {
      this.loadedAt = performance.now();
    }
  }

  /** Index: platform_keys_pkey. */
  private async load(): Promise<void> {
    const rows = await this.database.platform.query<{ id: string; key_sealed: string; is_retired: boolean }>({
      name: 'platform_keys',
      text: `select id, key_sealed, retired_at is not null as is_retired from platform_keys
             where tenant_id = $1 and (retired_at is null or retired_at > now() - interval '${OVERLAP_MINUTES} minutes')
             order by created_at desc, id desc`,
      values: [PLATFORM_TENANT_ID],
    });
    this.keys = rows.map(({ id, key_sealed: sealed, is_retired: isRetired }) => {
      const [purpose, keyId] = id.split('/') as [Purpose, string];
      return { purpose, id: keyId, key: Buffer.from(this.box.open(sealed, placeOf(id)), 'base64url'), isRetired };
    });
    this.loadedAt = performance.now();
  }

  /**
   * An earlier release derived these keys from MASTER_KEY: they stay the same, so that API keys, tokens and links stay
   * valid. A new database gets random ones. Another process may create them at the same time; the first one wins.
   * `keyId`: of the MASTER_KEY of that release.
   */
  private async create(missing: readonly Purpose[], keyId: string): Promise<void> {
    const [row] = await this.database.platform.query<{ upgraded: boolean }>({
      text: 'select exists (select from api_keys) as upgraded',
    });
    const keys = missing.map((purpose) =>
      row!.upgraded && !NEVER_DERIVED.includes(purpose) ? this.box.derive(purpose, keyId) : randomBytes(KEY_BYTES),
    );
    const ids = missing.map((purpose) => `${purpose}/${FIRST_KEY_ID}`);
    await this.database.platform.query({
      text: `insert into platform_keys (tenant_id, id, key_sealed)
             select $1, k.id, k.sealed from unnest($2::text[], $3::text[]) as k (id, sealed) on conflict do nothing`,
      values: [PLATFORM_TENANT_ID, ids, ids.map((id, index) => this.seal(id, keys[index]!))],
    });
  }

  /**
   * Opens one secret of each column, so that a wrong master key creates no keys, and returns the id of the master key
   * that opens them; null if there is no secret. Accepts a damaged row.
   */
  private async keyIdInUse(): Promise<string | null> {
    let keyId: string | null = null;
    for (const { table, column, id } of sealedColumns) {
      const [row] = await this.database.platform.query<{ tenant_id: string; id: string; sealed: string }>({
        text: `select tenant_id, ${id} as id, ${column} as sealed from ${table} where ${column} is not null limit 1`,
      });
      if (!row) continue;
      try {
        this.box.open(row.sealed, { tenantId: row.tenant_id, table, id: row.id });
        keyId ??= keyIdOfSealed(row.sealed) ?? null;
      } catch (error) {
        if (error instanceof WrongMasterKey) throw error;
      }
    }
    return keyId;
  }

  /**
   * In a database without a secret: the previous master key if there is one, because a master key that is replaced at
   * the upgrade is named there.
   */
  private keyIdBeforeUpgrade(): string {
    const [previous, ...more] = this.box.previousKeyIds;
    if (more.length > 0)
      throw new WrongMasterKey('MASTER_KEY_PREVIOUS has several keys, of which one derived the keys of the platform');
    return previous ?? this.box.keyId;
  }

  private seal(id: string, key: Buffer): string {
    return this.box.seal(key.toString('base64url'), placeOf(id));
  }
}

function placeOf(id: string): { tenantId: string; table: string; id: string } {
  return { tenantId: PLATFORM_TENANT_ID, table: TABLE, id };
}

/** Each row is in at most one of `retired` and `expired`. Index: platform_keys_pkey. */
const ROTATE = `
with retired as (
  update platform_keys set
    retired_at = case when $4 then now() - interval '${OVERLAP_MINUTES} minutes' else now() end
  where tenant_id = $1 and id like 'inbox-tokens/%'
    and (retired_at is null or $4 and retired_at > now() - interval '${OVERLAP_MINUTES} minutes')
), expired as (
  delete from platform_keys where tenant_id = $1 and retired_at <= now() - interval '${OVERLAP_MINUTES} minutes'
)
insert into platform_keys (tenant_id, id, key_sealed) values ($1, $2, $3)`;
