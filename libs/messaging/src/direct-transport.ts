import { type CustomTransportStrategy, Server } from '@nestjs/microservices';
import { type ChannelId, channelIds } from '#domain';
import { callConsumer } from './call-consumer.js';
import {
  type DeliveryBatch,
  type DeliveryTransport,
  deliveriesPattern,
  type LaneNumber,
  type Transported,
} from './delivery-transport.js';

interface Hand {
  count: number;
  byTenant: Map<string, number>;
}

/**
 * The transport of the Postgres profiles: the dispatcher and the consumers are in one process, so a batch is a call. The
 * queue itself is `due_deliveries`; nothing waits here, because the dispatcher claims no more than there is room for.
 *
 * A Nest microservice strategy: Nest finds the consumers by their message patterns, starts it and stops it.
 */
export class DirectTransport<Delivery extends Transported>
  extends Server
  implements CustomTransportStrategy, DeliveryTransport<Delivery>
{
  private readonly hands = new Map<ChannelId, Hand>(
    channelIds.map((channel) => [channel, { count: 0, byTenant: new Map() }]),
  );
  private readonly roomHandlers: ((channel: ChannelId) => void)[] = [];
  private readonly idleHandlers: (() => void)[] = [];
  private draining = false;

  constructor(
    private readonly concurrency: Readonly<Record<ChannelId, number>>,
    private readonly onFault: (error: Error, channel: ChannelId) => void,
  ) {
    super();
  }

  listen(callback: () => void): void {
    callback();
  }

  async close(): Promise<void> {
    await this.drain();
  }

  on(): void {}

  unwrap<T>(): T {
    return undefined as T;
  }

  capacity(channel: ChannelId): number {
    return this.draining ? 0 : this.concurrency[channel] - this.hands.get(channel)!.count;
  }

  held(channel: ChannelId): ReadonlyMap<string, number> {
    return this.hands.get(channel)!.byTenant;
  }

  condition(): null {
    return null;
  }

  onCapacity(handler: (channel: ChannelId) => void): void {
    this.roomHandlers.push(handler);
  }

  async publish(channel: ChannelId, _lane: LaneNumber, deliveries: Delivery[]): Promise<void> {
    const handler = this.getHandlerByPattern(deliveriesPattern(channel));
    if (!handler) throw new Error(`no consumer for ${deliveriesPattern(channel)}`);
    const { byTenant } = this.hands.get(channel)!;
    for (const { tenantId } of deliveries) byTenant.set(tenantId, (byTenant.get(tenantId) ?? 0) + 1);
    this.hands.get(channel)!.count += deliveries.length;
    const open = new Set(deliveries);
    const batch: DeliveryBatch<Delivery> = {
      deliveries,
      settled: (delivery) => {
        if (open.delete(delivery)) this.freed(channel, [delivery]);
      },
    };
    // Not awaited: the batch runs beside the next claim.
    void callConsumer(handler, batch)
      .catch((error: Error) => this.onFault(error, channel))
      .finally(() => {
        const left = [...open];
        open.clear();
        if (left.length > 0) this.freed(channel, left);
      });
  }

  async drain(): Promise<void> {
    this.draining = true;
    if (this.total() > 0) await new Promise<void>((resolve) => this.idleHandlers.push(resolve));
  }

  private freed(channel: ChannelId, deliveries: readonly Delivery[]): void {
    const hand = this.hands.get(channel)!;
    hand.count -= deliveries.length;
    for (const { tenantId } of deliveries) {
      const left = hand.byTenant.get(tenantId)! - 1;
      if (left > 0) hand.byTenant.set(tenantId, left);
      else hand.byTenant.delete(tenantId);
    }
    for (const handler of this.roomHandlers) handler(channel);
    if (this.total() === 0) for (const resolve of this.idleHandlers.splice(0)) resolve();
  }

  private total(): number {
    let sum = 0;
    for (const { count } of this.hands.values()) sum += count;
    return sum;
  }
}
