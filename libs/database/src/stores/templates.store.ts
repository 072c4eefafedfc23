import { type ChannelId, DomainError, isId, newId } from '#domain';
import { Batcher } from '../batcher.js';
import { columnList } from '../column-list.js';
import type { Database, PrismaScope } from '../database.js';
import { Prisma } from '../generated/client.js';
import { newestFirst, type Page, type PageRequest, toPage } from '../page.js';
import { type AuditNote, writeAudit } from './audit/audit-entry.js';
import type { Template, TemplateContent, TemplateHead, TemplateSelector } from './template.js';

interface HeadKey {
  tenantId: string;
  idOrKey: string;
  channel: ChannelId;
}

interface VersionKey {
  tenantId: string;
  templateId: string;
  version: number;
}

const headColumns = columnList<HeadKey>({
  tenant_id: ['uuid', ({ tenantId }) => tenantId],
  key: ['text', ({ idOrKey }) => idOrKey],
  channel: ['text', ({ channel }) => channel],
  id: ['uuid', ({ idOrKey }) => (isId(idOrKey) ? idOrKey : null)],
});

/** Indexes: templates_tenant_id_key_channel_locale_key, templates_pkey. */
const TEMPLATE_HEADS = `
select i.ord::int as ord, t.id, t.locale, t.version
from ${headColumns.numberedTable('i')}
join templates t on t.tenant_id = i.tenant_id and t.channel = i.channel and (t.key = i.key or t.id = i.id)`;

export class TemplatesStore {
  private readonly headLoader: Batcher<HeadKey, TemplateHead[]>;

  constructor(private readonly database: Database) {
    this.headLoader = new Batcher({
      flush: (keys) => this.readHeads(keys),
      slots: 1,
      maxBatch: 1_000,
      maxQueue: 100_000,
    });
  }

  /** Throws `conflict` if a template with this key, channel and locale exists. */
  async create(
    tenantId: string,
    template: Pick<Template, 'key' | 'channel' | 'locale' | 'content' | 'samplePayload'>,
    audit: AuditNote | null,
  ): Promise<Template> {
    const id = newId();
    try {
      return await this.database.forTenant(tenantId, async (prisma) => {
        const { key, channel, locale } = template;
        const row = await prisma.template.create({ data: { tenantId, id, key, channel, locale, version: 1 } });
        await writeAudit(prisma, audit, { tenantId, subject: id, after: recordedFields(row) });
        return toTemplate(row, await addVersion(prisma, tenantId, id, 1, template));
      });
    } catch (error) {
      if (error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002') {
        const name = `${JSON.stringify(template.key)} for ${template.channel} in ${template.locale}`;
        throw new DomainError('conflict', `The template ${name} already exists. Use PUT to add a version.`);
      }
      throw error;
    }
  }

  async list(
    tenantId: string,
    filter: { key?: string | undefined; channel?: string | undefined },
    page: PageRequest,
  ): Promise<Page<Template>> {
    const { where: afterCursor, ...slice } = newestFirst(page);
    return await this.database.forTenant(tenantId, async (prisma) => {
      const where = {
        tenantId,
        ...afterCursor,
        ...(filter.key !== undefined && { key: filter.key }),
        ...(filter.channel !== undefined && { channel: filter.channel }),
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

  /** Writes the next version. Null if there is no such template. */
  async addVersion(
    tenantId: string,
    selector: TemplateSelector,
    next: Pick<Template, 'content' | 'samplePayload'>,
    audit: AuditNote | null,
  ): Promise<Template | null> {
    return await this.database.forTenant(tenantId, async (prisma) => {
      const found = await selectOne(prisma, tenantId, selector);
      if (!found) return null;
      // The update locks the row, so that concurrent writers get different numbers.
      const row = await prisma.template.update({
        where: { tenantId_id: { tenantId, id: found.id } },
        data: { version: { increment: 1 } },
      });
      const after = recordedFields(row);
      await writeAudit(prisma, audit, {
        tenantId,
        subject: row.id,
        before: { ...after, version: row.version - 1 },
        after,
      });
      return toTemplate(row, await addVersion(prisma, tenantId, row.id, row.version, next));
    });
  }

  async delete(tenantId: string, selector: TemplateSelector, audit: AuditNote | null): Promise<boolean> {
    return await this.database.forTenant(tenantId, async (prisma) => {
      const row = await selectOne(prisma, tenantId, selector);
      if (!row) return false;
      await prisma.template.delete({ where: { tenantId_id: { tenantId, id: row.id } } });
      await writeAudit(prisma, audit, { tenantId, subject: row.id, before: recordedFields(row) });
      return true;
    });
  }

  /** The templates of a key or id on a channel, in every locale. Batches concurrent reads; never uses a cache. */
  async heads(tenantId: string, idOrKey: string, channel: ChannelId): Promise<TemplateHead[]> {
    return await this.headLoader.run({ tenantId, idOrKey, channel });
  }

  /** The content of a version, which never changes: callers may cache it. Null if the template was deleted. */
  async version(key: VersionKey): Promise<TemplateContent | null> {
    return await this.database.forTenant(key.tenantId, async (prisma) => {
      const row = await prisma.templateVersion.findUnique({ where: { tenantId_templateId_version: key } });
      return (row?.content as TemplateContent | undefined) ?? null;
    });
  }

  private async readHeads(keys: readonly HeadKey[]): Promise<TemplateHead[][]> {
    // A backlog is mostly many deliveries of few templates: reads each template once.
    const distinct = new Map(keys.map((key) => [`${key.tenantId} ${key.channel} ${key.idOrKey}`, key]));
    const rows = await this.database.platform.query<TemplateHead & { ord: number }>({
      name: 'template_heads',
      text: TEMPLATE_HEADS,
      values: headColumns.values([...distinct.values()]),
    });
    const byOrd = Map.groupBy(rows, (row) => row.ord - 1);
    const found = new Map([...distinct.keys()].map((name, index) => [name, byOrd.get(index) ?? []]));
    return keys.map((key) => found.get(`${key.tenantId} ${key.channel} ${key.idOrKey}`) ?? []);
  }
}

interface TemplateRow {
  tenantId: string;
  id: string;
  key: string;
  channel: string;
  locale: string;
  version: number;
  createdAt: Date;
  updatedAt: Date;
}

/** Without the content, which the versions keep. */
function recordedFields({ key, channel, locale, version }: TemplateRow): object {
  return { key, channel, locale, version };
}

async function selectOne(
  prisma: PrismaScope,
  tenantId: string,
  selector: TemplateSelector,
): Promise<TemplateRow | null> {
  if (isId(selector.idOrKey))
    return await prisma.template.findUnique({ where: { tenantId_id: { tenantId, id: selector.idOrKey } } });
  const rows = await prisma.template.findMany({
    where: {
      tenantId,
      key: selector.idOrKey,
      ...(selector.channel && { channel: selector.channel }),
      ...(selector.locale !== undefined && { locale: selector.locale }),
    },
    orderBy: [{ channel: 'asc' }, { locale: 'asc' }],
  });
  if (rows.length > 1) {
    const names = rows.map((row) => `${row.channel}/${row.locale}`).join(', ');
    throw new DomainError(
      'conflict',
      `The key ${JSON.stringify(selector.idOrKey)} matches ${rows.length} templates (${names}). ` +
        'Add ?channel= and ?locale=, or use the id.',
    );
  }
  return rows[0] ?? null;
}

interface VersionRow {
  content: unknown;
  samplePayload: unknown;
}

async function currentVersion(prisma: PrismaScope, row: TemplateRow): Promise<VersionRow> {
  return await prisma.templateVersion.findUniqueOrThrow({
    where: { tenantId_templateId_version: { tenantId: row.tenantId, templateId: row.id, version: row.version } },
  });
}

async function addVersion(
  prisma: PrismaScope,
  tenantId: string,
  templateId: string,
  version: number,
  next: Pick<Template, 'content' | 'samplePayload'>,
): Promise<VersionRow> {
  const samplePayload = next.samplePayload === null ? Prisma.DbNull : (next.samplePayload as Prisma.InputJsonObject);
  return await prisma.templateVersion.create({
    data: { tenantId, templateId, version, content: next.content as Prisma.InputJsonObject, samplePayload },
  });
}

function toTemplate(row: TemplateRow, version: VersionRow): Template {
  const { tenantId: _tenant, ...rest } = row;
  return {
    ...rest,
    channel: row.channel as ChannelId,
    content: version.content as TemplateContent,
    samplePayload: version.samplePayload as Record<string, unknown> | null,
  };
}
