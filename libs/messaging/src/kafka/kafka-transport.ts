import { type CustomTransportStrategy, Server } from '@nestjs/microservices';
import type { ChannelId, LaneNumber } from '#domain';
import { callConsumer } from '../call-consumer.js';
import { type DeliveryTransport, deliveriesPattern } from '../delivery-transport.js';
import type { IncomingMessage } from './assigned-partitions.js';
import { ChannelIntake } from './channel-intake.js';
import { DeadLetterTopic, type PoisonMessage } from './dead-letter-topic.js';
import { type ClaimTicket, type DeliveryClaim, writeDeliveryMessage } from './delivery-message.js';
import { TopicWriter, type TopicWriterOptions } from './topic-writer.js';

export interface KafkaTransportOptions<Delivery extends DeliveryClaim> extends TopicWriterOptions {
  /** The channels this worker serves. */
  channels: readonly ChannelId[];
  concurrency: Readonly<Record<ChannelId, number>>;
  /** The broker reassigns the partitions of a worker that sends no heartbeat for this long. */
  sessionMs: number;
  /**
   * The deliveries whose claims are still valid, in the order of the tickets, with claims renewed that are about to
   * end; null for the others. Throws while the database is unavailable.
   */
  confirm: (tickets: ClaimTicket[]) => Promise<(Delivery | null)[]>;
  /** Headers of the message of a delivery. */
  headersOf: (delivery: Delivery) => Record<string, string> | undefined;
  /** Called before the delivery is processed, with the headers of its message. */
  onReceived: (delivery: Delivery, headers: IncomingMessage['headers']) => void;
  notePoison: (message: PoisonMessage) => Promise<void>;
  onFault: (error: Error, what: string) => void;
}

/**
 * Uncommitted deliveries of a channel, at most, as a multiple of the concurrency of all workers. Enough to keep every
 * worker busy, and few enough that none waits for longer than its lease and that the dispatcher decides about fairness.
 */
const AHEAD = 1.5;
const LAG_MS = 1_000;
/** Minimum interval between two reads of the lag while capacity is low. */
const LAG_SOON_MS = 100;
/** Below this share of free capacity the lag is read again soon. */
const LOW_SHARE = 0.3;

/** A channel of this worker. */
interface ChannelConsumer<Delivery extends DeliveryClaim> {
  channel: ChannelId;
  intake: ChannelIntake<Delivery>;
  /** Estimated number of workers of the channel: all partitions divided by those of this worker. */
  workers: number;
  /** Deliveries published and not yet committed, by all workers; null while the lag cannot be read. */
  uncommitted: number | null;
  lagReadAt: number;
  readingLag: boolean;
}

/**
 * Passes claimed deliveries through Kafka: one topic per channel and lane, one produce request per claimed batch, keyed
 * so that the deliveries of one recipient stay in order. Consumers process keys in parallel and commit offsets in
 * order. The queue stays `due_deliveries`: a message names a claim, and a message whose claim is no longer valid has no
 * effect. See docs/kafka.md.
 */
export class KafkaTransport<Delivery extends DeliveryClaim>
  extends Server
  implements CustomTransportStrategy, DeliveryTransport<Delivery>
{
  private readonly writer: TopicWriter;
  private readonly deadLetters: DeadLetterTopic;
  private readonly consumers = new Map<ChannelId, ChannelConsumer<Delivery>>();
  private readonly capacityHandlers: ((channel: ChannelId) => void)[] = [];
  private readonly idleHandlers: (() => void)[] = [];
  private timer: NodeJS.Timeout | undefined;
  private connected = false;
  /** Whether the last read of a lag succeeded. */
  private isReachable = true;
  private draining = false;

  constructor(private readonly options: KafkaTransportOptions<Delivery>) {
    super();
    this.writer = new TopicWriter(options);
    this.deadLetters = new DeadLetterTopic(this.writer, options.notePoison);
    for (const channel of options.channels) this.consumers.set(channel, this.makeConsumer(channel));
  }

  /** Called by Nest. Connects in the background, because the brokers may be unavailable. */
  listen(callback: () => void): void {
    void this.connect();
    this.timer = setInterval(() => {
      for (const consumer of this.consumers.values()) void this.readLag(consumer);
    }, LAG_MS).unref();
    callback();
  }

  on(): void {}

  unwrap<T>(): T {
    return this.options.kafka as T;
  }

  capacity(channel: ChannelId): number {
    const consumer = this.consumers.get(channel);
    if (!consumer || this.draining || consumer.uncommitted === null) return 0;
    const total = Math.floor(this.options.concurrency[channel] * AHEAD * consumer.workers);
    const free = total - consumer.uncommitted;
    if (free < total * LOW_SHARE) void this.readLag(consumer);
    return Math.max(0, Math.min(free, this.options.concurrency[channel]));
  }

  /** Unknown here: any worker may consume the deliveries that this one publishes. */
  inFlight(): ReadonlyMap<string, number> {
    return new Map();
  }

  onCapacity(handler: (channel: ChannelId) => void): void {
    this.capacityHandlers.push(handler);
  }

  async publish(channel: ChannelId, lane: LaneNumber, deliveries: Delivery[]): Promise<void> {
    const consumer = this.consumers.get(channel)!;
    if (consumer.uncommitted !== null) consumer.uncommitted += deliveries.length;
    await this.writer.send(
      this.writer.topics.deliveries(channel, lane),
      deliveries.map((delivery) => {
        const headers = this.options.headersOf(delivery);
        return { key: delivery.messageKey, value: writeDeliveryMessage(delivery), ...(headers && { headers }) };
      }),
    );
  }

  uncommitted(): ReadonlyMap<ChannelId, number | null> {
    return new Map([...this.consumers.values()].map(({ channel, uncommitted }) => [channel, uncommitted]));
  }

  readiness(): { ready: boolean; status: string } {
    // Ready without brokers: deliveries wait in the database, and another worker could not send them either.
    if (!this.connected || !this.isReachable) return { ready: true, status: 'away' };
    const unassigned = [...this.consumers.values()].filter(
      ({ intake, uncommitted }) => !intake.consumer.hasPartitions && uncommitted !== 0,
    );
    if (unassigned.length === 0) return { ready: true, status: 'ok' };
    const names = unassigned.map(({ channel }) => channel).join(', ');
    return { ready: false, status: `no partition of ${names}, and uncommitted messages` };
  }

  async drain(): Promise<void> {
    this.draining = true;
    for (const { intake } of this.consumers.values()) intake.stopFetching();
    if (this.total() > 0) await new Promise<void>((resolve) => this.idleHandlers.push(resolve));
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all([...this.consumers.values()].map(({ intake }) => intake.consumer.stop()));
    await this.writer.close();
  }

  private makeConsumer(channel: ChannelId): ChannelConsumer<Delivery> {
    const { kafka, concurrency, sessionMs, confirm, onReceived, onFault } = this.options;
    const consumer: ChannelConsumer<Delivery> = {
      channel,
      intake: new ChannelIntake({
        kafka,
        channel,
        groupId: this.writer.topics.workers(channel),
        topics: this.writer.topics.lanesOf(channel),
        sessionMs,
        concurrency: concurrency[channel],
        confirm,
        onReceived,
        work: async (batch) => {
          const handler = this.getHandlerByPattern(deliveriesPattern(channel));
          if (!handler) throw new Error(`no consumer for ${deliveriesPattern(channel)}`);
          await callConsumer(handler, batch);
        },
        onPoison: (message, reason) => this.deadLetters.add(message, reason),
        onFinished: (acknowledged) => this.finished(consumer, acknowledged),
        onAssigned: ({ partitions, of }) => {
          consumer.workers = partitions > 0 ? of / partitions : 1;
          void this.readLag(consumer);
        },
        onFault: (error, what) => onFault(error, `${channel}: ${what}`),
      }),
      workers: 1,
      uncommitted: null,
      lagReadAt: 0,
      readingLag: false,
    };
    return consumer;
  }

  /** Creates the topics before the consumers start, because a group may never notice a topic that is created later. */
  private async connect(): Promise<void> {
    const { onFault } = this.options;
    const connected = await this.writer.connectWithRetries((error) =>
      onFault(error, 'Kafka is unavailable; deliveries wait in the queue'),
    );
    if (!connected) return;
    this.connected = true;
    if (!this.draining) await Promise.all([...this.consumers.values()].map(({ intake }) => intake.consumer.start()));
  }

  private finished(consumer: ChannelConsumer<Delivery>, acknowledged: boolean): void {
    if (acknowledged && consumer.uncommitted !== null) consumer.uncommitted -= 1;
    for (const handler of this.capacityHandlers) handler(consumer.channel);
    if (this.draining && this.total() === 0) for (const resolve of this.idleHandlers.splice(0)) resolve();
  }

  /** Reads how many deliveries of the channel all workers together have not committed. */
  private async readLag(consumer: ChannelConsumer<Delivery>): Promise<void> {
    const now = performance.now();
    if (consumer.readingLag || !this.connected || this.draining || now - consumer.lagReadAt < LAG_SOON_MS) return;
    consumer.readingLag = true;
    consumer.lagReadAt = now;
    try {
      const lag = await this.writer.lagOf(
        this.writer.topics.workers(consumer.channel),
        this.writer.topics.lanesOf(consumer.channel),
      );
      this.isReachable = true;
      consumer.uncommitted = Math.max(0, lag - consumer.intake.consumer.uncommitted);
      for (const handler of this.capacityHandlers) handler(consumer.channel);
    } catch (error) {
      if (consumer.uncommitted !== null)
        this.options.onFault(error as Error, `${consumer.channel}: reading the lag failed; claiming pauses`);
      consumer.uncommitted = null;
      this.isReachable = false;
    } finally {
      consumer.readingLag = false;
    }
  }

  private total(): number {
    let sum = 0;
    for (const { intake } of this.consumers.values()) sum += intake.inFlight;
    return sum;
  }
}
