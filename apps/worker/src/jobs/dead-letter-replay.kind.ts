import type { ChunkResult, DeadLetterFilter, DeadLettersStore, LockedJob } from '#database';
import { type JobKindName, NIL_ID, PLATFORM_TENANT_ID } from '#domain';
import type { JobKind } from './job-kind.js';

/** Dead letters of a chunk: each is replayed by a statement of its own. */
const CHUNK = 200;
const AT_ONCE = 8;

/** As the API stores it: docs/dead-letters.md. */
interface Input {
  filter: {
    /** Only in a job of the operator. */
    tenant_id?: string;
    channel?: string;
    provider?: string;
    reason?: string;
    code?: string;
    failed_after?: string;
    failed_before?: string;
  };
}

/**
 * Replays the dead letters that match a filter: those of a tenant, or, in a job of the operator, of all tenants. Each
 * is committed on its own, because it locks rows that sends need. If the worker is lost before the cursor is committed,
 * the chunk is repeated: a dead letter is replayed once, and those that this job has replayed count as done.
 */
export class DeadLetterReplayKind implements JobKind {
  constructor(
    readonly kind: Extract<JobKindName, 'dead_letter_replay' | 'operator_dead_letter_replay'>,
    private readonly letters: DeadLettersStore,
  ) {}

  async runChunk(job: LockedJob): Promise<ChunkResult> {
    const scope = job.tenantId === PLATFORM_TENANT_ID ? null : job.tenantId;
    const after = (job.cursor as { after?: string }).after ?? NIL_ID;
    const filter = filterOf(job.input as unknown as Input);
    const limit = Math.min(job.maxItems, CHUNK);
    const page = await this.letters.toReplay(scope, { filter, job: job.id, requestedAt: job.createdAt, after, limit });
    const ended = { done: page.repeated, skipped: page.skipped, failed: 0 };
    const replayNext = async (waiting: Iterator<string>): Promise<void> => {
      for (let next = waiting.next(); !next.done; next = waiting.next())
        ended[await this.letters.replayForJob(scope, next.value, job.id)] += 1;
    };
    const waiting = page.ids.values();
    await Promise.all(Array.from({ length: AT_ONCE }, () => replayNext(waiting)));
    return { items: page.ids.length, ...ended, cursor: { after: page.last ?? after }, isLast: page.isLast };
  }
}

function filterOf({ filter }: Input): DeadLetterFilter {
  const { failed_after: after, failed_before: before, tenant_id: tenantId, ...others } = filter;
  return {
    ...others,
    tenantId,
    failedAfter: after === undefined ? undefined : new Date(after),
    failedBefore: before === undefined ? undefined : new Date(before),
  };
}
