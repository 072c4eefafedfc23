import CircuitBreaker from 'opossum';
import { ProviderError, type ProviderErrorKind } from '#domain';
import { type AccountEvidence, HangDetector } from './hang-detector.js';

/** Failures are counted over this time. */
const WINDOW_MS = 10_000;
/** With fewer sends in the window the breaker stays closed. */
const MIN_VOLUME = 20;
/** This share of failures opens the breaker. Low, because a vendor that fails every fifth send has an outage. */
const FAILURE_PERCENT = 15;
/** Time from opening to the probe. */
const OPEN_MS = 5_000;

export type BreakerState = 'closed' | 'half_open' | 'open';

/** Refusals that are not the account's fault. They prove that the vendor responds. */
const NOT_THE_ACCOUNT: ReadonlySet<ProviderErrorKind> = new Set(['rejected', 'bad_address', 'throttled']);

/** Thrown before the send begins, while the breaker is open or its probe is in flight. */
export class BreakerOpen extends Error {
  constructor() {
    super('The breaker of this account is open');
    this.name = 'BreakerOpen';
  }
}

/** Called on each change of state, with the error that caused it if there is one. */
export type BreakerListener = (state: BreakerState, cause: ProviderError | null) => void;

/**
 * The circuit breaker of one account in one process (opossum). It opens on the failure rate over a window, on sends
 * that hang, and on credentials that do not work. After five seconds it lets one probe through: it closes if the vendor
 * responds, and opens again otherwise.
 */
export class Breaker {
  private readonly circuit: CircuitBreaker<[() => Promise<unknown>], unknown>;
  private openedAt = 0;
  /** When it first opened since the account last worked; null while the account works. */
  private downSince: number | null = null;
  private closedAt = Number.NEGATIVE_INFINITY;
  /** The state in the database, possibly written by another worker. */
  recordedState: BreakerState = 'closed';
  private cause: ProviderError | null = null;

  /** `onChange` is also called once when a send succeeds although {@link recordedState} is not `closed`. */
  constructor(
    private onChange: BreakerListener = () => undefined,
    readonly hangs = new HangDetector({ deadlineMs: WINDOW_MS, maxInFlight: undefined }),
  ) {
    this.circuit = new CircuitBreaker((send) => send(), {
      timeout: false,
      errorThresholdPercentage: FAILURE_PERCENT,
      volumeThreshold: MIN_VOLUME,
      rollingCountTimeout: WINDOW_MS,
      resetTimeout: OPEN_MS,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      // Returns true for an error that counts as a success. A probe that sent nothing proves nothing, so it counts as a
      // failure and another probe follows.
      errorFilter: (error: unknown) =>
        error instanceof ProviderError ? NOT_THE_ACCOUNT.has(error.kind) : !this.circuit.halfOpen,
    });
    this.circuit.on('open', () => {
      this.openedAt = performance.now();
      this.downSince ??= this.openedAt;
      this.report('open', this.cause);
    });
    this.circuit.on('halfOpen', () => this.report('half_open', this.cause));
    this.circuit.on('close', () => {
      this.hangs.reset();
      this.cause = null;
      this.downSince = null;
      this.closedAt = performance.now();
      this.report('closed', null);
    });
  }

  get state(): BreakerState {
    if (this.circuit.opened) return 'open';
    return this.circuit.halfOpen ? 'half_open' : 'closed';
  }

  /** Seconds until a probe is let through; 0 unless open. */
  get secondsUntilProbe(): number {
    return this.circuit.opened ? Math.max(0, OPEN_MS - (performance.now() - this.openedAt)) / 1_000 : 0;
  }

  /** Seconds since the account last worked; 0 while it works. */
  get downSeconds(): number {
    return this.downSince === null ? 0 : (performance.now() - this.downSince) / 1_000;
  }

  /** Whether the probe is in flight. */
  get isProbing(): boolean {
    return this.circuit.halfOpen && !this.circuit.pendingClose;
  }

  /** Seconds since the breaker last closed; infinite if it has never opened. */
  get secondsSinceClosed(): number {
    return (performance.now() - this.closedAt) / 1_000;
  }

  /**
   * Runs a send and counts its result; a ProviderError that is the account's fault counts as a failure, and
   * `misconfigured` opens the breaker at once. Throws the error of the send, or {@link BreakerOpen} if the send has not
   * begun.
   */
  async run<T>(send: () => Promise<T>): Promise<T> {
    try {
      const result = (await this.circuit.fire(() => this.hangs.watch(() => this.rememberCause(send), evidenceOf))) as T;
      if (this.recordedState !== 'closed' && this.state === 'closed') this.report('closed', null);
      return result;
    } catch (error) {
      if ((error as { code?: unknown }).code === 'EOPENBREAKER') throw new BreakerOpen();
      if (!this.circuit.opened && (isMisconfigured(error) || this.hangs.isDown)) this.circuit.open();
      throw error;
    }
  }

  /** For a breaker whose account was changed: the new breaker of the account reports from now on. */
  stopReporting(): void {
    this.onChange = () => undefined;
  }

  close(): void {
    this.circuit.shutdown();
  }

  private report(state: BreakerState, cause: ProviderError | null): void {
    this.recordedState = state;
    this.onChange(state, cause);
  }

  private async rememberCause<T>(send: () => Promise<T>): Promise<T> {
    try {
      return await send();
    } catch (error) {
      if (evidenceOf(error) === 'fault') this.cause = error as ProviderError;
      throw error;
    }
  }
}

function isMisconfigured(error: unknown): boolean {
  return error instanceof ProviderError && error.kind === 'misconfigured';
}

function evidenceOf(error: unknown): AccountEvidence {
  if (!(error instanceof ProviderError)) return null;
  return NOT_THE_ACCOUNT.has(error.kind) ? 'response' : 'fault';
}
