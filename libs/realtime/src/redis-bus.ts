import { fnv1a } from '#domain';
import { HintOutbox } from './outbox.js';
import type { Hint, RealtimeBus } from './realtime-bus.js';

/** The part of the Redis connection that this bus needs. Implemented by Redis in libs/redis. */
export interface PubSub {
  readonly connected: boolean;
  publish(channel: string, payload: string): Promise<void>;
  subscribe(channel: string, handler: (payload: string) => void): Promise<void>;
  unsubscribe(channel: string): Promise<void>;
  onReady(handler: () => void): void;
}

/**
 * Recipients are hashed to this many channels, so a gateway receives few hints of others, and a batch needs few
 * messages.
 */
const SHARDS = 256;
const ALL_PROCESSES = 'hints:all';
/** Delay before a failed subscription is repeated. */
const REOPEN_MS = 500;
/** How long a channel without followers stays subscribed, for readers that reconnect. */
const LINGER_MS = 30_000;

interface Shard {
  followers: Map<string, { tenantId: string; recipientId: string; count: number }>;
  /** Whether the server has confirmed the subscription. */
  open: boolean;
  opening: boolean;
  linger: NodeJS.Timeout | undefined;
}

/** Publishes hints with Redis pub/sub: on `hints:0` to `hints:255` for recipients, on `hints:all` for all processes. */
export class RedisBus implements RealtimeBus {
  private readonly shards = new Map<number, Shard>();
  private readonly handlers: ((hint: Hint) => void)[] = [];
  private readonly gapHandlers: (() => void)[] = [];
  private readonly outbox: HintOutbox;
  private allProcessesOpen = false;

  constructor(
    private readonly redis: PubSub,
    private readonly onFault: (error: Error) => void,
  ) {
    this.outbox = new HintOutbox((hints) => this.send(hints), onFault);
    redis.onReady(() => void this.ready());
  }

  get live(): boolean {
    return this.redis.connected && this.allProcessesOpen;
  }

  publish(hints: Hint[]): void {
    this.outbox.add(hints);
  }

  subscribe(handler: (hint: Hint) => void): void {
    this.handlers.push(handler);
  }

  follow(tenantId: string, recipientId: string): () => void {
    const number = shardOf(tenantId, recipientId);
    let shard = this.shards.get(number);
    if (!shard) {
      shard = { followers: new Map(), open: false, opening: false, linger: undefined };
      this.shards.set(number, shard);
    }
    const { followers } = shard;
    const key = `${tenantId} ${recipientId}`;
    const follower = followers.get(key) ?? { tenantId, recipientId, count: 0 };
    follower.count += 1;
    followers.set(key, follower);
    clearTimeout(shard.linger);
    if (!shard.open) void this.open(number, shard);
    return () => {
      follower.count -= 1;
      if (follower.count > 0) return;
      followers.delete(key);
      if (followers.size === 0) shard.linger = setTimeout(() => this.drop(number, shard), LINGER_MS).unref();
    };
  }

  onGap(handler: () => void): void {
    this.gapHandlers.push(handler);
  }

  async close(): Promise<void> {
    for (const shard of this.shards.values()) clearTimeout(shard.linger);
  }

  /** Called after each connection. The connection itself renews subscriptions that the server had confirmed. */
  private async ready(): Promise<void> {
    await this.openAllProcesses();
    for (const [number, shard] of this.shards) if (!shard.open) void this.open(number, shard);
    for (const handler of this.gapHandlers) handler();
  }

  private async openAllProcesses(): Promise<void> {
    if (this.allProcessesOpen || !this.redis.connected) return;
    try {
      await this.redis.subscribe(ALL_PROCESSES, this.receive);
      this.allProcessesOpen = true;
    } catch (error) {
      this.onFault(error as Error);
      setTimeout(() => void this.openAllProcesses(), REOPEN_MS).unref();
    }
  }

  private async open(number: number, shard: Shard): Promise<void> {
    if (shard.opening || !this.redis.connected) return;
    shard.opening = true;
    try {
      await this.redis.subscribe(`hints:${number}`, this.receive);
      shard.open = true;
      for (const { tenantId, recipientId } of [...shard.followers.values()])
        this.deliver({ kind: 'inbox', tenantId, recipientId });
    } catch (error) {
      this.onFault(error as Error);
      // The server or this process may just be slow, so do not wait for the next connection.
      setTimeout(() => this.shards.get(number) === shard && void this.open(number, shard), REOPEN_MS).unref();
    } finally {
      shard.opening = false;
    }
  }

  private drop(number: number, shard: Shard): void {
    if (shard.followers.size > 0) return;
    this.shards.delete(number);
    if (shard.open) this.redis.unsubscribe(`hints:${number}`).catch(this.onFault);
  }

  /** One function for all subscriptions, so that a repeated subscription does not deliver hints twice. */
  private readonly receive = (payload: string): void => {
    for (const hint of JSON.parse(payload) as Hint[]) this.deliver(hint);
  };

  private deliver(hint: Hint): void {
    for (const handler of this.handlers) handler(hint);
  }

  private async send(hints: { hint: Hint; text: string }[]): Promise<void> {
    // Unavailable: readers query the database until they are notified of the gap.
    if (!this.redis.connected) return;
    const channels = Map.groupBy(hints, ({ hint }) =>
      hint.kind === 'stale' ? ALL_PROCESSES : `hints:${shardOf(hint.tenantId, hint.recipientId)}`,
    );
    await Promise.all(
      [...channels].map(([channel, group]) =>
        this.redis.publish(channel, `[${group.map(({ text }) => text).join(',')}]`),
      ),
    );
  }
}

function shardOf(tenantId: string, recipientId: string): number {
  return fnv1a(tenantId + recipientId) % SHARDS;
}
