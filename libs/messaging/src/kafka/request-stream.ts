import { setTimeout as delay } from 'node:timers/promises';
import { DomainError } from '#domain';
import type { IncomingMessage } from './assigned-partitions.js';
import { DeadLetterTopic, type PoisonMessage } from './dead-letter-topic.js';
import { GroupConsumer } from './group-consumer.js';
import { TopicWriter, type TopicWriterOptions } from './topic-writer.js';

export interface StreamedRequest {
  /** The parsed JSON value of the message. */
  body: unknown;
  key: string | null;
  headers: Readonly<Record<string, string>>;
  /** `topic:partition:offset`. Identifies the message, however often it is read. */
  place: string;
}

export interface RequestStreamOptions extends TopicWriterOptions {
  /**
   * Returns the result to publish, also for an invalid request. After a DomainError `unavailable` the request is
   * retried until the outage ends. After any other error it is tried {@link MAX_FAULTS} times in all.
   */
  handle: (request: StreamedRequest) => Promise<Record<string, unknown>>;
  notePoison: (message: PoisonMessage) => Promise<void>;
  onFault: (error: Error, what: string) => void;
}

/** Requests in progress at which fetching pauses. */
const CONCURRENCY = 512;
/** Doubles with each internal error of the same request. */
const RETRY_MS = 500;
/** After this many internal errors a request becomes a poison message, so that it does not block its partition. */
const MAX_FAULTS = 5;
/** How long a stop waits for requests in progress. Unfinished ones stay in the topic and are read again. */
const STOP_MS = 5_000;
const SESSION_MS = 10_000;
const NO_JSON = { status: 400, code: 'malformed_json', detail: 'The value is not JSON.' };
const GIVEN_UP = {
  status: 500,
  code: 'internal',
  detail: `The request failed ${MAX_FAULTS} times on our side. It is in the list of poison messages.`,
};

/** A request in progress, and how many internal errors it has caused. */
interface Work {
  message: IncomingMessage;
  faults: number;
}

/**
 * Reads requests from their topic and publishes a result for each. A message is committed after its result is
 * published, and its place is its default idempotency key if it is read again. Messages that are not JSON, or keep
 * failing with internal errors, are also added to the dead letters.
 */
export class RequestStream {
  private readonly writer: TopicWriter;
  private readonly consumer: GroupConsumer;
  private readonly deadLetters: DeadLetterTopic;
  private readonly inProgress = new Set<Promise<void>>();
  private stopping = false;
  private results: { key: string | null; value: string; done: () => void; failed: (error: Error) => void }[] = [];
  private sending = false;

  constructor(private readonly options: RequestStreamOptions) {
    this.writer = new TopicWriter(options);
    this.deadLetters = new DeadLetterTopic(this.writer, options.notePoison);
    const { topics } = this.writer;
    this.consumer = new GroupConsumer({
      kafka: options.kafka,
      groupId: topics.acceptors,
      topics: [topics.requests],
      sessionMs: SESSION_MS,
      onMessages: (messages) => this.take(messages),
      onAssigned: () => undefined,
      onFault: options.onFault,
    });
  }

  /** Connects in the background, and keeps trying while the brokers are unavailable. */
  start(): void {
    void this.connect();
  }

  /** Fetches no more requests, finishes those in progress and leaves the group. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.consumer.stopFetching();
    await Promise.race([Promise.allSettled(this.inProgress), delay(STOP_MS, undefined, { ref: false })]);
    await this.consumer.stop();
    await this.writer.close();
  }

  private async connect(): Promise<void> {
    const { onFault } = this.options;
    const connected = await this.writer.connectWithRetries((error) =>
      onFault(error, 'Kafka is unavailable; requests wait in their topic'),
    );
    if (connected && !this.stopping) await this.consumer.start();
  }

  private take(messages: IncomingMessage[]): void {
    for (const message of messages) {
      const work = this.process(message).finally(() => {
        this.inProgress.delete(work);
        if (this.inProgress.size < CONCURRENCY / 2 && !this.stopping) this.consumer.resume();
      });
      this.inProgress.add(work);
    }
    if (this.inProgress.size >= CONCURRENCY) this.consumer.pause();
  }

  private async process(message: IncomingMessage): Promise<void> {
    const work: Work = { message, faults: 0 };
    for (let reported = false; !message.isRevoked(); ) {
      try {
        const result = await this.resultOf(work);
        await this.publishResult(message.key?.toString() ?? null, result);
        message.acknowledge();
        return;
      } catch (error) {
        if (this.stopping) return;
        if (!reported || !isUnavailable(error)) this.options.onFault(error as Error, 'a request will be retried');
        reported = true;
        await delay(RETRY_MS * 2 ** Math.max(0, work.faults - 1));
      }
    }
  }

  private async resultOf(work: Work): Promise<Record<string, unknown>> {
    const { message } = work;
    const place = `${message.topic}:${message.partition}:${message.offset}`;
    let body: unknown;
    try {
      body = JSON.parse(message.value?.toString() ?? '');
    } catch {
      await this.deadLetters.add(message, 'not JSON');
      return { request: place, ...NO_JSON };
    }
    const headers = Object.fromEntries(
      Object.entries(message.headers).map(([name, value]) => [name.toLowerCase(), String(value)]),
    );
    try {
      const result = await this.options.handle({ body, key: message.key?.toString() ?? null, headers, place });
      return { request: place, ...result };
    } catch (error) {
      if (isUnavailable(error)) throw error;
      work.faults += 1;
      if (work.faults < MAX_FAULTS) throw error;
      this.options.onFault(error as Error, 'a request failed too often and becomes a poison message');
      await this.deadLetters.add(
        message,
        `failed ${MAX_FAULTS} times with an internal error: ${(error as Error).name}`,
      );
      return { request: place, ...GIVEN_UP };
    }
  }

  /** Results that arrive while one batch is published are the next batch. */
  private publishResult(key: string | null, result: Record<string, unknown>): Promise<void> {
    return new Promise((done, failed) => {
      this.results.push({ key, value: JSON.stringify(result), done, failed });
      if (!this.sending) void this.send();
    });
  }

  private async send(): Promise<void> {
    this.sending = true;
    while (this.results.length > 0) {
      const batch = this.results;
      this.results = [];
      try {
        await this.writer.send(
          this.writer.topics.results,
          batch.map(({ key, value }) => ({ key, value })),
        );
        for (const { done } of batch) done();
      } catch (error) {
        for (const { failed } of batch) failed(error as Error);
      }
    }
    this.sending = false;
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof DomainError && error.code === 'unavailable';
}
