import type { ClaimedDelivery } from '#database';
import { type DeliveryState, type Outcome, timeOfId } from '#domain';
import { instruments } from '#telemetry';

/** The state of a delivery after each outcome. A lost claim leaves it to another worker. */
const STATES: Readonly<Record<Outcome['kind'], DeliveryState>> = {
  sent: 'sent',
  in_inbox: 'sent',
  suppressed: 'suppressed',
  downgraded: 'suppressed',
  expired: 'expired',
  collected: 'waiting',
  held: 'waiting',
  retry: 'waiting',
  failed: 'failed',
  unknown: 'unknown',
  claim_lost: 'waiting',
};

/** Counts one run of the pipeline, after its record. */
export function countOutcome({ channel, tenantId, deliveryId, waitedFor }: ClaimedDelivery, outcome: Outcome): void {
  const state = STATES[outcome.kind];
  const provider = outcome.kind === 'in_inbox' ? 'inbox' : providerOf(outcome);
  const reason = 'reason' in outcome ? outcome.reason : '';
  const { outcomes, endToEnd, tenants } = instruments();
  outcomes.add(1, { channel, provider, state, outcome: outcome.kind, reason });
  tenants.deliveries.add(1, tenantId, { state });
  if (state !== 'sent') return;
  // The id has the time of acceptance by the clock of the process that accepted it, which may differ a little.
  const seconds = Math.max(0, Date.now() - timeOfId(deliveryId)) / 1_000;
  endToEnd.record(seconds, { channel, waited_for: waitedFor ?? 'none' });
}

function providerOf(outcome: Outcome): string {
  return ('attempt' in outcome && outcome.attempt?.provider) || '';
}
