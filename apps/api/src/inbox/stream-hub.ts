// The open streams of this process, and what is sent on them. A hint from the bus only says "look": what is sent comes from
// the table, after the last sequence number this stream has had, so nothing is missed and nothing comes twice.

import type { InboxItem, InboxStore } from '#database';
import type { Hint, RealtimeBus } from '#realtime';
import { instruments, type Logger } from '#telemetry';
import { type Frame, toItemView } from './inbox.schema.js';

/** One connection of one recipient. */
export interface StreamConnection {
  /** Frames that belong together travel together. */
  send(frames: readonly Frame[]): void;
  /** Bytes written and not yet taken by the other side. */
  buffered(): number;
  /** Ends it because the other side does not read. */
  closeTooSlow(): void;
  /** Ends it because this process stops. */
  closeRestarting(): void;
}

export interface StreamOwner {
  tenantId: string;
  recipientId: string;
}

interface Stream extends StreamOwner {
  wire: StreamConnection;
  lastSeq: number;
  /** Ends the hints of its recipient. */
  unfollow: () => void;
  pumping: boolean;
  again: boolean;
  closed: boolean;
}

const MAX_BUFFERED_BYTES = 1_048_576;
const PAGE = 100;
/** Frames that leave in one write. */
const TOGETHER = 4;
/** Streams of one recipient in one process: tabs and devices, not a leak. */
export const MAX_STREAMS_PER_RECIPIENT = 50;
/** How soon a read that failed is made again. */
const RETRY_MS = 500;
/** After the listening connection was lost everybody looks; not all in the same millisecond. */
const RESYNC_SPREAD_MS = 1_000;
/** How often everybody looks while no hints arrive. */
const AWAY_POLL_MS = 1_000;

export class StreamHub {
  private readonly streams = new Map<string, Set<Stream>>();
  private count = 0;
  private poll: NodeJS.Timeout | undefined;

  constructor(
    private readonly inbox: InboxStore,
    private readonly bus: RealtimeBus,
    private readonly logger: Logger,
  ) {
    bus.subscribe((hint) => this.onHint(hint));
    bus.onGap(() => {
      for (const group of this.streams.values())
        for (const stream of group) setTimeout(() => this.pump(stream), Math.random() * RESYNC_SPREAD_MS).unref();
    });
    this.poll = setInterval(() => {
      if (!this.bus.live) for (const group of this.streams.values()) for (const stream of group) void this.look(stream);
    }, AWAY_POLL_MS).unref();
    instruments().gauge('carillon_inbox_streams', 'Open inbox streams', () => this.count);
  }

  streamsOf(owner: StreamOwner): number {
    return this.streams.get(keyOf(owner))?.size ?? 0;
  }

  /**
   * Adds a stream: `ready`, what came after `since`, then what comes. Without `since` only what comes.
   * Returns what takes it away again.
   */
  open(owner: StreamOwner, wire: StreamConnection, since: number | null): () => void {
    const stream: Stream = {
      ...owner,
      wire,
      lastSeq: since ?? 0,
      unfollow: () => undefined,
      pumping: true,
      again: false,
      closed: false,
    };
    const key = keyOf(owner);
    // Registered before the first look, so that nothing falls between the look and the hints.
    this.streams.set(key, (this.streams.get(key) ?? new Set()).add(stream));
    stream.unfollow = this.bus.follow(owner.tenantId, owner.recipientId);
    this.count += 1;
    void this.begin(stream, since);
    return () => {
      if (stream.closed) return;
      stream.closed = true;
      stream.unfollow();
      this.count -= 1;
      const group = this.streams.get(key);
      group?.delete(stream);
      if (group?.size === 0) this.streams.delete(key);
    };
  }

  closeAll(): void {
    clearInterval(this.poll);
    for (const group of this.streams.values()) for (const stream of group) stream.wire.closeRestarting();
  }

  private async begin(stream: Stream, since: number | null): Promise<void> {
    try {
      const { lastSeq, counts } = await this.inbox.head(stream.tenantId, stream.recipientId);
      if (since === null) stream.lastSeq = lastSeq;
      this.send(stream, { type: 'ready', last_seq: lastSeq, counts });
      stream.pumping = false;
      if (since !== null || stream.again) this.pump(stream);
    } catch (error) {
      this.logger.warn({ err: error }, 'an inbox stream could not begin');
      stream.wire.closeRestarting();
    }
  }

  private onHint(hint: Hint): void {
    if (hint.kind === 'stale') return;
    for (const stream of this.streams.get(keyOf(hint)) ?? []) {
      if (hint.kind === 'item_changed') this.send(stream, { type: 'item_changed', ...hint.item });
      this.pump(stream);
    }
  }

  /** Without hints: is there anything? Heads of many recipients are read together. */
  private async look(stream: Stream): Promise<void> {
    if (stream.pumping) return;
    const head = await this.inbox.head(stream.tenantId, stream.recipientId).catch(() => null);
    if (head && head.lastSeq > stream.lastSeq && !stream.closed) this.pump(stream);
  }

  /** Sends what is there after the last item sent, then the counters. One at a time for a stream. */
  private pump(stream: Stream): void {
    if (stream.pumping) {
      stream.again = true;
      return;
    }
    stream.pumping = true;
    this.pumpOnce(stream)
      .catch((error: unknown) => {
        this.logger.warn({ err: error }, 'an inbox stream could not be fed; it is tried again');
        // Not with the next hint: this may have been the last one for a day.
        setTimeout(() => !stream.closed && this.pump(stream), RETRY_MS * (1 + Math.random())).unref();
      })
      .finally(() => {
        stream.pumping = false;
        if (stream.again && !stream.closed) {
          stream.again = false;
          this.pump(stream);
        }
      });
  }

  private async pumpOnce(stream: Stream): Promise<void> {
    stream.again = false;
    const { tenantId, recipientId } = stream;
    // Side by side. Counters that know of an item which the feed does not have yet are told again with it.
    let [items, head] = await Promise.all([
      this.inbox.feed(tenantId, recipientId, stream.lastSeq),
      this.inbox.head(tenantId, recipientId),
    ]);
    while (items.length === PAGE && !stream.closed) {
      this.sendItems(stream, items);
      items = await this.inbox.feed(tenantId, recipientId, stream.lastSeq);
      head = await this.inbox.head(tenantId, recipientId);
    }
    this.sendItems(stream, items, { type: 'counts', counts: head.counts });
  }

  private sendItems(stream: Stream, items: readonly InboxItem[], ...then: Frame[]): void {
    stream.lastSeq = items.at(-1)?.seq ?? stream.lastSeq;
    this.send(stream, ...items.map((item): Frame => ({ type: 'item', item: toItemView(item) })), ...then);
  }

  /** A few at a time travel together; before each few it is asked whether the other side still reads. */
  private send(stream: Stream, ...frames: Frame[]): void {
    for (let at = 0; at < frames.length && !stream.closed; at += TOGETHER) {
      if (stream.wire.buffered() > MAX_BUFFERED_BYTES) {
        stream.wire.closeTooSlow();
        return;
      }
      stream.wire.send(frames.slice(at, at + TOGETHER));
    }
    for (const { type } of frames) instruments().frames.add(1, { type });
  }
}

function keyOf(owner: StreamOwner): string {
  return `${owner.tenantId} ${owner.recipientId}`;
}
