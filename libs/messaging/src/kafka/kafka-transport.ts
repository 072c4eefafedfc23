import { type CustomTransportStrategy, Server } from '@nestjs/microservices';
import type { ChannelId } from '#domain';
import { callConsumer } from '../call-consumer.js';
import { type DeliveryTransport, deliveriesPattern, type LaneNumber } from '../delivery-transport.js';
import { ChannelIntake } from './channel-intake.js';
import { DeadLetterTopic, type PoisonMessage } from './dead-letter-topic.js';
import { type Claimable, type ClaimTicket, writeDeliveryMessage } from './delivery-message.js';
import { TopicWriter, type TopicWriterOptions } from './topic-writer.js';

export interface KafkaTransportOptions<Delivery extends Claimable> extends TopicWriterOptions {
  /** The channels this worker serves. */
  channels: readonly ChannelId[];
  concurrency: Readonly<Record<ChannelId, number>>;
  /** How long a worker may be silent before its partitions go to others. */
  sessionMs: number;
  /** The claims that still hold, renewed where little of them is left; null for the others. Throws while the database is away. */
  confirm: (tickets: ClaimTicket[]) => Promise<(Delivery | null)[]>;
  notePoison: (message: PoisonMessage) => Promise<void>;
  onFault: (error: Error, what: string) => void;
}

/**
 * Of a channel's deliveries this many times the workers' concurrency may be between claim and commit: enough that no worker
 * runs dry, little enough that none waits for a lease, and that fairness stays with the dispatcher.
 */
const AHEAD = 1.5;
/** How often the lag is looked up by itself, and how soon again when room is short. */
const LAG_MS = 1_000;
const LAG_SOON_MS = 100;
/** With this share of the room left the lag is looked up again soon. */
const LOW_SHARE = 0.3;

/** One channel here: what this worker has in hand of it, and how much more may be published. */
interface ChannelConsumer<Delivery extends Claimable> {
  channel: ChannelId;
  intake: ChannelIntake<Delivery>;
  /** Workers that share the channel, as this one's share of the partitions tells. */
  workers: number;
  /** Published and not committed by anybody, as far as is known here; null while it is not. */
  outstanding: number | null;
  lookedAt: number;
  looking: boolean;
}

/**
 * Carries claimed deliveries through Kafka: topics per channel and lane, keyed so that one recipient's deliveries stay in
 * order, one produce per claimed batch. What arrives is worked on in parallel, one at a time per key; offsets are committed
 * in order when the work is done. The queue itself stays `due_deliveries`: a message only says that a claim was made, and a
 * message whose claim does not hold any more does nothing. See docs/kafka.md.
 */
export class KafkaTransport<Delivery extends Claimable>
  extends Server
  implements CustomTransportStrategy, DeliveryTransport<Delivery>
{
  private readonly writer: TopicWriter;
  private readonly poison: DeadLetterTopic;
  private readonly lines = new Map<ChannelId, ChannelConsumer<Delivery>>();
  private readonly roomHandlers: ((channel: ChannelId) => void)[] = [];
  private readonly idleHandlers: (() => void)[] = [];
  private timer: NodeJS.Timeout | undefined;
  private connected = false;
  private draining = false;

  constructor(private readonly options: KafkaTransportOptions<Delivery>) {
    super();
    this.writer = new TopicWriter(options);
    this.poison = new DeadLetterTopic(this.writer, options.notePoison);
    for (const channel of options.channels) this.lines.set(channel, this.lineOf(channel));
  }

  /** Called by Nest. Does not wait for the brokers: they may be away, and come. */
  listen(callback: () => void): void {
    void this.connect();
    this.timer = setInterval(() => {
      for (const line of this.lines.values()) void this.lookAtLag(line);
    }, LAG_MS).unref();
    callback();
  }

  on(): void {}

  unwrap<T>(): T {
    return this.options.kafka as T;
  }

  capacity(channel: ChannelId): number {
    const line = this.lines.get(channel);
    if (!line || this.draining || line.outstanding === null) return 0;
    const capacity = Math.floor(this.options.concurrency[channel] * AHEAD * line.workers);
    const room = capacity - line.outstanding;
    if (room < capacity * LOW_SHARE) void this.lookAtLag(line);
    return Math.max(0, Math.min(room, this.options.concurrency[channel]));
  }

  /** Not known here: what this process publishes, another may hold. Claims are fair, and the topics never hold a backlog. */
  held(): ReadonlyMap<string, number> {
    return new Map();
  }

  onCapacity(handler: (channel: ChannelId) => void): void {
    this.roomHandlers.push(handler);
  }

  async publish(channel: ChannelId, lane: LaneNumber, deliveries: Delivery[]): Promise<void> {
    const line = this.lines.get(channel)!;
    if (line.outstanding !== null) line.outstanding += deliveries.length;
    await this.writer.send(
      this.writer.topics.deliveries(channel, lane),
      deliveries.map((delivery) => ({
        key: delivery.messageKey,
        value: writeDeliveryMessage(delivery),
        ...(delivery.traceparent && { headers: { traceparent: delivery.traceparent } }),
      })),
    );
  }

  condition(): { ready: boolean; words: string } {
    // Told, not fatal: deliveries wait in the database, and this worker could not do more anywhere else.
    if (!this.connected) return { ready: true, words: 'away' };
    const without = [...this.lines.values()].filter(
      ({ intake, outstanding }) => !intake.consumer.ready && outstanding !== 0,
    );
    if (without.length === 0) return { ready: true, words: 'ok' };
    const names = without.map(({ channel }) => channel).join(', ');
    return { ready: false, words: `no partition of ${names}, and something to do` };
  }

  async drain(): Promise<void> {
    this.draining = true;
    for (const { intake } of this.lines.values()) intake.halt();
    if (this.total() > 0) await new Promise<void>((resolve) => this.idleHandlers.push(resolve));
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all([...this.lines.values()].map(({ intake }) => intake.consumer.stop()));
    await this.writer.close();
  }

  private lineOf(channel: ChannelId): ChannelConsumer<Delivery> {
    const { kafka, concurrency, sessionMs, confirm, onFault } = this.options;
    const line: ChannelConsumer<Delivery> = {
      channel,
      intake: new ChannelIntake({
        kafka,
        channel,
        groupId: this.writer.topics.workers(channel),
        topics: this.writer.topics.lanesOf(channel),
        sessionMs,
        concurrency: concurrency[channel],
        confirm,
        work: async (batch) => {
          const handler = this.getHandlerByPattern(deliveriesPattern(channel));
          if (!handler) throw new Error(`no consumer for ${deliveriesPattern(channel)}`);
          await callConsumer(handler, batch);
        },
        bury: (message, reason) => this.poison.bury(message, reason),
        onSettled: (done) => this.settled(line, done),
        onShare: ({ partitions, of }) => {
          line.workers = partitions > 0 ? of / partitions : 1;
          void this.lookAtLag(line);
        },
        onFault: (error, what) => onFault(error, `${channel}: ${what}`),
      }),
      workers: 1,
      outstanding: null,
      lookedAt: 0,
      looking: false,
    };
    return line;
  }

  /** Topics first, then consumers: a group that begins before its topics may never see them. */
  private async connect(): Promise<void> {
    const { onFault } = this.options;
    if (!(await this.writer.connectPatiently((error) => onFault(error, 'Kafka is away: deliveries wait')))) return;
    this.connected = true;
    if (!this.draining) await Promise.all([...this.lines.values()].map(({ intake }) => intake.consumer.start()));
  }

  private settled(line: ChannelConsumer<Delivery>, done: boolean): void {
    if (done && line.outstanding !== null) line.outstanding -= 1;
    for (const handler of this.roomHandlers) handler(line.channel);
    if (this.draining && this.total() === 0) for (const resolve of this.idleHandlers.splice(0)) resolve();
  }

  /** How much of the channel is between claim and commit, in all workers: what the group has not committed yet. */
  private async lookAtLag(line: ChannelConsumer<Delivery>): Promise<void> {
    const now = performance.now();
    if (line.looking || !this.connected || this.draining || now - line.lookedAt < LAG_SOON_MS) return;
    line.looking = true;
    line.lookedAt = now;
    try {
      const topics = this.writer.topics.lanesOf(line.channel);
      const [committed, ...ends] = await Promise.all([
        this.writer.admin.fetchOffsets({ groupId: this.writer.topics.workers(line.channel), topics }),
        ...topics.map((topic) => this.writer.admin.fetchTopicOffsets(topic)),
      ]);
      let lag = 0;
      topics.forEach((topic, at) => {
        const places = committed.find((found) => found.topic === topic)?.partitions ?? [];
        for (const { partition, high, low } of ends[at]!) {
          const offset = Number(places.find((place) => place.partition === partition)?.offset ?? -1);
          lag += Math.max(0, Number(high) - (offset < 0 ? Number(low) : offset));
        }
      });
      line.outstanding = Math.max(0, lag - line.intake.consumer.uncommitted);
      for (const handler of this.roomHandlers) handler(line.channel);
    } catch (error) {
      if (line.outstanding !== null)
        this.options.onFault(error as Error, `${line.channel}: the lag is not known, and nothing is claimed`);
      line.outstanding = null;
    } finally {
      line.looking = false;
    }
  }

  private total(): number {
    let sum = 0;
    for (const { intake } of this.lines.values()) sum += intake.inHand;
    return sum;
  }
}
