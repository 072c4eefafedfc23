import type { IHeaders } from 'kafkajs';
import type { IncomingMessage } from './assigned-partitions.js';
import type { TopicWriter } from './topic-writer.js';

/** A message that cannot be processed. */
export interface PoisonMessage {
  topic: string;
  partition: number;
  offset: string;
  key: Buffer | null;
  value: Buffer | null;
  reason: string;
}

const LONGEST_REASON = 500;

/**
 * The headers that Carillon reads, except the API key. All others are dropped: dead letters are read by other programs,
 * and a header that Carillon does not know may contain a credential.
 */
const COPIED_HEADERS: ReadonlySet<string> = new Set(['idempotency-key', 'traceparent']);

/**
 * Publishes unprocessable messages with their key and value, and with the reason and their origin in headers, so that
 * the messages behind them go on. Never copies credentials.
 */
export class DeadLetterTopic {
  constructor(
    private readonly writer: TopicWriter,
    /** Stores it for operators. Must be idempotent by topic, partition and offset. */
    private readonly store: (message: PoisonMessage) => Promise<void>,
  ) {}

  /** Resolves when both the topic and the store have the message. */
  async add(message: IncomingMessage, reason: string): Promise<void> {
    const { topic, partition, offset, key, value } = message;
    const poison: PoisonMessage = { topic, partition, offset, key, value, reason: reason.slice(0, LONGEST_REASON) };
    await this.writer.send(this.writer.topics.deadLetters, [
      { key, value, headers: headersOf(message.headers, poison) },
    ]);
    await this.store(poison);
  }
}

function headersOf(original: IHeaders, { topic, partition, offset, reason }: PoisonMessage): IHeaders {
  const copied = Object.entries(original).filter(([name]) => COPIED_HEADERS.has(name.toLowerCase()));
  return {
    ...Object.fromEntries(copied),
    'carillon-reason': reason,
    'carillon-topic': topic,
    'carillon-partition': String(partition),
    'carillon-offset': offset,
  };
}
