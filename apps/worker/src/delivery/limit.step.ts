import { Inject, Injectable } from '@nestjs/common';
import { deliveryLimits, QuotasStore, ReturnPlaces } from '#database';
import { type DeliveryLimit, type Outcome, type Quota, quotaDetail, StopPipeline } from '#domain';
import type { LimitAnswer, Limiter } from '#rate-limit';
import { Downgrade } from './downgrade.js';
import type { Digested, Limited } from './pipeline-context.js';
import { LIMITER } from './places.js';

/** Deliveries that wait for a new day or month of the quota become due over this time. */
const QUOTA_SPREAD_SECONDS = 300;

/**
 * Stops a delivery beyond a limit of its recipient (frequency caps, recipient_limits) or a quota of its tenant. A
 * delivery takes one place, however often it is attempted. A digest is one delivery.
 */
@Injectable()
export class LimitStep {
  constructor(
    @Inject(LIMITER) private readonly limiter: Limiter,
    private readonly quotas: QuotasStore,
    private readonly returnPlaces: ReturnPlaces,
    private readonly downgrade: Downgrade,
  ) {}

  async run(digested: Digested): Promise<Limited> {
    const { delivery, channel, context } = digested;
    if (delivery.rateLimitConsumed) return { ...digested, limited: true };
    const { tenantId, deliveryId } = delivery;
    const { limits, quotas } = deliveryLimits(channel.id, context, context.loadedAt.getTime());
    const answer = await this.limiter.take({ tenantId, deliveryId, limits });
    if (!answer.granted) {
      // A turn that it had in another limit is gone.
      if (limits.length > 1 && answer.refusedBy !== undefined)
        await this.returnPlaces.inLimits({
          tenantId,
          deliveryId,
          limits: limits.filter((limit, index) => limit.isGivenBack && index !== answer.refusedBy),
        });
      throw new StopPipeline(await this.refusal(digested, limits, answer));
    }
    if (quotas.length > 0) await this.takeQuota(digested, limits, quotas);
    return { ...digested, limited: true };
  }

  private async refusal(
    digested: Digested,
    limits: readonly DeliveryLimit[],
    { refusedBy, retryAfterSeconds: delaySeconds }: LimitAnswer & { granted: false },
  ): Promise<Outcome> {
    // While the limiter cannot tell, nothing is dropped.
    const { action, reason, rule, detail } =
      refusedBy === undefined ? { ...limits[0]!, action: 'hold' as const } : limits[refusedBy]!;
    if (action === 'drop') return { kind: 'suppressed', reason: 'frequency_cap', rule, detail };
    if (action === 'downgrade') {
      const downgraded = await this.downgrade.outcomeOf(digested, { reason: 'frequency_cap', rule, detail });
      if (downgraded) return downgraded;
    }
    const changes = reason === 'frequency_cap' && { heldByPolicy: policyDecision(digested) };
    return { kind: 'held', reason, rule, delaySeconds, detail, ...changes };
  }

  private async takeQuota(
    digested: Digested,
    limits: readonly DeliveryLimit[],
    quotas: readonly Quota[],
  ): Promise<void> {
    const { tenantId, deliveryId } = digested.delivery;
    const answer = await this.quotas.take(tenantId, quotas);
    if (answer.granted) return;
    await this.returnPlaces.inLimits({ tenantId, deliveryId, limits });
    const quota = quotas.find(({ period }) => period === answer.period)!;
    throw new StopPipeline({
      kind: 'held',
      reason: 'quota',
      rule: 'tenant.quota',
      delaySeconds: answer.secondsLeft + Math.random() * QUOTA_SPREAD_SECONDS,
      detail: quotaDetail(quota),
      heldByPolicy: policyDecision(digested),
    });
  }
}

/** So that a change of the caps or quotas makes the delivery due at once. */
function policyDecision({ context }: Digested) {
  return { recipientId: context.notification.recipientId, decidedAt: context.loadedAt };
}
