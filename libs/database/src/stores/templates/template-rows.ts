import { type ChannelId, DomainError, type Includes, isId, PLATFORM_TENANT_ID, type TemplateKind } from '#domain';
import type { PrismaScope } from '../../database.js';
import type { Template, TemplateContent, TemplateSelector } from './template.js';

export interface TemplateRow {
  tenantId: string;
  id: string;
  key: string;
  channel: string;
  locale: string;
  kind: string;
  version: number;
  createdAt: Date;
  updatedAt: Date;
}

export interface VersionRow {
  content: unknown;
  samplePayload: unknown;
  payloadSchema: unknown;
  layout: string | null;
  includes: unknown;
}

/** Without the content, which the versions keep. */
export function recordedFields({ key, channel, locale, kind, version }: TemplateRow): object {
  return { key, channel, locale, ...(kind !== 'template' && { kind }), version };
}

/** Throws `conflict` if several match. */
export async function selectOne(
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

export async function currentVersion(prisma: PrismaScope, row: TemplateRow): Promise<VersionRow> {
  return await prisma.templateVersion.findUniqueOrThrow({
    where: { tenantId_templateId_version: { tenantId: row.tenantId, templateId: row.id, version: row.version } },
  });
}

export function toTemplate(row: TemplateRow, version: VersionRow): Template {
  const { id, key, locale, createdAt, updatedAt, tenantId } = row;
  return {
    ...{ id, key, locale, createdAt, updatedAt },
    isPlatform: tenantId === PLATFORM_TENANT_ID,
    channel: row.channel as ChannelId,
    kind: row.kind as TemplateKind,
    version: row.version,
    content: version.content as TemplateContent,
    samplePayload: version.samplePayload as Record<string, unknown> | null,
    payloadSchema: version.payloadSchema as Record<string, unknown> | null,
    layout: version.layout,
    includes: version.includes as Includes | null,
  };
}
