import { type CustomTransportStrategy, Server } from '@nestjs/microservices';
import { type ChannelId, channelIds, type LaneNumber } from '#domain';
import { callConsumer } from './call-consumer.js';
import {
  type DeliveryBatch,
  type DeliveryReference,
  type DeliveryTransport,
  deliveriesPattern,
} from './delivery-transport.js';

interface InFlight {
  count: number;
  byTenant: Map<string, number>;
}

/**
 * The transport without Kafka: the dispatcher and the consumers are in one process, so a batch is a function call. The
 * queue is `due_deliveries`; nothing is queued here, because the dispatcher claims no more than the free capacity.
 *
 * A Nest microservice strategy: Nest finds the consumers by their message patterns, starts it and stops it.
 */
export class DirectTransport<Delivery extends DeliveryReference>
  extends Server
  implements CustomTransportStrategy, DeliveryTransport<Delivery>
{
  readonly confirmsClaims = false;
  private readonly inFlightByChannel = new Map<ChannelId, InFlight>(
    channelIds.map((channel) => [channel, { count: 0, byTenant: new Map() }]),
  );
  private readonly capacityHandlers: ((channel: ChannelId) => void)[] = [];
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
    return this.draining ? 0 : this.concurrency[channel] - this.inFlightByChannel.get(channel)!.count;
  }

  inFlight(channel: ChannelId): ReadonlyMap<string, number> {
    return this.inFlightByChannel.get(channel)!.byTenant;
  }

  uncommitted(): ReadonlyMap<ChannelId, null> {
    return new Map();
  }

  readiness(): null {
    return null;
  }

  onCapacity(handler: (channel: ChannelId) => void): void {
    this.capacityHandlers.push(handler);
  }

  async publish(channel: ChannelId, _lane: LaneNumber, deliveries: Delivery[]): Promise<void> {
    const handler = this.getHandlerByPattern(deliveriesPattern(channel));
    if (!handler) throw new Error(`no consumer for ${deliveriesPattern(channel)}`);
    const inFlight = this.inFlightByChannel.get(channel)!;
    const { byTenant } = inFlight;
    for (const { tenantId } of deliveries) byTenant.set(tenantId, (byTenant.get(tenantId) ?? 0) + 1);
    inFlight.count += deliveries.length;
    const unfinished = new Set(deliveries);
    const batch: DeliveryBatch<Delivery> = {
      deliveries,
      done: (delivery) => {
        if (unfinished.delete(delivery)) this.release(channel, [delivery]);
      },
    };
    // Not awaited: the batch is processed while the next one is claimed.
    void callConsumer(handler, batch)
      .catch((error: Error) => this.onFault(error, channel))
      .finally(() => {
        const remaining = [...unfinished];
        unfinished.clear();
        if (remaining.length > 0) this.release(channel, remaining);
      });
  }

  async drain(): Promise<void> {
    this.draining = true;
    if (this.total() > 0) await new Promise<void>((resolve) => this.idleHandlers.push(resolve));
  }

  private release(channel: ChannelId, deliveries: readonly Delivery[]): void {
    const inFlight = this.inFlightByChannel.get(channel)!;
    inFlight.count -= deliveries.length;
    for (const { tenantId } of deliveries) {
      const count = inFlight.byTenant.get(tenantId)! - 1;
      if (count > 0) inFlight.byTenant.set(tenantId, count);
      else inFlight.byTenant.delete(tenantId);
    }
    for (const handler of this.capacityHandlers) handler(channel);
    if (this.total() === 0) for (const resolve of this.idleHandlers.splice(0)) resolve();
  }

  private total(): number {
    let sum = 0;
    for (const { count } of this.inFlightByChannel.values()) sum += count;
    return sum;
  }
}
