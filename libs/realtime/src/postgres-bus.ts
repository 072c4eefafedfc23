import type { Hint, RealtimeBus } from './realtime-bus.js';

/** What this bus needs of a database: the database room's PostgresListener. */
export interface Notifier {
  on(channel: string, handler: (payload: string) => void): void;
  onReconnect(handler: () => void): void;
  notify(channel: string, payloads: string[]): Promise<void>;
}

const CHANNEL = 'carillon_hints';
/** A NOTIFY payload holds less than 8,000 bytes. */
const MAX_PAYLOAD_BYTES = 7_900;

/** LISTEN/NOTIFY: one statement for all the hints that gathered while the last one was under way. */
export class PostgresBus implements RealtimeBus {
  private waiting = new Map<string, string>();
  private sending = false;
  private readonly handlers: ((hint: Hint) => void)[] = [];

  constructor(
    private readonly notifier: Notifier,
    private readonly onFault: (error: Error) => void,
  ) {
    notifier.on(CHANNEL, (payload) => {
      for (const hint of JSON.parse(payload) as Hint[]) for (const handler of this.handlers) handler(hint);
    });
  }

  publish(hints: Hint[]): void {
    // The same hint twice says nothing new.
    for (const hint of hints) {
      const text = JSON.stringify(hint);
      this.waiting.set(text, text);
    }
    if (!this.sending) void this.send();
  }

  subscribe(handler: (hint: Hint) => void): void {
    this.handlers.push(handler);
  }

  onGap(handler: () => void): void {
    this.notifier.onReconnect(handler);
  }

  async close(): Promise<void> {}

  private async send(): Promise<void> {
    this.sending = true;
    try {
      while (this.waiting.size > 0) {
        const hints = [...this.waiting.values()];
        this.waiting = new Map();
        await this.notifier.notify(CHANNEL, payloadsOf(hints));
      }
    } catch (error) {
      // The rows are there; readers look for themselves when the server is back.
      this.onFault(error as Error);
    } finally {
      this.sending = false;
    }
  }
}

function payloadsOf(hints: string[]): string[] {
  const payloads: string[] = [];
  let group: string[] = [];
  let bytes = 2;
  for (const hint of hints) {
    const size = Buffer.byteLength(hint) + 1;
    if (bytes + size > MAX_PAYLOAD_BYTES && group.length > 0) {
      payloads.push(`[${group.join(',')}]`);
      group = [];
      bytes = 2;
    }
    group.push(hint);
    bytes += size;
  }
  if (group.length > 0) payloads.push(`[${group.join(',')}]`);
  return payloads;
}
