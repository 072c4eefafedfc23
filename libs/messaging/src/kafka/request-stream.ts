import { setTimeout as delay } from 'node:timers/promises';
import { DeadLetterTopic, type PoisonMessage } from './dead-letter-topic.js';
import { GroupConsumer, type Incoming } from './group-consumer.js';
import { TopicWriter, type TopicWriterOptions } from './topic-writer.js';

/** A request that came on the topic. */
export interface StreamedRequest {
  /** The value, parsed. */
  body: unknown;
  key: string | null;
  headers: Readonly<Record<string, string>>;
  /** `topic:partition:offset`: the same for the same message, however often it comes. */
  place: string;
}

export interface RequestStreamOptions extends TopicWriterOptions {
  /** The result to be published. Must not throw for a bad request; what it throws is an outage, and the request is tried again. */
  handle: (request: StreamedRequest) => Promise<Record<string, unknown>>;
  notePoison: (message: PoisonMessage) => Promise<void>;
  onFault: (error: Error, what: string) => void;
}

/** Requests in hand at once; more wait in their topic. */
const CONCURRENCY = 512;
const RETRY_MS = 500;
/** What is not answered by then stays in its topic for another. */
const LONGEST_END_MS = 5_000;
const SESSION_MS = 10_000;
const NO_JSON = { status: 400, code: 'malformed_json', detail: 'The value is not JSON.' };

/**
 * Takes requests from their topic, each to its end, and publishes what became of them. A message is committed when its result
 * is published; one that comes again is recognised by its place. What is no JSON goes to the dead letters as well.
 */
export class RequestStream {
  private readonly writer: TopicWriter;
  private readonly consumer: GroupConsumer;
  private readonly poison: DeadLetterTopic;
  private readonly inHand = new Set<Promise<void>>();
  private stopping = false;
  private results: { key: string | null; value: string; done: () => void; failed: (error: Error) => void }[] = [];
  private sending = false;

  constructor(private readonly options: RequestStreamOptions) {
    this.writer = new TopicWriter(options);
    this.poison = new DeadLetterTopic(this.writer, options.notePoison);
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

  /** Keeps trying while the brokers are away; resolves at once. */
  start(): void {
    void this.connect();
  }

  /** Takes no more, ends what is in hand, leaves the group. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.consumer.halt();
    await Promise.race([Promise.allSettled(this.inHand), delay(LONGEST_END_MS, undefined, { ref: false })]);
    await this.consumer.stop();
    await this.writer.close();
  }

  private async connect(): Promise<void> {
    const { onFault } = this.options;
    const there = await this.writer.connectPatiently((error) =>
      onFault(error, 'Kafka is away: requests wait in their topic'),
    );
    if (there && !this.stopping) await this.consumer.start();
  }

  private take(messages: Incoming[]): void {
    for (const message of messages) {
      const work = this.one(message).finally(() => {
        this.inHand.delete(work);
        if (this.inHand.size < CONCURRENCY / 2 && !this.stopping) this.consumer.resume();
      });
      this.inHand.add(work);
    }
    if (this.inHand.size >= CONCURRENCY) this.consumer.pause();
  }

  private async one(message: Incoming): Promise<void> {
    for (let told = false; !message.revoked(); ) {
      try {
        const result = await this.resultOf(message);
        await this.answer(message.key?.toString() ?? null, result);
        message.done();
        return;
      } catch (error) {
        if (this.stopping) return;
        if (!told) this.options.onFault(error as Error, 'a request waits');
        told = true;
        await delay(RETRY_MS);
      }
    }
  }

  private async resultOf(message: Incoming): Promise<Record<string, unknown>> {
    const place = `${message.topic}:${message.partition}:${message.offset}`;
    let body: unknown;
    try {
      body = JSON.parse(message.value?.toString() ?? '');
    } catch {
      await this.poison.bury(message, 'not JSON');
      return { request: place, ...NO_JSON };
    }
    const headers = Object.fromEntries(
      Object.entries(message.headers).map(([name, value]) => [name.toLowerCase(), String(value)]),
    );
    return {
      request: place,
      ...(await this.options.handle({ body, key: message.key?.toString() ?? null, headers, place })),
    };
  }

  /** One produce for all results that gathered while the last one was under way. */
  private answer(key: string | null, result: Record<string, unknown>): Promise<void> {
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
