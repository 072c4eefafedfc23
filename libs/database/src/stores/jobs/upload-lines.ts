// The statements of a chunk of an upload. They run in the transaction of the chunk.

import { columnList } from '../../column-list.js';
import { json } from '../../columns.js';
import type { Sql } from '../../statement.js';
import type { LockedJob } from './job.js';
import type { LineRejection } from './job-lines.store.js';

/** A line whose turn has come. Without an item, it has been rejected before. */
export interface UploadLine {
  line: number;
  item: Record<string, unknown> | null;
  scheduledAt: Date | null;
}

export interface NewlyRejectedLine extends LineRejection {
  line: number;
}

/** The lines that one chunk of a cancellation examines. */
const CANCELLED_LINES = 5_000;
/** The size of the items of a chunk, which are sent to the database in statements with a time limit. */
const CHUNK_BYTES = 2_000_000;

/**
 * The next lines after `after`, in order, up to CHUNK_BYTES but at least one; none after the last line. Locks them, so
 * that erasing a recipient waits for a chunk that sends to them. Index: job_lines_pkey.
 */
export async function nextLines({ tenantId, id, maxItems }: LockedJob, sql: Sql, after: number): Promise<UploadLine[]> {
  return await sql.query<UploadLine>({
    name: 'next_upload_lines',
    text: `with next as (
             select line, bytes from job_lines where tenant_id = $1 and job_id = $2 and line > $3 order by line limit $4
           ), sized as (
             select line, sum(bytes) over (order by line) - bytes as bytes_before from next
           )
           select line, item, scheduled_at as "scheduledAt" from job_lines
           where tenant_id = $1 and job_id = $2 and line = any (array(select line from sized where bytes_before < $5))
           order by line for update`,
    values: [tenantId, id, after, maxItems, CHUNK_BYTES],
  });
}

const rejected = columnList<NewlyRejectedLine>({
  line: ['integer', ({ line }) => line],
  code: ['text', ({ code }) => code],
  errors: ['text', ({ errors }) => json(errors)],
});

/** Deletes the accepted lines and keeps the others with their errors. Index: job_lines_pkey. */
export async function endLines(
  { tenantId, id }: LockedJob,
  sql: Sql,
  accepted: readonly number[],
  rejections: readonly NewlyRejectedLine[],
): Promise<void> {
  if (accepted.length > 0)
    await sql.query({
      name: 'delete_accepted_lines',
      text: 'delete from job_lines where tenant_id = $1 and job_id = $2 and line = any ($3::integer[])',
      values: [tenantId, id, accepted],
    });
  if (rejections.length > 0)
    await sql.query({
      name: 'reject_lines',
      text: `update job_lines l set item = null, code = r.code, errors = r.errors::jsonb
             from ${rejected.table('r', 3)} where l.tenant_id = $1 and l.job_id = $2 and l.line = r.line`,
      values: [tenantId, id, ...rejected.values(rejections)],
    });
}

/** Deletes the next lines that wait. Returns the last one examined; null if there is none. Index: job_lines_pkey. */
export async function deleteWaitingLines({ tenantId, id }: LockedJob, sql: Sql, after: number): Promise<number | null> {
  const [row] = await sql.query<{ last: number | null }>({
    name: 'delete_waiting_lines',
    text: `with examined as materialized (
             select line from job_lines where tenant_id = $1 and job_id = $2 and line > $3 order by line limit $4
           ), deleted as (
             delete from job_lines
             where tenant_id = $1 and job_id = $2 and line = any (array(select line from examined)) and code is null
           )
           select max(line) as last from examined`,
    values: [tenantId, id, after, CANCELLED_LINES],
  });
  return row!.last;
}
