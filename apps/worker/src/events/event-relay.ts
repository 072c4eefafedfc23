import type { EventsStore } from '#database';
import type { EventStream } from '#messaging';
import { instruments, type Logger } from '#telemetry';

/** What this needs of the listening connection: one worker at a time relays, so that each recipient's events stay in order. */
interface Lock {
  holds(name: string): Promise<boolean>;
}

const BATCH = 1_000;
const IDLE_MS = 100;
/** How soon another worker takes over when the one that relayed is gone. */
const STANDBY_MS = 1_000;

/**
 * Carries events from the table they were committed to, to the topic. A row is deleted when the broker has it; a worker that
 * dies in between lets it come twice, with the same id.
 */
export class EventRelay {
  private running = false;
  private loop: Promise<void> = Promise.resolve();
  private wake: () => void = () => undefined;

  constructor(
    private readonly events: EventsStore,
    private readonly stream: EventStream,
    private readonly lock: Lock,
    private readonly logger: Logger,
  ) {}

  start(): void {
    this.running = true;
    this.loop = this.run();
    instruments().gauge('carillon_events_oldest_seconds', 'Age of the oldest event that is not published', async () => [
      { value: await this.events.oldestSeconds().catch(() => 0), attributes: {} },
    ]);
  }

  async stop(): Promise<void> {
    this.running = false;
    this.wake();
    await this.loop;
    await this.stream.close();
  }

  private async run(): Promise<void> {
    for (let away = false; this.running; ) {
      try {
        if (!(await this.lock.holds('carillon_event_relay'))) await this.rest(STANDBY_MS);
        else if ((await this.relay()) < BATCH) await this.rest(IDLE_MS);
        away = false;
      } catch (error) {
        if (!away) this.logger.warn({ err: error }, 'events are not published at the moment; they wait');
        away = true;
        await this.rest(STANDBY_MS);
      }
    }
  }

  private async relay(): Promise<number> {
    const batch = await this.events.next(BATCH);
    if (batch.length === 0) return 0;
    await this.stream.publish(batch);
    await this.events.published(batch);
    instruments().events.add(batch.length);
    return batch.length;
  }

  private rest(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
