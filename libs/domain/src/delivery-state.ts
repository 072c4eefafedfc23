/**
 * The states of a delivery, in one table: the moves between them, who may make each, and the counter of the
 * notification that a state counts in. The stores generate their guards and counter changes from it (libs/database,
 * `delivery-moves.ts`), so a move that is not in the table does not happen. A new state goes into this list and into
 * the table; docs/delivery-states.md explains each.
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
  'frequency_cap',
  'digest',
  'quota',
  'recipient_limit',
  'provider_limit',
  'retry',
  'provider_down',
] as const;
export type WaitingReason = (typeof waitingReasons)[number];

export const suppressedReasons = [
  'opted_out',
  'unsubscribed',
  'tenant_rule',
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
  'sender_not_allowed',
  'poison',
] as const;
export type FailedReason = (typeof failedReasons)[number];

/**
 * The pipeline, the tenant (cancels, erases the recipient), a receipt, or a person who decides (`operator`: replays
 * dead letters, resolves unknown outcomes; the tenant may do both for its own deliveries).
 */
export type Mover = 'pipeline' | 'tenant' | 'receipt' | 'operator';

/** The counters of a notification, each a column of `notifications`. */
export const notificationCounters = ['succeeded', 'failed', 'suppressed', 'cancelled'] as const;
export type NotificationCounter = (typeof notificationCounters)[number];

interface StateRule {
  /** The counter of the notification that has the delivery while it is in this state; null while it is not final. */
  readonly counter: NotificationCounter | null;
  /**
   * False for a state that is not in the column `deliveries.state`, but computed from the due row when a delivery is
   * read.
   */
  readonly isStored: boolean;
  /** The states that may follow, and who may make each move. */
  readonly moves: Readonly<Partial<Record<DeliveryState, readonly Mover[]>>>;
}

/**
 * A receipt moves a delivery to `sent` only if the outcome of one of its attempts is unknown: the receipt proves that
 * this attempt was sent. This holds while the delivery waits for its next attempt, which is then not made, and after it
 * ended without a send. If the provider refused every attempt, a receipt contradicts the provider's own answers and
 * changes nothing.
 */
const stateTable: Readonly<Record<DeliveryState, StateRule>> = {
  waiting: {
    counter: null,
    isStored: true,
    moves: {
      sending: ['pipeline'],
      sent: ['pipeline', 'receipt'],
      suppressed: ['pipeline'],
      expired: ['pipeline'],
      failed: ['pipeline'],
      unknown: ['pipeline', 'tenant'],
      cancelled: ['tenant'],
    },
  },
  sending: {
    counter: null,
    isStored: false,
    moves: {
      waiting: ['pipeline'],
      sent: ['pipeline'],
      suppressed: ['pipeline'],
      expired: ['pipeline'],
      failed: ['pipeline'],
      unknown: ['pipeline'],
    },
  },
  sent: { counter: 'succeeded', isStored: true, moves: { delivered: ['receipt'], bounced: ['receipt'] } },
  delivered: { counter: 'succeeded', isStored: true, moves: { bounced: ['receipt'] } },
  bounced: { counter: 'failed', isStored: true, moves: {} },
  unknown: {
    counter: 'failed',
    isStored: true,
    moves: {
      sent: ['receipt', 'operator'],
      delivered: ['receipt'],
      bounced: ['receipt'],
      failed: ['operator'],
    },
  },
  suppressed: { counter: 'suppressed', isStored: true, moves: { sent: ['receipt'] } },
  expired: { counter: 'suppressed', isStored: true, moves: { sent: ['receipt'] } },
  cancelled: { counter: 'cancelled', isStored: true, moves: { sent: ['receipt'] } },
  failed: { counter: 'failed', isStored: true, moves: { waiting: ['operator'], sent: ['receipt'] } },
};

export function mayMove(from: DeliveryState, to: DeliveryState, mover: Mover): boolean {
  return stateTable[from].moves[to]?.includes(mover) ?? false;
}

/** The states from which a mover may reach `to`. */
export function statesBefore(to: DeliveryState, mover: Mover): DeliveryState[] {
  return deliveryStates.filter((from) => mayMove(from, to, mover));
}

/** The pipeline makes no further move from a final state. */
export function isFinal(state: DeliveryState): boolean {
  return !Object.values(stateTable[state].moves).some((movers) => movers.includes('pipeline'));
}

export function isStored(state: DeliveryState): boolean {
  return stateTable[state].isStored;
}

export function counterOf(state: DeliveryState): NotificationCounter | null {
  return stateTable[state].counter;
}

export const notificationStatuses = ['pending', 'active', 'sent', 'failed', 'suppressed', 'cancelled'] as const;
export type NotificationStatus = (typeof notificationStatuses)[number];
