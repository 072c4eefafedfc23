import { Injectable } from '@nestjs/common';
import type { ClaimedDelivery } from '#database';
import { channelOf, StopPipeline } from '#domain';
import type { Claimed } from './pipeline-context.js';

/**
 * A delivery that reaches more claims than this without an attempt kills its worker or meets a bug: it is
 * quarantined.
 */
const MAX_CLAIMS_WITHOUT_ATTEMPT = 5;
/**
 * After so many sends in a row without a recorded outcome, the delivery is not sent again: it kills its worker, or
 * its outcome cannot be stored.
 */
const MAX_UNRECORDED = 3;

/**
 * Stops deliveries that must not be sent. Does not check that the claim still holds: the intent and the record do, in
 * the database.
 */
@Injectable()
export class ClaimStep {
  async run(delivery: ClaimedDelivery): Promise<Claimed> {
    if (performance.now() >= delivery.leaseEndsAt)
      throw new StopPipeline({ kind: 'claim_lost', detail: 'the lease was over before the work began' });
    const channel = channelOf(delivery.channel);
    // Never expires a send whose outcome is unknown: the load step decides by the policy of its category.
    if (delivery.expired && !delivery.sending) throw new StopPipeline({ kind: 'expired' });
    if (delivery.sending && delivery.unrecorded + 1 >= MAX_UNRECORDED) {
      const sends = delivery.unrecorded + 1;
      throw new StopPipeline({
        kind: 'failed',
        reason: 'poison',
        rule: 'pipeline.quarantine',
        code: 'unrecorded',
        detail: `sent ${sends} times without a record of the outcome; the provider may or may not have it`,
      });
    }
    if (delivery.claims > MAX_CLAIMS_WITHOUT_ATTEMPT) {
      throw new StopPipeline({
        kind: 'failed',
        reason: 'poison',
        rule: 'pipeline.quarantine',
        code: 'quarantined',
        detail: `claimed ${delivery.claims} times without an attempt`,
      });
    }
    return { delivery, channel };
  }
}
