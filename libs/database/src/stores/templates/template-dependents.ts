// The templates that include a partial or a layout.

import { type ChannelId, DomainError, type FieldError, type PartialUses, type TemplateKind } from '#domain';
import type { PrismaScope } from '../../database.js';
import { Prisma } from '../../generated/client.js';
import { type AuditNote, writeAudit } from '../audit/audit-entry.js';
import { type Gathered, gatherIncludes } from './gather-includes.js';
import type { StoredParts } from './stored-parts.js';

/** A change of a partial writes a version of each template that includes it. */
const MAX_DEPENDENTS = 200;
/** Bytes that one change of a partial writes into these versions, each of which contains all that it includes. */
const MAX_WRITTEN_BYTES = 4 * 1024 * 1024;
/** Templates that an error names. */
const MAX_NAMED = 10;

interface PartPlace {
  tenantId: string;
  id: string;
  key: string;
  channel: ChannelId;
}

/** The current version of a template, partial or layout that includes another one. */
interface Dependent {
  id: string;
  key: string;
  kind: TemplateKind;
  locale: string;
  version: number;
  layout: string | null;
  uses: PartialUses;
  /** Stored bytes of the version, without what it includes. */
  bytes: number;
}

/** Throws `conflict`, which names the templates that include this partial or layout. */
export async function checkUnused(prisma: PrismaScope, { tenantId, id, key, channel }: PartPlace): Promise<void> {
  const dependents = await prisma.$queryRaw<{ key: string; kind: string; locale: string }[]>`
    select key, kind, locale from templates
    where tenant_id = ${tenantId}::uuid and channel = ${channel} and included ->> ${key} = ${id}
    order by key, locale limit ${MAX_NAMED + 1}`;
  if (dependents.length === 0) return;
  const names = dependents.slice(0, MAX_NAMED).map(nameOf);
  const more = dependents.length > MAX_NAMED ? ' and others' : '';
  throw new DomainError('conflict', `${JSON.stringify(key)} is included by ${names.join(', ')}${more}.`);
}

/**
 * Writes a new version of every template that includes this partial or layout, which has changed. Throws `conflict` if
 * there are too many, and `validation_failed` if one of them cannot include the new version, or all together have too
 * many bytes.
 */
export async function republishDependents(
  prisma: PrismaScope,
  part: PartPlace,
  parts: StoredParts,
  audit: AuditNote | null,
): Promise<void> {
  const { tenantId, id, key, channel } = part;
  const dependents = await prisma.$queryRaw<Dependent[]>`
    select t.id, t.key, t.kind, t.locale, t.version, v.layout, v.uses,
           pg_column_size(v.content) + coalesce(pg_column_size(v.payload_schema), 0)
             + coalesce(pg_column_size(v.sample_payload), 0) as bytes
    from templates t
    join template_versions v on v.tenant_id = t.tenant_id and v.template_id = t.id and v.version = t.version
    where t.tenant_id = ${tenantId}::uuid and t.channel = ${channel} and jsonb_exists(t.included, ${key})
      and t.id <> ${id}::uuid
    order by t.id limit ${MAX_DEPENDENTS + 1}`;
  if (dependents.length > MAX_DEPENDENTS) {
    const tooMany = `${JSON.stringify(key)} is included by more than ${MAX_DEPENDENTS} templates`;
    throw new DomainError('conflict', `${tooMany} and cannot be changed. Create a partial with another key.`);
  }
  const errors: FieldError[] = [];
  let bytes = 0;
  for (const dependent of dependents) {
    const gathered = await gatherIncludes(parts, { ...dependent, channel });
    errors.push(...gathered.faults.map((fault) => ofDependent(dependent, fault)));
    bytes += dependent.bytes + Buffer.byteLength(JSON.stringify(gathered.includes));
    if (bytes > MAX_WRITTEN_BYTES) throw tooManyBytes(key, dependents.length);
    if (errors.length === 0) await republish(prisma, part, dependent, gathered, audit);
  }
  if (errors.length > 0)
    throw new DomainError('validation_failed', `${errors.length} templates that include it do not fit.`, { errors });
}

/** A partial or layout keeps its version; it has the includes for its preview only. */
async function republish(
  prisma: PrismaScope,
  { tenantId, channel }: PartPlace,
  dependent: Dependent,
  { includes, included }: Gathered,
  audit: AuditNote | null,
): Promise<void> {
  const { id, version } = dependent;
  const isTemplate = dependent.kind === 'template';
  if (!isTemplate)
    await prisma.$executeRaw`
      update template_versions set includes = ${JSON.stringify(includes)}::jsonb
      where tenant_id = ${tenantId}::uuid and template_id = ${id}::uuid and version = ${version}`;
  else
    await prisma.$executeRaw`
      insert into template_versions
        (tenant_id, template_id, version, content, sample_payload, payload_schema, layout, uses, includes)
      select tenant_id, template_id, version + 1, content, sample_payload, payload_schema, layout, uses,
             ${JSON.stringify(includes)}::jsonb
      from template_versions
      where tenant_id = ${tenantId}::uuid and template_id = ${id}::uuid and version = ${version}`;
  await prisma.template.update({
    where: { tenantId_id: { tenantId, id } },
    data: { included: included as Prisma.InputJsonObject, ...(isTemplate && { version: { increment: 1 } }) },
  });
  if (!isTemplate) return;
  const fields = { key: dependent.key, channel, locale: dependent.locale };
  await writeAudit(prisma, audit, {
    tenantId,
    subject: id,
    before: { ...fields, version },
    after: { ...fields, version: version + 1 },
  });
}

function nameOf({ key, kind, locale }: Pick<Dependent, 'key' | 'locale'> & { kind: string }): string {
  return `${kind} ${JSON.stringify(key)} (${locale})`;
}

function tooManyBytes(key: string, count: number): DomainError {
  const message =
    `${JSON.stringify(key)} is included by ${count} templates. A change writes a version of each with all that it ` +
    `includes: more than ${MAX_WRITTEN_BYTES} bytes. Make it shorter, or create a partial with another key.`;
  const errors = [{ pointer: '/content', code: 'too_large', message }];
  return new DomainError('validation_failed', message, { errors });
}

function ofDependent(dependent: Dependent, { pointer, code, message }: FieldError): FieldError {
  return { pointer: '/', code, message: `${nameOf(dependent)} includes it: ${pointer}: ${message}` };
}
