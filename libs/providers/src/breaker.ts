import CircuitBreaker from 'opossum';
import { ProviderError, type ProviderErrorKind } from '#domain';
import { HangWatch } from './hang-watch.js';

/** Failures are counted over this long … */
const WINDOW_MS = 10_000;
/** … when there were at least so many sends in it … */
const MIN_VOLUME = 20;
/** … and this share of them makes an account a bad one: a fifth of sends that hang is an outage to those who wait for them. */
const FAILURE_PERCENT = 15;
/** How long nothing is sent before one probe is let through. */
const OPEN_MS = 5_000;

export type BreakerState = 'closed' | 'half_open' | 'open';

/** Refusals that say nothing of the account. */
const FINE: ReadonlySet<ProviderErrorKind> = new Set(['rejected', 'bad_address', 'throttled']);

/** What is thrown, before anything is done, while the breaker is open or its one probe is under way. */
export class BreakerOpen extends Error {
  constructor() {
    super('The breaker of this account is open');
    this.name = 'BreakerOpen';
  }
}

/**
 * The breaker of one account in one process (opossum). Opens on the failure rate over a window, on sends that hang, and on
 * credentials that do not work; lets one probe through after a while, closes when that is answered and opens again otherwise.
 */
export class Breaker {
  private readonly circuit: CircuitBreaker<[() => Promise<unknown>], unknown>;
  private openedAt = 0;
  /** When it opened first, since it last worked; null while it does. */
  private downSince: number | null = null;
  private closedAt = Number.NEGATIVE_INFINITY;
  /** What stands on record of the account, perhaps since a worker that is gone. */
  onRecord: BreakerState = 'closed';
  private cause: ProviderError | null = null;

  /** `onChange` is told of each change of state, with what led to it where something did, and when it works against what is on record. */
  constructor(
    private onChange: (state: BreakerState, cause: ProviderError | null) => void = () => undefined,
    readonly hangs = new HangWatch({ deadlineMs: WINDOW_MS, slots: undefined }),
  ) {
    this.circuit = new CircuitBreaker((work) => work(), {
      timeout: false,
      errorThresholdPercentage: FAILURE_PERCENT,
      volumeThreshold: MIN_VOLUME,
      rollingCountTimeout: WINDOW_MS,
      resetTimeout: OPEN_MS,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      // Returns whether it counts as a success. A probe that sent nothing, for whatever reason, proves nothing: it is tried again.
      errorFilter: (error: unknown) => (error instanceof ProviderError ? FINE.has(error.kind) : !this.circuit.halfOpen),
    });
    this.circuit.on('open', () => {
      this.openedAt = performance.now();
      this.downSince ??= this.openedAt;
      this.tell('open', this.cause);
    });
    this.circuit.on('halfOpen', () => this.tell('half_open', this.cause));
    this.circuit.on('close', () => {
      this.hangs.reset();
      this.cause = null;
      this.downSince = null;
      this.closedAt = performance.now();
      this.tell('closed', null);
    });
  }

  get state(): BreakerState {
    if (this.circuit.opened) return 'open';
    return this.circuit.halfOpen ? 'half_open' : 'closed';
  }

  /** Seconds until a probe is let through; 0 when sends are. */
  get waitSeconds(): number {
    return this.circuit.opened ? Math.max(0, OPEN_MS - (performance.now() - this.openedAt)) / 1_000 : 0;
  }

  /** Seconds since it last worked; 0 while it does. */
  get downSeconds(): number {
    return this.downSince === null ? 0 : (performance.now() - this.downSince) / 1_000;
  }

  /** Whether it is tried again, and the one who tries is under way. */
  get probing(): boolean {
    return this.circuit.halfOpen && !this.circuit.pendingClose;
  }

  /** Seconds since it was closed last; infinite when it never was open. */
  get worksSinceSeconds(): number {
    return (performance.now() - this.closedAt) / 1_000;
  }

  /**
   * Does the work and counts how it ends: ProviderErrors that are the account's fault count against it. Throws what the work
   * throws, or {@link BreakerOpen} without having begun it. Credentials that do not work open it at once.
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    try {
      const done = (await this.circuit.fire(() => this.hangs.watch(() => this.noting(work), meaningOf))) as T;
      if (this.onRecord !== 'closed' && this.state === 'closed') this.tell('closed', null);
      return done;
    } catch (error) {
      if ((error as { code?: unknown }).code === 'EOPENBREAKER') throw new BreakerOpen();
      if (!this.circuit.opened && (isMisconfigured(error) || this.hangs.isDown)) this.circuit.open();
      throw error;
    }
  }

  private tell(state: BreakerState, cause: ProviderError | null): void {
    this.onRecord = state;
    this.onChange(state, cause);
  }

  private async noting<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof ProviderError && !FINE.has(error.kind)) this.cause = error;
      throw error;
    }
  }

  /** Reports nothing more: the account was changed, and has another breaker. */
  mute(): void {
    this.onChange = () => undefined;
  }

  close(): void {
    this.circuit.shutdown();
  }
}

function isMisconfigured(error: unknown): boolean {
  return error instanceof ProviderError && error.kind === 'misconfigured';
}

function meaningOf(error: unknown): 'answer' | 'fault' | null {
  if (!(error instanceof ProviderError)) return null;
  return FINE.has(error.kind) ? 'answer' : 'fault';
}
