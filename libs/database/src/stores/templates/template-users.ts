// The templates that include a partial or a layout.

import { type ChannelId, DomainError, type FieldError, type PartialUses, type TemplateKind } from '#domain';
import type { PrismaScope } from '../../database.js';
import { Prisma } from '../../generated/client.js';
import { type AuditNote, writeAudit } from '../audit/audit-entry.js';
import { gatherIncludes } from './gather-includes.js';
import type { StoredParts } from './stored-parts.js';

/** A change of a partial writes a version of each template that includes it. */
const MAX_USERS = 200;
/** Users that an error names. */
const MAX_NAMED = 10;

interface PartPlace {
  tenantId: string;
  id: string;
  key: string;
  channel: ChannelId;
}

interface User {
  id: string;
  key: string;
  kind: TemplateKind;
  locale: string;
  version: number;
  layout: string | null;
  uses: PartialUses;
}

/** Throws `conflict`, which names the templates that include this partial or layout. */
export async function checkUnused(prisma: PrismaScope, { tenantId, id, key, channel }: PartPlace): Promise<void> {
  const users = await prisma.$queryRaw<{ key: string; kind: string; locale: string }[]>`
    select key, kind, locale from templates
    where tenant_id = ${tenantId}::uuid and channel = ${channel} and included ->> ${key} = ${id}
    order by key, locale limit ${MAX_NAMED + 1}`;
  if (users.length === 0) return;
  const names = users.slice(0, MAX_NAMED).map((user) => `${user.kind} ${JSON.stringify(user.key)} (${user.locale})`);
  const more = users.length > MAX_NAMED ? ' and others' : '';
  throw new DomainError('conflict', `${JSON.stringify(key)} is included by ${names.join(', ')}${more}.`);
}

/**
 * Writes a new version of every template that includes this partial or layout, which has changed. Throws `conflict` if
 * there are too many, and `validation_failed` if one of them cannot include the new version.
 */
export async function republishUsers(
  prisma: PrismaScope,
  part: PartPlace,
  parts: StoredParts,
  audit: AuditNote | null,
): Promise<void> {
  const { tenantId, id, key, channel } = part;
  const users = await prisma.$queryRaw<User[]>`
    select t.id, t.key, t.kind, t.locale, t.version, v.layout, v.uses
    from templates t
    join template_versions v on v.tenant_id = t.tenant_id and v.template_id = t.id and v.version = t.version
    where t.tenant_id = ${tenantId}::uuid and t.channel = ${channel} and jsonb_exists(t.included, ${key})
      and t.id <> ${id}::uuid
    order by t.id limit ${MAX_USERS + 1}`;
  if (users.length > MAX_USERS) {
    const message = `${JSON.stringify(key)} is included by more than ${MAX_USERS} templates and cannot be changed. `;
    throw new DomainError('conflict', `${message}Create a partial with another key.`);
  }
  const errors: FieldError[] = [];
  for (const user of users) {
    const { includes, included, faults } = await gatherIncludes(parts, { ...user, channel });
    errors.push(...faults.map((fault) => ofUser(user, fault)));
    if (errors.length > 0) continue;
    const isTemplate = user.kind === 'template';
    // A partial or layout that includes it keeps its version; it has the includes for its preview only.
    if (!isTemplate)
      await prisma.$executeRaw`
        update template_versions set includes = ${JSON.stringify(includes)}::jsonb
        where tenant_id = ${tenantId}::uuid and template_id = ${user.id}::uuid and version = ${user.version}`;
    else
      await prisma.$executeRaw`
        insert into template_versions
          (tenant_id, template_id, version, content, sample_payload, payload_schema, layout, uses, includes)
        select tenant_id, template_id, version + 1, content, sample_payload, payload_schema, layout, uses,
               ${JSON.stringify(includes)}::jsonb
        from template_versions
        where tenant_id = ${tenantId}::uuid and template_id = ${user.id}::uuid and version = ${user.version}`;
    await prisma.template.update({
      where: { tenantId_id: { tenantId, id: user.id } },
      data: { included: included as Prisma.InputJsonObject, ...(isTemplate && { version: { increment: 1 } }) },
    });
    if (!isTemplate) continue;
    const fields = { key: user.key, channel, locale: user.locale };
    await writeAudit(prisma, audit, {
      tenantId,
      subject: user.id,
      before: { ...fields, version: user.version },
      after: { ...fields, version: user.version + 1 },
    });
  }
  if (errors.length > 0)
    throw new DomainError('validation_failed', `${errors.length} templates that include it do not fit.`, { errors });
}

function ofUser({ key, kind, locale }: User, { pointer, code, message }: FieldError): FieldError {
  return {
    pointer: '/',
    code,
    message: `${kind} ${JSON.stringify(key)} (${locale}) includes it: ${pointer}: ${message}`,
  };
}
