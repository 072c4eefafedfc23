import type { ClaimedDelivery } from '#database';
import { channelOf, StopPipeline } from '#domain';
import type { Claimed } from './pipeline-context.js';

/** A delivery that keeps killing its worker before an attempt is taken out of circulation. */
const MAX_CLAIMS_WITHOUT_ATTEMPT = 5;
/** A delivery is not sent again when so many sends in a row left no record: it kills its worker, or what comes back cannot be stored. */
const MAX_UNRECORDED = 3;

/** Is it still to be sent at all? Whether the claim is still ours, the intent and the record decide in the database. */
export class ClaimStep {
  async run(delivery: ClaimedDelivery): Promise<Claimed> {
    if (performance.now() >= delivery.leaseEndsAt)
      throw new StopPipeline({ kind: 'claim_lost', detail: 'the lease was over before the work began' });
    const channel = channelOf(delivery.channel);
    // What may have been sent already did not expire: that is decided when its category is known.
    if (delivery.expired && !delivery.sending) throw new StopPipeline({ kind: 'expired' });
    if (delivery.sending && delivery.unrecorded + 1 >= MAX_UNRECORDED) {
      throw new StopPipeline({
        kind: 'failed',
        reason: 'poison',
        code: 'unrecorded',
        detail: `sent ${delivery.unrecorded + 1} times without a record of the outcome; the provider may or may not have it`,
      });
    }
    if (delivery.claims > MAX_CLAIMS_WITHOUT_ATTEMPT) {
      throw new StopPipeline({
        kind: 'failed',
        reason: 'poison',
        code: 'quarantined',
        detail: `claimed ${delivery.claims} times without an attempt`,
      });
    }
    return { delivery, channel };
  }
}
