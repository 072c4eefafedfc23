import type { JobKindName } from '#domain';
import type { Database } from '../../database.js';
import type { Sql } from '../../statement.js';
import { type ChunkResult, JOB_COLUMNS, type JobError, type LockedJob } from './job.js';

/** Items of a chunk of a job without a pace. At this size a chunk holds its locks for some 50 ms. */
export const CHUNK_ITEMS = 1_000;
/** Each statement of a chunk. The server ends a transaction that is idle for ten seconds. */
const TIMEOUT_MS = 8_000;
/** The delay after the first failure; doubles with each further one. */
const RETRY_SECONDS = 1;
const LONGEST_RETRY_SECONDS = 300;
/** Failures one after the other, within about nine minutes, after which a job fails. */
const MAX_FAILURES = 10;

/** One chunk that was committed. */
export interface RunChunk extends Pick<ChunkResult, 'isLast' | 'afterCommit'> {
  tenantId: string;
  id: string;
  kind: JobKindName;
}

/** Thrown when a chunk failed and was rolled back. */
export class ChunkFailed extends Error {
  constructor(
    readonly job: LockedJob,
    cause: unknown,
  ) {
    super(`a chunk of the job ${job.id} failed`, { cause });
    this.name = 'ChunkFailed';
  }
}

/** Runs jobs chunk by chunk. As the platform, because workers serve all tenants. */
export class RunningJobsStore {
  constructor(private readonly database: Database) {}

  /**
   * Runs one chunk of a due job of these kinds: of the next tenant after `afterTenant` that has one. The lock of the
   * job's row is the lease: it ends with this transaction, whether the worker commits, fails or dies. `work` gets the
   * transaction that stores the cursor: what it writes there is committed once or not at all. Null if no job is due.
   */
  async runNext(
    afterTenant: string,
    kinds: readonly JobKindName[],
    work: (job: LockedJob, sql: Sql) => Promise<ChunkResult>,
  ): Promise<RunChunk | null> {
    let failed: ChunkFailed | undefined;
    const transaction = this.database.sqlAsPlatform<RunChunk | null>(async (sql) => {
      const [row] = await sql.query<Omit<LockedJob, 'maxItems'>>({
        name: 'take_job',
        text: TAKE,
        values: [afterTenant, kinds],
      });
      if (!row) return null;
      const job = { ...row, maxItems: maxItemsOf(row.pacePerSecond) };
      try {
        const result = await work(job, sql);
        await sql.query({ name: 'store_chunk', text: STORE, values: storeValues(job, result) });
        const { isLast, afterCommit } = result;
        return { tenantId: job.tenantId, id: job.id, kind: job.kind, isLast, ...(afterCommit && { afterCommit }) };
      } catch (error) {
        failed = new ChunkFailed(job, error);
        throw failed;
      }
    }, TIMEOUT_MS);
    const chunk = await transaction.catch((error: unknown) => {
      // Instead of `unavailable`, which the error becomes if the database caused it.
      throw failed ?? error;
    });
    await chunk?.afterCommit?.();
    return chunk;
  }

  /** Delays the next chunk after a failure. Returns whether the job has failed for good. */
  async noteFailure({ tenantId, id, failures }: LockedJob, error: JobError): Promise<boolean> {
    const hasFailed = failures + 1 >= MAX_FAILURES;
    const delay = Math.min(LONGEST_RETRY_SECONDS, RETRY_SECONDS * 2 ** failures);
    await this.database.platform.query({
      name: 'note_job_failure',
      text: NOTE_FAILURE,
      values: [tenantId, id, JSON.stringify(error), delay, hasFailed],
    });
    return hasFailed;
  }
}

/** A second of work, so that a change of the pace, a pause or a cancellation takes effect soon. */
function maxItemsOf(pacePerSecond: number | null): number {
  return pacePerSecond === null ? CHUNK_ITEMS : Math.min(CHUNK_ITEMS, Math.max(1, Math.round(pacePerSecond)));
}

function storeValues(job: LockedJob, result: ChunkResult): unknown[] {
  const { items, done, skipped = 0, failed, cursor, total, isLast } = result;
  const delay = job.pacePerSecond === null || job.state === 'cancelled' ? 0 : items / job.pacePerSecond;
  return [job.tenantId, job.id, JSON.stringify(cursor), done, failed, total ?? null, delay, isLast, skipped];
}

/**
 * Skips jobs that another worker runs, or that their tenant is changing. Sorts the due jobs, of which there are few.
 * Index: jobs_due_at_idx.
 */
const TAKE = `
select ${JOB_COLUMNS}, coalesce(started_at, now()) as "startedAt", input, cursor, failures
from jobs
where finished_at is null and state <> 'paused' and due_at <= now() and kind = any ($2::text[])
order by tenant_id <= $1::uuid, tenant_id, due_at limit 1
for update skip locked`;

/** A finished job keeps no cursor and no input, which may name recipients. Index: jobs_pkey. */
const STORE = `
update jobs set
  done = done + $4, failed = failed + $5, skipped = skipped + $9, total = coalesce($6, total),
  failures = 0, error = null, started_at = coalesce(started_at, now()),
  due_at = clock_timestamp() + make_interval(secs => $7::double precision),
  cursor = case when $8 then '{}' else $3::jsonb end, input = case when $8 then '{}' else input end,
  state = case when $8 and state = 'running' then 'finished' else state end,
  finished_at = case when $8 then clock_timestamp() end
where tenant_id = $1 and id = $2`;

/** Index: jobs_pkey. */
const NOTE_FAILURE = `
update jobs set
  error = $3::jsonb, failures = failures + 1, due_at = now() + make_interval(secs => $4::double precision),
  state = case when $5 and state = 'running' then 'failed' else state end,
  finished_at = case when $5 then now() end
where tenant_id = $1 and id = $2`;
