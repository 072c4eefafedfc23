import { DomainError } from '#domain';
import { databaseFault, timeoutOf } from './outage.js';

export interface BatcherOptions<Item, Result> {
  /** Writes the items in one go; results in the order of the items. All or nothing. */
  flush: (items: Item[]) => Promise<Result[]>;
  /** How many flushes may be under way at once. */
  slots: number;
  maxBatch: number;
  /** Items that may wait; one more is refused as `unavailable`. */
  maxQueue: number;
  /** A flush may be carried out twice: it only reads. */
  repeatable?: boolean;
}

interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/** How often a batch that lost against another transaction is flushed again as it is. */
const MAX_CONFLICTS = 5;
/** A batch that timed out is flushed in this many parts, */
const PARTS = 4;
/** and each of them in parts once more: 500 items become 32. What takes too long even then is an outage. */
const MAX_DIVISIONS = 2;

/**
 * Natural batching: an item is flushed at once when a slot is free; whatever arrives meanwhile is the next batch. There
 * is no timer, so a lone item waits for nobody and a flood makes its own large batches.
 *
 * One bad item does not fail its siblings: a batch refused for its data is halved until the culprit stands alone. A batch
 * that lost a deadlock is flushed again. One that took too long is flushed in smaller parts: its items may be large. An outage fails the whole batch and everything that waits behind it, for the callers
 * to answer or retry: none of them would fare better, and all of them have waited.
 */
export class Batcher<Item, Result> {
  private readonly queue: Waiting<Item, Result>[] = [];
  private busy = 0;
  private scheduled = false;

  constructor(private readonly options: BatcherOptions<Item, Result>) {}

  get waiting(): number {
    return this.queue.length;
  }

  run(item: Item): Promise<Result> {
    if (this.queue.length >= this.options.maxQueue) {
      return Promise.reject(
        new DomainError('unavailable', 'The server is full; nothing was accepted. Try again.', {
          retryAfterSeconds: 1,
        }),
      );
    }
    return new Promise((resolve, reject) => {
      this.queue.push({ item, resolve, reject });
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.scheduled || this.busy >= this.options.slots) return;
    this.scheduled = true;
    // One turn of the loop: everything that arrived with this item goes with it.
    setImmediate(() => {
      this.scheduled = false;
      while (this.queue.length > 0 && this.busy < this.options.slots) {
        void this.flush(this.queue.splice(0, this.options.maxBatch));
      }
    });
  }

  private async flush(batch: Waiting<Item, Result>[]): Promise<void> {
    this.busy += 1;
    try {
      await this.write(batch);
    } catch (outage) {
      // Those that have their result already keep it.
      for (const waiting of [...batch, ...this.queue.splice(0)]) waiting.reject(outage);
    } finally {
      this.busy -= 1;
      if (this.queue.length > 0) this.schedule();
    }
  }

  /** Throws only for an outage. */
  private async write(batch: Waiting<Item, Result>[], divisions = 0, conflicts = 0): Promise<void> {
    try {
      const results = await this.options.flush(batch.map((waiting) => waiting.item));
      batch.forEach((waiting, index) => {
        waiting.resolve(results[index]!);
      });
    } catch (error) {
      const fault = databaseFault(error);
      if (fault === 'conflict' && conflicts < MAX_CONFLICTS) {
        await this.write(batch, divisions, conflicts + 1);
      } else if (fault === 'outage') {
        if (batch.length === 1 || divisions >= MAX_DIVISIONS || !this.isWorthDividing(error)) throw error;
        await this.writeParts(batch, PARTS, divisions + 1);
      } else if (batch.length === 1) {
        batch[0]!.reject(error);
      } else {
        await this.writeParts(batch, 2, divisions);
      }
    }
  }

  private async writeParts(batch: Waiting<Item, Result>[], parts: number, divisions: number): Promise<void> {
    const size = Math.ceil(batch.length / parts);
    for (let from = 0; from < batch.length; from += size) await this.write(batch.slice(from, from + size), divisions);
  }

  /** Whether it took too long, and may be done again. */
  private isWorthDividing(error: unknown): boolean {
    const timeout = timeoutOf(error);
    return timeout === 'undone' || (timeout === 'unanswered' && this.options.repeatable === true);
  }
}
