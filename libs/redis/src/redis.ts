import { hash } from 'node:crypto';
import type { RedisClientType } from '@redis/client';

export interface RedisOptions {
  /** `redis[s]://[[user]:password@]host:port[/number]` */
  url: string;
  /** What every key and channel begins with. */
  prefix: string;
  /** Told once when the server goes away, not for every try to reach it again. */
  onFault: (error: Error) => void;
}

const CONNECT_TIMEOUT_MS = 1_500;
/** A half-open connection shows no error of its own; a question without an answer does. */
const PING_MS = 2_000;
const SOCKET_TIMEOUT_MS = 5_000;
/** Who waits for Redis has something else to do when it does not answer. */
const COMMAND_TIMEOUT_MS = 1_000;
const MAX_RECONNECT_MS = 1_000;

/**
 * The one connection of this process to Redis, for scripts and for pub/sub (RESP3 carries both). It never queues while the
 * server is away: a command then fails at once, and the caller does what it does without Redis. Commands of one turn of the
 * loop travel together (auto-pipelining).
 */
export class Redis {
  /** SHA-1 of each script's source: what the server knows it by. */
  private readonly digests = new Map<string, string>();
  private readonly readyHandlers: (() => void)[] = [];
  private closed = false;
  private away = false;

  private constructor(
    private readonly client: RedisClientType,
    private readonly options: RedisOptions,
  ) {
    this.client.on('error', (error: Error) => {
      if (!this.away && !this.closed) options.onFault(error);
      this.away = true;
    });
    this.client.on('ready', () => {
      this.away = false;
      for (const handler of this.readyHandlers) handler();
    });
  }

  /** Connects nowhere yet: see {@link connect}. Loads the client when it is needed: without Redis it would only take room. */
  static async make(options: RedisOptions): Promise<Redis> {
    const { createClient } = await import('@redis/client');
    const client = createClient({
      url: options.url,
      RESP: 3,
      disableOfflineQueue: true,
      pingInterval: PING_MS,
      socket: {
        connectTimeout: CONNECT_TIMEOUT_MS,
        socketTimeout: SOCKET_TIMEOUT_MS,
        reconnectStrategy: (tries) => Math.min(MAX_RECONNECT_MS, 50 * 2 ** tries),
      },
    }) as unknown as RedisClientType;
    return new Redis(client, options);
  }

  /** Whether the server was there a moment ago. */
  get connected(): boolean {
    return this.client.isReady;
  }

  /** Waits for the first connection, but not longer than it takes to see that the server is away: it keeps trying then. */
  async connect(): Promise<void> {
    const connecting = this.client.connect().catch((error: Error) => this.options.onFault(error));
    await Promise.race([connecting, late(CONNECT_TIMEOUT_MS).catch(() => undefined)]);
  }

  /** Called at every connection: after the first one subscriptions were away for a while. */
  onReady(handler: () => void): void {
    this.readyHandlers.push(handler);
  }

  /** Runs a Lua script, sent by its digest once the server knows it. `keys` get the prefix. Throws when the server is away or does not answer within a second. */
  async run(script: string, keys: readonly string[], values: readonly (string | number)[]): Promise<unknown> {
    const rest = [String(keys.length), ...keys.map((key) => this.name(key)), ...values.map(String)];
    let digest = this.digests.get(script);
    if (digest === undefined) {
      digest = hash('sha1', script);
      this.digests.set(script, digest);
    }
    try {
      return await this.ask(['EVALSHA', digest, ...rest]);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return await this.ask(['EVAL', script, ...rest]);
    }
  }

  async publish(channel: string, payload: string): Promise<void> {
    await this.ask(['PUBLISH', this.name(channel), payload]);
  }

  /** Resolves once the server has taken the subscription. It is taken again by itself after a reconnection. */
  async subscribe(channel: string, handler: (payload: string) => void): Promise<void> {
    await this.inTime(this.client.subscribe(this.name(channel), handler));
  }

  async unsubscribe(channel: string): Promise<void> {
    await this.inTime(this.client.unsubscribe(this.name(channel)));
  }

  async close(): Promise<void> {
    this.closed = true;
    if (this.client.isOpen) this.client.destroy();
  }

  private name(key: string): string {
    return `${this.options.prefix}:${key}`;
  }

  private async ask(command: string[]): Promise<unknown> {
    return await this.inTime(this.client.sendCommand(command));
  }

  private async inTime<T>(answer: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`Redis did not answer within ${COMMAND_TIMEOUT_MS} ms`)),
        COMMAND_TIMEOUT_MS,
      );
    });
    try {
      return await Promise.race([answer, timeout]);
    } finally {
      clearTimeout(timer);
      answer.catch(() => undefined);
    }
  }
}

function late(milliseconds: number): Promise<never> {
  return new Promise((_, reject) => setTimeout(() => reject(new Error('late')), milliseconds).unref());
}
