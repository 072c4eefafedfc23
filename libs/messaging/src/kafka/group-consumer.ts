// A member of a consumer group that never loses its place: what is handed on is committed only when it is done, in order, and
// what was revoked is left to whoever has it now. The defects of kafkajs it guards against are listed in docs/kafka.md.

import type { Consumer, EachBatchPayload, IHeaders } from 'kafkajs';
import type { Kafka } from './kafka-client.js';
import { OffsetTracker } from './offset-tracker.js';

/** One message in hand. */
export interface Incoming {
  topic: string;
  partition: number;
  offset: string;
  key: Buffer | null;
  value: Buffer | null;
  headers: IHeaders;
  /** True once the partition may be somebody else's: whoever has not begun, does not. */
  revoked(): boolean;
  /** Nothing is left to do: the offset may be committed once all before it are done too. */
  done(): void;
}

export interface GroupConsumerOptions {
  kafka: Kafka;
  groupId: string;
  topics: string[];
  /** How long this member may be silent before its partitions go to others. */
  sessionMs: number;
  /** Must not wait: it takes the messages in hand. More come until {@link GroupConsumer.pause}. */
  onMessages: (messages: Incoming[]) => void;
  /** Told of the partitions of this member whenever they change. */
  onAssigned: (share: { partitions: number; of: number }) => void;
  onFault: (error: Error, what: string) => void;
}

const REBALANCE_MS = 60_000;
const HEARTBEAT_MS = 1_000;
/** How long a fetch waits at the broker; also how long a paused partition may take to be asked for again. */
const FETCH_WAIT_MS = 100;
const COMMIT_MS = 100;
const WATCH_MS = 5_000;
/** Neither a fetch nor a heartbeat for so long: the consumer is stuck, and is built anew. */
const STUCK_MS = 45_000;
const REBUILD_DELAY_MS = 1_000;

interface Partition {
  tracker: OffsetTracker;
  revoked: boolean;
}

export class GroupConsumer {
  private consumer: Consumer | undefined;
  /** By topic and partition, since the last time the group was joined. */
  private partitions = new Map<string, Partition & { topic: string; partition: number }>();
  private assigned = 0;
  private paused = false;
  private stopping = false;
  private rebuilding = false;
  private signAt = performance.now();
  private commits: Promise<void> = Promise.resolve();
  private readonly timers: NodeJS.Timeout[] = [];

  constructor(private readonly options: GroupConsumerOptions) {}

  /** Whether this member has partitions. */
  get ready(): boolean {
    return this.assigned > 0;
  }

  /** Finished and not yet committed. */
  get uncommitted(): number {
    let sum = 0;
    for (const { tracker } of this.partitions.values()) sum += tracker.doneCount;
    return sum;
  }

  /** Joins the group. Does not throw when the brokers are away: it keeps trying. */
  async start(): Promise<void> {
    await this.build().catch((error: Error) => this.rebuild(error));
    this.timers.push(setInterval(() => void this.commit(), COMMIT_MS).unref());
    this.timers.push(setInterval(() => this.watch(), WATCH_MS).unref());
  }

  /** Takes no more until {@link resume}; what is in hand goes on. */
  pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.pauseAll();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.eachTopic((consumer, topics) => consumer.resume(topics));
  }

  /** Takes no more; what is in hand may still be finished and is committed by {@link stop}. */
  halt(): void {
    this.stopping = true;
    this.pause();
  }

  /** Commits what is done, leaves the group. */
  async stop(): Promise<void> {
    this.stopping = true;
    for (const timer of this.timers) clearInterval(timer);
    await this.commit();
    await this.consumer?.disconnect().catch(() => undefined);
    this.consumer = undefined;
  }

  private async build(): Promise<void> {
    const consumer = this.options.kafka.consumer({
      groupId: this.options.groupId,
      sessionTimeout: this.options.sessionMs,
      rebalanceTimeout: REBALANCE_MS,
      heartbeatInterval: HEARTBEAT_MS,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      allowAutoTopicCreation: false,
      // Every crash is ours to answer: a new consumer, not a dead one.
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5, restartOnFailure: async () => false },
    });
    this.consumer = consumer;
    const { events } = consumer;
    const sign = (): void => {
      this.signAt = performance.now();
    };
    consumer.on(events.FETCH, sign);
    consumer.on(events.HEARTBEAT, sign);
    consumer.on(events.REBALANCING, () => this.revokeAll());
    consumer.on(events.GROUP_JOIN, ({ payload }) => {
      sign();
      if (this.consumer === consumer) this.joined(payload.memberAssignment);
    });
    // A crash while it starts ends the start; one that comes later has nobody else to tell.
    let crash: Error | null = null;
    let started = false;
    consumer.on(events.CRASH, ({ payload }) => {
      crash = payload.error;
      if (started && this.consumer === consumer) this.rebuild(payload.error);
    });
    sign();
    await consumer.connect();
    await consumer.subscribe({ topics: this.options.topics, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: async (payload) => this.take(consumer, payload),
    });
    if (crash) throw crash;
    started = true;
  }

  /** After each join every partition is read again from where it was committed: what is in hand belongs to the past. */
  private joined(assignment: Record<string, number[]>): void {
    this.revokeAll();
    this.assigned = 0;
    for (const [topic, numbers] of Object.entries(assignment)) {
      for (const partition of numbers) {
        this.assigned += 1;
        this.partitions.set(`${topic} ${partition}`, {
          topic,
          partition,
          tracker: new OffsetTracker(),
          revoked: false,
        });
      }
    }
    if (this.paused) this.pauseAll();
    void this.tellShare();
  }

  private async tellShare(): Promise<void> {
    const { kafka, topics } = this.options;
    const admin = kafka.admin();
    try {
      await admin.connect();
      const metadata = await admin.fetchTopicMetadata({ topics });
      const of = metadata.topics.reduce((sum, { partitions }) => sum + partitions.length, 0);
      this.options.onAssigned({ partitions: this.assigned, of });
    } catch (error) {
      this.options.onFault(error as Error, 'the number of partitions is not known');
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }

  private revokeAll(): void {
    for (const partition of this.partitions.values()) partition.revoked = true;
    this.partitions = new Map();
    this.assigned = 0;
  }

  /** Hands a batch on and goes back to fetching: the work is done beside it, so that heartbeats never wait for a provider. */
  private take(consumer: Consumer, { batch, isRunning, isStale, resolveOffset }: EachBatchPayload): void {
    if (!isRunning() || isStale() || this.consumer !== consumer || this.stopping) return;
    const place = this.partitions.get(`${batch.topic} ${batch.partition}`);
    if (!place || batch.messages.length === 0) return;
    const messages = batch.messages.map(({ offset, key, value, headers }): Incoming => {
      place.tracker.begin(offset);
      let open = true;
      return {
        topic: batch.topic,
        partition: batch.partition,
        offset,
        key,
        value,
        headers: headers ?? {},
        revoked: () => place.revoked,
        done: () => {
          if (open) place.tracker.done(offset);
          open = false;
        },
      };
    });
    // Only where the next fetch begins; it commits nothing.
    resolveOffset(batch.lastOffset());
    this.options.onMessages(messages);
  }

  private pauseAll(): void {
    this.eachTopic((consumer, topics) => consumer.pause(topics));
  }

  private eachTopic(act: (consumer: Consumer, topics: { topic: string }[]) => void): void {
    try {
      if (this.consumer)
        act(
          this.consumer,
          this.options.topics.map((topic) => ({ topic })),
        );
    } catch {
      // Not in the group yet: it is done when it has joined.
    }
  }

  /** One commit at a time; the next one takes what has gathered. */
  private commit(): Promise<void> {
    this.commits = this.commits.then(() => this.commitOnce());
    return this.commits;
  }

  private async commitOnce(): Promise<void> {
    const found = [...this.partitions.values()].flatMap((place) => {
      const ready = place.tracker.committable();
      return ready === null ? [] : [{ place, ready }];
    });
    if (found.length === 0 || !this.consumer) return;
    try {
      await this.consumer.commitOffsets(
        found.map(({ place, ready }) => ({ topic: place.topic, partition: place.partition, offset: ready.offset })),
      );
      for (const { place, ready } of found) place.tracker.committed(ready);
    } catch (error) {
      // Repeated with the next one; a rebalance has taken the partition away otherwise.
      if (!this.stopping) this.options.onFault(error as Error, 'offsets were not committed');
    }
  }

  private watch(): void {
    if (this.stopping || performance.now() - this.signAt < STUCK_MS) return;
    this.rebuild(new Error(`no fetch and no heartbeat for ${STUCK_MS / 1_000} s`));
  }

  private rebuild(error: Error): void {
    if (this.rebuilding || this.stopping) return;
    this.rebuilding = true;
    this.options.onFault(error, 'the consumer is built anew');
    const old = this.consumer;
    this.consumer = undefined;
    this.revokeAll();
    this.signAt = performance.now();
    const again = async (): Promise<void> => {
      await Promise.race([
        old?.disconnect().catch(() => undefined),
        new Promise((resolve) => setTimeout(resolve, 2_000).unref()),
      ]);
      if (!this.stopping) await this.build();
    };
    setTimeout(() => {
      again()
        .then(() => {
          this.rebuilding = false;
        })
        .catch((failure: Error) => {
          this.rebuilding = false;
          this.rebuild(failure);
        });
    }, REBUILD_DELAY_MS).unref();
  }
}
