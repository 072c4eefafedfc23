import type { Attempt, Outcome } from './outcome.js';

/** Delays before the second, third … try, in seconds. Six retries by default, so seven tries. */
export const DEFAULT_RETRY_SCHEDULE_SECONDS: readonly number[] = [5, 30, 120, 600, 3_600, 10_800];

/** For events on their way to a tenant's endpoint: 28 hours in all, as Standard Webhooks suggests. */
export const WEBHOOK_RETRY_SCHEDULE_SECONDS: readonly number[] = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];

const RETRY_AFTER_FLOOR_SECONDS = 1;
const RETRY_AFTER_CAP_SECONDS = 3_600;
/** A throttled try is the vendor's wish, not a fault of the message: it burns a quarter of a retry. */
const THROTTLED_WEIGHT = 0.25;
/**
 * An account that does not work is somebody's to mend, not the message's fault: the backlog waits, some twelve hours with the
 * default schedule, and is tried again now and then.
 */
const MISCONFIGURED_WEIGHT = 0.04;
const MISCONFIGURED_SECONDS = { from: 60, to: 300 };

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
 * `misconfigured`: between one and five minutes, for a long time.
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
      return { kind: 'failed', reason: kind, code, detail, attempt };
    case 'misconfigured':
      return waitForRepair(attempt, position);
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

function waitForRepair(attempt: Attempt, { retries, schedule, random }: RetryPosition): Outcome {
  const { from, to } = MISCONFIGURED_SECONDS;
  if (Math.floor(retries) >= schedule.length)
    return { kind: 'failed', reason: 'misconfigured', code: attempt.code, detail: attempt.detail, attempt };
  const delaySeconds = from + random * (to - from);
  return { kind: 'retry', reason: 'provider_down', delaySeconds, weight: MISCONFIGURED_WEIGHT, attempt };
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
