import { hash } from 'node:crypto';
import type { Redis as Client } from 'ioredis';
import { OutageReports, type TlsConfig } from '#config';

export interface RedisOptions {
  /** `redis[s]://[[user]:password@]host:port[/number]` */
  url: string;
  /** For a `rediss://` URL. Undefined: trusts the CAs of the system. */
  tls?: TlsConfig | undefined;
  /** Prefix of every key and channel. */
  prefix: string;
  /** Called when the server becomes unavailable, and for another cause, not for every failed reconnection. */
  onFault: (error: Error) => void;
}

const CONNECT_TIMEOUT_MS = 1_500;
/** A half-open connection reports no error. A ping that stays unanswered reveals it. */
const PING_MS = 2_000;
/**
 * How long a command may stay unanswered before the connection is closed: with {@link PING_MS}, five seconds of
 * silence.
 */
const SOCKET_TIMEOUT_MS = 3_000;
/** Callers have a fallback, so they do not wait long. */
const COMMAND_TIMEOUT_MS = 1_000;
const MAX_RECONNECT_MS = 1_000;

/**
 * The connection of this process to Redis, for scripts and for pub/sub (RESP3 allows both on one connection). Commands
 * are never queued while the server is unavailable: they fail at once, and the caller uses its fallback. Commands of
 * one turn of the event loop are sent in one write.
 */
export class Redis {
  /** SHA-1 of each script, by its source. */
  private readonly digests = new Map<string, string>();
  private readonly readyHandlers: (() => void)[] = [];
  private readonly subscriptions = new Map<string, (payload: string) => void>();
  /** True while the commands of this turn of the event loop are gathered. */
  private gathering = false;
  private readonly pings: NodeJS.Timeout;
  /** True from the moment a new connection has its subscriptions back until it closes. */
  private ready = false;
  private readonly reports = new OutageReports('REDIS');
  private closed = false;

  private constructor(
    private readonly client: Client,
    private readonly options: RedisOptions,
  ) {
    client.on('error', (error: Error) => this.reportFault(error));
    client.on('close', () => {
      this.ready = false;
      this.reportFault(new Error('The connection to Redis was closed'));
    });
    client.on('ready', () => void this.resume());
    client.on('message', (channel, payload) => this.subscriptions.get(channel)?.(payload));
    this.pings = setInterval(() => this.ready && client.ping().catch(() => undefined), PING_MS).unref();
  }

  /** Loads the client only when it is needed, because it takes memory. Does not connect: see {@link connect}. */
  static async make(options: RedisOptions): Promise<Redis> {
    const { Redis: RedisClient } = await import('ioredis');
    const client = new RedisClient(options.url, {
      lazyConnect: true,
      ...(options.tls && { tls: options.tls }),
      connectTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: SOCKET_TIMEOUT_MS,
      commandTimeout: COMMAND_TIMEOUT_MS,
      // Half-open connections are destroyed at once on close, so that they do not delay the end of the process.
      disconnectTimeout: 0,
      retryStrategy: (attempt) => Math.min(MAX_RECONNECT_MS, 50 * 2 ** (attempt - 1)),
      // Commands fail at once while the server is unavailable, and those in flight fail when the connection closes.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      // Its own resubscription ignores errors, and the connection counts as ready before it.
      autoResubscribe: false,
      enableReadyCheck: false,
    });
    return new Redis(client, options);
  }

  get connected(): boolean {
    return this.ready;
  }

  /**
   * Waits for the first connection, for at most 1.5 s. If the server is unavailable it keeps trying in the background.
   */
  async connect(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CONNECT_TIMEOUT_MS);
    });
    const ready = new Promise<void>((resolve) => this.onReady(resolve));
    // A failed attempt is reported by the client's error event, and repeated.
    this.client.connect().catch(() => undefined);
    await Promise.race([ready, timeout]);
    clearTimeout(timer);
  }

  /** Called after every connection. Messages may have been missed between two of them. */
  onReady(handler: () => void): void {
    this.readyHandlers.push(handler);
  }

  /**
   * Runs a Lua script by its digest, and sends the source only to a server that does not have it. Adds the prefix to
   * `keys`. Throws if the server is unavailable or does not answer within a second.
   */
  async run(script: string, keys: readonly string[], values: readonly (string | number)[]): Promise<unknown> {
    let digest = this.digests.get(script);
    if (digest === undefined) {
      digest = hash('sha1', script);
      this.digests.set(script, digest);
    }
    const names = keys.map((key) => this.name(key));
    try {
      return await this.send('EVALSHA', [digest, names.length, ...names, ...values]);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return await this.send('EVAL', [script, names.length, ...names, ...values]);
    }
  }

  async publish(channel: string, payload: string): Promise<void> {
    await this.send('PUBLISH', [this.name(channel), payload]);
  }

  /** Resolves when the server has confirmed the subscription. Renews it after every reconnection. */
  async subscribe(channel: string, handler: (payload: string) => void): Promise<void> {
    const name = this.name(channel);
    this.subscriptions.set(name, handler);
    try {
      await this.client.subscribe(name);
    } catch (error) {
      this.subscriptions.delete(name);
      throw error;
    }
  }

  async unsubscribe(channel: string): Promise<void> {
    const name = this.name(channel);
    this.subscriptions.delete(name);
    await this.client.unsubscribe(name);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.ready = false;
    clearInterval(this.pings);
    this.client.disconnect();
  }

  private name(key: string): string {
    return `${this.options.prefix}:${key}`;
  }

  private reportFault(error: Error): void {
    if (!this.closed && this.reports.isNew(error)) this.options.onFault(error);
  }

  private async resume(): Promise<void> {
    try {
      if (this.subscriptions.size > 0) await this.client.subscribe(...this.subscriptions.keys());
    } catch (error) {
      this.reportFault(error as Error);
      if (this.client.status === 'ready') this.client.disconnect(true);
      return;
    }
    if (this.client.status !== 'ready') return;
    this.ready = true;
    this.reports.clear();
    for (const handler of this.readyHandlers) handler();
  }

  private async send(command: string, values: (string | number)[]): Promise<unknown> {
    this.gatherWrites();
    return await this.client.call(command, values);
  }

  /**
   * Sends the commands of this turn of the event loop in one write. The client's own auto-pipelining waits for all
   * replies of one batch before it sends the next, and needs about twice the processor time per command.
   */
  private gatherWrites(): void {
    if (this.gathering || !this.ready) return;
    const { stream } = this.client;
    this.gathering = true;
    stream.cork();
    setImmediate(() => {
      this.gathering = false;
      stream.uncork();
    });
  }
}
