/** Tells other processes that something changed, so that they read it from the database. Hints may be lost. */
export type Hint =
  /** The inbox of this recipient has a new item. */
  | { kind: 'inbox'; tenantId: string; recipientId: string }
  /** An item changed (read, archived, …). Other tabs of the recipient show it. */
  | { kind: 'item_changed'; tenantId: string; recipientId: string; item: ItemChange }
  /**
   * Cached data of this tenant is outdated: its keys and settings, its revoked tokens, its provider accounts, or its
   * templates.
   */
  | { kind: 'stale'; tenantId: string; what: 'tenant' | 'tokens' | 'provider_accounts' | 'templates' };

export interface ItemChange {
  id: string;
  seq: number;
  read_at: string | null;
  seen_at: string | null;
  archived_at: string | null;
}

/**
 * Publishes hints between processes. Both implementations pass the same tests.
 * `publish` never throws and never waits for a slow reader.
 */
export interface RealtimeBus {
  publish(hints: Hint[]): void;
  /** Receives every `stale` hint, and those of followed recipients. */
  subscribe(handler: (hint: Hint) => void): void;
  /**
   * Subscribes to the hints of one recipient; returns an unsubscribe function. If the subscription takes time, an
   * `inbox` hint is generated when it is confirmed, because hints may have been missed before. A bus may also deliver
   * hints of other recipients.
   */
  follow(tenantId: string, recipientId: string): () => void;
  /** Calls the handler when hints may have been missed. The reader then has to query the database. */
  onGap(handler: () => void): void;
  /** False while hints cannot be received. The reader then has to query the database regularly. */
  readonly live: boolean;
  close(): Promise<void>;
}
