import { LRUCache } from 'lru-cache';
import { atMost } from '#domain';
import type { Account } from './sender.js';

/** A change is announced to all processes at once; this covers an announcement that is lost. */
const TTL_MS = 30_000;
const MAX_ENTRIES = 10_000;

interface CachedAccounts {
  accounts: Promise<Account[]>;
  /** Undefined while loading. */
  loaded?: Account[];
}

/** Caches the opened accounts of a tenant's channels and endpoints. Concurrent reads share one load. */
export class AccountCache {
  private readonly entries = new LRUCache<string, CachedAccounts>({ ...atMost(MAX_ENTRIES), ttl: TTL_MS });

  /** `onLoad` is called with each list that was loaded. */
  constructor(private readonly onLoad: (accounts: readonly Account[]) => void) {}

  /** `kind` is a channel or the id of an endpoint. A failed load is not cached. */
  get(tenantId: string, kind: string, load: () => Promise<Account[]>): Promise<Account[]> {
    const key = keyOf(tenantId, kind);
    const cached = this.entries.get(key);
    if (cached) return cached.accounts;
    const entry: CachedAccounts = { accounts: load() };
    this.entries.set(key, entry);
    entry.accounts.then(
      (accounts) => {
        entry.loaded = accounts;
        this.onLoad(accounts);
      },
      () => this.entries.delete(key),
    );
    return entry.accounts;
  }

  /** The accounts if they are cached; undefined otherwise and while they load. */
  loaded(tenantId: string, kind: string): readonly Account[] | undefined {
    return this.entries.get(keyOf(tenantId, kind))?.loaded;
  }

  /** Without a tenant: forgets everything. */
  forget(tenantId?: string): void {
    if (tenantId === undefined) this.entries.clear();
    else for (const key of this.entries.keys()) if (key.startsWith(keyOf(tenantId, ''))) this.entries.delete(key);
  }
}

function keyOf(tenantId: string, kind: string): string {
  return `${tenantId} ${kind}`;
}
