// The items that are known, and which part of each tab is loaded. Without I/O.

import type { InboxItem, InboxQuery, ItemChange } from '../../../client/src/inbox/index.js';

export interface Tab {
  id: string;
  /** How the API filters. */
  query: InboxQuery;
  /** The same filter for an item. */
  has(item: InboxItem): boolean;
}

const isOpen = (item: InboxItem): boolean => item.archived_at === null;

export const ALL: Tab = { id: 'all', query: {}, has: isOpen };
export const UNREAD: Tab = {
  id: 'unread',
  query: { unread: 'true' },
  has: (item) => isOpen(item) && item.read_at === null,
};
export const ARCHIVED: Tab = { id: 'archived', query: { archived: 'true' }, has: (item) => item.archived_at !== null };

export function categoryTab(key: string): Tab {
  return { id: `category ${key}`, query: { category: key }, has: (item) => isOpen(item) && item.category === key };
}

/** The part of a tab that a request has answered: the items from `from` on and, with `before`, below that number. */
export interface LoadedPart {
  tab: Tab;
  items: readonly InboxItem[];
  from: number;
  before?: number;
  /** Ids of items that have changed or arrived while the request ran: the answer may be older. */
  changed: ReadonlySet<string>;
}

export class ItemLists {
  private readonly items = new Map<string, InboxItem>();
  /** By tab: all items of the tab with this number or a higher one are known. */
  private readonly lowest = new Map<string, number>();
  private sorted: InboxItem[] | undefined;

  /** Newest first. Empty until a part of the tab is loaded. */
  of(tab: Tab): InboxItem[] {
    const lowest = this.lowestOf(tab);
    this.sorted ??= [...this.items.values()].sort((one, two) => two.seq - one.seq);
    return this.sorted.filter((item) => item.seq >= lowest && tab.has(item));
  }

  get(id: string): InboxItem | undefined {
    return this.items.get(id);
  }

  /** Infinity until a part of the tab is loaded. */
  lowestOf(tab: Tab): number {
    return this.lowest.get(tab.id) ?? Number.POSITIVE_INFINITY;
  }

  put(item: InboxItem): void {
    this.items.set(item.id, item);
    this.sorted = undefined;
  }

  /** Returns false for an item that is not known. */
  change({ id, ...change }: Omit<ItemChange, 'seq'>): boolean {
    const item = this.items.get(id);
    if (item) this.put({ ...item, ...change });
    return item !== undefined;
  }

  /** Items that the answer should have and has not are of another tab now, or erased. */
  load({ tab, items, from, before = Number.POSITIVE_INFINITY, changed }: LoadedPart): void {
    for (const item of this.items.values()) {
      const isAnswered = item.seq >= from && item.seq < before && tab.has(item);
      if (isAnswered && !changed.has(item.id)) this.items.delete(item.id);
    }
    for (const item of items) if (!changed.has(item.id) || !this.items.has(item.id)) this.items.set(item.id, item);
    this.lowest.set(tab.id, Math.min(from, this.lowestOf(tab)));
    this.sorted = undefined;
  }

  clear(): void {
    this.items.clear();
    this.lowest.clear();
    this.sorted = undefined;
  }
}
