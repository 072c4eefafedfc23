import { Inject, Injectable } from '@nestjs/common';
import { type CancelledDelivery, DeliveriesStore, DueDeliveriesStore, deliveryLimits, QuotasStore } from '#database';
import { timeOfId } from '#domain';
import type { Limiter } from '#rate-limit';
import type { Logger } from '#telemetry';
import { LIMITER, LOGGER } from '../tokens.js';

/** Gives back the places of cancelled deliveries in frequency caps and quotas. */
@Injectable()
export class ReturnPlaces {
  constructor(
    @Inject(LIMITER) private readonly limiter: Limiter,
    private readonly deliveries: DeliveriesStore,
    private readonly due: DueDeliveriesStore,
    private readonly quotas: QuotasStore,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Never throws: without it, the places count until their windows end. */
  async run(tenantId: string, cancelled: readonly CancelledDelivery[]): Promise<void> {
    const holders = cancelled.filter((delivery) => delivery.rateLimitConsumed || delivery.hasTurn);
    try {
      await Promise.all(holders.map((delivery) => this.giveBack(tenantId, delivery)));
    } catch (error) {
      this.logger.warn({ err: error, tenant_id: tenantId }, 'giving back the places of cancelled deliveries failed');
    }
  }

  private async giveBack(tenantId: string, { id, channel, rateLimitConsumed }: CancelledDelivery): Promise<void> {
    const context = await this.deliveries.load({ tenantId, deliveryId: id, channel });
    if (!context) return;
    const { limits, quotas } = deliveryLimits(channel, context, Date.now());
    const returned = limits.filter((limit) => limit.isGivenBack);
    const next = await this.limiter.release({ tenantId, deliveryId: id, limits: returned });
    if (next.length > 0) await this.due.wake(tenantId, next);
    if (rateLimitConsumed && quotas.length > 0) await this.quotas.giveBack(tenantId, new Date(timeOfId(id)));
  }
}
