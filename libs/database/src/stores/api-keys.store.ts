import { DomainError, IpRanges, newId, type Scope, type TenantSettings } from '#domain';
import type { Database, PrismaScope } from '../database.js';
import { newestFirst, type Page, type PageRequest, toPage } from '../page.js';
import { type AuditNote, writeAudit } from './audit/audit-entry.js';

export interface ApiKey {
  id: string;
  /** The tenant that it was made for. A key of mode `test` is stored with that tenant's test tenant. */
  tenantId: string;
  /** The eight characters of the key that are stored in plain text. */
  keyId: string;
  name: string;
  mode: 'live' | 'test';
  scopes: Scope[];
  /** Addresses and CIDR ranges from which it may be used; empty for all. */
  allowedIps: string[];
  createdAt: Date;
  expiresAt: Date | null;
  revokedAt: Date | null;
  lastUsedAt: Date | null;
}

/** The data that a request is authorised with. */
export interface KnownKey {
  /** The tenant whose data it reads and writes: for a test key, the test tenant. */
  tenantId: string;
  keyId: string;
  name: string;
  secretHash: Buffer;
  scopes: ReadonlySet<string>;
  /** Null for all addresses. */
  allowedIps: IpRanges | null;
  expiresAt: Date | null;
  tenantStatus: 'active' | 'suspended';
  settings: TenantSettings;
}

export interface DescribedKey extends Pick<ApiKey, 'tenantId' | 'name' | 'mode' | 'scopes' | 'expiresAt'> {
  tenantName: string;
}

/** The random parts of a key as they are stored. */
export interface KeyHash {
  keyId: string;
  secretHash: Buffer;
}

export interface NewApiKey extends KeyHash {
  tenantId: string;
  name: string;
  mode: 'live' | 'test';
  scopes: Scope[];
  allowedIps: string[];
  expiresAt: Date | null;
}

/** The new key of a rotation. */
interface Replacement extends KeyHash {
  expiresAt: Date | null;
  /** How long the old key stays valid. */
  overlapSeconds: number;
}

type Row = Omit<ApiKey, 'mode' | 'scopes'> & { mode: string; scopes: string[]; secretHash: unknown };

/** Keys of a tenant and of its test tenant. */
export class ApiKeysStore {
  constructor(private readonly database: Database) {}

  /** Null if there is no such tenant. */
  async create({ tenantId, secretHash, ...key }: NewApiKey, audit: AuditNote | null): Promise<ApiKey | null> {
    return await this.database.asPlatform(async (prisma) => {
      const owners = await ownersOf(prisma, tenantId);
      const owner = owners[key.mode];
      if (owner === undefined) return null;
      const data = { ...key, tenantId: owner, id: newId(), secretHash: new Uint8Array(secretHash) };
      const created = toApiKey(tenantId, await prisma.apiKey.create({ data }));
      await writeAudit(prisma, audit, { tenantId, subject: created.id, after: recordedFields(created) });
      return created;
    });
  }

  /** Live and test keys. */
  async list(tenantId: string, page: PageRequest): Promise<Page<ApiKey>> {
    const { where, ...slice } = newestFirst(page);
    const rows = await this.database.asPlatform(async (prisma) =>
      prisma.apiKey.findMany({ where: { ...where, ...(await keysOf(prisma, tenantId)) }, ...slice }),
    );
    return toPage(
      rows.map((row) => toApiKey(tenantId, row)),
      page.limit,
      (row) => row.id,
    );
  }

  /** Returns the revoked key, or null if there is no such key that is not revoked yet. */
  async revoke(tenantId: string, id: string, audit: AuditNote | null): Promise<ApiKey | null> {
    return await this.database.asPlatform(async (prisma) => {
      const where = { ...(await keysOf(prisma, tenantId)), id, revokedAt: null };
      const [row] = await prisma.apiKey.updateManyAndReturn({ where, data: { revokedAt: new Date() } });
      if (!row) return null;
      const revoked = toApiKey(tenantId, row);
      const after = recordedFields(revoked);
      await writeAudit(prisma, audit, { tenantId, subject: id, before: { ...after, revokedAt: null }, after });
      return revoked;
    });
  }

  /**
   * Adds a key with the name, mode, scopes and addresses of key `id`, and lets that key expire `overlapSeconds` from
   * now, or earlier if it would have. Locks its row. Null if there is no such key; throws `conflict` if it is revoked
   * or has expired. Index: api_keys_pkey.
   */
  async rotate(
    tenantId: string,
    id: string,
    { overlapSeconds, ...replacement }: Replacement,
    audit: AuditNote | null,
  ): Promise<ApiKey | null> {
    return await this.database.asPlatform(async (prisma) => {
      const owners = Object.values(await ownersOf(prisma, tenantId));
      const [locked] = await prisma.$queryRaw<{ owner: string }[]>`
        select tenant_id as owner from api_keys where tenant_id = any (${owners}::uuid[]) and id = ${id}::uuid
        for update`;
      if (!locked) return null;
      const where = { tenantId_id: { tenantId: locked.owner, id } };
      const found = await prisma.apiKey.findUniqueOrThrow({ where });
      const now = Date.now();
      if (found.revokedAt || (found.expiresAt && found.expiresAt.getTime() <= now))
        throw new DomainError('conflict', `The API key ${id} is ${found.revokedAt ? 'revoked' : 'expired'}.`);
      const overlapEnd = new Date(now + overlapSeconds * 1_000);
      const expiresAt = found.expiresAt && found.expiresAt < overlapEnd ? found.expiresAt : overlapEnd;
      const old = await prisma.apiKey.update({ where, data: { expiresAt } });
      const { name, mode, scopes, allowedIps } = found;
      const secretHash = new Uint8Array(replacement.secretHash);
      const data = { ...replacement, secretHash, tenantId: locked.owner, id: newId(), name, mode, scopes, allowedIps };
      const created = toApiKey(tenantId, await prisma.apiKey.create({ data }));
      const before = recordedFields(toApiKey(tenantId, found));
      const after = { ...recordedFields(toApiKey(tenantId, old)), replacedBy: created.keyId };
      await writeAudit(prisma, audit, { tenantId, subject: id, before, after });
      return created;
    });
  }

  /**
   * The keys with these ids that are not revoked, by id. As the platform, because the key determines the tenant.
   * Index: api_keys_key_id_key.
   */
  async find(keyIds: string[]): Promise<Map<string, KnownKey>> {
    const rows = await this.database.platform.query<KnownKeyRow>({
      name: 'find_api_keys',
      text: `select k.tenant_id, k.key_id, k.name, k.secret_hash, k.scopes, k.allowed_ips, k.expires_at, t.status,
                    t.settings
             from api_keys k join tenants t on t.id = k.tenant_id where k.key_id = any ($1) and k.revoked_at is null`,
      values: [keyIds],
    });
    return new Map(rows.map((row) => [row.key_id, toKnownKey(row)]));
  }

  /** A key as its owner may see it; null if it was revoked meanwhile. Index: api_keys_key_id_key. */
  async describe(keyId: string): Promise<DescribedKey | null> {
    const [row] = await this.database.platform.query<DescribedKey>({
      name: 'describe_api_key',
      text: `select coalesce(t.test_of, t.id) as "tenantId", t.name as "tenantName", k.name, k.mode, k.scopes,
                    k.expires_at as "expiresAt"
             from api_keys k join tenants t on t.id = k.tenant_id where k.key_id = $1 and k.revoked_at is null`,
      values: [keyId],
    });
    return row ?? null;
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
  name: string;
  secret_hash: Buffer;
  scopes: string[];
  allowed_ips: string[];
  expires_at: Date | null;
  status: 'active' | 'suspended';
  settings: TenantSettings;
}

function toKnownKey(row: KnownKeyRow): KnownKey {
  return {
    tenantId: row.tenant_id,
    keyId: row.key_id,
    name: row.name,
    secretHash: row.secret_hash,
    scopes: new Set(row.scopes),
    allowedIps: row.allowed_ips.length > 0 ? new IpRanges(row.allowed_ips) : null,
    expiresAt: row.expires_at,
    tenantStatus: row.status,
    settings: row.settings,
  };
}

/** The ids under which the keys of a tenant are stored, by mode; none if there is no such tenant. */
async function ownersOf(prisma: PrismaScope, tenantId: string): Promise<{ live?: string; test?: string }> {
  const tenant = await prisma.tenant.findFirst({
    where: { id: tenantId, testOf: null },
    select: { id: true, testTenant: { select: { id: true } } },
  });
  if (!tenant) return {};
  return { live: tenant.id, ...(tenant.testTenant && { test: tenant.testTenant.id }) };
}

/** Selects the keys of a tenant. Index: api_keys_pkey. */
async function keysOf(prisma: PrismaScope, tenantId: string): Promise<{ tenantId: { in: string[] } }> {
  return { tenantId: { in: Object.values(await ownersOf(prisma, tenantId)) } };
}

function toApiKey(tenantId: string, row: Row): ApiKey {
  const { secretHash: _hash, ...key } = row;
  return { ...key, tenantId, mode: row.mode as ApiKey['mode'], scopes: row.scopes as Scope[] };
}
