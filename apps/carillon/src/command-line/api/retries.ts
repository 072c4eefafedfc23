/** For requests that are not repeatable, and for repeatable ones until a request has succeeded. */
const MAX_TRIES = 6;
const MAX_WAIT_SECONDS = 60;
/** Milliseconds; a restart or a failover of the server or its database takes less. */
export const MAX_OUTAGE_MS = 5 * 60_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;

export interface RetryRules {
  method: string;
  /** Such a request waits for the rate limit without end, and for an unavailable server up to `maxOutageMs`. */
  isRepeatable: boolean;
  maxOutageMs: number;
}

/** Says when a request that failed is sent again. */
export class Retries {
  private tries = 0;
  /** Consecutive failures of an unavailable server, and when the first one happened. */
  private outage = { failures: 0, since: 0 };

  constructor(private readonly rules: RetryRules) {}

  /**
   * Returns the milliseconds until the next try, or null to give up. `status` is null if there was no answer.
   * `hasSucceeded` says that the server has answered before: a wrong address does not get better.
   */
  pauseMs(status: number | null, retryAfter: string | null, hasSucceeded: boolean): number | null {
    const { method, isRepeatable, maxOutageMs } = this.rules;
    const seconds = Number(retryAfter ?? '1');
    if (!(seconds <= MAX_WAIT_SECONDS)) return null;
    this.tries += 1;
    if (isRepeatable && status === 429) {
      this.outage.failures = 0;
      return seconds * 1_000;
    }
    if (isRepeatable && hasSucceeded && (status === null || [502, 503, 504].includes(status))) {
      if (this.outage.failures === 0) this.outage.since = performance.now();
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** this.outage.failures, LONGEST_PAUSE_MS);
      this.outage.failures += 1;
      if (performance.now() - this.outage.since >= maxOutageMs) return null;
      return retryAfter === null ? pause : Math.max(pause, seconds * 1_000);
    }
    // A 429 has done nothing, whatever the method; a 503 of a POST may have. The other methods may be repeated.
    const mayRepeat = status === 429 || (status === 503 && (method !== 'POST' || isRepeatable));
    return mayRepeat && this.tries < MAX_TRIES ? seconds * 1_000 : null;
  }
}
