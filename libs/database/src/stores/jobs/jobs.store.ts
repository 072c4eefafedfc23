import { DomainError, type JobKindName, type JobState } from '#domain';
import type { Database } from '../../database.js';
import { afterIdCursor, type Page, type PageRequest, toPage } from '../../page.js';
import type { Statement } from '../../statement.js';
import { type AuditNote, auditInsert, auditStatement, noteValues } from '../audit/audit-entry.js';
import { JOB_COLUMNS, type Job, type NewJob } from './job.js';

export interface JobFilter {
  state?: JobState | undefined;
  kind?: JobKindName | undefined;
}

/** The states from which a tenant may move a job to another one, and the error for all others. */
const MOVES = {
  paused: { from: ['running', 'paused'], error: 'conflict' },
  running: { from: ['running', 'paused', 'failed'], error: 'conflict' },
  cancelled: { from: ['running', 'paused', 'failed', 'cancelled'], error: 'too_late' },
} as const;

/** Reads and changes the jobs of one tenant, or of the platform under its id. RunningJobsStore runs them. */
export class JobsStore {
  constructor(private readonly database: Database) {}

  /** Index: jobs_pkey. */
  async get(tenantId: string, id: string): Promise<Job | null> {
    const [job] = await this.database.queryForTenant<Job>(tenantId, {
      name: 'job',
      text: `select ${JOB_COLUMNS} from jobs where tenant_id = $1 and id = $2`,
      values: [tenantId, id],
    });
    return job ?? null;
  }

  /** Newest first. Index: jobs_pkey. */
  async list(tenantId: string, { state, kind }: JobFilter, page: PageRequest): Promise<Page<Job>> {
    const rows = await this.database.queryForTenant<Job>(tenantId, {
      name: 'jobs',
      text: `select ${JOB_COLUMNS} from jobs
             where tenant_id = $1 and ($2::uuid is null or id < $2) and ($3::text is null or state = $3)
               and ($4::text is null or kind = $4)
             order by id desc limit $5`,
      values: [tenantId, afterIdCursor(page.cursor), state ?? null, kind ?? null, page.limit + 1],
    });
    return toPage(rows, page.limit, ({ id }) => id);
  }

  /**
   * Moves a job to another state; null if there is none. Waits for the chunk under way: after the answer, a paused job
   * does nothing. Throws `conflict` or `too_late` for a job that has ended.
   */
  async move(
    tenantId: string,
    id: string,
    state: keyof typeof MOVES,
    audit: AuditNote | null = null,
  ): Promise<Job | null> {
    const [changed] = await this.database.queryForTenant<Job>(tenantId, {
      name: 'move_job',
      text: MOVE,
      values: [tenantId, id, state, MOVES[state].from, ...noteValues(audit)],
    });
    if (changed) return changed;
    const job = await this.get(tenantId, id);
    if (!job) return null;
    throw new DomainError(MOVES[state].error, `The job ${id} is ${job.state}, so it cannot become ${state}.`);
  }

  /** Null if there is no such job. Null as the pace: as fast as possible. Index: jobs_pkey. */
  async setPace(
    tenantId: string,
    id: string,
    pacePerSecond: number | null,
    audit: AuditNote | null = null,
  ): Promise<Job | null> {
    const [job] = await this.database.queryForTenant<Job>(tenantId, {
      name: 'set_job_pace',
      text: SET_PACE,
      values: [tenantId, id, pacePerSecond, ...noteValues(audit)],
    });
    return job ?? null;
  }

  /** For a job that is not part of another transaction. `audit`: the note of its entry, with the fields `after`. */
  async create(tenantId: string, job: NewJob, audit?: { note: AuditNote; after: object }): Promise<Job> {
    const entry = audit && auditStatement(audit.note, { tenantId, subject: job.id, after: audit.after });
    const statements = [insertJob(tenantId, job), ...(entry ? [entry] : [])];
    const [[created]] = (await this.database.pipelineForTenant(tenantId, statements)) as [[Job], ...object[][]];
    return created;
  }
}

/**
 * A resumed job is due at once, unless it has not begun. A cancelled job stays unfinished until a worker has undone
 * what waits. Index: jobs_pkey.
 */
const MOVE = `
with found as materialized (
  select state from jobs where tenant_id = $1 and id = $2 and state = any ($4::text[]) for update
), moved as (
  update jobs j set
    state = $3, failures = 0,
    finished_at = case when f.state = $3 then j.finished_at end,
    due_at = case when $3 = 'running' and j.started_at is null and f.state <> 'failed' then j.due_at else now() end
  from found f where j.tenant_id = $1 and j.id = $2
  returning j.*, f.state as state_before
), audit_entries as (
  ${auditInsert(
    5,
    `select tenant_id, id::text, jsonb_build_object('state', state_before), jsonb_build_object('state', state)
     from moved`,
  )}
)
select ${JOB_COLUMNS} from moved`;

/** Index: jobs_pkey. */
const SET_PACE = `
with found as materialized (
  select pace_per_second as pace from jobs where tenant_id = $1 and id = $2 for update
), changed as (
  update jobs j set pace_per_second = $3, due_at = case when j.started_at is null then j.due_at else now() end
  from found f where j.tenant_id = $1 and j.id = $2
  returning j.*, f.pace as pace_before
), audit_entries as (
  ${auditInsert(
    4,
    `select tenant_id, id::text, jsonb_build_object('pace_per_second', pace_before),
            jsonb_build_object('pace_per_second', pace_per_second) from changed`,
  )}
)
select ${JOB_COLUMNS} from changed`;

function insertJob(tenantId: string, job: NewJob): Statement {
  return {
    name: 'insert_job',
    text: `insert into jobs (tenant_id, id, kind, input, total, pace_per_second, notification_id, due_at)
           values ($1, $2, $3, $4, $5, $6, $7, coalesce($8, now()))
           returning ${JOB_COLUMNS}`,
    values: [
      tenantId,
      job.id,
      job.kind,
      JSON.stringify(job.input),
      job.total,
      job.pacePerSecond,
      job.notificationId,
      job.dueAt,
    ],
  };
}
