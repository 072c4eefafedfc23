import type { Logger } from '#telemetry';

/** What this needs of the listening connection: one worker at a time relays, so that each recipient's events stay in order. */
interface Lock {
  holds(name: string): Promise<boolean>;
}

export interface RelayOptions {
  /** The lock's; one relay of a name runs at a time, over all workers. */
  name: string;
  /** Carries one batch; returns whether there may be more. Throws while somebody is away: the batch comes again. */
  publishBatch: () => Promise<boolean>;
  close?: () => Promise<void>;
}

const IDLE_MS = 100;
/** How soon another worker takes over when the one that relayed is gone. */
const STANDBY_MS = 1_000;

/**
 * Carries events from the table they were committed to, to whoever listens. What was carried is marked afterwards; a worker that
 * dies in between lets it come twice, with the same id.
 */
export class Relay {
  private running = false;
  private loop: Promise<void> = Promise.resolve();
  private wake: () => void = () => undefined;

  constructor(
    private readonly options: RelayOptions,
    private readonly lock: Lock,
    private readonly logger: Logger,
  ) {}

  start(): void {
    this.running = true;
    this.loop = this.run();
  }

  async stop(): Promise<void> {
    this.running = false;
    this.wake();
    await this.loop;
    await this.options.close?.();
  }

  private async run(): Promise<void> {
    const { name, publishBatch } = this.options;
    for (let away = false; this.running; ) {
      try {
        if (!(await this.lock.holds(name))) await this.rest(STANDBY_MS);
        else if (!(await publishBatch())) await this.rest(IDLE_MS);
        away = false;
      } catch (error) {
        if (!away) this.logger.warn({ err: error, relay: name }, 'events are not relayed at the moment; they wait');
        away = true;
        await this.rest(STANDBY_MS);
      }
    }
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
