/**
 * The states of a delivery and the moves between them (product.md, "The life of a delivery"). Whatever is not in this
 * table does not happen: the stores write a state only where the row still has one of the `from` states.
 */
export const deliveryStates = [
  'waiting',
  'sending',
  'sent',
  'delivered',
  'bounced',
  'unknown',
  'suppressed',
  'expired',
  'cancelled',
  'failed',
] as const;
export type DeliveryState = (typeof deliveryStates)[number];

export const waitingReasons = [
  'scheduled',
  'quiet_hours',
  'ordering',
  'recipient_limit',
  'provider_limit',
  'retry',
  'provider_down',
] as const;
export type WaitingReason = (typeof waitingReasons)[number];

export const suppressedReasons = [
  'opted_out',
  'unsubscribed',
  'suppression_list',
  'frequency_cap',
  'quiet_hours',
  'tenant_suspended',
] as const;
export type SuppressedReason = (typeof suppressedReasons)[number];

export const failedReasons = [
  'no_address',
  'bad_address',
  'render_error',
  'rejected',
  'misconfigured',
  'retries_exhausted',
  'no_provider',
  'poison',
] as const;
export type FailedReason = (typeof failedReasons)[number];

/** Who may make a move: the pipeline, the tenant (cancel), a receipt, or an operator (replay, settlement). */
export type Mover = 'pipeline' | 'tenant' | 'receipt' | 'operator';

/**
 * A receipt moves a delivery to `sent` only where one of its attempts has an unknown outcome: the receipt proves that this
 * attempt was sent. That holds while the delivery waits for its next try (which is then not made) and after it ended without
 * a send. Where the provider refused every attempt, a receipt contradicts the provider's own answers and changes nothing.
 */
const moves: Record<DeliveryState, Partial<Record<DeliveryState, readonly Mover[]>>> = {
  waiting: {
    sending: ['pipeline'],
    sent: ['pipeline', 'receipt'],
    suppressed: ['pipeline'],
    expired: ['pipeline'],
    failed: ['pipeline'],
    unknown: ['pipeline'],
    cancelled: ['tenant'],
  },
  sending: {
    waiting: ['pipeline'],
    sent: ['pipeline'],
    suppressed: ['pipeline'],
    expired: ['pipeline'],
    failed: ['pipeline'],
    unknown: ['pipeline'],
  },
  sent: { delivered: ['receipt'], bounced: ['receipt'] },
  delivered: { bounced: ['receipt'] },
  bounced: {},
  unknown: {
    sent: ['receipt', 'operator'],
    delivered: ['receipt'],
    bounced: ['receipt'],
    failed: ['operator'],
  },
  suppressed: { sent: ['receipt'] },
  expired: { sent: ['receipt'] },
  cancelled: { sent: ['receipt'] },
  failed: { waiting: ['operator'], sent: ['receipt'] },
};

/** Whether a delivery may go from one state to another at this mover's hand. */
export function mayMove(from: DeliveryState, to: DeliveryState, mover: Mover): boolean {
  return moves[from][to]?.includes(mover) ?? false;
}

/** The states from which a mover may reach `to`: the `where state = any(…)` of every compare-and-set. */
export function statesBefore(to: DeliveryState, mover: Mover): DeliveryState[] {
  return deliveryStates.filter((from) => mayMove(from, to, mover));
}

/** Whether the pipeline is done with a delivery in this state. */
export function isFinal(state: DeliveryState): boolean {
  return state !== 'waiting' && state !== 'sending';
}

/** Which counter of its notification a final delivery is in. */
export type Tally = 'succeeded' | 'failed' | 'suppressed' | 'cancelled';

export function tallyOf(state: DeliveryState): Tally | null {
  switch (state) {
    case 'waiting':
    case 'sending':
      return null;
    case 'sent':
    case 'delivered':
      return 'succeeded';
    case 'failed':
    case 'unknown':
    case 'bounced':
      return 'failed';
    case 'suppressed':
    case 'expired':
      return 'suppressed';
    case 'cancelled':
      return 'cancelled';
  }
}

export const notificationStatuses = ['pending', 'active', 'sent', 'failed', 'suppressed', 'cancelled'] as const;
export type NotificationStatus = (typeof notificationStatuses)[number];
