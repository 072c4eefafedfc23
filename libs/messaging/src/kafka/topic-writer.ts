import { setTimeout as delay } from 'node:timers/promises';
import type { Message } from 'kafkajs';
import { type Admin, type Kafka, makeProducer, type Producer, ZSTD } from './kafka-client.js';
import { Topics } from './topics.js';

const RETRY_MS = 500;

export interface TopicWriterOptions {
  kafka: Kafka;
  prefix: string;
  partitions: number;
}

/** The deployment's topics, made and checked before anything is done with them, and one producer into all of them. */
export class TopicWriter {
  readonly topics: Topics;
  readonly admin: Admin;
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

  /** Once; tried anew by the next caller when it failed. Throws when the brokers are away. */
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

  /** Keeps trying while the brokers are away, which is told once. Returns false when it was closed meanwhile. */
  async connectPatiently(onAway: (error: Error) => void): Promise<boolean> {
    for (let told = false; !this.closed; ) {
      try {
        await this.connect();
        return !this.closed;
      } catch (error) {
        if (!told) onAway(error as Error);
        told = true;
        await delay(RETRY_MS);
      }
    }
    return false;
  }

  /** Resolves when all replicas in sync have them; one key's messages keep their order. Throws when the brokers are away. */
  async send(topic: string, messages: Message[]): Promise<void> {
    await this.producer.send({ topic, acks: -1, compression: ZSTD, messages });
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all([this.producer.disconnect(), this.admin.disconnect()].map((end) => end.catch(() => undefined)));
  }
}
