import { type ChannelId, DomainError, type Includes, newId, PLATFORM_TENANT_ID, validationFailed } from '#domain';
import type { Database, PrismaScope } from '../../database.js';
import { Prisma } from '../../generated/client.js';
import { newestFirst, type Page, type PageRequest, toPage } from '../../page.js';
import { type AuditNote, writeAudit } from '../audit/audit-entry.js';
import { type Gathered, gatherIncludes, type Including } from './gather-includes.js';
import { StoredParts } from './stored-parts.js';
import type { NewVersion, Template, TemplatePlace, TemplateSelector, TemplateVersion, VersionKey } from './template.js';
import { checkUnused, republishDependents } from './template-dependents.js';
import { type SendableTemplate, TemplateHeads } from './template-heads.js';
import {
  currentVersion,
  recordedFields,
  selectOne,
  type TemplateRow,
  toTemplate,
  type VersionRow,
} from './template-rows.js';

/** The writer, and the tenant's default locale, in which partials are looked up. */
export interface TemplateWrite {
  audit: AuditNote | null;
  defaultLocale: string | null;
}

export interface TemplateFilter {
  key?: string | undefined;
  channel?: string | undefined;
  kind?: string | undefined;
  /** Whether to add the platform's templates. */
  withPlatform?: boolean;
}

/** Templates, partials and layouts of a tenant, or of the platform under {@link PLATFORM_TENANT_ID}. */
export class TemplatesStore {
  private readonly templateHeads: TemplateHeads;

  constructor(private readonly database: Database) {
    this.templateHeads = new TemplateHeads(database);
  }

  /**
   * Throws `conflict` if a template with this key, channel and locale exists, and `validation_failed` with all errors
   * of what it includes.
   */
  async create(
    tenantId: string,
    template: TemplatePlace & NewVersion,
    { audit, defaultLocale }: TemplateWrite,
  ): Promise<Template> {
    const id = newId();
    const { key, channel, locale, kind } = template;
    try {
      return await this.database.forTenant(tenantId, async (prisma) => {
        await lockTemplates(prisma, tenantId);
        await checkKind(prisma, tenantId, template);
        const parts = new StoredParts(prisma, { tenantId, channel, defaultLocale });
        const { includes, included } = await gathered(parts, template);
        const data = { tenantId, id, key, channel, locale, kind, included, version: 1 };
        const row = await prisma.template.create({ data });
        await writeAudit(prisma, audit, { tenantId, subject: id, after: recordedFields(row) });
        const created = toTemplate(row, await writeVersion(prisma, row, { ...template, includes }));
        if (kind !== 'template') await republishDependents(prisma, { tenantId, id, key, channel }, parts, audit);
        return created;
      });
    } catch (error) {
      if (error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002') {
        const name = `${JSON.stringify(key)} for ${channel} in ${locale}`;
        throw new DomainError('conflict', `The template ${name} already exists. Use PUT to add a version.`);
      }
      throw error;
    }
  }

  async list(
    tenantId: string,
    { withPlatform = false, ...filter }: TemplateFilter,
    page: PageRequest,
  ): Promise<Page<Template>> {
    const { where: afterCursor, ...slice } = newestFirst(page);
    return await this.database.forTenant(tenantId, async (prisma) => {
      const where = {
        tenantId: { in: withPlatform ? [tenantId, PLATFORM_TENANT_ID] : [tenantId] },
        ...afterCursor,
        ...(filter.key !== undefined && { key: filter.key }),
        ...(filter.channel !== undefined && { channel: filter.channel }),
        ...(filter.kind !== undefined && { kind: filter.kind }),
      };
      const { rows, nextCursor } = toPage(
        await prisma.template.findMany({ where, ...slice }),
        page.limit,
        (row) => row.id,
      );
      return {
        rows: await Promise.all(rows.map(async (row) => toTemplate(row, await currentVersion(prisma, row)))),
        nextCursor,
      };
    });
  }

  /** Null if there is none. Throws `conflict` if several templates match a key, channel and locale. */
  async get(tenantId: string, selector: TemplateSelector): Promise<Template | null> {
    return await this.database.forTenant(tenantId, async (prisma) => {
      const row = await selectOne(prisma, tenantId, selector);
      return row && toTemplate(row, await currentVersion(prisma, row));
    });
  }

  /**
   * Writes the next version, and if it is a partial or a layout, one of each template that includes it. Null if the
   * tenant has no such template. Throws `validation_failed` with all errors of what it includes.
   */
  async addVersion(
    tenantId: string,
    selector: TemplateSelector,
    next: NewVersion,
    { audit, defaultLocale }: TemplateWrite,
  ): Promise<Template | null> {
    return await this.database.forTenant(tenantId, async (prisma) => {
      await lockTemplates(prisma, tenantId);
      const found = await selectOne(prisma, tenantId, selector);
      if (!found) return null;
      const channel = found.channel as ChannelId;
      const parts = new StoredParts(prisma, { tenantId, channel, defaultLocale });
      const { includes, included } = await gathered(parts, { ...(found as TemplateRow & TemplatePlace), ...next });
      const row = await prisma.template.update({
        where: { tenantId_id: { tenantId, id: found.id } },
        data: { version: { increment: 1 }, included },
      });
      const after = recordedFields(row);
      await writeAudit(prisma, audit, {
        tenantId,
        subject: row.id,
        before: { ...after, version: row.version - 1 },
        after,
      });
      const changed = toTemplate(row, await writeVersion(prisma, row, { ...next, includes }));
      if (row.kind !== 'template') await republishDependents(prisma, { ...row, channel }, parts, audit);
      return changed;
    });
  }

  /** Throws `conflict` if it is a partial or a layout that a template includes. */
  async delete(tenantId: string, selector: TemplateSelector, audit: AuditNote | null): Promise<boolean> {
    return await this.database.forTenant(tenantId, async (prisma) => {
      await lockTemplates(prisma, tenantId);
      const row = await selectOne(prisma, tenantId, selector);
      if (!row) return false;
      if (row.kind !== 'template') await checkUnused(prisma, { ...row, channel: row.channel as ChannelId });
      await prisma.template.delete({ where: { tenantId_id: { tenantId, id: row.id } } });
      await writeAudit(prisma, audit, { tenantId, subject: row.id, before: recordedFields(row) });
      return true;
    });
  }

  /** The parts that a new version would include. Throws the errors that writing it would throw. */
  async included(
    tenantId: string,
    including: Including,
    { defaultLocale }: Pick<TemplateWrite, 'defaultLocale'>,
  ): Promise<Gathered> {
    return await this.database.forTenant(tenantId, async (prisma) => {
      const parts = new StoredParts(prisma, { tenantId, channel: including.channel, defaultLocale });
      return await gatherIncludes(parts, including);
    });
  }

  /** The templates that a key or id selects for a send on a channel, in every locale. Never from a cache. */
  async heads(tenantId: string, idOrKey: string, channel: ChannelId): Promise<SendableTemplate[]> {
    return await this.templateHeads.find(tenantId, idOrKey, channel);
  }

  /** A version with what it includes. It never changes: callers may cache it. Null if the template was deleted. */
  async version(key: VersionKey): Promise<TemplateVersion | null> {
    return await this.database.forTenant(key.tenantId, async (prisma) => {
      const row = await prisma.templateVersion.findUnique({ where: { tenantId_templateId_version: key } });
      return row && ({ content: row.content, includes: row.includes } as unknown as TemplateVersion);
    });
  }
}

/** Writes of a tenant's templates take turns, so that a template never includes an outdated version of a partial. */
async function lockTemplates(prisma: PrismaScope, tenantId: string): Promise<void> {
  await prisma.$executeRaw`select pg_advisory_xact_lock(hashtextextended(${`templates ${tenantId}`}, 0))`;
}

/** A key names partials, layouts or templates on a channel, whatever their locale. */
async function checkKind(prisma: PrismaScope, tenantId: string, { key, channel, kind }: TemplatePlace): Promise<void> {
  const other = await prisma.template.findFirst({ where: { tenantId, key, channel, kind: { not: kind } } });
  if (other) throw new DomainError('conflict', `${JSON.stringify(key)} for ${channel} is a ${other.kind}.`);
}

/** Before the row is written, so that a partial that includes itself is found. */
async function gathered(
  parts: StoredParts,
  including: Including,
): Promise<{ includes: Includes | null; included: Prisma.InputJsonObject }> {
  const { includes, included, faults } = await gatherIncludes(parts, including);
  if (faults.length > 0) throw validationFailed(faults);
  return { includes, included };
}

async function writeVersion(
  prisma: PrismaScope,
  { tenantId, id: templateId, version }: TemplateRow,
  next: NewVersion & Pick<Template, 'includes'>,
): Promise<VersionRow> {
  return await prisma.templateVersion.create({
    data: {
      ...{ tenantId, templateId, version, layout: next.layout },
      content: next.content as Prisma.InputJsonObject,
      samplePayload: jsonOrNull(next.samplePayload),
      payloadSchema: jsonOrNull(next.payloadSchema),
      uses: next.uses as unknown as Prisma.InputJsonObject,
      includes: jsonOrNull(next.includes),
    },
  });
}

function jsonOrNull(value: object | null): Prisma.InputJsonObject | typeof Prisma.DbNull {
  return value === null ? Prisma.DbNull : (value as unknown as Prisma.InputJsonObject);
}
