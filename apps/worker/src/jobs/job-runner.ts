import {
  ChunkFailed,
  type ChunkResult,
  isOutage,
  type LockedJob,
  type RunningJobsStore,
  type Sql,
  timeoutOf,
} from '#database';
import { DomainError, NIL_ID } from '#domain';
import { instruments, type Logger } from '#telemetry';
import { Loop } from '../loop.js';
import type { JobKind } from './job-kind.js';

/** The interval at which a worker without work looks for due jobs. */
const IDLE_MS = 200;
/** After an outage of the database. */
const OUTAGE_MS = 1_000;
/**
 * The share of the time in which a worker runs chunks. The rest is for the requests and deliveries of others, whose
 * commits wait for the disk behind those of a chunk.
 */
const BUSY_SHARE = 0.8;

const NOTHING: ChunkResult = { items: 0, done: 0, failed: 0, cursor: {}, isLast: true };

/**
 * Runs due jobs, one chunk at a time, in turn of the tenants. Any number of workers may run jobs; each job is run by
 * one at a time.
 */
export class JobRunner {
  private readonly kinds: ReadonlyMap<string, JobKind>;
  private readonly loop = new Loop(() => this.runOne());
  /** The tenant of the last chunk. */
  private lastTenant = NIL_ID;

  constructor(
    private readonly store: RunningJobsStore,
    kinds: readonly JobKind[],
    private readonly logger: Logger,
  ) {
    this.kinds = new Map(kinds.map((kind) => [kind.kind, kind]));
  }

  start(): void {
    this.loop.start();
  }

  /** Resolves when the chunk under way is committed. */
  async stop(): Promise<void> {
    await this.loop.stop();
  }

  /** Returns for how many milliseconds to rest. Never throws. */
  private async runOne(): Promise<number> {
    const startedAt = performance.now();
    try {
      const kinds = [...this.kinds.values()].map(({ kind }) => kind);
      const chunk = await this.store.runNext(this.lastTenant, kinds, (job, sql) => this.runChunk(job, sql));
      if (!chunk) return IDLE_MS;
      this.lastTenant = chunk.tenantId;
      instruments().jobChunks.add(1, { kind: chunk.kind, result: 'done' });
      return (performance.now() - startedAt) * (1 / BUSY_SHARE - 1);
    } catch (error) {
      return await this.handle(error);
    }
  }

  private async runChunk(job: LockedJob, sql: Sql): Promise<ChunkResult> {
    const kind = this.kinds.get(job.kind)!;
    if (job.state === 'cancelled') return (await kind.cancelChunk?.(job, sql)) ?? NOTHING;
    return await kind.runChunk(job, sql);
  }

  /** An outage is not the fault of the job. A time-out may be: the same chunk could time out each time. */
  private async handle(error: unknown): Promise<number> {
    const failed = error instanceof ChunkFailed ? error : null;
    // The other jobs of this tenant, and the other tenants, come first.
    if (failed) this.lastTenant = failed.job.tenantId;
    if (!failed || (isOutage(failed.cause) && timeoutOf(failed.cause) === null)) {
      this.logger.warn({ err: error }, 'running jobs failed; trying again');
      return OUTAGE_MS;
    }
    const { job, cause } = failed;
    instruments().jobChunks.add(1, { kind: job.kind, result: 'failed' });
    try {
      const hasFailed = await this.store.noteFailure(job, describe(cause));
      const fields = { err: cause, tenant_id: job.tenantId, job_id: job.id, kind: job.kind };
      if (hasFailed) this.logger.error(fields, 'a job has failed');
      else this.logger.warn(fields, 'a chunk of a job failed; it runs again later');
      return 0;
    } catch (failure) {
      this.logger.warn({ err: failure }, 'the failure of a chunk could not be stored; it runs again at once');
      return OUTAGE_MS;
    }
  }
}

/** Never exposes internals: the log has the details of other errors. */
function describe(error: unknown): { code: string; message: string } {
  if (error instanceof DomainError) return { code: error.code, message: error.message };
  return { code: 'internal', message: "An internal error. The worker's log has the details, under the id of the job." };
}
