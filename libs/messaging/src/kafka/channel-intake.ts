import { setTimeout as delay } from 'node:timers/promises';
import type { ChannelId } from '#domain';
import type { DeliveryBatch } from '../delivery-transport.js';
import type { IncomingMessage } from './assigned-partitions.js';
import { type ClaimTicket, type DeliveryClaim, parseDeliveryMessage } from './delivery-message.js';
import { GroupConsumer } from './group-consumer.js';
import type { Kafka } from './kafka-client.js';

export interface ChannelIntakeOptions<Delivery extends DeliveryClaim> {
  kafka: Kafka;
  channel: ChannelId;
  groupId: string;
  topics: string[];
  sessionMs: number;
  /** Deliveries in flight at which fetching pauses. */
  concurrency: number;
  /**
   * The deliveries whose claims are still valid, in the order of the tickets; null for the others. Throws while the
   * database is unavailable.
   */
  confirm: (tickets: ClaimTicket[]) => Promise<(Delivery | null)[]>;
  /** Called before the delivery is processed, with the headers of its message. */
  onReceived: (delivery: Delivery, headers: IncomingMessage['headers']) => void;
  /** Processes a batch. Resolves when every delivery of it is done. */
  work: (batch: DeliveryBatch<Delivery>) => Promise<void>;
  onPoison: (message: IncomingMessage, reason: string) => Promise<void>;
  /** A delivery is no longer in flight. `acknowledged`: its message may be committed. */
  onFinished: (acknowledged: boolean) => void;
  onAssigned: (share: { partitions: number; of: number }) => void;
  onFault: (error: Error, what: string) => void;
}

const MAX_BATCH = 500;
const RETRY_MS = 500;

/** A delivery whose message was fetched. */
interface PendingDelivery {
  ticket: ClaimTicket;
  key: string;
  message: IncomingMessage;
}

/** Consumes the topics of one channel: keys in parallel, the deliveries of one key one after the other. */
export class ChannelIntake<Delivery extends DeliveryClaim> {
  readonly consumer: GroupConsumer;
  private fetched = 0;
  /** Has an entry for each key with a delivery in flight: the deliveries that wait for it, in order. */
  private readonly waitingByKey = new Map<string, PendingDelivery[]>();
  private readonly ready: PendingDelivery[] = [];
  private flushing = false;
  private stopped = false;

  constructor(private readonly options: ChannelIntakeOptions<Delivery>) {
    const { kafka, groupId, topics, sessionMs, onAssigned, onFault } = options;
    const onMessages = (messages: IncomingMessage[]): void => this.take(messages);
    this.consumer = new GroupConsumer({ kafka, groupId, topics, sessionMs, onMessages, onAssigned, onFault });
  }

  /** Deliveries fetched and not yet finished. */
  get inFlight(): number {
    return this.fetched;
  }

  /** Fetches no more messages, and leaves those not started to the next member that reads their partition. */
  stopFetching(): void {
    this.stopped = true;
    this.consumer.stopFetching();
    const notStarted = this.ready.splice(0);
    for (const waiting of this.waitingByKey.values()) notStarted.push(...waiting.splice(0));
    for (const pending of notStarted) this.finish(pending, false);
  }

  private take(messages: IncomingMessage[]): void {
    for (const message of messages) {
      const parsed = parseDeliveryMessage(message.value);
      if (typeof parsed === 'string') {
        void this.putAside(message, parsed);
        continue;
      }
      const { channel } = this.options;
      const pending = { ticket: { ...parsed, channel }, key: message.key?.toString() ?? parsed.deliveryId, message };
      this.fetched += 1;
      const waiting = this.waitingByKey.get(pending.key);
      if (waiting) waiting.push(pending);
      else {
        this.waitingByKey.set(pending.key, []);
        this.ready.push(pending);
      }
    }
    if (this.fetched >= this.options.concurrency) this.consumer.pause();
    this.flushSoon();
  }

  /** Claims are confirmed in one statement at a time. Deliveries that become ready during one are the next batch. */
  private flushSoon(): void {
    if (this.flushing || this.ready.length === 0) return;
    this.flushing = true;
    setImmediate(() => void this.flush());
  }

  private async flush(): Promise<void> {
    while (this.ready.length > 0) {
      const confirmed = await this.confirmClaims(this.ready.splice(0, MAX_BATCH));
      // Not awaited: the batch is processed while the next claims are confirmed.
      if (confirmed.size > 0) void this.work(confirmed);
    }
    this.flushing = false;
  }

  private async work(pendings: Map<Delivery, PendingDelivery>): Promise<void> {
    try {
      await this.options.work({
        deliveries: [...pendings.keys()],
        done: (delivery) => {
          const pending = pendings.get(delivery);
          if (pending && pendings.delete(delivery)) this.finish(pending, true);
        },
      });
    } catch (error) {
      this.options.onFault(error as Error, 'a consumer failed');
    } finally {
      for (const pending of pendings.values()) this.finish(pending, true);
    }
  }

  /** The deliveries whose claims are still valid. Finishes the others. */
  private async confirmClaims(pendings: PendingDelivery[]): Promise<Map<Delivery, PendingDelivery>> {
    let unconfirmed = pendings;
    for (let reported = false; ; ) {
      unconfirmed = this.dropRevoked(unconfirmed);
      if (unconfirmed.length === 0) return new Map();
      try {
        const deliveries = await this.options.confirm(unconfirmed.map(({ ticket }) => ticket));
        const confirmed = new Map<Delivery, PendingDelivery>();
        deliveries.forEach((delivery, index) => {
          const pending = unconfirmed[index]!;
          if (delivery) {
            this.options.onReceived(delivery, pending.message.headers);
            confirmed.set(delivery, pending);
          } else this.finish(pending, true);
        });
        return confirmed;
      } catch (error) {
        // The database is unavailable. A claim whose lease ends before the next try is no longer valid then.
        if (!reported) this.options.onFault(error as Error, 'confirming claims failed');
        reported = true;
        await delay(RETRY_MS);
      }
    }
  }

  private dropRevoked(pendings: PendingDelivery[]): PendingDelivery[] {
    const { revoked = [], kept = [] } = Object.groupBy(pendings, ({ message }) =>
      message.isRevoked() || this.stopped ? 'revoked' : 'kept',
    );
    for (const pending of revoked) this.finish(pending, false);
    return kept;
  }

  private finish({ message, key }: PendingDelivery, acknowledge: boolean): void {
    if (acknowledge) message.acknowledge();
    const next = this.waitingByKey.get(key)?.shift();
    if (next) {
      this.ready.push(next);
      this.flushSoon();
    } else this.waitingByKey.delete(key);
    this.fetched -= 1;
    if (!this.stopped && this.fetched < this.options.concurrency / 2) this.consumer.resume();
    this.options.onFinished(acknowledge);
  }

  private async putAside(message: IncomingMessage, reason: string): Promise<void> {
    while (!message.isRevoked() && !this.stopped) {
      try {
        await this.options.onPoison(message, reason);
        message.acknowledge();
        return;
      } catch (error) {
        this.options.onFault(error as Error, 'adding a poison message to the dead letters failed');
        await delay(RETRY_MS);
      }
    }
  }
}
