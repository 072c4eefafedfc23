/** Waiting places for each slot, and at most: enough to keep it busy, few enough that a hanging account leaves the worker's hands free. */
const PLACES_PER_SLOT = 20;
const MAX_PLACES = 100;
const MIN_WAIT_MS = 500;
const MAX_WAIT_MS = 60_000;
/** How much the last send weighs in the mean. */
const WEIGHT = 0.1;

/**
 * How many sends of one account may be under way at once. A slot is taken before the intent is committed: whoever waits here
 * has promised nothing, and a worker that is killed meanwhile leaves no outcome in doubt.
 */
export class ConcurrencyLimiter {
  private taken = 0;
  private readonly waiting: (() => void)[] = [];
  /** Until it is known the account is taken to be quick: who comes back too early is turned away with a better guess. */
  private meanMs = 20;
  /** When the next one who is turned away may expect a slot, on this process's monotonic clock. */
  private nextTurn = 0;

  /** `undefined`: no bound. */
  constructor(private slots: number | undefined) {}

  /** Whether nobody sends or waits. */
  get idle(): boolean {
    return this.taken === 0 && this.waiting.length === 0;
  }

  /** Another bound, for those who come or wait; those who are sending count in it. */
  resize(slots: number | undefined): void {
    this.slots = slots;
    while (this.waiting.length > 0 && (slots === undefined || this.taken < slots)) this.waiting.shift()!();
  }

  /** How many may be sending or waiting at once; infinite without a bound. */
  get places(): number {
    return this.slots === undefined ? Number.POSITIVE_INFINITY : this.slots + this.waitingPlaces;
  }

  /** How many of the places are free. */
  get free(): number {
    return this.places - this.taken - this.waiting.length;
  }

  /** Whether somebody waits. */
  get busy(): boolean {
    return this.waiting.length > 0;
  }

  private get waitingPlaces(): number {
    return Math.min(MAX_PLACES, (this.slots ?? 0) * PLACES_PER_SLOT);
  }

  /**
   * Waits for a slot. False when too many wait already or the signal came first; otherwise {@link leave} gives it back. The signal
   * is made only for a send that has to wait.
   */
  async enter(patience: () => AbortSignal): Promise<boolean> {
    if (this.slots === undefined || this.taken < this.slots) {
      this.taken += 1;
      return true;
    }
    if (this.waiting.length >= this.waitingPlaces) return false;
    const signal = patience();
    if (signal.aborted) return false;
    return await new Promise<boolean>((resolve) => {
      const turn = (): void => {
        signal.removeEventListener('abort', late);
        this.taken += 1;
        resolve(true);
      };
      const late = (): void => {
        this.waiting.splice(this.waiting.indexOf(turn), 1);
        resolve(false);
      };
      this.waiting.push(turn);
      signal.addEventListener('abort', late, { once: true });
    });
  }

  /** Gives the slot back after so many milliseconds. */
  leave(tookMs: number): void {
    this.meanMs += (tookMs - this.meanMs) * WEIGHT;
    this.taken -= 1;
    if (this.slots === undefined || this.taken < this.slots) this.waiting.shift()?.();
  }

  /**
   * Seconds after which somebody who was turned away should come back: each gets the next place in an imagined queue that
   * moves as fast as the last sends did, so that a backlog returns as the account can take it, not all at once. Between half
   * a second and a minute, and not before the given moment.
   */
  retryDelaySeconds(notBeforeSeconds = 0): number {
    const now = performance.now();
    const earliest = now + Math.max(MIN_WAIT_MS, notBeforeSeconds * 1_000);
    const turn = Math.max(earliest, this.nextTurn) + this.meanMs / (this.slots ?? 1);
    this.nextTurn = Math.min(turn, Math.max(earliest, now + MAX_WAIT_MS));
    return (this.nextTurn - now) / 1_000;
  }
}
