// The inbox of one recipient while the element is in the page: its stream, its items and its counters.

import {
  Inbox,
  type InboxCounts,
  type InboxItem,
  type InboxOptions,
  type InboxStream,
  type ItemChange,
  type StreamState,
} from '../../../client/src/inbox/index.js';
import { type InboxAction, InboxActions, type ItemAction } from './inbox-actions.js';
import { ALL, ARCHIVED, ItemLists, type Tab } from './item-lists.js';
import { TabLoader } from './tab-loader.js';

export interface SessionListeners {
  onUpdate(): void;
  /** An item has arrived. */
  onItem(item: InboxItem): void;
  onCounts(counts: InboxCounts): void;
  onState(state: StreamState): void;
  /** `isAction`: a change could not be saved. */
  onError(error: unknown, isAction: boolean): void;
}

export class InboxSession {
  readonly inbox: Inbox;
  readonly lists = new ItemLists();
  readonly tabs: TabLoader;
  counts: InboxCounts = { total: 0, unread: 0, unseen: 0 };
  state: StreamState = 'connecting';
  /** The stream is not connected, and has tried. */
  isInterrupted = false;
  private readonly actions: InboxActions;
  private readonly stream: InboxStream;
  private shown: Tab | undefined;

  constructor(
    options: InboxOptions,
    private readonly listeners: SessionListeners,
  ) {
    this.inbox = new Inbox(options);
    this.actions = new InboxActions(this.inbox, (action, error) => this.onFailure(action, error));
    this.tabs = new TabLoader(this.inbox, this.lists, {
      onUpdate: () => listeners.onUpdate(),
      onError: (error) => listeners.onError(error, false),
    });
    this.stream = this.inbox.stream({
      onItem: (item) => this.onItem(item),
      onChange: (change) => this.onChange(change),
      onCounts: (counts) => this.setCounts(counts),
      onState: (state, error) => this.onState(state, error),
      onReset: () => this.onReset(),
    });
  }

  close(): void {
    this.stream.close();
    this.actions.close();
  }

  /** The tab that is on the screen, if any. It is loaded after the stream has begun, so that no item is missed. */
  show(tab: Tab | undefined): void {
    this.shown = tab;
    if (!tab || this.state === 'connecting') return;
    const { isCurrent, failed } = this.tabs.stateOf(tab);
    // After a failure the reader decides, or the next connection.
    if (!isCurrent && !failed) void this.tabs.refresh(tab);
  }

  run(action: ItemAction, item: InboxItem): void {
    const now = new Date().toISOString();
    const after = { ...item, ...changeOf(action, item, now) };
    this.tabs.note(item.id);
    this.lists.change(after);
    this.setCounts(countsAfter(this.counts, item, after));
    void this.actions.run({ action, id: item.id });
  }

  readAll(): void {
    const now = new Date().toISOString();
    const items = this.lists.of(ALL);
    const ids = items.filter(({ read_at }) => read_at === null).map(({ id }) => id);
    for (const item of items) {
      this.tabs.note(item.id);
      this.lists.change({ ...item, read_at: item.read_at ?? now, seen_at: item.seen_at ?? now });
    }
    this.setCounts({ ...this.counts, unread: 0, unseen: 0 });
    void this.actions.run({ action: 'readAll', ids });
  }

  seenAll(): void {
    if (this.counts.unseen === 0) return;
    this.setCounts({ ...this.counts, unseen: 0 });
    void this.actions.run({ action: 'seenAll' });
  }

  private onItem(item: InboxItem): void {
    this.tabs.note(item.id);
    this.lists.put(item);
    this.listeners.onItem(item);
    this.listeners.onUpdate();
  }

  private onChange({ seq, ...change }: ItemChange): void {
    this.tabs.note(change.id);
    const { shown } = this;
    // An item that is not known belongs into the list if it was moved there elsewhere.
    if (!this.lists.change(change) && shown && seq >= this.lists.lowestOf(shown)) {
      const isArchived = change.archived_at !== null;
      if (isArchived === (shown.id === ARCHIVED.id)) void this.tabs.refresh(shown);
    }
    this.listeners.onUpdate();
  }

  private setCounts(counts: InboxCounts): void {
    const before = this.counts;
    this.counts = counts;
    if (before.total !== counts.total || before.unread !== counts.unread || before.unseen !== counts.unseen)
      this.listeners.onCounts(counts);
    this.listeners.onUpdate();
  }

  private onState(state: StreamState, error: unknown): void {
    this.state = state;
    if (state !== 'connecting') this.isInterrupted = state === 'waiting';
    this.listeners.onState(state);
    if (error !== undefined) this.listeners.onError(error, false);
    if (state === 'live') void this.catchUp();
    else this.show(this.shown);
    this.listeners.onUpdate();
  }

  /** Changes of items during a break are not in the stream. */
  private async catchUp(): Promise<void> {
    this.tabs.outdate();
    await this.actions.flush();
    this.show(this.shown);
  }

  private onReset(): void {
    this.lists.clear();
    this.tabs.reset();
    this.listeners.onUpdate();
  }

  private onFailure({ action }: InboxAction, error: unknown): void {
    this.listeners.onError(error, action !== 'seenAll');
    if (action === 'seenAll') return;
    // Shows what the server has.
    void this.catchUp();
  }
}

/** As the server does it: an item that is read is seen too. */
function changeOf(action: ItemAction, item: InboxItem, now: string): Partial<InboxItem> {
  if (action === 'read') return { read_at: item.read_at ?? now, seen_at: item.seen_at ?? now };
  if (action === 'unread') return { read_at: null };
  return { archived_at: action === 'archive' ? now : null };
}

/** The server counts items that are not archived; its own counters follow over the stream. */
function countsAfter(counts: InboxCounts, before: InboxItem, after: InboxItem): InboxCounts {
  const difference = (has: (item: InboxItem) => boolean): number =>
    Number(has(after) && after.archived_at === null) - Number(has(before) && before.archived_at === null);
  return {
    total: counts.total + difference(() => true),
    unread: counts.unread + difference(({ read_at }) => read_at === null),
    unseen: counts.unseen + difference(({ seen_at }) => seen_at === null),
  };
}
