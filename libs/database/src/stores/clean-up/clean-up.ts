/** Rows per statement: enough to keep up with a high load, few enough for the statement's time-out. */
const LARGEST_BATCH = 1_000;
const SMALLEST_BATCH = 10;
/** A clean-up that is not done by then continues at the next run. */
const LIMIT_MS = 30_000;

/** Deletes up to `size` rows in one statement; `done` if there are no more. */
export type Batch = (size: number) => Promise<{ deleted: number; done: boolean }>;

/**
 * Deletes expired rows of one table in batches, within a time limit. A failed batch, usually a time-out, halves the
 * size of the next one and does not stop the other parts.
 */
export class CleanUp {
  private size = LARGEST_BATCH;

  constructor(
    readonly table: string,
    /** The parts of the work, such as one for each tenant. Each batch is repeated until it is done. */
    private readonly parts: () => AsyncIterable<Batch>,
  ) {}

  /** Reports the deleted rows of each batch after its commit. Throws the first error after all parts have run. */
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
