// SQL that is generated from the table of states (libs/domain, delivery-state.ts): the guards of the statements that
// change a delivery's state, and the changes of its notification's counters. Each set of moves below belongs to one
// statement.

import {
  counterOf,
  type DeliveryState,
  deliveryStates,
  isFinal,
  isStored,
  type Mover,
  mayMove,
  type NotificationCounter,
  notificationCounters,
  statesBefore,
} from '#domain';

interface Move {
  from: DeliveryState;
  to: DeliveryState;
}

const storedStates = deliveryStates.filter(isStored);

/** All moves of a mover to these states. Throws when the table has none to one of them. */
function movesTo(mover: Mover, targets: readonly DeliveryState[], sources = storedStates): readonly Move[] {
  return targets.flatMap((to) => {
    const moves = sources.filter((from) => mayMove(from, to, mover)).map((from) => ({ from, to }));
    if (moves.length === 0) throw new Error(`The table of states has no move to ${to} by ${mover}.`);
    return moves;
  });
}

/** RECORD: the pipeline ends a delivery. */
export const RECORD_MOVES = movesTo(
  'pipeline',
  storedStates.filter((state) => isFinal(state) && statesBefore(state, 'pipeline').length > 0),
);

/** APPLY_RECEIPTS: a receipt says what became of a send. */
export const RECEIPT_MOVES = movesTo('receipt', ['delivered', 'bounced']);

/**
 * CONFIRM_UNKNOWN_SENDS: a receipt proves that a delivery was sent which is not recorded as sent. An `unknown` delivery
 * needs no such proof: its receipt moves it directly.
 */
export const CONFIRM_MOVES = movesTo(
  'receipt',
  ['sent'],
  storedStates.filter((state) => state !== 'unknown'),
);

/** RESOLVE_UNKNOWN: a person says what became of a send. */
export const RESOLVE_MOVES = movesTo('operator', ['sent', 'failed']);

/** CANCEL. */
export const CANCEL_MOVES = movesTo('tenant', ['cancelled']);

/** ABANDON: the recipient is erased, and a send that has begun will not be recorded. */
export const ERASE_MOVES = movesTo('tenant', ['cancelled', 'unknown']);

/** REPLAY: a failed delivery goes back into the queue. */
export const REPLAY_MOVES = movesTo('operator', ['waiting']);

export const sourcesOf = (moves: readonly Move[]): DeliveryState[] => [...new Set(moves.map(({ from }) => from))];
export const targetsOf = (moves: readonly Move[]): DeliveryState[] => [...new Set(moves.map(({ to }) => to))];

/** `('sent', 'delivered')`. */
export function stateList(states: readonly DeliveryState[]): string {
  return `(${states.map((state) => `'${state}'`).join(', ')})`;
}

/** The states in which a delivery has a row in due_deliveries. */
export const NOT_FINAL = stateList(storedStates.filter((state) => !isFinal(state)));

/** The states of deliveries whose places in limits are given back. */
export const WITHOUT_SEND = stateList(['failed', 'suppressed', 'expired', 'cancelled']);

/** True for an allowed move from the state in column `from` to the one in column `to`; both are SQL. */
export function guard(moves: readonly Move[], from: string, to: string): string {
  const targetsBySources = Map.groupBy(targetsOf(moves), (target) =>
    stateList(sourcesOf(moves.filter((move) => move.to === target))),
  );
  const pairs = [...targetsBySources].map(
    ([sources, targets]) => `(${to} in ${stateList(targets)} and ${from} in ${sources})`,
  );
  return `(${pairs.join(' or ')})`;
}

/**
 * Updates the counters of the notifications whose deliveries are in the common table expression `changed_deliveries`,
 * which has the columns tenant_id, notification_id, state and, if a move starts from a final state, state_before. Locks
 * notifications in order of their key, so that two batches wait for each other instead of deadlocking. Index:
 * notifications_pkey.
 *
 * @param added The common table expression with the deliveries that were added to these notifications, if any.
 */
export function updateCounters(moves: readonly Move[], added?: string): string {
  const hasStateBefore = moves.some(({ from }) => counterOf(from) !== null);
  const counters = notificationCounters.filter((counter) => moves.some((move) => isChangedBy(move, counter)));
  const changes = counters.map((counter) => `${changeOf(counter, moves)} as ${counter}`);
  const changed: string[] = [...counters];
  if (added !== undefined) {
    changed.push('total');
    changes.push(`(select count(*) from ${added} a
     where a.tenant_id = changed_deliveries.tenant_id and a.notification_id = changed_deliveries.notification_id)
     as total`);
  }
  return `
  update notifications n set ${changed.map((column) => `${column} = n.${column} + c.${column}`).join(', ')}
  from (
    select tenant_id, notification_id, ${changes.join(', ')}
    from changed_deliveries ${hasStateBefore ? 'where state <> state_before' : ''}
    group by tenant_id, notification_id order by tenant_id, notification_id
  ) c
  where n.tenant_id = c.tenant_id and n.id = c.notification_id
    and (${counters.map((counter) => `c.${counter} <> 0`).join(' or ')})
  returning n.tenant_id, n.id, n.recipient_id, n.endpoint_id, n.final_status,
            n.total, n.succeeded, n.failed, n.suppressed, n.cancelled`;
}

function isChangedBy({ from, to }: Move, counter: NotificationCounter): boolean {
  return (counterOf(from) === counter) !== (counterOf(to) === counter);
}

function changeOf(counter: NotificationCounter, moves: readonly Move[]): string {
  const count = (column: string, states: DeliveryState[]): string | null => {
    const counted = states.filter((state) => counterOf(state) === counter);
    return counted.length === 0 ? null : `count(*) filter (where ${column} in ${stateList(counted)})`;
  };
  const added = count('state', targetsOf(moves));
  const removed = count('state_before', sourcesOf(moves));
  return removed === null ? `${added}` : `${added ?? 0} - ${removed}`;
}
