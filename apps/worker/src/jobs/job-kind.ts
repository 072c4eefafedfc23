import type { ChunkResult, LockedJob, Sql } from '#database';
import type { JobKindName } from '#domain';

/** The code of one kind of job. A new kind goes into the list in jobs.module.ts. */
export interface JobKind {
  readonly kind: JobKindName;
  /**
   * Handles at most `job.maxItems` items from `job.cursor` on. Writes through `sql` are committed with the new cursor
   * or not at all; what is written otherwise must be harmless when it is repeated. Takes a second or two at most: pause
   * and cancellation wait for it.
   */
  runChunk(job: LockedJob, sql: Sql): Promise<ChunkResult>;
  /** Undoes, in chunks, what a cancelled job has left. Without it a cancelled job ends at once. */
  cancelChunk?(job: LockedJob, sql: Sql): Promise<ChunkResult>;
}
