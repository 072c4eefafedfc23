import type { IHeaders } from 'kafkajs';
import type { Incoming } from './group-consumer.js';
import type { TopicWriter } from './topic-writer.js';

/** A message that nobody can work on. */
export interface PoisonMessage {
  topic: string;
  partition: number;
  offset: string;
  key: Buffer | null;
  value: Buffer | null;
  reason: string;
}

const LONGEST_REASON = 500;

/** Puts a message aside as it came, with why and from where, so that its neighbours go on. */
export class DeadLetterTopic {
  constructor(
    private readonly writer: TopicWriter,
    /** Notes it where an operator looks; a repeat of the same place changes nothing. */
    private readonly note: (message: PoisonMessage) => Promise<void>,
  ) {}

  /** Resolves when both have it. */
  async bury(message: Incoming, reason: string): Promise<void> {
    const { topic, partition, offset, key, value } = message;
    const poison: PoisonMessage = { topic, partition, offset, key, value, reason: reason.slice(0, LONGEST_REASON) };
    await this.writer.send(this.writer.topics.deadLetters, [
      { key, value, headers: headersOf(message.headers, poison) },
    ]);
    await this.note(poison);
  }
}

function headersOf(before: IHeaders, { topic, partition, offset, reason }: PoisonMessage): IHeaders {
  return {
    ...before,
    'carillon-reason': reason,
    'carillon-topic': topic,
    'carillon-partition': String(partition),
    'carillon-offset': offset,
  };
}
