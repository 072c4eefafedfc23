import { DeadLetterTopic, type PoisonMessage } from './dead-letter-topic.js';
import { GroupConsumer, type Incoming } from './group-consumer.js';
import { type Admin, type Kafka, makeProducer, type Producer, ZSTD } from './kafka-client.js';
import { Topics } from './topics.js';

/** A request that came on the topic. */
export interface StreamedRequest {
  /** The value, parsed. */
  body: unknown;
  key: string | null;
  headers: Readonly<Record<string, string>>;
  /** `topic:partition:offset`: the same for the same message, however often it comes. */
  place: string;
}

export interface RequestStreamOptions {
  kafka: Kafka;
  prefix: string;
  partitions: number;
  /** The result to be published. Must not throw for a bad request; what it throws is an outage, and the request is tried again. */
  handle: (request: StreamedRequest) => Promise<Record<string, unknown>>;
  notePoison: (message: PoisonMessage) => Promise<void>;
  onFault: (error: Error, what: string) => void;
}

/** Requests in hand at once; more wait in their topic. */
const CONCURRENCY = 512;
const RETRY_MS = 500;
const SESSION_MS = 10_000;
const NO_JSON = { status: 400, code: 'malformed_json', detail: 'The value is not JSON.' };

/**
 * Takes requests from their topic, each to its end, and publishes what became of them. A message is committed when its result
 * is published; one that comes again is recognised by its place. What is no JSON goes to the dead letters as well.
 */
export class RequestStream {
  private readonly topics: Topics;
  private readonly consumer: GroupConsumer;
  private readonly producer: Producer;
  private readonly admin: Admin;
  private readonly poison: DeadLetterTopic;
  private inHand = 0;
  private stopping = false;
  private results: { key: string | null; value: string; done: () => void; failed: (error: Error) => void }[] = [];
  private sending = false;

  constructor(private readonly options: RequestStreamOptions) {
    this.topics = new Topics(options.prefix);
    this.producer = makeProducer(options.kafka);
    this.admin = options.kafka.admin();
    this.poison = new DeadLetterTopic(this.producer, this.topics.deadLetters, options.notePoison);
    this.consumer = new GroupConsumer({
      kafka: options.kafka,
      groupId: this.topics.acceptors,
      topics: [this.topics.requests],
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
    for (let waits = 0; this.inHand > 0 && waits < 100; waits += 1)
      await new Promise((resolve) => setTimeout(resolve, 50));
    await this.consumer.stop();
    await Promise.all([this.producer.disconnect(), this.admin.disconnect()].map((end) => end.catch(() => undefined)));
  }

  private async connect(): Promise<void> {
    for (let told = false; !this.stopping; ) {
      try {
        await this.admin.connect();
        await this.topics.ensure(this.admin, this.options.partitions);
        await this.producer.connect();
        return await this.consumer.start();
      } catch (error) {
        if (!told) this.options.onFault(error as Error, 'Kafka is away: requests wait in their topic');
        told = true;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  private take(messages: Incoming[]): void {
    this.inHand += messages.length;
    if (this.inHand >= CONCURRENCY) this.consumer.pause();
    for (const message of messages) {
      void this.one(message).finally(() => {
        this.inHand -= 1;
        if (this.inHand < CONCURRENCY / 2 && !this.stopping) this.consumer.resume();
      });
    }
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
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
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
        await this.producer.send({
          topic: this.topics.results,
          acks: -1,
          compression: ZSTD,
          messages: batch.map(({ key, value }) => ({ key, value })),
        });
        for (const { done } of batch) done();
      } catch (error) {
        for (const { failed } of batch) failed(error as Error);
      }
    }
    this.sending = false;
  }
}
