// The inbox of one recipient, for browsers and Node. Without ky, which is larger than all of this.

import type {
  EffectivePreferences,
  InboxCounts,
  InboxItem,
  InboxListData,
  Preferences,
} from '../generated/types.gen.js';
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
    return (await this.requests.send('GET', `/inbox?${new URLSearchParams(entries)}`)) as InboxPage;
  }

  async counts(): Promise<InboxCounts> {
    return (await this.requests.send('GET', '/inbox/counts')) as InboxCounts;
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
    await this.requests.send('POST', '/inbox/read-all');
  }

  async markAllSeen(): Promise<void> {
    await this.requests.send('POST', '/inbox/seen-all');
  }

  /** The choices of the recipient. Needs a token with the scope `preferences:write`, as the next two. */
  async preferences(): Promise<Preferences> {
    return (await this.requests.send('GET', '/preferences')) as Preferences;
  }

  /** The result of the choices and of the rules of the tenant, for each category and channel. */
  async effectivePreferences(): Promise<EffectivePreferences> {
    return (await this.requests.send('GET', '/preferences/effective')) as EffectivePreferences;
  }

  /** Replaces the whole set. */
  async putPreferences(body: Preferences): Promise<Preferences> {
    return (await this.requests.send('PUT', '/preferences', { body })) as Preferences;
  }

  /**
   * Opens the live stream. It reconnects by itself, and gives every item after `since` once and in order. Without
   * `since` it begins with the next new item.
   */
  stream(handlers: StreamHandlers, since?: number): InboxStream {
    return new InboxStream(this.requests, handlers, since);
  }

  private async mark(id: string, action: string): Promise<void> {
    await this.requests.send('POST', `/inbox/${encodeURIComponent(id)}/${action}`);
  }
}
