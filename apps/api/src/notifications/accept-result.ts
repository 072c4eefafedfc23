import type { AcceptStore, FirstAnswer, NewNotification } from '#database';
import { DomainError } from '#domain';

export type AcceptResult =
  | { kind: 'accepted'; first: FirstAnswer }
  /** An earlier request with the same idempotency key and body was accepted as this notification. */
  | { kind: 'replayed'; notificationId: string };

/** Null if no request with this key was accepted. Throws `idempotency_mismatch` if its body was another one. */
export async function replayOf(
  store: AcceptStore,
  tenantId: string,
  idempotency: NewNotification['idempotency'],
): Promise<AcceptResult | null> {
  if (!idempotency) return null;
  const [found] = await store.findAccepted(tenantId, [idempotency]);
  if (found instanceof DomainError) throw found;
  return found ? { kind: 'replayed', notificationId: found } : null;
}
