import type { Hint } from './realtime-bus.js';

/**
 * Publishes hints in batches: hints added while a batch is sent are the next batch. Removes duplicates within a batch.
 */
export class HintOutbox {
  private waiting = new Map<string, Hint>();
  private sending = false;

  constructor(
    private readonly send: (hints: { hint: Hint; text: string }[]) => Promise<void>,
    private readonly onFault: (error: Error) => void,
  ) {}

  add(hints: readonly Hint[]): void {
    for (const hint of hints) this.waiting.set(JSON.stringify(hint), hint);
    if (!this.sending) void this.drain();
  }

  private async drain(): Promise<void> {
    this.sending = true;
    try {
      while (this.waiting.size > 0) {
        const hints = [...this.waiting].map(([text, hint]) => ({ text, hint }));
        this.waiting = new Map();
        await this.send(hints);
      }
    } catch (error) {
      // Nothing is lost: the changes are in the database, and readers query it after the outage.
      this.onFault(error as Error);
    } finally {
      this.sending = false;
    }
  }
}
