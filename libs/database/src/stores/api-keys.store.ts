import { newId, type Scope, type TenantSettings } from '#domain';
import type { Database } from '../database.js';
import { Prisma } from '../generated/client.js';
import { newestFirst, type Page, type PageRequest, toPage } from '../page.js';
import { type AuditNote, writeAudit } from './audit/audit-entry.js';

export interface ApiKey {
  id: string;
  tenantId: string;
  /** The eight characters of the key that are stored in plain text. */
  keyId: string;
  name: string;
  mode: 'live' | 'test';
  scopes: Scope[];
  createdAt: Date;
  expiresAt: Date | null;
  revokedAt: Date | null;
  lastUsedAt: Date | null;
}

/** The data that a request is authorised with. */
export interface KnownKey {
  tenantId: string;
  keyId: string;
  secretHash: Buffer;
  mode: 'live' | 'test';
  scopes: ReadonlySet<string>;
  expiresAt: Date | null;
  tenantStatus: 'active' | 'suspended';
  settings: TenantSettings;
}

export interface NewApiKey {
  tenantId: string;
  keyId: string;
  secretHash: Buffer;
  name: string;
  mode: 'live' | 'test';
  scopes: Scope[];
  expiresAt: Date | null;
}

export class ApiKeysStore {
  constructor(private readonly database: Database) {}

  /** Null if the tenant does not exist. */
  async create(key: NewApiKey, audit: AuditNote | null): Promise<ApiKey | null> {
    try {
      return await this.database.forTenant(key.tenantId, async (prisma) => {
        const data = { ...key, id: newId(), secretHash: new Uint8Array(key.secretHash) };
        const created = toApiKey(await prisma.apiKey.create({ data }));
        const { tenantId, id: subject } = created;
        await writeAudit(prisma, audit, { tenantId, subject, after: recordedFields(created) });
        return created;
      });
    } catch (error) {
      // P2003: the foreign key to the tenant.
      if (error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2003') return null;
      throw error;
    }
  }

  async list(tenantId: string, page: PageRequest): Promise<Page<ApiKey>> {
    const { where, ...slice } = newestFirst(page);
    const rows = await this.database.forTenant(tenantId, (prisma) =>
      prisma.apiKey.findMany({ where: { tenantId, ...where }, ...slice }),
    );
    return toPage(rows.map(toApiKey), page.limit, (row) => row.id);
  }

  /** Returns the revoked key, or null if there is no such key that is not revoked yet. */
  async revoke(tenantId: string, id: string, audit: AuditNote | null): Promise<ApiKey | null> {
    return await this.database.forTenant(tenantId, async (prisma) => {
      const { count } = await prisma.apiKey.updateMany({
        where: { tenantId, id, revokedAt: null },
        data: { revokedAt: new Date() },
      });
      if (count === 0) return null;
      const revoked = toApiKey(await prisma.apiKey.findUniqueOrThrow({ where: { tenantId_id: { tenantId, id } } }));
      const after = recordedFields(revoked);
      await writeAudit(prisma, audit, { tenantId, subject: id, before: { ...after, revokedAt: null }, after });
      return revoked;
    });
  }

  /**
   * The keys with these ids that are not revoked, by id. As the platform, because the key determines the tenant.
   * Index: api_keys_key_id_key.
   */
  async find(keyIds: string[]): Promise<Map<string, KnownKey>> {
    const rows = await this.database.platform.query<KnownKeyRow>({
      name: 'find_api_keys',
      text: `select k.tenant_id, k.key_id, k.secret_hash, k.mode, k.scopes, k.expires_at, t.status, t.settings
             from api_keys k join tenants t on t.id = k.tenant_id where k.key_id = any ($1) and k.revoked_at is null`,
      values: [keyIds],
    });
    return new Map(rows.map((row) => [row.key_id, toKnownKey(row)]));
  }

  /** Sets the time of last use. Index: api_keys_key_id_key. */
  async touch(keyIds: string[]): Promise<void> {
    if (keyIds.length === 0) return;
    await this.database.platform.query({
      name: 'touch_api_keys',
      text: 'update api_keys set last_used_at = now() where key_id = any ($1)',
      values: [keyIds],
    });
  }
}

/** Without the time of last use, which changes with every request. */
function recordedFields({ lastUsedAt: _lastUsedAt, id: _id, tenantId: _tenantId, ...fields }: ApiKey): object {
  return fields;
}

interface KnownKeyRow {
  tenant_id: string;
  key_id: string;
  secret_hash: Buffer;
  mode: 'live' | 'test';
  scopes: string[];
  expires_at: Date | null;
  status: 'active' | 'suspended';
  settings: TenantSettings;
}

function toKnownKey(row: KnownKeyRow): KnownKey {
  return {
    tenantId: row.tenant_id,
    keyId: row.key_id,
    secretHash: row.secret_hash,
    mode: row.mode,
    scopes: new Set(row.scopes),
    expiresAt: row.expires_at,
    tenantStatus: row.status,
    settings: row.settings,
  };
}

function toApiKey(
  row: Omit<ApiKey, 'mode' | 'scopes'> & { mode: string; scopes: string[]; secretHash: unknown },
): ApiKey {
  const { secretHash: _hash, ...key } = row;
  return { ...key, mode: row.mode as ApiKey['mode'], scopes: row.scopes as Scope[] };
}
