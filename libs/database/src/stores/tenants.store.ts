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
}

/** The data that a request with a recipient token is authorised with. */
export type KnownTenant = Pick<Tenant, 'id' | 'status' | 'settings'>;

/** Creates, lists and changes tenants, for the operator. */
export class TenantsStore {
  constructor(private readonly database: Database) {}

  async create(name: string, settings: TenantSettings, audit: AuditNote | null): Promise<Tenant> {
    return await this.database.asPlatform(async (prisma) => {
      const data = { id: newId(), name, settings: settings as Prisma.InputJsonObject };
      const tenant = toTenant(await prisma.tenant.create({ data }));
      await writeAudit(prisma, audit, { tenantId: tenant.id, subject: tenant.id, after: recordedFields(tenant) });
      return tenant;
    });
  }

  async list(page: PageRequest): Promise<Page<Tenant>> {
    const rows = await this.database.asPlatform((prisma) => prisma.tenant.findMany(newestFirst(page)));
    return toPage(rows.map(toTenant), page.limit, (row) => row.id);
  }

  async get(id: string): Promise<Tenant | null> {
    const row = await this.database.asPlatform((prisma) => prisma.tenant.findUnique({ where: { id } }));
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

  /** Merges `settings` key by key; null resets a key to its default. Locks the tenant's row. Index: tenants_pkey. */
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
      >`select name, status, settings from tenants where id = ${id}::uuid for update`;
      if (!locked) return null;
      const merged = { ...locked.settings, ...change.settings };
      const settings = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null));
      const data = {
        ...(change.name !== undefined && { name: change.name }),
        ...(change.status && { status: change.status }),
        settings: settings as Prisma.InputJsonObject,
      };
      const tenant = toTenant(await prisma.tenant.update({ where: { id }, data }));
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
}): Tenant {
  return { ...row, status: row.status as Tenant['status'], settings: row.settings as TenantSettings };
}
