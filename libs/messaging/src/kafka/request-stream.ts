import { setTimeout as delay } from 'node:timers/promises';
import { DomainError } from '#domain';
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
  /**
   * The result to publish. Must not throw for a bad request. A DomainError `unavailable` is an outage: the request waits for its end.
   * Any other error is tried again {@link MAX_FAULTS} times at most.
   */
  handle: (request: StreamedRequest) => Promise<Record<string, unknown>>;
  notePoison: (message: PoisonMessage) => Promise<void>;
  onFault: (error: Error, what: string) => void;
}

/** Requests in hand at once; more wait in their topic. */
const CONCURRENCY = 512;
/** Doubles with each fault of the same request. */
const RETRY_MS = 500;
/** After this many internal errors a request becomes a poison message, so that it does not block its partition for ever. */
const MAX_FAULTS = 5;
/** What is not answered by then stays in its topic for another. */
const LONGEST_END_MS = 5_000;
const SESSION_MS = 10_000;
const NO_JSON = { status: 400, code: 'malformed_json', detail: 'The value is not JSON.' };
const GIVEN_UP = {
  status: 500,
  code: 'internal',
  detail: `The request failed ${MAX_FAULTS} times on our side. It is in the list of poison messages.`,
};

/** A request being processed, and how many internal errors it has caused. */
interface Work {
  message: Incoming;
  faults: number;
}

/**
 * Takes requests from their topic, each to its end, and publishes what became of them. A message is committed when its result
 * is published; one that comes again is recognised by its place. What is no JSON goes to the dead letters as well, and so does
 * what keeps failing through no fault of its own.
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
    const work: Work = { message, faults: 0 };
    for (let told = false; !message.revoked(); ) {
      try {
        const result = await this.resultOf(work);
        await this.answer(message.key?.toString() ?? null, result);
        message.done();
        return;
      } catch (error) {
        if (this.stopping) return;
        if (!told || !isUnavailable(error)) this.options.onFault(error as Error, 'a request waits');
        told = true;
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
      await this.poison.bury(message, 'not JSON');
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
      this.options.onFault(error as Error, 'a request is given up');
      await this.poison.bury(message, `failed ${MAX_FAULTS} times with an internal error: ${(error as Error).name}`);
      return { request: place, ...GIVEN_UP };
    }
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

function isUnavailable(error: unknown): boolean {
  return error instanceof DomainError && error.code === 'unavailable';
}
