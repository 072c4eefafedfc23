/** Rows of a statement: enough to keep up with a flood, few enough to end within its time-out. */
const LARGEST_BATCH = 1_000;
const SMALLEST_BATCH = 10;
/** A clean-up that is not done by then goes on the next time. */
const LIMIT_MS = 30_000;

/** Deletes up to `size` rows in one statement; `done` when there are no more. */
export type Batch = (size: number) => Promise<{ deleted: number; done: boolean }>;

/**
 * Deletes expired rows of one table in batches, within a time limit. A failed batch (usually a time-out) halves the size of the
 * next one and does not stop the other parts.
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
