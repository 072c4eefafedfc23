import type { CategoryPolicy } from '#domain';
import type { Database } from '../database.js';
import { type Category as CategoryRow, Prisma } from '../generated/client.js';
import { afterCursor, type Page, type PageRequest, toPage } from '../page.js';
import { type AuditNote, writeAudit } from './audit/audit-entry.js';

export interface CategoryFields extends CategoryPolicy {
  name: string;
}

export interface Category extends CategoryFields {
  key: string;
  createdAt: Date;
  updatedAt: Date;
}

/** Categories of notifications, for which recipients set preferences. */
export class CategoriesStore {
  constructor(private readonly database: Database) {}

  /** Creates or replaces a category. */
  async put(
    tenantId: string,
    key: string,
    fields: CategoryFields,
    audit: AuditNote | null,
  ): Promise<{ category: Category; created: boolean }> {
    return await this.database.forTenant(tenantId, async (prisma) => {
      const where = { tenantId_key: { tenantId, key } };
      const before = await prisma.category.findUnique({ where });
      const data = { ...fields, digest: fields.digest ?? Prisma.DbNull };
      const row = await prisma.category.upsert({ where, create: { tenantId, key, ...data }, update: data });
      const recorded = { before: before && recordedFields(before), after: recordedFields(row) };
      await writeAudit(prisma, audit, { tenantId, subject: key, ...recorded });
      return { category: toCategory(row), created: before === null };
    });
  }

  async get(tenantId: string, key: string): Promise<Category | null> {
    const row = await this.database.forTenant(tenantId, (prisma) =>
      prisma.category.findUnique({ where: { tenantId_key: { tenantId, key } } }),
    );
    return row && toCategory(row);
  }

  /** In order of key. */
  async list(tenantId: string, page: PageRequest): Promise<Page<Category>> {
    const after = afterCursor(page.cursor);
    const rows = await this.database.forTenant(tenantId, (prisma) =>
      prisma.category.findMany({
        where: { tenantId, ...(after !== null && { key: { gt: after } }) },
        orderBy: { key: 'asc' },
        take: page.limit + 1,
      }),
    );
    return toPage(rows.map(toCategory), page.limit, (row) => row.key);
  }

  async delete(tenantId: string, key: string, audit: AuditNote | null): Promise<boolean> {
    return await this.database.forTenant(tenantId, async (prisma) => {
      const before = await prisma.category.findUnique({ where: { tenantId_key: { tenantId, key } } });
      const { count } = await prisma.category.deleteMany({ where: { tenantId, key } });
      if (!before || count === 0) return false;
      await writeAudit(prisma, audit, { tenantId, subject: key, before: recordedFields(before) });
      return true;
    });
  }
}

/** The fields that the audit log shows. */
function recordedFields({
  tenantId: _tenant,
  key: _key,
  createdAt: _created,
  updatedAt: _updated,
  ...fields
}: CategoryRow): object {
  return fields;
}

/** The checks of the table limit the values of the texts. */
function toCategory({ tenantId: _tenant, ...row }: CategoryRow): Category {
  return row as Category;
}
