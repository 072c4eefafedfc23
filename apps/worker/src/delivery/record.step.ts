import { setTimeout as delay } from 'node:timers/promises';
import { type ClaimedDelivery, type DeliveriesStore, databaseFault, type ReceiptsStore } from '#database';
import type { Outcome } from '#domain';
import { instruments, type Logger } from '#telemetry';
import { countLateReceipts } from '../late-receipts.js';
import type { OutcomeSpool } from './outcome-spool.js';
import { recordOutcome } from './record-outcome.js';

const RETRY_MS = 250;

/** One commit for whatever the outcome was. Always reached; an outcome that cannot be committed is not forgotten. */
export class RecordStep {
  constructor(
    private readonly deliveries: DeliveriesStore,
    private readonly receipts: ReceiptsStore,
    private readonly spool: OutcomeSpool,
    /** Aborted when the worker stops: then nobody waits for the database. */
    private readonly stopping: AbortSignal,
    private readonly logger: Logger,
  ) {}

  async run(delivery: ClaimedDelivery, outcome: Outcome): Promise<void> {
    if (outcome.kind === 'claim_lost') {
      instruments().fenced.add(1, { channel: delivery.channel });
      return;
    }
    const recorded = await this.write(delivery, outcome);
    if (recorded === false) {
      instruments().fenced.add(1, { channel: delivery.channel });
      this.logger.warn(
        { tenant_id: delivery.tenantId, delivery_id: delivery.deliveryId, outcome: outcome.kind },
        'the claim was lost before the record: somebody else decides',
      );
      return;
    }
    const { tenantId, deliveryId } = delivery;
    if (outcome.kind === 'sent' && outcome.receipt)
      await this.receipts.apply({ tenantId, deliveryId, kind: outcome.receipt, detail: 'simulated by the sandbox' });
    // The vendor may have told already what it did not answer: then it is not sent again.
    if ('attempt' in outcome && outcome.attempt?.outcome === 'unknown' && recorded === true)
      countLateReceipts(await this.receipts.retryParkedOf(tenantId, deliveryId));
  }

  /**
   * While the database is away the record is tried again until the lease is over, or the worker stops. Then an outcome with an
   * attempt goes to the spool, because forgetting it would mean sending again; anything else may simply be decided anew. A record
   * that fails for its data fails again: it is not tried again.
   */
  private async write(delivery: ClaimedDelivery, outcome: Outcome): Promise<boolean | 'spooled'> {
    for (;;) {
      try {
        return await recordOutcome(this.deliveries, delivery, outcome, this.logger);
      } catch (error) {
        const fault = databaseFault(error);
        const isOver = this.stopping.aborted || performance.now() + RETRY_MS >= delivery.leaseEndsAt;
        if (fault !== 'data' && !isOver) {
          await delay(RETRY_MS);
          continue;
        }
        if (!('attempt' in outcome) || !outcome.attempt) throw error;
        if (fault === 'data' || fault === 'bug') {
          instruments().unrecorded.add(1, { channel: delivery.channel });
          throw error;
        }
        await this.toSpool(delivery, outcome, error);
        return 'spooled';
      }
    }
  }

  private async toSpool(delivery: ClaimedDelivery, outcome: Outcome, error: unknown): Promise<void> {
    try {
      await this.spool.append(delivery, outcome);
    } catch (failure) {
      instruments().unrecorded.add(1, { channel: delivery.channel });
      throw failure;
    }
    instruments().spooled.add(1, { channel: delivery.channel });
    this.logger.error(
      { err: error, tenant_id: delivery.tenantId, delivery_id: delivery.deliveryId, outcome: outcome.kind },
      'the outcome went to the spool',
    );
  }
}
