import type { JobKindName, JobState } from '#domain';

export interface JobError {
  code: string;
  message: string;
}

/** A job as its tenant, or the operator, sees it. */
export interface Job {
  /** The nil UUID for a job of the operator. */
  tenantId: string;
  id: string;
  kind: JobKindName;
  state: JobState;
  /** Null until it is known. */
  total: number | null;
  done: number;
  /** Items that needed no work when their turn came. */
  skipped: number;
  failed: number;
  pacePerSecond: number | null;
  notificationId: string | null;
  /** Of the last chunk that failed; null after one that succeeded. */
  error: JobError | null;
  createdAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
}

/** A job whose row this transaction has locked. */
export interface LockedJob extends Omit<Job, 'startedAt'> {
  /** The start of this transaction if this is the first chunk. */
  startedAt: Date;
  input: Record<string, unknown>;
  cursor: Record<string, unknown>;
  /** Chunks that failed one after the other before this one. */
  failures: number;
  /** The most items that this chunk may handle, from the pace of the job. */
  maxItems: number;
}

/** The result of one chunk. Committed with the writes of the chunk. */
export interface ChunkResult {
  /** Items that the pace counts. */
  items: number;
  done: number;
  skipped?: number;
  failed: number;
  cursor: Record<string, unknown>;
  total?: number;
  /** Whether nothing is left to do. */
  isLast: boolean;
  /** Runs once after the commit, and not at all if the worker dies before. Must not throw. */
  afterCommit?: () => Promise<void>;
}

/** A job that is written in the transaction of its caller. */
export interface NewJob {
  id: string;
  kind: JobKindName;
  input: Record<string, unknown>;
  total: number | null;
  pacePerSecond: number | null;
  notificationId: string | null;
  /** The time of the first chunk; null for now. */
  dueAt: Date | null;
}

/** The columns of a {@link Job} as its fields, from the table `jobs`. */
export const JOB_COLUMNS = `tenant_id as "tenantId", id, kind, state, total::float8 as total, done::float8 as done,
       skipped::float8 as skipped, failed::float8 as failed, pace_per_second as "pacePerSecond",
       notification_id as "notificationId", error, created_at as "createdAt", started_at as "startedAt",
       finished_at as "finishedAt"`;
