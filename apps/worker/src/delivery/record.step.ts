import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { type ClaimedDelivery, DeliveriesStore, databaseFault, ReceiptsStore } from '#database';
import type { Outcome } from '#domain';
import { deliveryFields, instruments, type Logger } from '#telemetry';
import { Shutdown } from '../shutdown.js';
import { LOGGER } from '../tokens.js';
import { countParkedReceipts } from './count-parked-receipts.js';
import { OutcomeSpool } from './outcome-spool.js';
import { recordOutcome } from './record-outcome.js';

const RETRY_MS = 250;

/** Records any outcome in one commit. An outcome of a send that cannot be committed goes to the spool. */
@Injectable()
export class RecordStep {
  constructor(
    private readonly deliveries: DeliveriesStore,
    private readonly receipts: ReceiptsStore,
    private readonly spool: OutcomeSpool,
    private readonly shutdown: Shutdown,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Returns whether the outcome is in the database. */
  async run(delivery: ClaimedDelivery, outcome: Outcome): Promise<boolean> {
    if (outcome.kind === 'claim_lost') {
      instruments().claimsLost.add(1, { channel: delivery.channel });
      return false;
    }
    const recorded = await this.write(delivery, outcome);
    if (recorded === false) {
      instruments().claimsLost.add(1, { channel: delivery.channel });
      this.logger.warn(
        { ...deliveryFields(delivery), outcome: outcome.kind },
        'the claim was lost before the record; the outcome is not recorded',
      );
      return false;
    }
    const { tenantId, deliveryId } = delivery;
    if (outcome.kind === 'sent' && outcome.receipt) {
      const simulated = { accountId: null, kind: outcome.receipt, detail: 'simulated by the sandbox' };
      await this.receipts.apply({ tenantId, deliveryId, ...simulated });
    }
    // A receipt may have come before this record. It proves that the message was sent, so it is not sent again.
    if ('attempt' in outcome && outcome.attempt?.outcome === 'unknown' && recorded === true)
      countParkedReceipts(await this.receipts.retryParkedOf(tenantId, deliveryId));
    return recorded === true;
  }

  /**
   * During an outage, retries until the lease ends or the worker stops. Then an outcome with an attempt goes to the
   * spool, because without it the message would be sent again; any other outcome is simply decided again. A record
   * that the database rejects for its data is not retried: it would fail again.
   */
  private async write(delivery: ClaimedDelivery, outcome: Outcome): Promise<boolean | 'spooled'> {
    for (;;) {
      try {
        return await recordOutcome(this.deliveries, delivery, outcome, this.logger);
      } catch (error) {
        const fault = databaseFault(error);
        const isOver = this.shutdown.hasBegun || performance.now() + RETRY_MS >= delivery.leaseEndsAt;
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
      { err: error, ...deliveryFields(delivery), outcome: outcome.kind },
      'the outcome could not be recorded; it was written to the spool',
    );
  }
}
