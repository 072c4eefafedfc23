/** Fewer hanging sends than this are no evidence, whatever share of the slots they use. */
const MIN_HANGING = 3;
/** A send counts as hanging after this share of its deadline. */
const HANGS_AFTER = 0.5;

export interface HangLimits {
  /** The longest that a send may take, in milliseconds. */
  deadlineMs: number;
  /** How many sends of the account may be in flight at once; undefined without a limit. */
  maxInFlight: number | undefined;
}

/** The meaning of an error for the account: it responded, it is at fault, or (null) the error says nothing about it. */
export type AccountEvidence = 'response' | 'fault' | null;

/**
 * Detects an account that accepts connections and does not respond. One rule, applied to the sends in flight (the
 * account is stalled: new sends prefer another account) and to those that hung and failed (it is down: the breaker
 * opens): at least three hang, and they use half of the slots, or the account has not responded for half a deadline. A
 * failure rate does not detect this, because sends that hang are few: each holds a slot until its deadline. See
 * docs/adr/0020-accounts-that-hang.md.
 */
export class HangDetector {
  private readonly hangsAfterMs: number;
  private hangingInFlight = 0;
  /** When hanging sends failed: those of the last deadline, and all since the last response. */
  private failedAt: number[] = [];
  private respondedAt = performance.now();
  private stallController = new AbortController();

  constructor(private readonly limits: HangLimits) {
    this.hangsAfterMs = limits.deadlineMs * HANGS_AFTER;
  }

  /** Whether new sends should prefer another account. */
  get isStalled(): boolean {
    return this.isEvidence(this.hangingInFlight, this.hangingInFlight);
  }

  /** Aborts when the account stalls; already aborted while it is stalled. */
  get stalled(): AbortSignal {
    return this.stallController.signal;
  }

  /** Whether enough hanging sends have failed that the account should get no more. */
  get isDown(): boolean {
    const windowStart = performance.now() - this.limits.deadlineMs;
    const inWindow = this.failedAt.filter((at) => at > windowStart).length;
    const sinceResponse = this.failedAt.filter((at) => at > this.respondedAt).length;
    return this.isEvidence(inWindow, sinceResponse);
  }

  /** Runs one send and observes how long it takes and how it ends. */
  async watch<T>(send: () => Promise<T>, evidenceOf: (error: unknown) => AccountEvidence): Promise<T> {
    let hangs = false;
    const timer = setTimeout(() => {
      hangs = true;
      this.changeHanging(1);
    }, this.hangsAfterMs);
    try {
      const result = await send();
      this.onResponse();
      return result;
    } catch (error) {
      const evidence = evidenceOf(error);
      if (evidence === 'response') this.onResponse();
      if (evidence === 'fault' && hangs) this.onHangFailed();
      throw error;
    } finally {
      clearTimeout(timer);
      if (hangs) this.changeHanging(-1);
    }
  }

  /** Forgets past failures, when the account works again. */
  reset(): void {
    this.failedAt = [];
    this.onResponse();
  }

  private isEvidence(inSlots: number, sinceResponse: number): boolean {
    const { maxInFlight } = this.limits;
    if (maxInFlight !== undefined && inSlots >= MIN_HANGING && inSlots >= maxInFlight / 2) return true;
    return sinceResponse >= MIN_HANGING && performance.now() - this.respondedAt >= this.hangsAfterMs;
  }

  private changeHanging(by: 1 | -1): void {
    this.hangingInFlight += by;
    this.updateSignal();
  }

  private onResponse(): void {
    this.respondedAt = performance.now();
    this.updateSignal();
  }

  private updateSignal(): void {
    if (this.isStalled) this.stallController.abort();
    else if (this.stallController.signal.aborted) this.stallController = new AbortController();
  }

  private onHangFailed(): void {
    const now = performance.now();
    const keepSince = Math.min(this.respondedAt, now - this.limits.deadlineMs);
    this.failedAt = [...this.failedAt.filter((at) => at > keepSince), now];
  }
}
