/** What this needs of a database: the database room's PostgresListener. */
interface Notifier {
  notify(channel: string, payloads: string[]): Promise<void>;
}

/**
 * Wakes the workers: one NOTIFY for all that became due while the last one was under way, outside the transaction that
 * wrote it (inside, NOTIFY takes a global lock at commit). A lost wake-up costs one turn of the workers' poll.
 */
export class DueAnnouncer {
  private readonly waiting = new Set<string>();
  private sending = false;

  constructor(
    private readonly notifier: Notifier,
    private readonly onFault: (error: Error) => void,
  ) {}

  announce(lanes: string[]): void {
    for (const lane of lanes) this.waiting.add(lane);
    if (!this.sending) void this.send();
  }

  private async send(): Promise<void> {
    this.sending = true;
    try {
      while (this.waiting.size > 0) {
        const payload = [...this.waiting].join(',');
        this.waiting.clear();
        await this.notifier.notify('carillon_due', [payload]);
      }
    } catch (error) {
      this.onFault(error as Error);
    } finally {
      this.sending = false;
    }
  }
}
