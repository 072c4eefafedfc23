import { z } from 'zod';
import type { AuditEntry, AuditFilter } from '#database';
import { type AuditAction, auditActions, PLATFORM_TENANT_ID } from '#domain';
import { filteredPage, id, jsonObject, time } from '../http/schemas.js';

const actions = Object.keys(auditActions) as [AuditAction, ...AuditAction[]];
const filters = {
  tenant_id: id.optional(),
  action: z.enum(actions).optional(),
  actor: z
    .string()
    .regex(
      /^(operator|operator:.{1,200}|key:[0-9A-Za-z]{8})$/,
      'must be operator, operator: and a name, or key: and the id of an API key',
    )
    .optional(),
  since: time.optional(),
  created_after: time.optional(),
  created_before: time.optional(),
};

export const auditQuery = filteredPage(filters);
export const auditExportQuery = z.strictObject(filters);
export type AuditQuery = z.infer<typeof auditExportQuery>;

const fields = jsonObject.nullable();
export const auditEntryView = z
  .object({
    id,
    created_at: time,
    action: z.string(),
    actor: z.string().meta({
      description: '`operator`, `operator:` and the name of one with OIDC, or `key:` and the id of an API key',
    }),
    source_address: z.string().nullable(),
    request_id: z.string().nullable(),
    tenant_id: id.nullable().meta({ description: "null for the platform's own data" }),
    subject: z.string().nullable().meta({ description: 'The id of the changed thing' }),
    before: fields.meta({ description: 'The recorded fields before the change. Secrets are masked or absent' }),
    after: fields.meta({ description: 'The recorded fields after the change' }),
  })
  .meta({ id: 'AuditEntry' });

export function toAuditView(entry: AuditEntry) {
  return {
    id: entry.id,
    created_at: entry.createdAt.toISOString(),
    action: entry.action,
    actor: entry.actor,
    source_address: entry.sourceAddress,
    request_id: entry.requestId,
    tenant_id: entry.tenantId === PLATFORM_TENANT_ID ? null : entry.tenantId,
    subject: entry.subject,
    before: entry.before,
    after: entry.after,
  };
}

export function toAuditFilter(query: AuditQuery): AuditFilter {
  const dateOf = (text: string | undefined): Date | undefined => (text === undefined ? undefined : new Date(text));
  return {
    tenantId: query.tenant_id,
    action: query.action,
    actor: query.actor,
    since: dateOf(query.since),
    createdAfter: dateOf(query.created_after),
    createdBefore: dateOf(query.created_before),
  };
}
