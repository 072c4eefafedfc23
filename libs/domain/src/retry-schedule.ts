import type { Attempt, Outcome } from './outcome.js';

/** Delays before the second, third … try, in seconds. Six retries by default, so seven tries. */
export const DEFAULT_RETRY_SCHEDULE_SECONDS: readonly number[] = [5, 30, 120, 600, 3_600, 10_800];

const RETRY_AFTER_FLOOR_SECONDS = 1;
const RETRY_AFTER_CAP_SECONDS = 3_600;
/** A throttled try is the vendor's wish, not a fault of the message: it burns a quarter of a retry. */
const THROTTLED_WEIGHT = 0.25;

export interface RetryPosition {
  /** What has been burnt so far: 1 for each transient failure, a quarter for each throttled one. */
  retries: number;
  schedule: readonly number[];
  /** 0 (inclusive) to 1 (exclusive); the caller's dice, so that the rule itself is pure. */
  random: number;
}

/**
 * What follows a failed try.
 *
 * `transient` and (where policy allows sending again) `unknown`: exponential back-off with full jitter, a delay drawn
 * evenly from zero to the schedule's step (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 * `throttled`: exactly what the vendor asked, between one second and one hour.
 * The rest end the delivery.
 */
export function afterFailure(
  attempt: Attempt,
  retryAfterSeconds: number | null,
  position: RetryPosition,
  unknownOutcome: 'resend' | 'hold',
): Outcome {
  const { outcome: kind, code, detail } = attempt;
  switch (kind) {
    case 'rejected':
    case 'bad_address':
    case 'misconfigured':
      return { kind: 'failed', reason: kind, code, detail, attempt };
    case 'unknown':
      if (unknownOutcome === 'hold') {
        return { kind: 'unknown', detail: detail ?? 'the provider may or may not have it', attempt };
      }
      return retry(attempt, position, 1, null);
    case 'throttled':
      return retry(attempt, position, THROTTLED_WEIGHT, retryAfterSeconds);
    case 'transient':
      return retry(attempt, position, 1, retryAfterSeconds);
    case 'sent':
      throw new Error('a sent attempt has no failure to follow');
  }
}

function retry(attempt: Attempt, position: RetryPosition, weight: number, retryAfterSeconds: number | null): Outcome {
  const step = position.schedule[Math.floor(position.retries)];
  if (step === undefined) {
    return { kind: 'failed', reason: 'retries_exhausted', code: attempt.code, detail: attempt.detail, attempt };
  }
  const delaySeconds =
    retryAfterSeconds === null
      ? position.random * step
      : Math.min(RETRY_AFTER_CAP_SECONDS, Math.max(RETRY_AFTER_FLOOR_SECONDS, retryAfterSeconds));
  return {
    kind: 'retry',
    reason: attempt.outcome === 'throttled' ? 'provider_limit' : 'retry',
    delaySeconds,
    weight,
    attempt,
  };
}
