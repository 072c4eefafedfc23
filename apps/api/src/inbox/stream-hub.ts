// The open inbox streams of this process. A hint from the bus only triggers a read: items come from the table, after
// the last sequence number that the stream has sent, so none is missed or sent twice.

import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { type InboxItem, InboxStore } from '#database';
import { DomainError } from '#domain';
import type { Hint, RealtimeBus } from '#realtime';
import { instruments, type Logger } from '#telemetry';
import { BUS, LOGGER } from '../tokens.js';
import { type Frame, toItemView } from './inbox.schema.js';
import { StreamAccess, type StreamEnd, type StreamOwner } from './stream-access.js';

const STREAM_KINDS = ['websocket', 'sse'] as const;
type StreamKind = (typeof STREAM_KINDS)[number];

/** One connection of one recipient. */
export interface StreamConnection {
  readonly kind: StreamKind;
  /** Sends the frames in one write. */
  send(frames: readonly Frame[]): void;
  /** Bytes that were written and not yet sent. */
  buffered(): number;
  /** Closes the connection because the client reads too slowly. */
  closeTooSlow(): void;
  /** Closes the connection so that the client connects again, to another process or later. */
  closeRestarting(): void;
  /** Closes the connection because its credential has expired or was revoked. */
  closeEnded(end: StreamEnd): void;
}

interface Stream extends StreamOwner {
  connection: StreamConnection;
  lastSeq: number;
  /** Unsubscribes from the hints of the recipient. */
  unfollow: () => void;
  /** Whether items are being read and sent, or the stream is still being opened. */
  pumping: boolean;
  /** Whether a hint arrived meanwhile. */
  again: boolean;
  closed: boolean;
}

type StreamRecipient = Pick<StreamOwner, 'tenantId' | 'recipientId'>;

const MAX_BUFFERED_BYTES = 1_048_576;
const PAGE = 100;
/** Frames per write. */
const FRAMES_PER_WRITE = 4;
/** Streams of one recipient in one process. Enough for tabs and devices; bounds a client that leaks connections. */
const MAX_STREAMS_PER_RECIPIENT = 50;
/** Pause before a failed read is repeated. */
const RETRY_MS = 500;
/** Over how long the reads of all streams are spread after hints may have been lost. */
const RESYNC_SPREAD_MS = 1_000;
/** How often all streams are checked for the end of their access, and poll while the bus is unavailable. */
const POLL_MS = 1_000;

@Injectable()
export class StreamHub implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly streams = new Map<string, Set<Stream>>();
  private readonly counts = { websocket: 0, sse: 0 };
  private clock: NodeJS.Timeout | undefined;
  private isStopping = false;

  constructor(
    private readonly inbox: InboxStore,
    private readonly access: StreamAccess,
    @Inject(BUS) private readonly bus: RealtimeBus,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    bus.subscribe((hint) => this.onHint(hint));
    bus.onGap(() => {
      for (const group of this.streams.values())
        for (const stream of group) setTimeout(() => this.pump(stream), Math.random() * RESYNC_SPREAD_MS).unref();
    });
  }

  onApplicationBootstrap(): void {
    this.clock = setInterval(() => {
      this.closeEnded();
      if (!this.bus.live)
        for (const group of this.streams.values()) for (const stream of group) void this.pollOnce(stream);
    }, POLL_MS).unref();
    instruments().gauge('streams', async () =>
      STREAM_KINDS.map((kind) => ({ value: this.counts[kind], labels: { kind } })),
    );
  }

  /** Before Nest closes the HTTP server, which would wait for open streams. */
  onModuleDestroy(): void {
    clearInterval(this.clock);
    this.isStopping = true;
    for (const group of this.streams.values()) for (const stream of group) stream.connection.closeRestarting();
  }

  /** Throws `rate_limited` when the recipient has the maximum number of streams. Call before {@link open}. */
  checkCapacity(owner: StreamRecipient): void {
    const open = this.streams.get(keyOf(owner))?.size ?? 0;
    if (open >= MAX_STREAMS_PER_RECIPIENT)
      throw new DomainError('rate_limited', `A recipient may have ${MAX_STREAMS_PER_RECIPIENT} streams.`, {
        retryAfterSeconds: 30,
      });
  }

  /**
   * Adds a stream. It sends `ready`, then the items after `since`, then new items; without `since` only new items.
   * Returns a function that removes the stream.
   */
  open(owner: StreamOwner, connection: StreamConnection, since: number | null): () => void {
    const key = keyOf(owner);
    const stream: Stream = {
      ...owner,
      lastRevocation: this.access.lastRevocation(owner),
      connection,
      lastSeq: since ?? 0,
      unfollow: () => undefined,
      pumping: true,
      again: false,
      closed: false,
    };
    // Registered before the first read, so that no item is missed between that read and the first hint.
    this.streams.set(key, (this.streams.get(key) ?? new Set()).add(stream));
    stream.unfollow = this.bus.follow(owner.tenantId, owner.recipientId);
    this.counts[connection.kind] += 1;
    if (this.isStopping) connection.closeRestarting();
    else void this.begin(stream, since);
    return () => this.remove(stream);
  }

  private remove(stream: Stream): void {
    if (stream.closed) return;
    stream.closed = true;
    stream.unfollow();
    this.counts[stream.connection.kind] -= 1;
    const key = keyOf(stream);
    const group = this.streams.get(key);
    group?.delete(stream);
    if (group?.size === 0) this.streams.delete(key);
  }

  private closeEnded(): void {
    for (const group of this.streams.values()) {
      for (const stream of group) {
        const end = this.access.endOf(stream);
        if (end === null) continue;
        this.remove(stream);
        stream.connection.closeEnded(end);
      }
    }
  }

  private async begin(stream: Stream, since: number | null): Promise<void> {
    try {
      const { lastSeq, counts } = await this.inbox.head(stream.tenantId, stream.recipientId);
      if (since === null) stream.lastSeq = lastSeq;
      this.send(stream, { type: 'ready', last_seq: lastSeq, counts });
      stream.pumping = false;
      if (since !== null || stream.again) this.pump(stream);
    } catch (error) {
      this.logger.warn({ err: error }, 'an inbox stream could not be opened');
      stream.connection.closeRestarting();
    }
  }

  private onHint(hint: Hint): void {
    if (hint.kind === 'stale') return;
    for (const stream of this.streams.get(keyOf(hint)) ?? []) {
      if (hint.kind === 'item_changed') this.send(stream, { type: 'item_changed', ...hint.item });
      this.pump(stream);
    }
  }

  /** Sends new items if there are any. The store reads the heads of many recipients in one query. */
  private async pollOnce(stream: Stream): Promise<void> {
    if (stream.pumping) return;
    const head = await this.inbox.head(stream.tenantId, stream.recipientId).catch(() => null);
    if (head && head.lastSeq > stream.lastSeq && !stream.closed) this.pump(stream);
  }

  /** Sends the items after the last one sent, then the counters. One run at a time for each stream. */
  private pump(stream: Stream): void {
    if (stream.pumping) {
      stream.again = true;
      return;
    }
    stream.pumping = true;
    this.pumpOnce(stream)
      .catch((error: unknown) => {
        this.logger.warn({ err: error }, 'reading an inbox stream failed; retrying');
        // Retries without waiting for a hint, because the next one may come a day later.
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
    // In parallel. Counters may already include an item that the feed lacks; they are sent again with that item.
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

  /** Sends a few frames per write, and checks before each write whether the client keeps up. */
  private send(stream: Stream, ...frames: Frame[]): void {
    for (let at = 0; at < frames.length && !stream.closed; at += FRAMES_PER_WRITE) {
      if (stream.connection.buffered() > MAX_BUFFERED_BYTES) {
        stream.connection.closeTooSlow();
        return;
      }
      stream.connection.send(frames.slice(at, at + FRAMES_PER_WRITE));
    }
    for (const { type } of frames) instruments().frames.add(1, { type });
  }
}

function keyOf(owner: StreamRecipient): string {
  return `${owner.tenantId} ${owner.recipientId}`;
}
