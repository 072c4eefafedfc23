import { setTimeout as delay } from 'node:timers/promises';
import type { Message } from 'kafkajs';
import { OutageReports } from '#config';
import { type Admin, type Kafka, makeProducer, type Producer, ZSTD } from './kafka-client.js';
import { Topics } from './topics.js';

const RETRY_MS = 500;

export interface TopicWriterOptions {
  kafka: Kafka;
  prefix: string;
  partitions: number;
}

/** Creates and checks the topics of the deployment, publishes to them through one producer, and reads their lag. */
export class TopicWriter {
  readonly topics: Topics;
  private readonly admin: Admin;
  private readonly producer: Producer;
  private readonly partitions: number;
  private connecting: Promise<void> | undefined;
  private closed = false;

  constructor({ kafka, prefix, partitions }: TopicWriterOptions) {
    this.topics = new Topics(prefix);
    this.admin = kafka.admin();
    this.producer = makeProducer(kafka);
    this.partitions = partitions;
  }

  /** Connects once. The next caller tries again after a failure. Throws when the brokers are unavailable. */
  async connect(): Promise<void> {
    this.connecting ??= (async () => {
      await this.admin.connect();
      await this.topics.ensure(this.admin, this.partitions);
      await this.producer.connect();
    })().catch((error: unknown) => {
      this.connecting = undefined;
      throw error;
    });
    await this.connecting;
  }

  /**
   * Keeps trying while the brokers are unavailable, and reports that once, and again when another setting is the cause.
   * Returns false when it was closed before it connected.
   */
  async connectWithRetries(onUnavailable: (error: Error) => void): Promise<boolean> {
    const reports = new OutageReports('KAFKA');
    while (!this.closed) {
      try {
        await this.connect();
        return !this.closed;
      } catch (error) {
        if (reports.isNew(error)) onUnavailable(error as Error);
        await delay(RETRY_MS);
      }
    }
    return false;
  }

  /**
   * Resolves when all in-sync replicas have the messages. Keeps the order within a key. Throws when the brokers are
   * unavailable.
   */
  async send(topic: string, messages: Message[]): Promise<void> {
    await this.producer.send({ topic, acks: -1, compression: ZSTD, messages });
  }

  /** Messages of these topics that the group has not committed. */
  async lagOf(groupId: string, topics: string[]): Promise<number> {
    const [committed, ...ends] = await Promise.all([
      this.admin.fetchOffsets({ groupId, topics }),
      ...topics.map((topic) => this.admin.fetchTopicOffsets(topic)),
    ]);
    let lag = 0;
    topics.forEach((topic, index) => {
      const offsets = committed.find((found) => found.topic === topic)?.partitions ?? [];
      for (const { partition, high, low } of ends[index]!) {
        const offset = Number(offsets.find((found) => found.partition === partition)?.offset ?? -1);
        // -1: the group has committed nothing in this partition.
        lag += Math.max(0, Number(high) - (offset < 0 ? Number(low) : offset));
      }
    });
    return lag;
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all([this.producer.disconnect(), this.admin.disconnect()].map((end) => end.catch(() => undefined)));
  }
}
