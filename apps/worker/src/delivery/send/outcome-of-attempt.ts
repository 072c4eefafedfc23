import {
  type Attempt,
  afterFailure,
  DEFAULT_RETRY_SCHEDULE_SECONDS,
  type Outcome,
  type ProviderErrorKind,
  WEBHOOK_RETRY_SCHEDULE_SECONDS,
} from '#domain';
import { instruments } from '#telemetry';
import type { Addressed } from '../pipeline-context.js';
import { unknownPolicy } from '../unknown-policy.js';
import type { ProviderResult } from './call-provider.js';

/** The account refused the message without sending it, and another account may accept it. */
const FAILS_OVER: ReadonlySet<ProviderErrorKind> = new Set(['transient', 'throttled', 'misconfigured']);

/** Decides the outcome of the delivery after one attempt. `hasNext`: whether another account is ready to try. */
export function outcomeOfAttempt(
  addressed: Addressed,
  attempt: Attempt,
  { accepted, refused, addressFeedback }: ProviderResult,
  hasNext: boolean,
): Outcome {
  if (accepted) {
    const { templateVersion } = addressed;
    const receipt = accepted.receipt && { receipt: accepted.receipt };
    return { kind: 'sent', attempt, templateVersion, ...receipt, ...addressFeedback };
  }
  const { account } = addressed.sender;
  if (hasNext && account && FAILS_OVER.has(refused.kind)) {
    return {
      kind: 'retry',
      reason: 'provider_down',
      delaySeconds: 0,
      weight: 0,
      attempt,
      triedAccountId: account.id,
      ...addressFeedback,
    };
  }
  const { delivery, context } = addressed;
  const policy = unknownPolicy(addressed, context);
  if (refused.kind === 'unknown') instruments().unknown.add(1, { channel: delivery.channel, policy });
  const schedule = context.notification.endpointId
    ? WEBHOOK_RETRY_SCHEDULE_SECONDS
    : (context.tenant.settings.retry_schedule_seconds ?? DEFAULT_RETRY_SCHEDULE_SECONDS);
  const position = { retries: delivery.retries, schedule, random: Math.random() };
  return { ...afterFailure(attempt, refused.retryAfterSeconds, position, policy), ...addressFeedback };
}
