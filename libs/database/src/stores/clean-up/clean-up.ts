/** Rows of a statement: enough to keep up with a flood, few enough to end within its time-out. */
const LARGEST_BATCH = 1_000;
const SMALLEST_BATCH = 10;
/** A clean-up that is not done by then goes on the next time. */
const LIMIT_MS = 30_000;

/** Deletes up to `size` rows in one statement; `done` when there are no more. */
export type Batch = (size: number) => Promise<{ deleted: number; done: boolean }>;

/**
 * Deletes what has served its time from one table: batch after batch, within a time limit. A batch that fails (a time-out, mostly) is halved the
 * next time, and does not keep the other parts of the work from being done.
 */
export class CleanUp {
  private size = LARGEST_BATCH;

  constructor(
    readonly table: string,
    /** Each part of the work is a batch that is repeated until it is done: one of a tenant, say. */
    private readonly parts: () => AsyncIterable<Batch>,
  ) {}

  /** Reports the rows of each batch as it is committed. Throws the first error, after all parts have had their turn. */
  async run(onDeleted: (rows: number) => void): Promise<void> {
    const until = performance.now() + LIMIT_MS;
    const failures: unknown[] = [];
    for await (const batch of this.parts()) {
      for (let done = false; !done; ) {
        if (performance.now() > until) break;
        try {
          const result = await batch(this.size);
          this.size = Math.min(LARGEST_BATCH, this.size * 2);
          onDeleted(result.deleted);
          done = result.done;
        } catch (error) {
          this.size = Math.max(SMALLEST_BATCH, Math.floor(this.size / 2));
          failures.push(error);
          done = true;
        }
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
