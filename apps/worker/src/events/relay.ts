import type { Logger } from '#telemetry';

/** A lock that one worker holds at a time, so that each recipient's events stay in order. */
interface Lock {
  holds(name: string): Promise<boolean>;
}

export interface RelayOptions {
  /** Names the lock. Of all workers, one runs the relay of a name. */
  name: string;
  /** Returns whether there may be more. After an error the same batch is published again. */
  publishBatch: () => Promise<boolean>;
}

const IDLE_MS = 100;
/** The interval at which other workers try to get the lock, and the delay after an error. */
const STANDBY_MS = 1_000;

/**
 * Publishes events from their table, batch by batch. A batch is marked as published afterwards: when a worker dies in
 * between, its events are published again with the same ids.
 */
export class Relay {
  private isRunning = false;
  private loop: Promise<void> = Promise.resolve();
  private wake: () => void = () => undefined;

  constructor(
    private readonly options: RelayOptions,
    private readonly lock: Lock,
    private readonly logger: Logger,
  ) {}

  start(): void {
    this.isRunning = true;
    this.loop = this.run();
  }

  /** Resolves when the batch under way is published. */
  async stop(): Promise<void> {
    this.isRunning = false;
    this.wake();
    await this.loop;
  }

  private async run(): Promise<void> {
    const { name, publishBatch } = this.options;
    for (let hasFailed = false; this.isRunning; ) {
      try {
        if (!(await this.lock.holds(name))) await this.rest(STANDBY_MS);
        else if (!(await publishBatch())) await this.rest(IDLE_MS);
        hasFailed = false;
      } catch (error) {
        if (!hasFailed)
          this.logger.warn({ err: error, relay: name }, 'publishing events failed; retrying until it works');
        hasFailed = true;
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
