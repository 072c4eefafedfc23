import { Inject, Injectable } from '@nestjs/common';
import { recipientLimit, StopPipeline } from '#domain';
import type { Limiter } from '#rate-limit';
import type { Consented, Limited } from './pipeline-context.js';

/** Injection token of the Limiter. */
export const LIMITER = Symbol('Limiter');

/**
 * Holds a delivery beyond the limit of its recipient and channel. A delivery takes one token, however often it is
 * attempted.
 */
@Injectable()
export class LimitStep {
  constructor(@Inject(LIMITER) private readonly limiter: Limiter) {}

  async run(consented: Consented): Promise<Limited> {
    const { delivery, channel, context } = consented;
    const limit = recipientLimit(channel.id, context.tenant.settings.recipient_limits);
    if (limit && !delivery.rateLimitConsumed) {
      const answer = await this.limiter.take({
        tenantId: delivery.tenantId,
        key: `${channel.id}:${context.notification.recipientId}`,
        limit,
        deliveryId: delivery.deliveryId,
      });
      if (!answer.granted) {
        const detail = `at most ${limit.limit} on ${channel.id} in ${limit.windowSeconds} s`;
        throw new StopPipeline({
          kind: 'held',
          reason: 'recipient_limit',
          delaySeconds: answer.retryAfterSeconds,
          detail,
        });
      }
    }
    return { ...consented, limited: true };
  }
}
