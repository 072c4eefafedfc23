// Entries of the audit log. A store writes one in the transaction of the change that it records.

import { type AuditAction, newId } from '#domain';
import type { PrismaScope } from '../../database.js';
import type { Statement } from '../../statement.js';
import { recipientHash } from '../recipients/recipient.js';

/** The request that makes a change. */
export interface AuditNote {
  action: AuditAction;
  /** `operator`, `operator:` and the name of one who signed in with OIDC, or `key:` and the id of an API key. */
  actor: string;
  sourceAddress: string;
  requestId: string;
}

export interface AuditedChange {
  /** The nil UUID for the platform's own data. */
  tenantId: string;
  /** The id of the changed thing. */
  subject: string;
  /** The recorded fields, without secrets and without personal data. Names in camel case become snake case. */
  before?: object | null;
  after?: object | null;
}

/**
 * An insert of one entry for the row of `row`, a query of tenant_id, subject, before and after that has one row at
 * most. `first` is the number of the first of the five parameters with {@link noteValues}; without a note nothing is
 * inserted.
 */
export function auditInsert(first: number, row: string): string {
  const [id, action, actor, address, request] = Array.from({ length: 5 }, (_, index) => `$${first + index}`);
  return `
    insert into audit_log (tenant_id, id, action, actor, source_address, request_id, subject, before, after)
    select e.tenant_id, ${id}::uuid, ${action}::text, ${actor}::text, ${address}::text, ${request}::text,
           e.subject, e.before, e.after
    from (${row}) as e (tenant_id, subject, before, after) where ${id}::uuid is not null`;
}

/** The values of {@link auditInsert}. */
export function noteValues(note: AuditNote | null): unknown[] {
  return note ? [newId(), note.action, note.actor, note.sourceAddress, note.requestId] : [null, null, null, null, null];
}

const INSERT = auditInsert(5, 'select $1::uuid, $2::text, $3::jsonb, $4::jsonb');

/** The entry as a statement of its own. */
export function auditStatement(note: AuditNote | null, change: AuditedChange): Statement {
  const { tenantId, subject, before, after } = change;
  return { text: INSERT, values: [tenantId, subject, jsonOf(before), jsonOf(after), ...noteValues(note)] };
}

/** The subject of an entry about a recipient. */
export function recipientSubject(tenantId: string, recipientId: string): string {
  return `sha256:${recipientHash(tenantId, recipientId)}`;
}

/** Writes the entry in a transaction of Prisma. Does nothing without a note. */
export async function writeAudit(prisma: PrismaScope, note: AuditNote | null, change: AuditedChange): Promise<void> {
  if (!note) return;
  const { text, values = [] } = auditStatement(note, change);
  await prisma.$executeRawUnsafe(text, ...values);
}

function jsonOf(fields: object | null | undefined): string | null {
  if (!fields) return null;
  const named = Object.entries(fields).map(([name, value]) => [
    name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    value,
  ]);
  return JSON.stringify(Object.fromEntries(named));
}
