// Outcomes of deliveries that no account can send now. They wait in the queue, use no retry and keep their rate limit
// token.

import type { Outcome } from '#domain';
import { type Sender, secondsUntilAvailable } from '#providers';

/**
 * Events return spread over as long as their endpoint was down, so that it does not receive its backlog at once; over
 * 300 s at most.
 */
const LONGEST_RETURN_SECONDS = 300;

/** The account has a pace. The delivery returns at its reserved time and does not reserve again. */
export function holdForPace({ provider, pacePerSecond }: Sender, delaySeconds: number): Outcome {
  return {
    kind: 'held',
    reason: 'provider_limit',
    rule: 'provider_account.pace',
    delaySeconds,
    detail: `the ${provider} account sends ${pacePerSecond} a second`,
    rateLimitConsumed: true,
    paceReserved: true,
  };
}

/** Too many sends wait for the account, or the wait took too long. */
export function holdForSlot({ provider, limiter }: Sender): Outcome {
  return {
    kind: 'held',
    reason: 'provider_limit',
    rule: 'provider_account.pace',
    delaySeconds: limiter.retryDelaySeconds(),
    detail: `all connections of the ${provider} account were busy`,
    rateLimitConsumed: true,
    paceReserved: true,
  };
}

/** Every account is paused, or its breaker is open. The delivery returns when the first of them may send again. */
export function holdUntilAvailable(senders: readonly Sender[], isEvent: boolean): Outcome {
  const [first] = senders.toSorted((left, right) => secondsUntilAvailable(left) - secondsUntilAvailable(right)) as [
    Sender,
  ];
  const wait = secondsUntilAvailable(first);
  const spread = isEvent ? Math.min(LONGEST_RETURN_SECONDS, first.breaker.downSeconds) : 0;
  const isDown = first.breaker.state !== 'closed';
  const names = senders.map(({ provider }) => provider).join(', ');
  return {
    kind: 'held',
    reason: isDown ? 'provider_down' : 'provider_limit',
    rule: 'provider_account.health',
    delaySeconds: Math.max(first.limiter.retryDelaySeconds(wait), wait + Math.random() * spread),
    detail: isDown ? `the breaker is open (${names})` : `the provider asked for a pause (${names})`,
    rateLimitConsumed: true,
  };
}
