// A member of a consumer group that commits an offset only after the message and all earlier ones are processed, and
// leaves messages of revoked partitions to their new owner. docs/kafka.md lists the defects of kafkajs that it works
// around.

import type { Consumer, EachBatchPayload } from 'kafkajs';
import { AssignedPartitions, type IncomingMessage } from './assigned-partitions.js';
import type { Kafka } from './kafka-client.js';

export interface GroupConsumerOptions {
  kafka: Kafka;
  groupId: string;
  topics: string[];
  /** The broker reassigns the partitions of a member that sends no heartbeat for this long. */
  sessionMs: number;
  /** Must return without waiting for the work. Further messages follow until {@link GroupConsumer.pause}. */
  onMessages: (messages: IncomingMessage[]) => void;
  /** Called whenever the partitions of this member change. `of`: partitions of all its topics. */
  onAssigned: (share: { partitions: number; of: number }) => void;
  onFault: (error: Error, what: string) => void;
}

const REBALANCE_MS = 60_000;
const HEARTBEAT_MS = 1_000;
/** How long a fetch waits at the broker, and so how long a resumed partition may wait for its next fetch. */
const FETCH_WAIT_MS = 100;
const COMMIT_MS = 100;
const WATCH_MS = 5_000;
/** Without a fetch or a heartbeat for this long, the consumer hangs and is replaced. */
const STUCK_MS = 45_000;
const REBUILD_DELAY_MS = 1_000;
/** How long a replaced consumer may take to disconnect. */
const DISCONNECT_MS = 2_000;

export class GroupConsumer {
  private consumer: Consumer | undefined;
  private readonly assigned = new AssignedPartitions();
  private paused = false;
  private stopping = false;
  private rebuilding = false;
  private lastActivity = performance.now();
  private commits: Promise<void> = Promise.resolve();
  private readonly timers: NodeJS.Timeout[] = [];

  constructor(private readonly options: GroupConsumerOptions) {}

  get hasPartitions(): boolean {
    return this.assigned.size > 0;
  }

  /** Messages acknowledged and not yet committed. */
  get uncommitted(): number {
    return this.assigned.uncommitted;
  }

  /** Joins the group. Does not throw while the brokers are unavailable: it keeps trying. */
  async start(): Promise<void> {
    await this.build().catch((error: Error) => this.rebuild(error));
    this.timers.push(setInterval(() => void this.commit(), COMMIT_MS).unref());
    this.timers.push(setInterval(() => this.watch(), WATCH_MS).unref());
  }

  /** Fetches no more messages until {@link resume}. Those already fetched can still be acknowledged. */
  pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.pauseAll();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.withTopics((consumer, topics) => consumer.resume(topics));
  }

  /** Fetches no more messages. Those already fetched can still be acknowledged; {@link stop} commits them. */
  stopFetching(): void {
    this.stopping = true;
    this.pause();
  }

  /** Commits the acknowledged messages and leaves the group. */
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
      // kafkajs does not restart reliably: a crash is answered with a new consumer.
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5, restartOnFailure: async () => false },
    });
    this.consumer = consumer;
    this.listen(consumer);
    // A crash during the start makes the start fail. A later one replaces the consumer.
    let crash: Error | null = null;
    let started = false;
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      crash = payload.error;
      if (started && this.consumer === consumer) this.rebuild(payload.error);
    });
    this.lastActivity = performance.now();
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

  private listen(consumer: Consumer): void {
    const { events } = consumer;
    const noteActivity = (): void => {
      this.lastActivity = performance.now();
    };
    consumer.on(events.FETCH, noteActivity);
    consumer.on(events.HEARTBEAT, noteActivity);
    consumer.on(events.REBALANCING, () => this.assigned.revokeAll());
    consumer.on(events.GROUP_JOIN, ({ payload }) => {
      noteActivity();
      if (this.consumer !== consumer) return;
      this.assigned.assign(payload.memberAssignment);
      if (this.paused) this.pauseAll();
      void this.reportShare();
    });
  }

  private async reportShare(): Promise<void> {
    const { kafka, topics } = this.options;
    const admin = kafka.admin();
    try {
      await admin.connect();
      const metadata = await admin.fetchTopicMetadata({ topics });
      const of = metadata.topics.reduce((sum, { partitions }) => sum + partitions.length, 0);
      this.options.onAssigned({ partitions: this.assigned.size, of });
    } catch (error) {
      this.options.onFault(error as Error, 'reading the number of partitions failed');
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }

  /** Passes a batch on and returns to fetching, so that heartbeats never wait for the processing. */
  private take(consumer: Consumer, { batch, isRunning, isStale, resolveOffset }: EachBatchPayload): void {
    if (!isRunning() || isStale() || this.consumer !== consumer || this.stopping) return;
    const messages = this.assigned.track(batch);
    if (messages.length === 0) return;
    // Sets the position of the next fetch only. It commits nothing.
    resolveOffset(batch.lastOffset());
    this.options.onMessages(messages);
  }

  private pauseAll(): void {
    this.withTopics((consumer, topics) => consumer.pause(topics));
  }

  private withTopics(act: (consumer: Consumer, topics: { topic: string }[]) => void): void {
    if (!this.consumer) return;
    try {
      const topics = this.options.topics.map((topic) => ({ topic }));
      act(this.consumer, topics);
    } catch {
      // kafkajs throws before the group is joined. Joining applies the pause again.
    }
  }

  /** Commits one after the other, so each one includes everything acknowledged during the one before. */
  private commit(): Promise<void> {
    this.commits = this.commits.then(() => this.commitOnce());
    return this.commits;
  }

  private async commitOnce(): Promise<void> {
    const offsets = this.assigned.committable();
    if (offsets.length === 0 || !this.consumer) return;
    try {
      await this.consumer.commitOffsets(offsets.map(({ topic, partition, offset }) => ({ topic, partition, offset })));
      for (const offset of offsets) offset.committed();
    } catch (error) {
      // The next commit repeats it, unless a rebalance has revoked the partition.
      if (!this.stopping) this.options.onFault(error as Error, 'committing offsets failed');
    }
  }

  private watch(): void {
    if (this.stopping || performance.now() - this.lastActivity < STUCK_MS) return;
    this.rebuild(new Error(`no fetch and no heartbeat for ${STUCK_MS / 1_000} s`));
  }

  private rebuild(error: Error): void {
    if (this.rebuilding || this.stopping) return;
    this.rebuilding = true;
    this.options.onFault(error, 'the consumer is replaced by a new one');
    const old = this.consumer;
    this.consumer = undefined;
    this.assigned.revokeAll();
    this.lastActivity = performance.now();
    setTimeout(() => {
      this.replace(old)
        .then(() => {
          this.rebuilding = false;
        })
        .catch((failure: Error) => {
          this.rebuilding = false;
          this.rebuild(failure);
        });
    }, REBUILD_DELAY_MS).unref();
  }

  private async replace(old: Consumer | undefined): Promise<void> {
    await Promise.race([
      old?.disconnect().catch(() => undefined),
      new Promise((resolve) => setTimeout(resolve, DISCONNECT_MS).unref()),
    ]);
    if (!this.stopping) await this.build();
  }
}
