import { fnv1a } from '#domain';
import { HintOutbox } from './outbox.js';
import type { Hint, RealtimeBus } from './realtime-bus.js';

/** What this bus needs of Redis: the redis room's connection. */
export interface PubSub {
  readonly connected: boolean;
  publish(channel: string, payload: string): Promise<void>;
  subscribe(channel: string, handler: (payload: string) => void): Promise<void>;
  unsubscribe(channel: string): Promise<void>;
  onReady(handler: () => void): void;
}

/** Recipients are spread over so many channels: a gateway hears only those of its own, and a flush is few messages. */
const SHARDS = 256;
const EVERYBODY = 'hints:all';
/** How soon a subscription that failed is asked for again. */
const REOPEN_MS = 500;
/** A channel nobody here follows is kept for a while: a reader that reconnects finds it open. */
const LINGER_MS = 30_000;

interface Shard {
  followers: Map<string, { tenantId: string; recipientId: string; count: number }>;
  /** Whether the server has taken the subscription. */
  open: boolean;
  opening: boolean;
  linger: NodeJS.Timeout | undefined;
}

/** Redis pub/sub over sharded channels: `hints:0` to `hints:255` for recipients, `hints:all` for what every process must know. */
export class RedisBus implements RealtimeBus {
  private readonly shards = new Map<number, Shard>();
  private readonly handlers: ((hint: Hint) => void)[] = [];
  private readonly gapHandlers: (() => void)[] = [];
  private readonly outbox: HintOutbox;
  private everybodyOpen = false;

  constructor(
    private readonly redis: PubSub,
    private readonly onFault: (error: Error) => void,
  ) {
    this.outbox = new HintOutbox((hints) => this.send(hints), onFault);
    redis.onReady(() => void this.ready());
  }

  get live(): boolean {
    return this.redis.connected && this.everybodyOpen;
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

  /** Connected, for the first time or again: subscriptions that the server had taken are taken again by the connection. */
  private async ready(): Promise<void> {
    await this.openEverybody();
    for (const [number, shard] of this.shards) if (!shard.open) void this.open(number, shard);
    for (const handler of this.gapHandlers) handler();
  }

  private async openEverybody(): Promise<void> {
    if (this.everybodyOpen || !this.redis.connected) return;
    try {
      await this.redis.subscribe(EVERYBODY, this.receive);
      this.everybodyOpen = true;
    } catch (error) {
      this.onFault(error as Error);
      setTimeout(() => void this.openEverybody(), REOPEN_MS).unref();
    }
  }

  private async open(number: number, shard: Shard): Promise<void> {
    if (shard.opening || !this.redis.connected) return;
    shard.opening = true;
    try {
      await this.redis.subscribe(`hints:${number}`, this.receive);
      shard.open = true;
      for (const { tenantId, recipientId } of [...shard.followers.values()])
        this.tell({ kind: 'inbox', tenantId, recipientId });
    } catch (error) {
      this.onFault(error as Error);
      // The server may be slow, or this process: whoever follows must not be forgotten until the next connection.
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

  /** One function, so that a subscription that is taken twice is heard once. */
  private readonly receive = (payload: string): void => {
    for (const hint of JSON.parse(payload) as Hint[]) this.tell(hint);
  };

  private tell(hint: Hint): void {
    for (const handler of this.handlers) handler(hint);
  }

  private async send(hints: { hint: Hint; text: string }[]): Promise<void> {
    // Away: readers look for themselves until they are told of the gap.
    if (!this.redis.connected) return;
    const channels = Map.groupBy(hints, ({ hint }) =>
      hint.kind === 'stale' ? EVERYBODY : `hints:${shardOf(hint.tenantId, hint.recipientId)}`,
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
