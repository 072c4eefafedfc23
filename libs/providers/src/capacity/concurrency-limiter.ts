/**
 * Sends that may wait for each slot, and in all: enough to keep a slot busy, few enough that a slow account does not
 * fill the worker.
 */
const WAITING_PER_SLOT = 20;
const MAX_WAITING = 100;
const MIN_RETRY_DELAY_MS = 500;
const MAX_RETRY_DELAY_MS = 60_000;
/** Before the first send is measured. Low, because the delay is corrected when a delivery comes back too early. */
const INITIAL_MEAN_MS = 20;
/** Weight of the newest send in the moving average of durations. */
const NEWEST_WEIGHT = 0.1;

/**
 * Limits the sends of one account that are in flight at once. A slot is acquired before the intent is committed: if the
 * worker is killed while a send waits here, the outcome of that delivery is not in doubt.
 */
export class ConcurrencyLimiter {
  private inFlight = 0;
  private readonly waiting: (() => void)[] = [];
  private meanMs = INITIAL_MEAN_MS;
  /** When the next delivery to be delayed can expect a slot, on this process's monotonic clock. */
  private nextTurn = 0;

  /** `undefined`: no limit. */
  constructor(private maxInFlight: number | undefined) {}

  get isIdle(): boolean {
    return this.inFlight === 0 && this.waiting.length === 0;
  }

  get hasWaiting(): boolean {
    return this.waiting.length > 0;
  }

  /** How many sends may be in flight or waiting at once; infinite without a limit. */
  get capacity(): number {
    return this.maxInFlight === undefined ? Number.POSITIVE_INFINITY : this.maxInFlight + this.maxWaiting;
  }

  /** The unused part of {@link capacity}. */
  get available(): number {
    return this.capacity - this.inFlight - this.waiting.length;
  }

  /**
   * Changes the limit. Sends in flight count against the new one; if it is higher, waiting sends get the additional
   * slots.
   */
  resize(maxInFlight: number | undefined): void {
    this.maxInFlight = maxInFlight;
    while (this.waiting.length > 0 && this.hasFreeSlot) this.waiting.shift()?.();
  }

  /**
   * Waits for a slot, first come, first served. Returns false if too many sends wait already, or if the signal aborts
   * first; after true the caller must call {@link release}. `giveUp` creates the signal only when the send has to wait.
   */
  async acquire(giveUp: () => AbortSignal): Promise<boolean> {
    if (this.hasFreeSlot) {
      this.inFlight += 1;
      return true;
    }
    if (this.waiting.length >= this.maxWaiting) return false;
    const signal = giveUp();
    if (signal.aborted) return false;
    return await new Promise<boolean>((resolve) => {
      const onSlot = (): void => {
        signal.removeEventListener('abort', onAbort);
        this.inFlight += 1;
        resolve(true);
      };
      const onAbort = (): void => {
        this.waiting.splice(this.waiting.indexOf(onSlot), 1);
        resolve(false);
      };
      this.waiting.push(onSlot);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Releases the slot of a send that took `durationMs`. */
  release(durationMs: number): void {
    this.meanMs += (durationMs - this.meanMs) * NEWEST_WEIGHT;
    this.inFlight -= 1;
    if (this.hasFreeSlot) this.waiting.shift()?.();
  }

  /**
   * Seconds after which a delivery that got no slot should be tried again. Each call reserves the next turn of an
   * imagined queue that moves at the speed of recent sends, so a backlog returns as fast as the account can take it and
   * not all at once. Between half a second and a minute, and at least `atLeastSeconds`.
   */
  retryDelaySeconds(atLeastSeconds = 0): number {
    const now = performance.now();
    const earliest = now + Math.max(MIN_RETRY_DELAY_MS, atLeastSeconds * 1_000);
    const turn = Math.max(earliest, this.nextTurn) + this.meanMs / (this.maxInFlight ?? 1);
    this.nextTurn = Math.min(turn, Math.max(earliest, now + MAX_RETRY_DELAY_MS));
    return (this.nextTurn - now) / 1_000;
  }

  private get hasFreeSlot(): boolean {
    return this.maxInFlight === undefined || this.inFlight < this.maxInFlight;
  }

  private get maxWaiting(): number {
    return Math.min(MAX_WAITING, (this.maxInFlight ?? 0) * WAITING_PER_SLOT);
  }
}
