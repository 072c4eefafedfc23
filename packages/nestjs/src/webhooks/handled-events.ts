/**
 * Remembers which events were handled, by their `webhook-id`. Carillon repeats a call whose answer it did not get, with
 * the same id.
 */
export interface HandledEvents {
  has(webhookId: string): boolean | Promise<boolean>;
  add(webhookId: string): unknown;
}

const MAX_IDS = 10_000;

/** The last 10,000 ids, in the memory of this process. */
export class MemoryOfHandledEvents implements HandledEvents {
  private readonly ids = new Set<string>();

  has(webhookId: string): boolean {
    return this.ids.has(webhookId);
  }

  add(webhookId: string): void {
    this.ids.add(webhookId);
    // A set lists its values in the order of insertion.
    for (const oldest of this.ids) {
      if (this.ids.size <= MAX_IDS) break;
      this.ids.delete(oldest);
    }
  }
}
