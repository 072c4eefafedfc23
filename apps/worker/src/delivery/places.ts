import { Inject, Injectable } from '@nestjs/common';
import {
  type ClaimedDelivery,
  DeliveriesStore,
  type DeliveryContext,
  deliveryLimits,
  earliestCount,
  QuotasStore,
  ReturnPlaces,
} from '#database';
import type { Outcome } from '#domain';
import { deliveryFields, type Logger } from '#telemetry';
import { LOGGER } from '../tokens.js';

/** Injection token of the Limiter. */
export const LIMITER = Symbol('Limiter');

/** One run of the pipeline. */
export interface Run {
  delivery: ClaimedDelivery;
  startedAt: Date;
  /** Undefined if the run ended before the load step. */
  context: DeliveryContext | undefined;
  /** The limit step has granted it. */
  isLimited: boolean;
}

/**
 * Decides after each run of the pipeline whether the delivery keeps its places in frequency caps and quotas. A worker
 * that dies before it gives them back, or an outage, loses them until their window ends; a place of a message that was
 * sent is never given back.
 */
@Injectable()
export class Places {
  constructor(
    private readonly returnPlaces: ReturnPlaces,
    private readonly quotas: QuotasStore,
    private readonly deliveries: DeliveriesStore,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** After the record of the outcome. */
  async afterRecord({ delivery, context, startedAt, isLimited }: Run, outcome: Outcome): Promise<void> {
    if (keepsPlaces(delivery, outcome)) return;
    const { tenantId, deliveryId, channel, rateLimitConsumed, traceparent } = delivery;
    const countedAfter = rateLimitConsumed ? earliestCount(deliveryId) : isLimited ? startedAt : null;
    const loaded = context ?? null;
    await this.returnPlaces.ofEnded({ tenantId, deliveryId, channel, context: loaded, countedAfter, traceparent });
  }

  /**
   * After a run that is not recorded: it failed, the delivery was cancelled, or another worker has it. A delivery that
   * goes on keeps its places in caps, which it has once however often it asks. A quota would count it again, and does
   * so during an outage of the database. For a cancelled delivery, the places may have been taken after they were
   * given back.
   */
  async withoutRecord({ delivery, startedAt, context, isLimited }: Run): Promise<void> {
    if (delivery.rateLimitConsumed || !context) return;
    const { tenantId, deliveryId, channel } = delivery;
    const { limits, quotas } = deliveryLimits(channel, context, Date.now());
    const returned = limits.filter((limit) => limit.isGivenBack);
    try {
      if (isLimited && quotas.length > 0) await this.quotas.giveBack(tenantId, startedAt);
      if (returned.length > 0 && (await this.deliveries.hasEndedWithoutSend(tenantId, deliveryId)))
        await this.returnPlaces.inLimits({ tenantId, deliveryId, limits: returned });
    } catch (error) {
      this.logger.warn(
        { err: error, ...deliveryFields(delivery) },
        'giving back the place of a delivery that is not recorded failed',
      );
    }
  }
}

/**
 * A delivery that was or may have been sent, that was counted and waits for an attempt, or that waits for its turn. One
 * that waits for something else, such as quiet hours, asks for new places afterwards.
 */
function keepsPlaces({ sending, rateLimitConsumed }: ClaimedDelivery, outcome: Outcome): boolean {
  switch (outcome.kind) {
    case 'failed':
    case 'suppressed':
    case 'downgraded':
    case 'expired':
      return sending;
    case 'collected':
      return rateLimitConsumed;
    case 'held':
      return rateLimitConsumed || outcome.reason !== 'quiet_hours';
    default:
      return true;
  }
}
