import type { DueSchedulesStore } from '#database';
import type { Logger } from '#telemetry';
import { Loop } from '../loop.js';
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
  private readonly loop = new Loop(() => this.fireBatch());
  private hasFailed = false;

  constructor(
    private readonly store: DueSchedulesStore,
    private readonly fire: FireSchedules,
    private readonly logger: Logger,
  ) {}

  start(): void {
    this.loop.start();
  }

  /** Resolves when the batch under way is committed. */
  async stop(): Promise<void> {
    await this.loop.stop();
  }

  /** Returns for how many milliseconds to rest. Never throws. */
  private async fireBatch(): Promise<number> {
    try {
      const restMs = await this.fireDue();
      this.hasFailed = false;
      return restMs;
    } catch (error) {
      if (!this.hasFailed) this.logger.warn({ err: error }, 'firing schedules failed; retrying until it works');
      this.hasFailed = true;
      return AFTER_ERROR_MS;
    }
  }

  /** Fires a batch. Returns the time to rest. */
  private async fireDue(): Promise<number> {
    const untilNext = await this.store.untilNextMs();
    if (untilNext === null || untilNext > 0) return Math.min(POLL_MS, Math.ceil(untilNext ?? POLL_MS));
    const taken = await this.store.take(BATCH, (due) => this.fire.run(due));
    return taken > 0 ? 0 : LATE_MS;
  }
}
