import { Inject, Injectable } from '@nestjs/common';
import {
  type ClaimedDelivery,
  DeliveriesStore,
  type DeliveryContext,
  DueDeliveriesStore,
  deliveryLimits,
  QuotasStore,
} from '#database';
import { type Outcome, timeOfId } from '#domain';
import type { Limiter, LimitRequest } from '#rate-limit';
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

/** Gives back the places of deliveries in frequency caps and quotas. */
@Injectable()
export class Places {
  constructor(
    @Inject(LIMITER) private readonly limiter: Limiter,
    private readonly quotas: QuotasStore,
    private readonly deliveries: DeliveriesStore,
    private readonly due: DueDeliveriesStore,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Deliveries that waited for these places are due now. */
  async release(request: LimitRequest): Promise<void> {
    const next = await this.limiter.release(request);
    if (next.length > 0) await this.due.wake(request.tenantId, next);
  }

  /**
   * After the record of a delivery that ended without a send. A worker that dies before this, or an outage, loses the
   * places until their window ends; it never gives back a place of a message that was sent.
   */
  async afterRecord(run: Run, outcome: Outcome): Promise<void> {
    const { delivery } = run;
    if (!endedWithoutSend(delivery, outcome)) return;
    if (!run.isLimited && !delivery.rateLimitConsumed && !delivery.hasTurn) return;
    try {
      await this.giveBack(run);
    } catch (error) {
      this.logger.warn(
        { err: error, ...deliveryFields(delivery) },
        'giving back the place of a delivery in its limits failed; it counts until its window ends',
      );
    }
  }

  /** The run ended with an error, and the delivery will ask again. Its places in caps are kept for it. */
  async afterError({ delivery, startedAt, context, isLimited }: Run): Promise<void> {
    if (!isLimited || delivery.rateLimitConsumed || !context) return;
    const { quotas } = deliveryLimits(delivery.channel, context, Date.now());
    // During an outage of the database, the delivery counts twice.
    if (quotas.length > 0) await this.quotas.giveBack(delivery.tenantId, startedAt).catch(() => undefined);
  }

  private async giveBack({ delivery, startedAt, context, isLimited }: Run): Promise<void> {
    const { tenantId, deliveryId, channel, rateLimitConsumed } = delivery;
    const loaded = context ?? (await this.deliveries.load(delivery));
    if (!loaded) return;
    const { limits, quotas } = deliveryLimits(channel, loaded, Date.now());
    const returned = limits.filter((limit) => limit.isGivenBack);
    if (returned.length > 0) await this.release({ tenantId, deliveryId, limits: returned });
    if (quotas.length === 0 || !(isLimited || rateLimitConsumed)) return;
    // An earlier run took the place at an unknown time, but not before the delivery was accepted.
    await this.quotas.giveBack(tenantId, rateLimitConsumed ? new Date(timeOfId(deliveryId)) : startedAt);
  }
}

function endedWithoutSend({ sending }: ClaimedDelivery, { kind }: Outcome): boolean {
  return !sending && ['failed', 'suppressed', 'downgraded', 'expired'].includes(kind);
}
