// The live stream of an inbox over WebSocket, with reconnects. A stream resumes after the last item that it has given.

import { CarillonError } from '../carillon-error.js';
import type { InboxCounts, InboxItem } from '../generated/types.gen.js';
import { backoffMs } from './backoff.js';
import type { InboxRequests } from './inbox-requests.js';

/** An item was read, seen or archived, here or elsewhere. */
export interface ItemChange {
  id: string;
  seq: number;
  read_at: string | null;
  seen_at: string | null;
  archived_at: string | null;
}

/**
 * - `connecting`: the first connection, or one after a break
 * - `live`: items arrive as they are created
 * - `waiting`: for the next attempt, or until the browser is online
 * - `closed`: by `close()`, or because the token was rejected and there is no other one
 */
export type StreamState = 'connecting' | 'live' | 'waiting' | 'closed';

export interface StreamHandlers {
  /** Every item once, in the order of `seq`. */
  onItem?(item: InboxItem): void;
  onCounts?(counts: InboxCounts): void;
  /** Changes during a break are not repeated: list again when the state becomes `live`. */
  onChange?(change: ItemChange): void;
  /** `error` says why a stream closed that `close()` has not closed. */
  onState?(state: StreamState, error?: unknown): void;
  /** The inbox was emptied and its numbers begin with 1 again. Forget all items. */
  onReset?(): void;
}

type Frame =
  | { type: 'ready'; last_seq: number; counts: InboxCounts }
  | { type: 'item'; item: InboxItem }
  | { type: 'counts'; counts: InboxCounts }
  | ({ type: 'item_changed' } & ItemChange)
  | { type: 'heartbeat' };

const PROTOCOL = 'carillon.v1';
/** From the start of a connection to its first frame. */
const OPEN_TIMEOUT_MS = 10_000;
/** A restarting server closes all its streams at once; they come back over this time. */
const RESTART_SPREAD_MS = 2_000;

const CLOSED = { tokenExpired: 4_001, accessRevoked: 4_003, restarting: 1_012 };

export class InboxStream {
  private socket: WebSocket | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private attempt = 0;
  private state: StreamState | undefined;
  /** `findReason` still decides what follows; a new connection or a pause ends that. */
  private isFindingReason = false;

  constructor(
    private readonly requests: InboxRequests,
    private readonly handlers: StreamHandlers,
    private since: number | undefined,
  ) {
    // Node has no such events.
    globalThis.addEventListener?.('online', this.onOnline);
    globalThis.addEventListener?.('offline', this.onOffline);
    void this.connect();
  }

  /** `seq` of the last item: pass it as `since` to continue in another stream. */
  get lastSeq(): number | undefined {
    return this.since;
  }

  close(): void {
    this.end();
  }

  private readonly onOnline = (): void => {
    if (this.state === 'waiting') this.connectIn(0);
  };

  private readonly onOffline = (): void => {
    this.abandon();
    this.enter('waiting');
  };

  private async connect(): Promise<void> {
    this.abandon();
    this.enter('connecting');
    let token: string;
    try {
      token = await this.requests.token.get();
    } catch {
      // Your backend may be unavailable for a moment.
      return this.connectIn(this.nextDelayMs());
    }
    // Closed, offline or connected again meanwhile.
    if (this.state !== 'connecting' || this.socket) return;
    let socket: WebSocket;
    try {
      socket = new WebSocket(this.requests.streamUrl(this.since), [PROTOCOL, token]);
    } catch (cause) {
      return await this.withoutToken(token, cause);
    }
    this.socket = socket;
    this.timer = setTimeout(() => this.afterClose(socket, token, 0), OPEN_TIMEOUT_MS);
    socket.onmessage = ({ data }) => {
      if (this.socket !== socket) return;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.connectIn(0), this.requests.silenceMs);
      this.take(JSON.parse(String(data)) as Frame);
    };
    socket.onclose = ({ code }) => this.afterClose(socket, token, code);
  }

  /** For a text that cannot be a token, such as the page that a backend shows for an error. */
  private async withoutToken(given: string, cause: unknown): Promise<void> {
    if (!this.requests.token.isRenewable) {
      const detail = 'The address or the token cannot be used for a stream.';
      return this.end(new CarillonError({ code: 'unauthenticated', detail, cause }));
    }
    await this.requests.token.drop(given);
    this.connectIn(this.nextDelayMs());
  }

  private take(frame: Frame): void {
    if (frame.type === 'ready') {
      this.attempt = 0;
      if (this.since !== undefined && frame.last_seq < this.since) this.startAgain();
      else this.begin(frame.last_seq, frame.counts);
    } else if (frame.type === 'counts') this.handlers.onCounts?.(frame.counts);
    else if (frame.type === 'item_changed') {
      const { type: _type, ...change } = frame;
      this.handlers.onChange?.(change);
    } else if (frame.type === 'item' && frame.item.seq > (this.since ?? 0)) {
      this.since = frame.item.seq;
      this.handlers.onItem?.(frame.item);
    }
  }

  private begin(lastSeq: number, counts: InboxCounts): void {
    this.since ??= lastSeq;
    this.enter('live');
    this.handlers.onCounts?.(counts);
  }

  /** After an erasure the numbers of the items begin with 1 again. */
  private startAgain(): void {
    this.since = 0;
    this.handlers.onReset?.();
    this.connectIn(0);
  }

  private afterClose(socket: WebSocket, token: string, code: number): void {
    if (this.socket !== socket) return;
    const wasLive = this.state === 'live';
    this.abandon();
    if (code === CLOSED.tokenExpired || code === CLOSED.accessRevoked) void this.renew(token, code);
    else if (code === CLOSED.restarting) this.connectIn(Math.random() * RESTART_SPREAD_MS);
    else if (wasLive) this.connectIn(backoffMs(0));
    else void this.findReason();
  }

  private async renew(token: string, code: number): Promise<void> {
    if (!this.requests.token.isRenewable) {
      const detail = code === CLOSED.tokenExpired ? 'The token has expired.' : 'The token was revoked.';
      return this.end(new CarillonError({ code: 'unauthenticated', detail, status: 401 }));
    }
    await this.requests.token.drop(token);
    this.connectIn(0);
  }

  /** A browser hides why an upgrade failed. A request with the same token tells; it also renews an expired token. */
  private async findReason(): Promise<void> {
    this.enter('waiting');
    this.isFindingReason = true;
    const error: unknown = await this.requests.send('GET', '/inbox/counts', { maxRetries: 0 }).then(
      () => undefined,
      (failure: unknown) => failure,
    );
    // The browser was online or offline meanwhile, or the stream was closed.
    if (!this.isFindingReason) return;
    const status = error instanceof CarillonError ? error.status : undefined;
    if (status === 401 || status === 403) this.end(error);
    else this.connectIn(this.nextDelayMs());
  }

  private nextDelayMs(): number {
    this.attempt += 1;
    return backoffMs(this.attempt - 1);
  }

  private connectIn(ms: number): void {
    if (this.state === 'closed') return;
    this.abandon();
    this.enter('waiting');
    this.timer = setTimeout(() => void this.connect(), ms);
  }

  /** Ends the connection and its timers without a word to the handlers. */
  private abandon(): void {
    this.isFindingReason = false;
    clearTimeout(this.timer);
    const { socket } = this;
    this.socket = undefined;
    if (!socket) return;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
  }

  private end(error?: unknown): void {
    globalThis.removeEventListener?.('online', this.onOnline);
    globalThis.removeEventListener?.('offline', this.onOffline);
    this.abandon();
    this.enter('closed', error);
  }

  private enter(state: StreamState, error?: unknown): void {
    if (this.state === state || this.state === 'closed') return;
    this.state = state;
    this.handlers.onState?.(state, error);
  }
}
