import { HintOutbox } from './outbox.js';
import type { Hint, RealtimeBus } from './realtime-bus.js';

/** The part of a PostgreSQL connection that this bus needs. Implemented by PostgresListener in libs/database. */
export interface Notifier {
  on(channel: string, handler: (payload: string) => void): void;
  onReconnect(handler: () => void): void;
  notify(channel: string, payloads: string[]): Promise<void>;
}

const CHANNEL = 'carillon_hints';
/** PostgreSQL allows less than 8,000 bytes in a NOTIFY payload. */
const MAX_PAYLOAD_BYTES = 7_900;

/** Publishes hints with LISTEN/NOTIFY. */
export class PostgresBus implements RealtimeBus {
  /** Every process receives every hint, and ignores those of recipients that it does not follow. */
  readonly live = true;
  private readonly handlers: ((hint: Hint) => void)[] = [];
  private readonly outbox: HintOutbox;

  constructor(
    private readonly notifier: Notifier,
    onFault: (error: Error) => void,
  ) {
    this.outbox = new HintOutbox(
      (hints) => notifier.notify(CHANNEL, payloadsOf(hints.map(({ text }) => text))),
      onFault,
    );
    notifier.on(CHANNEL, (payload) => {
      for (const hint of JSON.parse(payload) as Hint[]) for (const handler of this.handlers) handler(hint);
    });
  }

  publish(hints: Hint[]): void {
    this.outbox.add(hints);
  }

  subscribe(handler: (hint: Hint) => void): void {
    this.handlers.push(handler);
  }

  follow(): () => void {
    return () => undefined;
  }

  onGap(handler: () => void): void {
    this.notifier.onReconnect(handler);
  }

  async close(): Promise<void> {}
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
