import { Inject, Injectable } from '@nestjs/common';
import { deliveryLimits, QuotasStore } from '#database';
import { type DeliveryLimit, type Outcome, StopPipeline } from '#domain';
import type { LimitAnswer, Limiter, LimitRequest } from '#rate-limit';
import type { Digested, Limited } from './pipeline-context.js';
import { LIMITER, Places } from './places.js';

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
    private readonly places: Places,
  ) {}

  async run(digested: Digested): Promise<Limited> {
    const { delivery, channel, context } = digested;
    if (delivery.rateLimitConsumed) return { ...digested, limited: true };
    const { tenantId, deliveryId } = delivery;
    const { limits, quotas } = deliveryLimits(channel.id, context, Date.now());
    const answer = await this.limiter.take({ tenantId, deliveryId, limits });
    if (!answer.granted) throw new StopPipeline(refusal(limits, answer));
    if (quotas.length > 0) await this.takeQuota({ tenantId, deliveryId, limits }, quotas);
    return { ...digested, limited: true };
  }

  private async takeQuota(request: LimitRequest, quotas: Parameters<QuotasStore['take']>[1]): Promise<void> {
    const answer = await this.quotas.take(request.tenantId, quotas);
    if (answer.granted) return;
    await this.places.release(request);
    const { allowed } = quotas.find(({ period }) => period === answer.period)!;
    throw new StopPipeline({
      kind: 'held',
      reason: 'quota',
      rule: 'tenant.quota',
      delaySeconds: answer.secondsLeft + Math.random() * QUOTA_SPREAD_SECONDS,
      detail: `at most ${allowed} deliveries of the tenant a ${answer.period}`,
    });
  }
}

function refusal(limits: readonly DeliveryLimit[], answer: LimitAnswer & { granted: false }): Outcome {
  const { refusedBy, retryAfterSeconds: delaySeconds } = answer;
  // While the limiter cannot tell, nothing is dropped.
  const { action, reason, rule, detail } =
    refusedBy === undefined ? { ...limits[0]!, action: 'hold' } : limits[refusedBy]!;
  if (action === 'drop') return { kind: 'suppressed', reason: 'frequency_cap', rule, detail };
  return { kind: 'held', reason, rule, delaySeconds, detail };
}
