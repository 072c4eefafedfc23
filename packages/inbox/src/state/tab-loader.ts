// Loads the tabs page by page, and again after a break of the stream.

import type { Inbox, InboxItem } from '../../../client/src/inbox/index.js';
import type { ItemLists, Tab } from './item-lists.js';

const PAGE = 50;
/** The largest page of the API: to load again what was loaded before. */
const MAX_PAGE = 200;

export interface TabState {
  /** `first`: nothing is shown yet. */
  loading: 'no' | 'first' | 'more';
  failed: boolean;
  /** Null at the end of the list. */
  cursor: string | null;
  /** Loaded since the last break of the stream. */
  isCurrent: boolean;
}

const NEW: TabState = { loading: 'no', failed: false, cursor: null, isCurrent: false };

export class TabLoader {
  private readonly states = new Map<string, TabState>();
  /** One set for each request that runs. */
  private readonly changed = new Set<Set<string>>();

  constructor(
    private readonly inbox: Inbox,
    private readonly lists: ItemLists,
    private readonly listeners: { onUpdate(): void; onError(error: unknown): void },
  ) {}

  stateOf(tab: Tab): TabState {
    return this.states.get(tab.id) ?? NEW;
  }

  /** Answers of running requests do not replace this item. */
  note(id: string): void {
    for (const ids of this.changed) ids.add(id);
  }

  /** Every tab is loaded again when it is shown. */
  outdate(): void {
    for (const [id, state] of this.states) this.states.set(id, { ...state, isCurrent: false, failed: false });
  }

  /** Answers of running requests count for nothing: the inbox was emptied. */
  reset(): void {
    this.states.clear();
    this.changed.clear();
  }

  /** Loads the first page, or again what was loaded before. */
  async refresh(tab: Tab): Promise<void> {
    const state = this.stateOf(tab);
    if (state.loading !== 'no') {
      // The answer on its way may be older than what this refresh is for.
      this.states.set(tab.id, { ...state, isCurrent: false });
      return;
    }
    const lowest = this.lists.lowestOf(tab);
    const isFirst = lowest === Number.POSITIVE_INFINITY;
    await this.request(tab, isFirst ? 'first' : 'more', async (changed) => {
      const items: InboxItem[] = [];
      let cursor: string | null = null;
      do {
        const limit = isFirst ? PAGE : MAX_PAGE;
        const page = await this.inbox.list({ ...tab.query, limit, ...(cursor !== null && { cursor }) });
        items.push(...page.data);
        cursor = page.next_cursor;
      } while (cursor !== null && !isFirst && items.at(-1)!.seq > lowest);
      const from = cursor === null ? 0 : items.at(-1)!.seq;
      return { part: { tab, items, from, changed }, cursor };
    });
  }

  /** After a failure: the part that was not loaded. */
  retry(tab: Tab): void {
    const { isCurrent, cursor } = this.stateOf(tab);
    void (isCurrent && cursor !== null ? this.loadMore(tab) : this.refresh(tab));
  }

  async loadMore(tab: Tab): Promise<void> {
    const { loading, cursor } = this.stateOf(tab);
    if (loading !== 'no' || cursor === null) return;
    const before = this.lists.lowestOf(tab);
    await this.request(tab, 'more', async (changed) => {
      const page = await this.inbox.list({ ...tab.query, limit: PAGE, cursor });
      const from = page.next_cursor === null ? 0 : page.data.at(-1)!.seq;
      return { part: { tab, items: page.data, from, before, changed }, cursor: page.next_cursor };
    });
  }

  private async request(
    tab: Tab,
    loading: 'first' | 'more',
    load: (changed: Set<string>) => Promise<{ part: Parameters<ItemLists['load']>[0]; cursor: string | null }>,
  ): Promise<void> {
    const changed = new Set<string>();
    this.changed.add(changed);
    const before = this.stateOf(tab);
    this.states.set(tab.id, { ...before, loading, failed: false, isCurrent: true });
    this.listeners.onUpdate();
    try {
      const { part, cursor } = await load(changed);
      if (!this.changed.delete(changed)) return;
      this.lists.load(part);
      const after = { ...this.stateOf(tab), loading: 'no' as const, cursor };
      this.states.set(tab.id, after);
      // The stream broke meanwhile.
      if (!after.isCurrent) return await this.refresh(tab);
    } catch (error) {
      if (!this.changed.delete(changed)) return;
      this.states.set(tab.id, { ...before, loading: 'no', failed: true });
      this.listeners.onError(error);
    }
    this.listeners.onUpdate();
  }
}
