import { DomainError } from '#domain';
import { databaseFault, timeoutOf } from './outage.js';

export interface BatcherOptions<Item, Result> {
  /** Writes all items or none. Resolves with their results in the order of the items. */
  flush: (items: Item[]) => Promise<Result[]>;
  /** The number of flushes that may run at once. */
  slots: number;
  maxBatch: number;
  /** The number of items that may wait; a further one is rejected as `unavailable`. */
  maxQueue: number;
  /** Whether a flush may run twice because it only reads. */
  repeatable?: boolean;
}

interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/** The number of times that a batch is flushed again unchanged after a conflict with another transaction. */
const MAX_CONFLICTS = 5;
/** A batch that timed out is flushed in this many parts. */
const PARTS = 4;
/** A part that times out is divided again: 500 items become parts of 32. A time-out of such a part is an outage. */
const MAX_DIVISIONS = 2;

/**
 * Natural batching: flushes an item at once if a slot is free; the items that arrive during a flush are the next batch.
 * There is no timer, so a single item does not wait, and high load makes large batches.
 *
 * - Bad data: halves the batch until the bad item is alone, so that only that item fails.
 * - Conflict, such as a deadlock: flushes the batch again.
 * - Time-out: flushes the batch in smaller parts, because its items may be large.
 * - Outage: fails the batch and all waiting items. The callers report the error or retry.
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
        new DomainError('unavailable', 'The server has too many waiting requests; nothing was accepted. Try again.', {
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
    // After one turn of the event loop, so that all items of this turn are in the batch.
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
      // Rejecting has no effect on items that have their result already.
      for (const waiting of [...batch, ...this.queue.splice(0)]) waiting.reject(outage);
    } finally {
      this.busy -= 1;
      if (this.queue.length > 0) this.schedule();
    }
  }

  /** Throws only on an outage. */
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

  /** Whether the flush timed out and may run again. */
  private isWorthDividing(error: unknown): boolean {
    const timeout = timeoutOf(error);
    return timeout === 'undone' || (timeout === 'unanswered' && this.options.repeatable === true);
  }
}
