import type { Attempt, Outcome } from './outcome.js';

/** Maximum delays before the second, third, … attempt, in seconds. The default has six retries, so seven attempts. */
export const DEFAULT_RETRY_SCHEDULE_SECONDS: readonly number[] = [5, 30, 120, 600, 3_600, 10_800];

/** For events to webhook endpoints: 28 hours in total, as Standard Webhooks recommends. */
export const WEBHOOK_RETRY_SCHEDULE_SECONDS: readonly number[] = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];

const RETRY_AFTER_FLOOR_SECONDS = 1;
const RETRY_AFTER_CAP_SECONDS = 3_600;
/** A throttled attempt is not an error of the message: it uses a quarter of a retry. */
const THROTTLED_WEIGHT = 0.25;
/**
 * A misconfigured account is not an error of the message either: its deliveries wait until it is repaired, about twelve
 * hours with the default schedule, and are tried again from time to time.
 */
const MISCONFIGURED_WEIGHT = 0.04;
const MISCONFIGURED_SECONDS = { from: 60, to: 300 };

export interface RetryPosition {
  /** The retries used so far: 1 for each transient failure, a quarter for each throttled attempt. */
  retries: number;
  schedule: readonly number[];
  /** A random number from 0 (inclusive) to 1 (exclusive); given by the caller, so that the function is pure. */
  random: number;
}

/**
 * The outcome after a failed attempt:
 *
 * `transient` and, if the policy allows sending again, `unknown`: exponential back-off with full jitter, a random delay
 * between zero and the schedule's step (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
 *
 * `throttled`: the delay that the vendor asked for, between one second and one hour.
 *
 * `misconfigured`: between one and five minutes.
 *
 * All others end the delivery.
 */
export function afterFailure(
  attempt: Attempt,
  retryAfterSeconds: number | null,
  position: RetryPosition,
  unknownOutcome: 'resend' | 'hold',
): Outcome {
  const { outcome: kind, detail } = attempt;
  switch (kind) {
    case 'rejected':
    case 'bad_address':
      return failedBy(attempt, kind);
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

/** The failure of a delivery whose provider's answer ends it. */
export function failedBy(attempt: Attempt, reason: 'rejected' | 'bad_address' | 'misconfigured'): Outcome {
  return { kind: 'failed', reason, rule: 'provider.answer', code: attempt.code, detail: attempt.detail, attempt };
}

function waitForRepair(attempt: Attempt, { retries, schedule, random }: RetryPosition): Outcome {
  const { from, to } = MISCONFIGURED_SECONDS;
  if (Math.floor(retries) >= schedule.length) return failedBy(attempt, 'misconfigured');
  const delaySeconds = from + random * (to - from);
  return { kind: 'retry', reason: 'provider_down', delaySeconds, weight: MISCONFIGURED_WEIGHT, attempt };
}

function retry(attempt: Attempt, position: RetryPosition, weight: number, retryAfterSeconds: number | null): Outcome {
  const step = position.schedule[Math.floor(position.retries)];
  if (step === undefined) {
    const { code, detail } = attempt;
    return { kind: 'failed', reason: 'retries_exhausted', rule: 'retry_schedule', code, detail, attempt };
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
