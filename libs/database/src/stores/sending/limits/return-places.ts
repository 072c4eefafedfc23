import { type ChannelId, type KeyedLimit, timeOfId } from '#domain';
import type { CancelledDelivery } from '../../notifications/cancel-notification.js';
import type { DueDeliveriesStore } from '../../queue/due-deliveries.store.js';
import type { DeliveriesStore } from '../deliveries.store.js';
import type { DeliveryContext } from '../delivery-context.js';
import { deliveryLimits } from './delivery-limits.js';
import type { QuotasStore } from './quotas.store.js';

interface DeliveryPlaces {
  tenantId: string;
  deliveryId: string;
  /** All of one recipient. */
  limits: readonly KeyedLimit[];
}

/** The part of Limiter (libs/rate-limit) that gives places back. */
interface LimitLogs {
  release(places: DeliveryPlaces): Promise<{ deliveryId: string; waitSeconds: number }[]>;
}

interface EndedDelivery {
  tenantId: string;
  deliveryId: string;
  channel: ChannelId;
  /** Null if the caller has not loaded it. */
  context: DeliveryContext | null;
  /** The quotas have counted the delivery after this time; null if they have not counted it. */
  countedAfter: Date | null;
  /** Of the request that created it; absent if the caller does not know it. */
  traceparent?: string | null;
}

/**
 * Gives back the places of deliveries in the caps of recipients and tenants, and in the quotas of tenants. A failure is
 * reported and not thrown: the places count until their windows end.
 */
export class ReturnPlaces {
  constructor(
    private readonly logs: LimitLogs,
    private readonly deliveries: Pick<DeliveriesStore, 'load'>,
    private readonly due: Pick<DueDeliveriesStore, 'advance'>,
    private readonly quotas: Pick<QuotasStore, 'giveBack'>,
    private readonly onFault: (error: Error, delivery: EndedDelivery) => void,
  ) {}

  /** After a delivery that will not be sent has ended. Its places in caps may be given back again, without effect. */
  async ofEnded(ended: EndedDelivery): Promise<void> {
    const { context, countedAfter, ...delivery } = ended;
    try {
      const loaded = context ?? (await this.deliveries.load(delivery));
      if (!loaded) return;
      const { limits, quotas } = deliveryLimits(delivery.channel, loaded, Date.now());
      await this.inLimits({ ...delivery, limits: limits.filter((limit) => limit.isGivenBack) });
      if (countedAfter && quotas.length > 0) await this.quotas.giveBack(delivery.tenantId, countedAfter);
    } catch (error) {
      this.onFault(error as Error, ended);
    }
  }

  /**
   * After deliveries of a tenant were cancelled. A run of the pipeline that is under way may take places afterwards; it
   * gives them back itself.
   */
  async ofCancelled(tenantId: string, cancelled: readonly CancelledDelivery[]): Promise<void> {
    await Promise.all(
      cancelled.map(({ id: deliveryId, channel, rateLimitConsumed }) => {
        const countedAfter = rateLimitConsumed ? earliestCount(deliveryId) : null;
        return this.ofEnded({ tenantId, deliveryId, channel, context: null, countedAfter });
      }),
    );
  }

  /** Deliveries that have an earlier turn for it become due then. Throws what the stores throw. */
  async inLimits(places: DeliveryPlaces): Promise<void> {
    const { tenantId, limits } = places;
    const earlier = limits.length === 0 ? [] : await this.logs.release(places);
    if (earlier.length > 0) await this.due.advance(tenantId, limits[0]!.recipientId, earlier);
  }
}

/** An earlier run of the pipeline was counted at an unknown time, but not before the delivery was accepted. */
export function earliestCount(deliveryId: string): Date {
  return new Date(timeOfId(deliveryId));
}
