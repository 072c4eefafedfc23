import { Injectable } from '@nestjs/common';
import { DeliveriesStore, type DeliveryContext, ReceiptsStore } from '#database';
import { addressesFor, missingAddress, StopPipeline } from '#domain';
import { instruments } from '#telemetry';
import { LoadContent } from './content/load-content.js';
import type { Claimed, Loaded } from './pipeline-context.js';
import { unknownPolicy } from './unknown-policy.js';

/** Loads the notification, recipient and tenant, and the content. */
@Injectable()
export class LoadStep {
  constructor(
    private readonly deliveries: DeliveriesStore,
    private readonly contents: LoadContent,
    private readonly receipts: ReceiptsStore,
  ) {}

  async run(claimed: Claimed): Promise<Loaded> {
    const context = await this.deliveries.load(claimed.delivery);
    if (!context) throw new StopPipeline({ kind: 'claim_lost', detail: 'the delivery is gone' });
    if (claimed.delivery.sending) await this.applyUnknownPolicy(claimed, context);
    const loaded = await this.contents.run(claimed, context);
    const addresses = addressesFor(claimed.channel, context.address, context.recipient);
    if (addresses.length === 0 && claimed.channel.addressFrom)
      throw new StopPipeline(missingAddress(claimed.channel, context.notification.recipientId));
    return { ...claimed, ...loaded, context, addresses, loaded: true };
  }

  /**
   * An earlier claim committed the intent to send and recorded no outcome, so the message may have been sent. Sends
   * again if the policy of the category or the channel allows it and no receipt has come: a receipt proves that the
   * message was sent.
   */
  private async applyUnknownPolicy(claimed: Claimed, context: DeliveryContext): Promise<void> {
    const { delivery } = claimed;
    const policy = unknownPolicy(claimed, context);
    instruments().unknown.add(1, { channel: delivery.channel, policy });
    const hasReceipt = await this.receipts.hasParked(delivery);
    if (policy === 'resend' && !hasReceipt) {
      if (delivery.expired) throw new StopPipeline({ kind: 'expired' });
      return;
    }
    const lost = `the worker was lost during attempt ${delivery.attempt}`;
    const detail = hasReceipt ? `${lost}; a receipt of it has come` : `${lost}; the provider may or may not have it`;
    throw new StopPipeline({ kind: 'unknown', detail });
  }
}
