import { Inject, Injectable } from '@nestjs/common';
import type { ClaimedDelivery, DeliveryContext } from '#database';
import { type DeliveryLimit, limitsOf, StopPipeline } from '#domain';
import type { LimitAnswer, Limiter } from '#rate-limit';
import type { Consented, Limited } from './pipeline-context.js';

/** Injection token of the Limiter. */
export const LIMITER = Symbol('Limiter');

/**
 * Stops a delivery beyond a limit of its recipient: a frequency cap, or the recipient_limits of the tenant. A delivery
 * takes one place, however often it is attempted.
 */
@Injectable()
export class LimitStep {
  constructor(@Inject(LIMITER) private readonly limiter: Limiter) {}

  async run(consented: Consented): Promise<Limited> {
    const { delivery, context } = consented;
    if (delivery.rateLimitConsumed) return { ...consented, limited: true };
    const limits = deliveryLimits(delivery, context);
    const { tenantId, deliveryId } = delivery;
    const answer = await this.limiter.take({ tenantId, deliveryId, limits });
    if (!answer.granted) refuse(limits, answer);
    return { ...consented, limited: true };
  }
}

/** The limits of a delivery now. */
export function deliveryLimits(delivery: Pick<ClaimedDelivery, 'channel'>, context: DeliveryContext): DeliveryLimit[] {
  // A webhook is sent to an endpoint of the tenant, not to a person.
  if (context.notification.endpointId) return [];
  const { notification, recipient, category, caps, tenant } = context;
  return limitsOf(
    {
      recipientId: notification.recipientId,
      channel: delivery.channel,
      categoryKey: notification.category,
      category,
      caps,
      timezone: recipient?.timezone ?? null,
      settings: tenant.settings,
    },
    Date.now(),
  );
}

function refuse(limits: readonly DeliveryLimit[], answer: LimitAnswer & { granted: false }): never {
  const { refusedBy, retryAfterSeconds: delaySeconds } = answer;
  // While the limiter cannot tell, nothing is dropped.
  const { action, reason, detail } = refusedBy === undefined ? { ...limits[0]!, action: 'hold' } : limits[refusedBy]!;
  if (action === 'drop') throw new StopPipeline({ kind: 'suppressed', reason: 'frequency_cap', detail });
  throw new StopPipeline({ kind: 'held', reason, delaySeconds, detail });
}
