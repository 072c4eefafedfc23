import type { ChannelId, LaneNumber } from '#domain';

/** A claimed delivery, with the fields that every transport needs. */
export interface DeliveryReference {
  readonly tenantId: string;
  readonly deliveryId: string;
  readonly channel: ChannelId;
}

/** The input of a channel's consumer. */
export interface DeliveryBatch<Delivery extends DeliveryReference> {
  readonly deliveries: readonly Delivery[];
  /** Frees the capacity of the delivery. To be called for each one after it was processed, whatever its outcome. */
  done(delivery: Delivery): void;
}

/**
 * Passes claimed deliveries from the dispatcher to the consumer of their channel. Every transport passes the same
 * tests: each published delivery is consumed once, a channel never exceeds its concurrency, a slow channel does not
 * delay another, and `drain` waits for the deliveries in flight.
 */
export interface DeliveryTransport<Delivery extends DeliveryReference> {
  /** Whether a worker confirms the claim of a delivery before its work begins: it may lapse on the way there. */
  readonly confirmsClaims: boolean;
  /** How many more deliveries may be published on the channel now. */
  capacity(channel: ChannelId): number;
  /** Deliveries in flight on the channel in this process, by tenant; empty where the transport does not know. */
  inFlight(channel: ChannelId): ReadonlyMap<string, number>;
  /** Rejects when the deliveries could not be published. The caller then releases their claims. */
  publish(channel: ChannelId, lane: LaneNumber, deliveries: Delivery[]): Promise<void>;
  /** Calls the handler whenever capacity becomes free on a channel. */
  onCapacity(handler: (channel: ChannelId) => void): void;
  /** Starts no more deliveries, and resolves when those in flight are done. */
  drain(): Promise<void>;
  /** For /readyz: `status` is a short text for operators. Null when the transport depends on no other service. */
  readiness(): { ready: boolean; status: string } | null;
  /**
   * By channel, the deliveries that were published and are not committed yet, of all workers; null while that cannot
   * be read. Empty when the transport depends on no other service.
   */
  uncommitted(): ReadonlyMap<ChannelId, number | null>;
}

/** The Nest message pattern of a channel's consumer. */
export function deliveriesPattern(channel: ChannelId): string {
  return `deliveries.${channel}`;
}
