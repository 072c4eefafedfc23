/** The part of PostgresListener that is used here. */
interface Notifier {
  notify(channel: string, payloads: string[]): Promise<void>;
}

/**
 * Wakes the workers with one NOTIFY for everything that became due while the previous one was running. Sent after the
 * transaction that wrote the deliveries, because NOTIFY inside a transaction takes a global lock at commit. If it is
 * lost, the workers' next poll finds the deliveries.
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
