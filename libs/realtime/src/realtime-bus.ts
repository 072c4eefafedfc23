/** What travels from whoever changed something to whoever shows it. A hint, never the truth: it may be lost. */
export type Hint =
  /** The inbox of this recipient has grown. */
  | { kind: 'inbox'; tenantId: string; recipientId: string }
  /** One item changed (read, archived, …), so that other tabs agree. */
  | { kind: 'item_changed'; tenantId: string; recipientId: string; item: ItemChange }
  /** A cached thing of this tenant is stale: its keys and settings, or its provider accounts. */
  | { kind: 'stale'; tenantId: string; what: 'tenant' | 'provider_accounts' };

export interface ItemChange {
  id: string;
  seq: number;
  read_at: string | null;
  seen_at: string | null;
  archived_at: string | null;
}

/**
 * Carries hints between processes. One contract, tested against every bus.
 * `publish` never throws and never waits for a slow reader: hints published together travel together.
 */
export interface RealtimeBus {
  publish(hints: Hint[]): void;
  /** Every `stale` hint, and those of the recipients that are followed. */
  subscribe(handler: (hint: Hint) => void): void;
  /**
   * Asks for the hints of one recipient; returns what ends it. Where it takes a moment until they arrive, one `inbox` hint
   * is made up then, so that nothing falls into that moment. (A bus may tell of recipients nobody follows, too.)
   */
  follow(tenantId: string, recipientId: string): () => void;
  /** Called when hints may have been missed: the reader looks for itself. */
  onGap(handler: () => void): void;
  /** False while hints cannot arrive: the reader looks for itself now and then. */
  readonly live: boolean;
  close(): Promise<void>;
}
