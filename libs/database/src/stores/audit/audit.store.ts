import { lowestId } from '#domain';
import type { Database } from '../../database.js';
import { afterIdCursor, type Page, type PageRequest, toPage } from '../../page.js';
import { type AuditedChange, type AuditNote, auditStatement, recipientSubject } from './audit-entry.js';

export interface AuditEntry {
  id: string;
  tenantId: string;
  action: string;
  actor: string;
  sourceAddress: string | null;
  requestId: string | null;
  subject: string | null;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
  createdAt: Date;
}

export interface AuditFilter {
  tenantId?: string | undefined;
  action?: string | undefined;
  actor?: string | undefined;
  /** From this time on. */
  since?: Date | undefined;
  createdAfter?: Date | undefined;
  createdBefore?: Date | undefined;
}

/** Entries that an export reads at a time. */
const CHUNK = 1_000;
/** Ids have the clock of the API, `created_at` that of the database. They differ by less. */
const MAX_SKEW_MS = 3_600_000;

/** Reads the audit log, for the operator, and writes the entries that no other store writes. */
export class AuditStore {
  constructor(private readonly database: Database) {}

  /** An entry on its own, about the recipient if there is one. */
  async write(note: AuditNote, change: AuditedChange, recipientId: string | undefined): Promise<void> {
    const { tenantId } = change;
    const subject = recipientId === undefined ? change.subject : recipientSubject(tenantId, recipientId);
    await this.database.queryForTenant(tenantId, auditStatement(note, { ...change, subject }));
  }

  /** Newest first. Indexes, read backwards: audit_log_id_idx, or that of the tenant, the action or the actor. */
  async list(filter: AuditFilter, page: PageRequest): Promise<Page<AuditEntry>> {
    const rows = await this.read(filter, afterIdCursor(page.cursor), page.limit + 1);
    return toPage(rows, page.limit, (row) => row.id);
  }

  /** All entries, newest first, in chunks. Reads the next chunk only when the one before is consumed. */
  async *chunks(filter: AuditFilter): AsyncGenerator<AuditEntry[]> {
    for (let before: string | null = null; ; ) {
      const rows: AuditEntry[] = await this.read(filter, before, CHUNK);
      if (rows.length > 0) yield rows;
      if (rows.length < CHUNK) return;
      before = rows.at(-1)!.id;
    }
  }

  private async read(filter: AuditFilter, before: string | null, limit: number): Promise<AuditEntry[]> {
    const { since, createdAfter, createdBefore } = filter;
    const earliest = Math.max(since?.getTime() ?? 0, createdAfter?.getTime() ?? 0);
    const values: unknown[] = [];
    const conditions = ['true'];
    const where = (condition: string, value: unknown): void => {
      if (value === undefined || value === null) return;
      values.push(value);
      conditions.push(condition.replace('?', `$${values.length}`));
    };
    where('id < ?::uuid', before);
    where('tenant_id = ?::uuid', filter.tenantId);
    where('action = ?', filter.action);
    where('actor = ?', filter.actor);
    where('created_at >= ?', since);
    where('created_at > ?', createdAfter);
    where('created_at < ?', createdBefore);
    // The bounds of the ids end the scan where the time ends.
    where('id >= ?::uuid', earliest > 0 ? lowestId(earliest - MAX_SKEW_MS) : null);
    where('id < ?::uuid', createdBefore && lowestId(createdBefore.getTime() + MAX_SKEW_MS));
    values.push(limit);
    return await this.database.platform.query<AuditEntry>({
      text: `select id, tenant_id as "tenantId", action, actor, source_address as "sourceAddress",
                    request_id as "requestId", subject, before, after, created_at as "createdAt"
             from audit_log where ${conditions.join(' and ')} order by id desc limit $${values.length}`,
      values,
    });
  }
}
