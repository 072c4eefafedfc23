import { type ClaimedDelivery, type DeliveriesStore, databaseFault } from '#database';
import { type Outcome, reducedOutcome } from '#domain';
import type { Logger } from '#telemetry';

/**
 * Records an outcome; one that the database refuses for its data is recorded without what came from outside. Returns false when the claim
 * was lost. Throws what the store throws when that fails as well.
 */
export async function recordOutcome(
  deliveries: DeliveriesStore,
  delivery: ClaimedDelivery,
  outcome: Outcome,
  logger: Logger,
): Promise<boolean> {
  if (outcome.kind === 'claim_lost') return false;
  try {
    return await deliveries.record(delivery, outcome);
  } catch (error) {
    if (databaseFault(error) !== 'data') throw error;
    const { tenantId, deliveryId } = delivery;
    logger.error(
      { err: error, tenant_id: tenantId, delivery_id: deliveryId, outcome: outcome.kind },
      'the outcome cannot be stored as it is: it is recorded without what came from outside',
    );
    return await deliveries.record(delivery, reducedOutcome(outcome, String((error as { code?: unknown }).code)));
  }
}
