import {
  type ChannelId,
  type DeliveryState,
  deliveryStates,
  failedReasons,
  suppressedReasons,
  waitingReasons,
} from '#domain';

export interface DeliveryFilter {
  recipientId?: string | undefined;
  /** An address that the send named, or the one of the profile, exactly or in lower case. */
  address?: string | undefined;
  channel?: ChannelId | undefined;
  states?: readonly DeliveryState[] | undefined;
  reason?: string | undefined;
  category?: string | undefined;
  notificationId?: string | undefined;
  /** The id or the key of a template. */
  template?: string | undefined;
  providerAccountId?: string | undefined;
  /** Inclusive; the time in the delivery's id counts. */
  createdFrom?: Date | undefined;
  /** Exclusive. */
  createdTo?: Date | undefined;
}

/** The reasons that a delivery may have in a state. */
const reasonsByState: Partial<Record<DeliveryState, readonly string[]>> = {
  waiting: waitingReasons,
  sending: waitingReasons,
  suppressed: suppressedReasons,
  failed: failedReasons,
};

/** The states that a delivery may have if it matches the filter; null for all. */
export function possibleStates({ states, reason }: DeliveryFilter): readonly DeliveryState[] | null {
  if (reason === undefined) return states ?? null;
  return (states ?? deliveryStates).filter((state) => reasonsByState[state]?.includes(reason));
}
