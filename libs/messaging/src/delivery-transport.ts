import type { ChannelId } from '#domain';

/** A claimed delivery on its way to its channel's consumer. The transport looks at nothing but the channel. */
export interface Transported {
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
 * not hold up another, and `close` waits for what is under way.
 */
export interface DeliveryTransport<Delivery extends Transported> {
  /** How many more this channel may hold now. */
  room(channel: ChannelId): number;
  publish(channel: ChannelId, deliveries: Delivery[]): Promise<void>;
  /** Called whenever room was made on a channel. */
  onRoom(handler: (channel: ChannelId) => void): void;
  /** Stops taking in, and resolves when everything handed over is settled. */
  drain(): Promise<void>;
}

/** The Nest message pattern of a channel's consumer. */
export function deliveriesPattern(channel: ChannelId): string {
  return `deliveries.${channel}`;
}
