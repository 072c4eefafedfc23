import { recipientLimit, StopPipeline } from '#domain';
import type { Limiter } from '#rate-limit';
import type { Consented, Limited } from './pipeline-context.js';

/** Has the recipient had enough for now? Too much is held, not dropped. One token per delivery, however often it is tried. */
export class LimitStep {
  constructor(private readonly limiter: Limiter) {}

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
