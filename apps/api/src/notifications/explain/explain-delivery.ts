import { Injectable } from '@nestjs/common';
import type { DeliveryContext } from '#database';
import { addressesFor, type Channel, type ChannelId, decideConsent, isRecipientsChoice } from '#domain';
import type { ExplanationView } from './explain.schema.js';
import { FindProviderOrder } from './provider-order.js';
import { type PlannedMessage, RenderPlanned } from './render-planned.js';
import { SENT, suppressedAs, toView, type Verdict, waiting } from './verdict.js';

export interface PlannedDelivery {
  id: string;
  channel: Channel;
  context: DeliveryContext;
  /** An earlier delivery with the same ordering key has not ended. */
  isBlocked: boolean;
}

/** Decides about one delivery that is not made, in the order of the pipeline. */
@Injectable()
export class ExplainDelivery {
  constructor(
    private readonly rendering: RenderPlanned,
    private readonly providerOrder: FindProviderOrder,
  ) {}

  async run(planned: PlannedDelivery): Promise<ExplanationView> {
    const { channel, context } = planned;
    const canUnsubscribe = channel.id === 'email' && isRecipientsChoice(decideConsent(context, 'email').rule);
    const rendered = await this.rendering.run(channel, context, canUnsubscribe);
    const addresses = addressesFor(channel, context.address, context.recipient);
    const order = await this.providerOrder.run(channel, context, addresses, rendered.message);
    const decide = (at: Date): Verdict =>
      rendered.missing ?? decideAt(planned, at) ?? rendered.failure ?? order.verdict ?? SENT;
    const first = notDue(planned) ?? decide(new Date());
    const later = first.state === 'waiting' && first.dueAt ? decide(first.dueAt) : null;
    return {
      channel: channel.id as ExplanationView['channel'],
      recipient_id: context.notification.recipientId,
      ...toView(first),
      when_due: later && toView(later),
      provider_order: order.view,
      caps: [],
      ...contentView(rendered),
    };
  }
}

/** The reason why no worker claims the delivery yet. */
function notDue({ context, isBlocked }: PlannedDelivery): Verdict | null {
  const { scheduledAt } = context.notification;
  if (scheduledAt !== null && scheduledAt > new Date()) return waiting('scheduled', 'send.scheduled_at', scheduledAt);
  return isBlocked ? waiting('ordering', 'send.ordering_key', null) : null;
}

/** The decisions before the message is rendered; null if the delivery goes on. */
function decideAt({ channel, context }: PlannedDelivery, _at: Date): Verdict | null {
  const { allowed, reason, rule } = decideConsent(context, channel.id as ChannelId);
  if (allowed) return null;
  const { suppression } = context;
  const detail = reason === 'suppression_list' ? `the address is on the suppression list: ${suppression}` : undefined;
  return suppressedAs({ kind: 'suppressed', reason, rule, ...(detail && { detail }) });
}

function contentView({ templateVersion, message, errors }: PlannedMessage) {
  return { template_version: templateVersion, message, errors };
}
