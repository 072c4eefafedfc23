import type { DueSchedulesStore } from '#database';
import type { Logger } from '#telemetry';
import type { FireSchedules } from './fire-schedules.js';

/** Schedules in one transaction: about 100 ms. */
const BATCH = 500;
/** Within which a schedule that was created or changed is noticed. */
const POLL_MS = 500;
/** The shortest rest when a schedule is late: another worker holds it, or it could not be fired. */
const LATE_MS = 50;
const AFTER_ERROR_MS = 1_000;

/**
 * Fires due schedules. Any number of workers run it at once: each takes schedules that no other holds. Nothing is fired
 * before its time on the clock of the database.
 */
export class ScheduleRunner {
  private isRunning = false;
  private loop: Promise<void> = Promise.resolve();
  private wake: () => void = () => undefined;

  constructor(
    private readonly store: DueSchedulesStore,
    private readonly fire: FireSchedules,
    private readonly logger: Logger,
  ) {}

  start(): void {
    this.isRunning = true;
    this.loop = this.run();
  }

  /** Resolves when the batch under way is committed. */
  async stop(): Promise<void> {
    this.isRunning = false;
    this.wake();
    await this.loop;
  }

  private async run(): Promise<void> {
    for (let hasFailed = false; this.isRunning; ) {
      try {
        const ms = await this.fireDue();
        hasFailed = false;
        if (ms > 0) await this.rest(ms);
      } catch (error) {
        if (!hasFailed) this.logger.warn({ err: error }, 'firing schedules failed; retrying until it works');
        hasFailed = true;
        await this.rest(AFTER_ERROR_MS);
      }
    }
  }

  /** Fires a batch. Returns the time to rest. */
  private async fireDue(): Promise<number> {
    const untilNext = await this.store.untilNextMs();
    if (untilNext === null || untilNext > 0) return Math.min(POLL_MS, Math.ceil(untilNext ?? POLL_MS));
    const taken = await this.store.take(BATCH, (due) => this.fire.run(due));
    return taken > 0 ? 0 : LATE_MS;
  }

  private rest(milliseconds: number): Promise<void> {
    if (!this.isRunning) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
