import { newId, type TenantSettings } from '#domain';
import type { Database } from '../database.js';
import type { Prisma } from '../generated/client.js';
import { afterIdCursor, type Page, type PageRequest, toPage } from '../page.js';

export interface Tenant {
  id: string;
  name: string;
  status: 'active' | 'suspended';
  settings: TenantSettings;
  createdAt: Date;
  updatedAt: Date;
}

/** The operator's view of tenants. */
export class TenantsStore {
  constructor(private readonly database: Database) {}

  async create(name: string, settings: TenantSettings): Promise<Tenant> {
    return toTenant(
      await this.database.asPlatform((prisma) =>
        prisma.tenant.create({ data: { id: newId(), name, settings: settings as Prisma.InputJsonObject } }),
      ),
    );
  }

  async list(page: PageRequest): Promise<Page<Tenant>> {
    const before = afterIdCursor(page.cursor);
    const rows = await this.database.asPlatform((prisma) =>
      prisma.tenant.findMany({
        where: before ? { id: { lt: before } } : {},
        orderBy: { id: 'desc' },
        take: page.limit + 1,
      }),
    );
    return toPage(rows.map(toTenant), page.limit, (row) => row.id);
  }

  async get(id: string): Promise<Tenant | null> {
    const row = await this.database.asPlatform((prisma) => prisma.tenant.findUnique({ where: { id } }));
    return row && toTenant(row);
  }

  /** `settings` is merged key by key; a key set to null goes back to its default. */
  async update(
    id: string,
    change: {
      name?: string | undefined;
      status?: Tenant['status'] | undefined;
      settings?: Record<string, unknown> | undefined;
    },
  ): Promise<Tenant | null> {
    return await this.database.asPlatform(async (prisma) => {
      const [locked] = await prisma.$queryRaw<
        { settings: Record<string, unknown> }[]
      >`select settings from tenants where id = ${id}::uuid for update`;
      if (!locked) return null;
      const merged = { ...locked.settings, ...change.settings };
      const settings = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null));
      const data = {
        ...(change.name !== undefined && { name: change.name }),
        ...(change.status && { status: change.status }),
        settings: settings as Prisma.InputJsonObject,
      };
      return toTenant(await prisma.tenant.update({ where: { id }, data }));
    });
  }
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
