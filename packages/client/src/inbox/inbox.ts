// The inbox of one recipient, for browsers and Node. Without ky, which is larger than all of this.

import type { InboxCounts, InboxItem, InboxListData } from '../generated/types.gen.js';
import { InboxRequests, type InboxSettings } from './inbox-requests.js';
import { InboxStream, type StreamHandlers } from './inbox-stream.js';

export type InboxOptions = InboxSettings;
export type InboxQuery = NonNullable<InboxListData['query']>;
export interface InboxPage {
  data: InboxItem[];
  next_cursor: string | null;
}

/** Calls throw `CarillonError`. */
export class Inbox {
  private readonly requests: InboxRequests;

  constructor(options: InboxOptions) {
    this.requests = new InboxRequests(options);
  }

  /** Newest first. Pass `next_cursor` as `cursor` to get the next page. */
  async list(query: InboxQuery = {}): Promise<InboxPage> {
    const entries = Object.entries(query).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)]],
    );
    return (await this.requests.send('GET', `?${new URLSearchParams(entries)}`)) as InboxPage;
  }

  async counts(): Promise<InboxCounts> {
    return (await this.requests.send('GET', '/counts')) as InboxCounts;
  }

  async markRead(id: string): Promise<void> {
    await this.mark(id, 'read');
  }

  async markUnread(id: string): Promise<void> {
    await this.mark(id, 'unread');
  }

  async markSeen(id: string): Promise<void> {
    await this.mark(id, 'seen');
  }

  async archive(id: string): Promise<void> {
    await this.mark(id, 'archive');
  }

  async unarchive(id: string): Promise<void> {
    await this.mark(id, 'unarchive');
  }

  async markAllRead(): Promise<void> {
    await this.requests.send('POST', '/read-all');
  }

  async markAllSeen(): Promise<void> {
    await this.requests.send('POST', '/seen-all');
  }

  /**
   * Opens the live stream. It reconnects by itself, and gives every item after `since` once and in order. Without
   * `since` it begins with the next new item.
   */
  stream(handlers: StreamHandlers, since?: number): InboxStream {
    return new InboxStream(this.requests, handlers, since);
  }

  private async mark(id: string, action: string): Promise<void> {
    await this.requests.send('POST', `/${encodeURIComponent(id)}/${action}`);
  }
}
