/** Fewer sends than this prove nothing, whatever their share of the slots. */
const FEW = 3;
/** A send hangs when it has taken this share of its deadline. */
const HANGS_AFTER = 0.5;

export interface HangLimits {
  /** The longest that a send may take, in milliseconds. */
  deadlineMs: number;
  /** How many sends the account may have under way at once; undefined without a bound. */
  slots: number | undefined;
}

/**
 * Recognises an account that takes sends and does not answer. One rule for the sends under way, which makes new sends go to another
 * account, and for those that have failed, which opens the breaker: at least three hang, and they are half of the slots or nothing
 * has been answered meanwhile. A rate of failures does not show it: sends that hang are few, because each holds a slot until its
 * deadline.
 */
export class HangWatch {
  private readonly hangsAfterMs: number;
  /** Sends under way that hang. */
  private hanging = 0;
  /** When sends that hung failed: those of the last deadline, and all since the last answer. */
  private failures: number[] = [];
  private answeredAt = performance.now();
  private stalling = new AbortController();

  constructor(private readonly limits: HangLimits) {
    this.hangsAfterMs = limits.deadlineMs * HANGS_AFTER;
  }

  /** Whether a new send had better go elsewhere. */
  get isStalled(): boolean {
    return this.isEnough(this.hanging, this.hanging);
  }

  /** Aborts when the account stalls; aborted while it is stalled. */
  get stalled(): AbortSignal {
    return this.stalling.signal;
  }

  /** Whether so many sends that hung have failed that nothing more should be tried. */
  get isDown(): boolean {
    const now = performance.now();
    const recent = this.failures.filter((at) => at > now - this.limits.deadlineMs).length;
    return this.isEnough(recent, this.failures.filter((at) => at > this.answeredAt).length);
  }

  /** Does one send. `meaningOf` tells what an error says of the account; null where nothing. */
  async watch<T>(work: () => Promise<T>, meaningOf: (error: unknown) => 'answer' | 'fault' | null): Promise<T> {
    let hangs = false;
    const timer = setTimeout(() => {
      hangs = true;
      this.change(1);
    }, this.hangsAfterMs);
    try {
      const done = await work();
      this.answered();
      return done;
    } catch (error) {
      const meaning = meaningOf(error);
      if (meaning === 'answer') this.answered();
      if (meaning === 'fault' && hangs) this.failed();
      throw error;
    } finally {
      clearTimeout(timer);
      if (hangs) this.change(-1);
    }
  }

  /** Forgets what failed: the account works again. */
  reset(): void {
    this.failures = [];
    this.answered();
  }

  private isEnough(inSlots: number, sinceAnswer: number): boolean {
    if (inSlots >= FEW && this.limits.slots !== undefined && inSlots >= this.limits.slots / 2) return true;
    return sinceAnswer >= FEW && performance.now() - this.answeredAt >= this.hangsAfterMs;
  }

  private change(by: 1 | -1): void {
    this.hanging += by;
    this.signal();
  }

  private answered(): void {
    this.answeredAt = performance.now();
    this.signal();
  }

  private signal(): void {
    if (this.isStalled) this.stalling.abort();
    else if (this.stalling.signal.aborted) this.stalling = new AbortController();
  }

  private failed(): void {
    const now = performance.now();
    const since = Math.min(this.answeredAt, now - this.limits.deadlineMs);
    this.failures = [...this.failures.filter((at) => at > since), now];
  }
}
