import { type CustomTransportStrategy, Server } from '@nestjs/microservices';
import type { ChannelId } from '#domain';
import { callConsumer } from '../call-consumer.js';
import {
  type DeliveryBatch,
  type DeliveryTransport,
  deliveriesPattern,
  type LaneNumber,
  type Transported,
} from '../delivery-transport.js';
import { DeadLetterTopic, type PoisonMessage } from './dead-letter-topic.js';
import { type DeliveryMessage, deliveryMessage, MESSAGE_VERSION } from './delivery-message.js';
import { GroupConsumer, type Incoming } from './group-consumer.js';
import { type Admin, CompressionTypes, type Kafka, makeProducer, type Producer } from './kafka-client.js';
import { Topics } from './topics.js';

/** A claimed delivery that can travel. */
export interface Claimable extends Transported {
  readonly claimId: string;
  readonly attempt: number;
  readonly sending: boolean;
  /** Deliveries with the same key reach the same consumer in order: the hash of the recipient, or of the ordering key. */
  readonly messageKey: string;
  /** W3C trace context, in the header of the same name. */
  readonly traceparent: string | null;
}

/** What a message says of a claim; {@link KafkaTransportOptions.confirm} says whether it still holds. */
export interface ClaimTicket extends Pick<Claimable, 'tenantId' | 'deliveryId' | 'claimId' | 'attempt' | 'sending'> {
  readonly channel: ChannelId;
}

export interface KafkaTransportOptions<Delivery extends Claimable> {
  kafka: Kafka;
  prefix: string;
  partitions: number;
  /** The channels this worker serves. */
  channels: readonly ChannelId[];
  concurrency: Readonly<Record<ChannelId, number>>;
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
const MAX_BATCH = 500;
const LAG_MS = 250;
/** With this share of the room left the lag is looked up again at once. */
const LOW_SHARE = 0.3;
const RETRY_MS = 500;

interface Parcel {
  ticket: ClaimTicket;
  key: string;
  message: Incoming;
}

/** One channel here: its consumer, what it holds, and how much more may be published. */
interface Line {
  channel: ChannelId;
  consumer: GroupConsumer;
  /** Handed over and not settled. */
  inHand: number;
  /** By key: who waits for the one before it. Present while one of the key is in hand. */
  behind: Map<string, Parcel[]>;
  ready: Parcel[];
  flushing: boolean;
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
  private readonly topics: Topics;
  private readonly producer: Producer;
  private readonly admin: Admin;
  private readonly poison: DeadLetterTopic;
  private readonly lines = new Map<ChannelId, Line>();
  private readonly roomHandlers: ((channel: ChannelId) => void)[] = [];
  private readonly idleHandlers: (() => void)[] = [];
  private timer: NodeJS.Timeout | undefined;
  private connected = false;
  private draining = false;

  constructor(private readonly options: KafkaTransportOptions<Delivery>) {
    super();
    this.topics = new Topics(options.prefix);
    this.producer = makeProducer(options.kafka);
    this.admin = options.kafka.admin();
    this.poison = new DeadLetterTopic(this.producer, this.topics.deadLetters, options.notePoison);
    for (const channel of options.channels) this.lines.set(channel, this.makeLine(channel));
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

  room(channel: ChannelId): number {
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

  onRoom(handler: (channel: ChannelId) => void): void {
    this.roomHandlers.push(handler);
  }

  async publish(channel: ChannelId, lane: LaneNumber, deliveries: Delivery[]): Promise<void> {
    const line = this.lines.get(channel)!;
    if (line.outstanding !== null) line.outstanding += deliveries.length;
    await this.producer.send({
      topic: this.topics.deliveries(channel, lane),
      acks: -1,
      compression: CompressionTypes.ZSTD,
      messages: deliveries.map((delivery) => ({
        key: delivery.messageKey,
        value: JSON.stringify(toMessage(delivery)),
        ...(delivery.traceparent && { headers: { traceparent: delivery.traceparent } }),
      })),
    });
  }

  condition(): { ready: boolean; words: string } {
    // Told, not fatal: deliveries wait in the database, and this worker could not do more anywhere else.
    if (!this.connected) return { ready: true, words: 'away' };
    const without = [...this.lines.values()].filter(
      ({ consumer, outstanding }) => !consumer.ready && outstanding !== 0,
    );
    return without.length === 0
      ? { ready: true, words: 'ok' }
      : {
          ready: false,
          words: `no partition of ${without.map(({ channel }) => channel).join(', ')} and something to do`,
        };
  }

  async drain(): Promise<void> {
    this.draining = true;
    for (const { consumer, ready, behind } of this.lines.values()) {
      consumer.halt();
      // What has not begun is left to the next one.
      for (const parcel of ready.splice(0)) this.leave(parcel);
      for (const waiting of behind.values()) for (const parcel of waiting.splice(0)) this.leave(parcel);
    }
    if (this.total() > 0) await new Promise<void>((resolve) => this.idleHandlers.push(resolve));
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all([...this.lines.values()].map(({ consumer }) => consumer.stop()));
    await Promise.all([this.producer.disconnect(), this.admin.disconnect()].map((end) => end.catch(() => undefined)));
  }

  private makeLine(channel: ChannelId): Line {
    const line: Line = {
      channel,
      consumer: new GroupConsumer({
        kafka: this.options.kafka,
        groupId: this.topics.workers(channel),
        topics: this.topics.lanesOf(channel),
        onMessages: (messages) => this.take(line, messages),
        onAssigned: ({ partitions, of }) => {
          line.workers = partitions > 0 ? of / partitions : 1;
          void this.lookAtLag(line);
        },
        onFault: (error, what) => this.options.onFault(error, `${channel}: ${what}`),
      }),
      inHand: 0,
      behind: new Map(),
      ready: [],
      flushing: false,
      workers: 1,
      outstanding: null,
      lookedAt: 0,
      looking: false,
    };
    return line;
  }

  /** Topics first, then consumers: a group that begins before its topics may never see them. */
  private async connect(): Promise<void> {
    for (let told = false; !this.draining; ) {
      try {
        await this.admin.connect();
        await this.topics.ensure(this.admin, this.options.partitions);
        await this.producer.connect();
        break;
      } catch (error) {
        if (!told) this.options.onFault(error as Error, 'Kafka is away: deliveries wait');
        told = true;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
    this.connected = true;
    await Promise.all([...this.lines.values()].map(({ consumer }) => consumer.start()));
  }

  // ---- in

  private take(line: Line, messages: Incoming[]): void {
    for (const message of messages) {
      const parsed = parse(message.value);
      if (typeof parsed === 'string') {
        void this.bury(message, parsed);
        continue;
      }
      const parcel: Parcel = {
        ticket: { ...parsed, channel: line.channel },
        key: message.key?.toString() ?? parsed.deliveryId,
        message,
      };
      line.inHand += 1;
      const waiting = line.behind.get(parcel.key);
      if (waiting) waiting.push(parcel);
      else {
        line.behind.set(parcel.key, []);
        line.ready.push(parcel);
      }
    }
    if (line.inHand >= this.options.concurrency[line.channel]) line.consumer.pause();
    this.flushSoon(line);
  }

  /** One turn of the loop: everything that became ready with this goes with it. */
  private flushSoon(line: Line): void {
    if (line.flushing || line.ready.length === 0) return;
    line.flushing = true;
    setImmediate(() => {
      line.flushing = false;
      while (line.ready.length > 0) void this.hand(line, line.ready.splice(0, MAX_BATCH));
    });
  }

  /** Hands over those whose claim still holds; the others are settled as they are. */
  private async hand(line: Line, parcels: Parcel[]): Promise<void> {
    const mine = await this.confirmed(line, parcels);
    if (mine.size === 0) return;
    const handler = this.getHandlerByPattern(deliveriesPattern(line.channel));
    const batch: DeliveryBatch<Delivery> = {
      deliveries: [...mine.keys()],
      settled: (delivery) => {
        const parcel = mine.get(delivery);
        if (mine.delete(delivery)) this.settle(line, parcel!);
      },
    };
    try {
      if (!handler) throw new Error(`no consumer for ${deliveriesPattern(line.channel)}`);
      await callConsumer(handler, batch);
    } catch (error) {
      this.options.onFault(error as Error, 'a consumer failed');
    } finally {
      for (const parcel of mine.values()) this.settle(line, parcel);
    }
  }

  private async confirmed(line: Line, parcels: Parcel[]): Promise<Map<Delivery, Parcel>> {
    for (let told = false; ; ) {
      const open = parcels.filter((parcel) => !parcel.message.revoked() && !this.draining);
      for (const parcel of parcels) if (!open.includes(parcel)) this.settle(line, parcel, false);
      if (open.length === 0) return new Map();
      try {
        const deliveries = await this.options.confirm(open.map(({ ticket }) => ticket));
        const mine = new Map<Delivery, Parcel>();
        deliveries.forEach((delivery, index) => {
          if (delivery) mine.set(delivery, open[index]!);
          else this.settle(line, open[index]!);
        });
        return mine;
      } catch (error) {
        // The database is away. The messages stay here; a claim that runs out meanwhile is somebody's again.
        if (!told) this.options.onFault(error as Error, 'claims cannot be confirmed');
        told = true;
        parcels = open;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  private settle(line: Line, parcel: Parcel, done = true): void {
    if (done) {
      parcel.message.done();
      if (line.outstanding !== null) line.outstanding -= 1;
    }
    const waiting = line.behind.get(parcel.key);
    const next = waiting?.shift();
    if (next) {
      line.ready.push(next);
      this.flushSoon(line);
    } else line.behind.delete(parcel.key);
    line.inHand -= 1;
    if (!this.draining && line.inHand < this.options.concurrency[line.channel] / 2) line.consumer.resume();
    for (const handler of this.roomHandlers) handler(line.channel);
    if (this.draining && this.total() === 0) for (const resolve of this.idleHandlers.splice(0)) resolve();
  }

  /** Neither done nor committed. */
  private leave({ ticket, key }: Parcel): void {
    const line = this.lines.get(ticket.channel)!;
    line.inHand -= 1;
    if (line.behind.get(key)?.length === 0) line.behind.delete(key);
  }

  private async bury(message: Incoming, reason: string): Promise<void> {
    for (;;) {
      if (message.revoked() || this.draining) return;
      try {
        await this.poison.bury(message, reason);
        message.done();
        return;
      } catch (error) {
        this.options.onFault(error as Error, 'a poison message could not be put aside');
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  // ---- out

  /** How much of the channel is between claim and commit, in all workers: what the group has not committed yet. */
  private async lookAtLag(line: Line): Promise<void> {
    const now = performance.now();
    if (line.looking || !this.connected || now - line.lookedAt < LAG_MS / 10) return;
    line.looking = true;
    line.lookedAt = now;
    try {
      const topics = this.topics.lanesOf(line.channel);
      const [committed, ...ends] = await Promise.all([
        this.admin.fetchOffsets({ groupId: this.topics.workers(line.channel), topics }),
        ...topics.map((topic) => this.admin.fetchTopicOffsets(topic)),
      ]);
      let lag = 0;
      topics.forEach((topic, at) => {
        const places = committed.find((found) => found.topic === topic)?.partitions ?? [];
        for (const { partition, high, low } of ends[at]!) {
          const offset = Number(places.find((place) => place.partition === partition)?.offset ?? -1);
          lag += Math.max(0, Number(high) - (offset < 0 ? Number(low) : offset));
        }
      });
      line.outstanding = Math.max(0, lag - line.consumer.uncommitted);
      for (const handler of this.roomHandlers) handler(line.channel);
    } catch (error) {
      if (line.outstanding !== null)
        this.options.onFault(error as Error, `${line.channel}: the lag is not known: nothing is claimed`);
      line.outstanding = null;
    } finally {
      line.looking = false;
    }
  }

  private total(): number {
    let sum = 0;
    for (const { inHand } of this.lines.values()) sum += inHand;
    return sum;
  }
}

function toMessage(delivery: Claimable): DeliveryMessage {
  return {
    v: MESSAGE_VERSION,
    tenant_id: delivery.tenantId,
    delivery_id: delivery.deliveryId,
    claim_id: delivery.claimId,
    attempt: delivery.attempt,
    sending: delivery.sending,
  };
}

/** The claim that a message names, or what is wrong with it. */
function parse(value: Buffer | null): Omit<ClaimTicket, 'channel'> | string {
  let json: unknown;
  try {
    json = JSON.parse(value?.toString() ?? '');
  } catch {
    return 'not JSON';
  }
  const parsed = deliveryMessage.safeParse(json);
  if (!parsed.success) {
    const version = (json as { v?: unknown } | null)?.v;
    if (version !== MESSAGE_VERSION) return `unknown message version ${JSON.stringify(version)}`;
    return parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  }
  const { data } = parsed;
  return {
    tenantId: data.tenant_id,
    deliveryId: data.delivery_id,
    claimId: data.claim_id,
    attempt: data.attempt,
    sending: data.sending,
  };
}
