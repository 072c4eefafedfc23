import { type CustomTransportStrategy, Server } from '@nestjs/microservices';
import { type ChannelId, channelIds } from '#domain';
import {
  type DeliveryBatch,
  type DeliveryTransport,
  deliveriesPattern,
  type Transported,
} from './delivery-transport.js';

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
  private readonly inHand = new Map<ChannelId, number>(channelIds.map((channel) => [channel, 0]));
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

  room(channel: ChannelId): number {
    return this.draining ? 0 : this.concurrency[channel] - this.inHand.get(channel)!;
  }

  onRoom(handler: (channel: ChannelId) => void): void {
    this.roomHandlers.push(handler);
  }

  async publish(channel: ChannelId, deliveries: Delivery[]): Promise<void> {
    const handler = this.getHandlerByPattern(deliveriesPattern(channel));
    if (!handler) throw new Error(`no consumer for ${deliveriesPattern(channel)}`);
    this.inHand.set(channel, this.inHand.get(channel)! + deliveries.length);
    const open = new Set(deliveries);
    const batch: DeliveryBatch<Delivery> = {
      deliveries,
      settled: (delivery) => {
        if (open.delete(delivery)) this.freed(channel, 1);
      },
    };
    // Not awaited: the batch runs beside the next claim.
    Promise.resolve(handler(batch))
      .then((answer) =>
        isObservable(answer)
          ? new Promise<void>((resolve, reject) => answer.subscribe({ error: reject, complete: resolve }))
          : undefined,
      )
      .catch((error: Error) => this.onFault(error, channel))
      .finally(() => {
        const left = open.size;
        open.clear();
        if (left > 0) this.freed(channel, left);
      });
  }

  async drain(): Promise<void> {
    this.draining = true;
    if (this.total() > 0) await new Promise<void>((resolve) => this.idleHandlers.push(resolve));
  }

  private freed(channel: ChannelId, count: number): void {
    this.inHand.set(channel, this.inHand.get(channel)! - count);
    for (const handler of this.roomHandlers) handler(channel);
    if (this.total() === 0) for (const resolve of this.idleHandlers.splice(0)) resolve();
  }

  private total(): number {
    let sum = 0;
    for (const count of this.inHand.values()) sum += count;
    return sum;
  }
}

interface ObservableLike {
  subscribe(observer: { error: (error: Error) => void; complete: () => void }): unknown;
}

function isObservable(value: unknown): value is ObservableLike {
  return typeof value === 'object' && value !== null && typeof (value as ObservableLike).subscribe === 'function';
}
