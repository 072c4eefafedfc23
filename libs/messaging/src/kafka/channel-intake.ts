import type { ChannelId } from '#domain';
import type { DeliveryBatch } from '../delivery-transport.js';
import { type Claimable, type ClaimTicket, parseDeliveryMessage } from './delivery-message.js';
import { GroupConsumer, type Incoming } from './group-consumer.js';
import type { Kafka } from './kafka-client.js';

export interface ChannelIntakeOptions<Delivery extends Claimable> {
  kafka: Kafka;
  channel: ChannelId;
  groupId: string;
  topics: string[];
  sessionMs: number;
  concurrency: number;
  /** The claims that still hold, in the order asked, null for the others. Throws while the database is away. */
  confirm: (tickets: ClaimTicket[]) => Promise<(Delivery | null)[]>;
  /** Works on a batch; resolves when all of it is settled. */
  work: (batch: DeliveryBatch<Delivery>) => Promise<void>;
  bury: (message: Incoming, reason: string) => Promise<void>;
  /** One less is in hand; `done` says whether its message may be committed. */
  onSettled: (done: boolean) => void;
  onShare: (share: { partitions: number; of: number }) => void;
  onFault: (error: Error, what: string) => void;
}

const MAX_BATCH = 500;
const RETRY_MS = 500;

interface PendingDelivery {
  ticket: ClaimTicket;
  key: string;
  message: Incoming;
}

/** What one worker has in hand of one channel: in parallel over keys, one after the other within a key. */
export class ChannelIntake<Delivery extends Claimable> {
  readonly consumer: GroupConsumer;
  private held = 0;
  /** By key: who waits for the one before it. Present while one of the key is in hand. */
  private readonly behind = new Map<string, PendingDelivery[]>();
  private readonly ready: PendingDelivery[] = [];
  private flushing = false;
  private halted = false;

  constructor(private readonly options: ChannelIntakeOptions<Delivery>) {
    const { kafka, groupId, topics, sessionMs, onFault } = options;
    this.consumer = new GroupConsumer({
      kafka,
      groupId,
      topics,
      sessionMs,
      onMessages: (messages) => this.take(messages),
      onAssigned: options.onShare,
      onFault,
    });
  }

  /** Handed over and not settled, or about to be. */
  get inHand(): number {
    return this.held;
  }

  /** Takes no more. What has not begun is left to whoever reads the topic next. */
  halt(): void {
    this.halted = true;
    this.consumer.halt();
    const left = this.ready.splice(0);
    for (const waiting of this.behind.values()) left.push(...waiting.splice(0));
    for (const pending of left) this.settle(pending, false);
  }

  private take(messages: Incoming[]): void {
    for (const message of messages) {
      const parsed = parseDeliveryMessage(message.value);
      if (typeof parsed === 'string') {
        void this.bury(message, parsed);
        continue;
      }
      const { channel } = this.options;
      const pending = { ticket: { ...parsed, channel }, key: message.key?.toString() ?? parsed.deliveryId, message };
      this.held += 1;
      const waiting = this.behind.get(pending.key);
      if (waiting) waiting.push(pending);
      else {
        this.behind.set(pending.key, []);
        this.ready.push(pending);
      }
    }
    if (this.held >= this.options.concurrency) this.consumer.pause();
    this.flushSoon();
  }

  /** Claims are confirmed one statement at a time: what becomes ready meanwhile is the next batch. */
  private flushSoon(): void {
    if (this.flushing || this.ready.length === 0) return;
    this.flushing = true;
    setImmediate(() => void this.flush());
  }

  private async flush(): Promise<void> {
    while (this.ready.length > 0) {
      const mine = await this.confirmed(this.ready.splice(0, MAX_BATCH));
      if (mine.size > 0) void this.hand(mine);
    }
    this.flushing = false;
  }

  private async hand(mine: Map<Delivery, PendingDelivery>): Promise<void> {
    try {
      await this.options.work({
        deliveries: [...mine.keys()],
        settled: (delivery) => {
          const pending = mine.get(delivery);
          if (pending && mine.delete(delivery)) this.settle(pending, true);
        },
      });
    } catch (error) {
      this.options.onFault(error as Error, 'a consumer failed');
    } finally {
      for (const pending of mine.values()) this.settle(pending, true);
    }
  }

  /** Those whose claim still holds; the others are settled as they are. */
  private async confirmed(pendings: PendingDelivery[]): Promise<Map<Delivery, PendingDelivery>> {
    let open = pendings;
    for (let told = false; ; ) {
      const { left = [], mine = [] } = Object.groupBy(open, ({ message }) =>
        message.revoked() || this.halted ? 'left' : 'mine',
      );
      for (const pending of left) this.settle(pending, false);
      open = mine;
      if (open.length === 0) return new Map();
      try {
        const deliveries = await this.options.confirm(open.map(({ ticket }) => ticket));
        const confirmed = new Map<Delivery, PendingDelivery>();
        deliveries.forEach((delivery, index) => {
          if (delivery) confirmed.set(delivery, open[index]!);
          else this.settle(open[index]!, true);
        });
        return confirmed;
      } catch (error) {
        // The database is away. The messages stay here; a claim that runs out meanwhile is somebody's again.
        if (!told) this.options.onFault(error as Error, 'claims cannot be confirmed');
        told = true;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  private settle({ message, key }: PendingDelivery, done: boolean): void {
    if (done) message.done();
    const next = this.behind.get(key)?.shift();
    if (next) {
      this.ready.push(next);
      this.flushSoon();
    } else this.behind.delete(key);
    this.held -= 1;
    if (!this.halted && this.held < this.options.concurrency / 2) this.consumer.resume();
    this.options.onSettled(done);
  }

  private async bury(message: Incoming, reason: string): Promise<void> {
    while (!message.revoked() && !this.halted) {
      try {
        await this.options.bury(message, reason);
        message.done();
        return;
      } catch (error) {
        this.options.onFault(error as Error, 'a poison message could not be put aside');
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }
}
