interface Entry {
  offset: string;
  done: boolean;
}

/** The offset to commit (the next one to read), and how many messages that covers. */
export interface Committable {
  offset: string;
  count: number;
}

/**
 * The fetched offsets of one partition, in order. Only those below the first unfinished one may be committed: a crash
 * then repeats some messages and skips none.
 */
export class OffsetTracker {
  private entries: Entry[] = [];
  private readonly unfinished = new Map<string, Entry>();
  /** Entries before this index are done. */
  private head = 0;
  private next: string | null = null;
  /** Done without a gap, and not committed. */
  private committableCount = 0;
  private uncommittedCount = 0;

  /** Done and not committed. */
  get doneCount(): number {
    return this.uncommittedCount;
  }

  /** Must be called in ascending order of offsets. */
  begin(offset: string): void {
    const entry = { offset, done: false };
    this.entries.push(entry);
    this.unfinished.set(offset, entry);
  }

  /** May be called more than once for the same offset. */
  done(offset: string): void {
    const entry = this.unfinished.get(offset);
    if (!entry) return;
    this.unfinished.delete(offset);
    entry.done = true;
    this.uncommittedCount += 1;
    for (; this.entries[this.head]?.done; this.head += 1) {
      this.next = String(BigInt(this.entries[this.head]!.offset) + 1n);
      this.committableCount += 1;
    }
    if (this.head > 1_024) {
      this.entries = this.entries.slice(this.head);
      this.head = 0;
    }
  }

  /** Null when there is nothing new since {@link committed}. */
  committable(): Committable | null {
    return this.committableCount === 0 ? null : { offset: this.next!, count: this.committableCount };
  }

  committed({ count }: Committable): void {
    this.committableCount -= count;
    this.uncommittedCount -= count;
  }
}
