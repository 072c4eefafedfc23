import type { Logger } from '#telemetry';
import { Loop } from '../loop.js';

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
  private readonly loop = new Loop(() => this.publish());
  private hasFailed = false;

  constructor(
    private readonly options: RelayOptions,
    private readonly lock: Lock,
    private readonly logger: Logger,
  ) {}

  start(): void {
    this.loop.start();
  }

  /** Resolves when the batch under way is published. */
  async stop(): Promise<void> {
    await this.loop.stop();
  }

  /** Returns for how many milliseconds to rest. */
  private async publish(): Promise<number> {
    const { name, publishBatch } = this.options;
    try {
      const isHolder = await this.lock.holds(name);
      const hasMore = isHolder && (await publishBatch());
      this.hasFailed = false;
      if (hasMore) return 0;
      return isHolder ? IDLE_MS : STANDBY_MS;
    } catch (error) {
      if (!this.hasFailed)
        this.logger.warn({ err: error, relay: name }, 'publishing events failed; retrying until it works');
      this.hasFailed = true;
      return STANDBY_MS;
    }
  }
}
