import { type ClaimedDelivery, type DeliveriesStore, databaseFault } from '#database';
import { type Outcome, reducedOutcome } from '#domain';
import { deliveryFields, type Logger } from '#telemetry';

/**
 * Records an outcome. If the database rejects its data, records it without the vendor's texts. Returns false when the
 * claim was lost. Throws what the store throws when the second record fails too.
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
    logger.error(
      { err: error, ...deliveryFields(delivery), outcome: outcome.kind },
      'the database rejects the data of the outcome; recording it without the texts of the vendor',
    );
    return await deliveries.record(delivery, reducedOutcome(outcome, String((error as { code?: unknown }).code)));
  }
}
