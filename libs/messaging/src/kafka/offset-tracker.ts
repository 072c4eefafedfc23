interface Entry {
  offset: string;
  done: boolean;
}

/** An offset to commit (the next one to be read), and how many messages that settles. */
export interface Committable {
  offset: string;
  count: number;
}

/**
 * The offsets of one partition that are in hand, in order. What may be committed is the lowest one that is not done, never
 * the highest that is: a crash then repeats some work and skips none.
 */
export class OffsetTracker {
  private entries: Entry[] = [];
  private readonly open = new Map<string, Entry>();
  /** Entries before this one are done. */
  private head = 0;
  private next: string | null = null;
  private settled = 0;
  private finished = 0;

  /** Done and not committed. */
  get doneCount(): number {
    return this.finished;
  }

  /** Offsets begin in ascending order. */
  begin(offset: string): void {
    const entry = { offset, done: false };
    this.entries.push(entry);
    this.open.set(offset, entry);
  }

  done(offset: string): void {
    const entry = this.open.get(offset);
    if (!entry) return;
    this.open.delete(offset);
    entry.done = true;
    this.finished += 1;
    for (; this.entries[this.head]?.done; this.head += 1) {
      this.next = String(BigInt(this.entries[this.head]!.offset) + 1n);
      this.settled += 1;
    }
    if (this.head > 1_024) {
      this.entries = this.entries.slice(this.head);
      this.head = 0;
    }
  }

  /** Null when nothing was settled since {@link committed}. */
  committable(): Committable | null {
    return this.settled === 0 ? null : { offset: this.next!, count: this.settled };
  }

  committed({ count }: Committable): void {
    this.settled -= count;
    this.finished -= count;
  }
}
