import type { FieldError } from '#domain';
import { columnList } from '../../column-list.js';
import { json } from '../../columns.js';
import type { Database } from '../../database.js';
import { afterNumberCursor, type Page, type PageRequest, toPage } from '../../page.js';

/** A line of an upload. It has an item or errors. */
export interface StagedLine {
  /** The line of the file; 1 is the common part. */
  line: number;
  recipientId: string | null;
  item: Record<string, unknown> | null;
  /** The instant of a local time for this recipient. */
  scheduledAt: Date | null;
  rejection: LineRejection | null;
}

export interface LineRejection {
  code: string;
  errors: FieldError[];
}

export interface RejectedLine extends LineRejection {
  line: number;
}

const staged = columnList<StagedLine>({
  line: ['integer', ({ line }) => line],
  recipient_id: ['text', ({ recipientId }) => recipientId],
  item: ['text', ({ item }) => json(item)],
  scheduled_at: ['timestamptz', ({ scheduledAt }) => scheduledAt],
  code: ['text', ({ rejection }) => rejection?.code ?? null],
  errors: ['text', ({ rejection }) => json(rejection?.errors)],
});

const STAGE = `
insert into job_lines (tenant_id, job_id, line, recipient_id, item, bytes, scheduled_at, code, errors)
select $1, $2, line, recipient_id, item::jsonb, coalesce(octet_length(item), 0), scheduled_at, code, errors::jsonb
from ${staged.table('s', 3)}`;

/** The lines of uploads, of one tenant. Lines without a job are deleted by ExpiredRowsStore. */
export class JobLinesStore {
  constructor(private readonly database: Database) {}

  /** Commits lines of an upload whose job is created later. Throws `unavailable`. */
  async stage(tenantId: string, jobId: string, lines: readonly StagedLine[]): Promise<void> {
    await this.database.queryForTenant(tenantId, {
      name: 'stage_lines',
      text: STAGE,
      values: [tenantId, jobId, ...staged.values(lines)],
    });
  }

  /** In the order of the file. Index: job_lines_errors_idx. */
  async rejected(tenantId: string, jobId: string, page: PageRequest): Promise<Page<RejectedLine>> {
    const rows = await this.database.queryForTenant<RejectedLine>(tenantId, {
      name: 'rejected_lines',
      text: `select line, code, errors from job_lines
             where tenant_id = $1 and job_id = $2 and line > $3 and code is not null order by line limit $4`,
      values: [tenantId, jobId, afterNumberCursor(page.cursor) ?? 0, page.limit + 1],
    });
    return toPage(rows, page.limit, ({ line }) => String(line));
  }
}
