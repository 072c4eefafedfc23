import type { FirstAnswer } from '#database';

export type AcceptResult =
  | { kind: 'accepted'; first: FirstAnswer }
  /** An earlier request with the same idempotency key and body was accepted as this notification. */
  | { kind: 'replayed'; notificationId: string };
