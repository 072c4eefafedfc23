import { newId, type TenantSettings } from '#domain';
import type { Database } from '../database.js';
import type { Prisma } from '../generated/client.js';
import { newestFirst, type Page, type PageRequest, toPage } from '../page.js';
import { type AuditNote, writeAudit } from './audit/audit-entry.js';

export interface Tenant {
  id: string;
  name: string;
  status: 'active' | 'suspended';
  settings: TenantSettings;
  createdAt: Date;
  updatedAt: Date;
  /** The tenant that owns the data of its test keys; null for a test tenant. */
  testTenantId: string | null;
  /** Only for a test tenant: the tenant that it belongs to. */
  testOf: string | null;
}

/** The data that a request with a recipient token is authorised with. */
export type KnownTenant = Pick<Tenant, 'id' | 'status' | 'settings'>;

const withTestTenant = { testTenant: { select: { id: true } } } as const;

/** Creates, lists and changes tenants with their test tenants, for the operator. */
export class TenantsStore {
  constructor(private readonly database: Database) {}

  async create(name: string, settings: TenantSettings, audit: AuditNote | null): Promise<Tenant> {
    const fields = { name, settings: settings as Prisma.InputJsonObject };
    const data = { ...fields, id: newId(), testTenant: { create: { ...fields, id: newId() } } };
    return await this.database.asPlatform(async (prisma) => {
      const tenant = toTenant(await prisma.tenant.create({ data, include: withTestTenant }));
      await writeAudit(prisma, audit, { tenantId: tenant.id, subject: tenant.id, after: recordedFields(tenant) });
      return tenant;
    });
  }

  /** Without test tenants. */
  async list(page: PageRequest): Promise<Page<Tenant>> {
    const { where, ...slice } = newestFirst(page);
    const rows = await this.database.asPlatform((prisma) =>
      prisma.tenant.findMany({ where: { ...where, testOf: null }, include: withTestTenant, ...slice }),
    );
    return toPage(rows.map(toTenant), page.limit, (row) => row.id);
  }

  /** A tenant or a test tenant. */
  async get(id: string): Promise<Tenant | null> {
    const row = await this.database.asPlatform((prisma) =>
      prisma.tenant.findUnique({ where: { id }, include: withTestTenant }),
    );
    return row && toTenant(row);
  }

  /** Those of the ids that are not tenants. Index: tenants_pkey. */
  async missing(ids: readonly string[]): Promise<string[]> {
    const where = { id: { in: [...ids] } };
    const rows = await this.database.asPlatform((prisma) => prisma.tenant.findMany({ where, select: { id: true } }));
    const found = new Set(rows.map(({ id }) => id));
    return ids.filter((id) => !found.has(id));
  }

  /** Several tenants by id. Index: tenants_pkey. */
  async known(ids: string[]): Promise<Map<string, KnownTenant>> {
    const rows = await this.database.platform.query<KnownTenant>({
      name: 'known_tenants',
      text: 'select id, status, settings from tenants where id = any ($1::uuid[])',
      values: [ids],
    });
    return new Map(rows.map((row) => [row.id, row]));
  }

  /**
   * Changes a tenant and its test tenant, whose name, status and settings are always the same. Merges `settings` key by
   * key; null resets a key to its default. Locks the row of the tenant, then that of its test tenant. Indexes:
   * tenants_pkey, tenants_test_of_key.
   */
  async update(
    id: string,
    change: {
      name?: string | undefined;
      status?: Tenant['status'] | undefined;
      settings?: Record<string, unknown> | undefined;
    },
    audit: AuditNote | null,
  ): Promise<Tenant | null> {
    return await this.database.asPlatform(async (prisma) => {
      const [locked] = await prisma.$queryRaw<
        Pick<Tenant, 'name' | 'status' | 'settings'>[]
      >`select name, status, settings from tenants where id = ${id}::uuid and test_of is null for update`;
      if (!locked) return null;
      const merged = { ...locked.settings, ...change.settings };
      const settings = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null));
      const data = {
        ...(change.name !== undefined && { name: change.name }),
        ...(change.status && { status: change.status }),
        settings: settings as Prisma.InputJsonObject,
      };
      const tenant = toTenant(await prisma.tenant.update({ where: { id }, data, include: withTestTenant }));
      await prisma.tenant.updateMany({ where: { testOf: id }, data });
      const fields = { before: recordedFields(locked), after: recordedFields(tenant) };
      await writeAudit(prisma, audit, { tenantId: id, subject: id, ...fields });
      return tenant;
    });
  }
}

function recordedFields({ name, status, settings }: Pick<Tenant, 'name' | 'status' | 'settings'>) {
  return { name, status, settings };
}

function toTenant(row: {
  id: string;
  name: string;
  status: string;
  settings: unknown;
  createdAt: Date;
  updatedAt: Date;
  testOf: string | null;
  testTenant: { id: string } | null;
}): Tenant {
  const { id, name, createdAt, updatedAt, testOf, testTenant } = row;
  return {
    id,
    name,
    createdAt,
    updatedAt,
    testOf,
    status: row.status as Tenant['status'],
    settings: row.settings as TenantSettings,
    testTenantId: testTenant?.id ?? null,
  };
}
