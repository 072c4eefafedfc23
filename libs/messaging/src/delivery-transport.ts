import type { ChannelId } from '#domain';

/** A claimed delivery on its way to its channel's consumer. A transport looks at nothing else. */
export interface Transported {
  readonly tenantId: string;
  readonly deliveryId: string;
  readonly channel: ChannelId;
}

/** What a consumer is handed: deliveries, and a way to say that each is done with. */
export interface DeliveryBatch<Delivery extends Transported> {
  readonly deliveries: readonly Delivery[];
  /** Frees the delivery's place. Called once for each, whatever became of it. */
  settled(delivery: Delivery): void;
}

/**
 * Carries claimed deliveries from the dispatcher to the consumer of their channel. One contract, tested against every
 * transport: what is published is handed over once, a channel never holds more than its concurrency, a slow channel does
 * not hold up another, and `drain` waits for what is under way.
 */
export interface DeliveryTransport<Delivery extends Transported> {
  /** How many more this channel may hold now. */
  capacity(channel: ChannelId): number;
  /** How many deliveries of each tenant this process holds on the channel; empty where that is not known here. */
  held(channel: ChannelId): ReadonlyMap<string, number>;
  /** Rejects when the deliveries could not be handed on: their claims are then released. */
  publish(channel: ChannelId, lane: LaneNumber, deliveries: Delivery[]): Promise<void>;
  /** Called whenever room was made on a channel. */
  onCapacity(handler: (channel: ChannelId) => void): void;
  /** Stops taking in, and resolves when everything handed over is settled. */
  drain(): Promise<void>;
  /** What an operator should know of it, in words; null when there is nothing to know. */
  condition(): { ready: boolean; words: string } | null;
}

export type LaneNumber = 1 | 2 | 3;

/** The Nest message pattern of a channel's consumer. */
export function deliveriesPattern(channel: ChannelId): string {
  return `deliveries.${channel}`;
}
