import { LRUCache } from 'lru-cache';

interface Limits<Value> {
  maxSize: number;
  sizeOf: (value: Value) => number;
}

interface Entry<Value> {
  value: Value | null;
}

/** Caches values that never change. Concurrent reads of one value share one read. */
export class ReadCache<Key, Value> {
  private readonly entries: LRUCache<string, Entry<Value>, { key: unknown }>;

  constructor({ maxSize, sizeOf }: Limits<Value>, read: (key: Key) => Promise<Value | null>) {
    this.entries = new LRUCache({
      maxSize,
      sizeCalculation: ({ value }) => (value === null ? 1 : sizeOf(value)),
      // A full cache may evict an entry that is still being read; its waiters receive the value nevertheless.
      ignoreFetchAbort: true,
      fetchMethod: async (_name, _stale, { context }) => ({ value: await read(context.key as Key) }),
    });
  }

  /** Null when there is no such value. Null is not cached. */
  async get(name: string, key: Key): Promise<Value | null> {
    const entry = await this.entries.fetch(name, { context: { key } });
    if (entry && entry.value !== null) return entry.value;
    this.entries.delete(name);
    return null;
  }
}
