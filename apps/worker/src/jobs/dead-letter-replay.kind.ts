import type { ChunkResult, DeadLetterFilter, DeadLettersStore, LockedJob } from '#database';
import { DomainError, NIL_ID } from '#domain';
import type { JobKind } from './job-kind.js';

/** Dead letters of a chunk: each is replayed by a statement of its own. */
const CHUNK = 200;
const AT_ONCE = 8;

/** As the API stores it: docs/dead-letters.md. */
interface Input {
  filter: {
    channel?: string;
    provider?: string;
    reason?: string;
    failed_after?: string;
    failed_before?: string;
  };
}

/**
 * Replays the dead letters that match a filter. Each is committed on its own, because it locks rows that sends need. If
 * the worker is lost before the cursor is committed, the chunk is repeated: a dead letter is replayed once, and those
 * that this job has replayed count as done.
 */
export class DeadLetterReplayKind implements JobKind {
  readonly kind = 'dead_letter_replay';

  constructor(private readonly letters: DeadLettersStore) {}

  async runChunk(job: LockedJob): Promise<ChunkResult> {
    const limit = Math.min(job.maxItems, CHUNK);
    const after = (job.cursor as { after?: string }).after ?? NIL_ID;
    const filter = filterOf(job.input as unknown as Input);
    const page = { filter, requestedAt: job.createdAt, after, limit };
    const { ids, last, isLast } = await this.letters.toReplay(job.tenantId, page);
    let done = 0;
    const replayNext = async (waiting: Iterator<string>): Promise<void> => {
      for (let next = waiting.next(); !next.done; next = waiting.next())
        if (await this.replay(job.tenantId, next.value)) done += 1;
    };
    const waiting = ids.values();
    await Promise.all(Array.from({ length: AT_ONCE }, () => replayNext(waiting)));
    return {
      items: ids.length,
      done,
      failed: ids.length - done,
      cursor: { after: last },
      isLast,
    };
  }

  /** False if the delivery is no longer failed, has expired, or if its dead letter was discarded. */
  private async replay(tenantId: string, id: string): Promise<boolean> {
    try {
      await this.letters.replay(tenantId, id, null);
      return true;
    } catch (error) {
      if (!(error instanceof DomainError) || error.status === 503) throw error;
      return error.code === 'already_replayed';
    }
  }
}

function filterOf({ filter }: Input): DeadLetterFilter {
  const { channel, provider, reason, failed_after: after, failed_before: before } = filter;
  return {
    channel,
    provider,
    reason,
    failedAfter: after === undefined ? undefined : new Date(after),
    failedBefore: before === undefined ? undefined : new Date(before),
  };
}
