import type { Config } from '#config';
import type { PostgresListener } from '#database';
import { instruments, type Logger } from '#telemetry';
import type { HousekeepingStores } from './housekeeping-stores.js';
import { cleanUpTasks, type HousekeepingTask, SECOND, type TimedTask, timedTasks } from './housekeeping-tasks.js';

/** One worker at a time cleans up: several would look for the same rows. */
const CLEAN_UP_LOCK = 'carillon_clean_up';
const CLEAN_UP_EVERY_MS = 600 * SECOND;

/**
 * Runs maintenance tasks on timers. Several workers may run the same task at once, except clean-ups, which hold a lock.
 * A task that fails does not stop the others.
 */
export class Housekeeper {
  private readonly tasks: TimedTask[];
  private readonly cleanUps: HousekeepingTask[];
  private readonly timers: NodeJS.Timeout[] = [];
  private isCleaningUp = false;
  private isStopped = false;

  constructor(
    stores: HousekeepingStores,
    config: Pick<Config, 'workerChannels' | 'leaseSeconds'>,
    private readonly lock: Pick<PostgresListener, 'holds'>,
    private readonly logger: Logger,
  ) {
    const cleanUp = { name: 'clean up', everyMs: CLEAN_UP_EVERY_MS, run: () => this.cleanUp() };
    this.tasks = [...timedTasks(stores, config, logger), cleanUp];
    this.cleanUps = cleanUpTasks(stores, logger);
  }

  start(): void {
    for (const task of this.tasks) {
      void this.run(task);
      const timer = setInterval(() => void this.run(task), task.everyMs);
      timer.unref();
      this.timers.push(timer);
    }
  }

  stop(): void {
    this.isStopped = true;
    for (const timer of this.timers) clearInterval(timer);
  }

  /** Runs the clean-ups one after another, in one worker at a time. One that fails does not skip the others. */
  private async cleanUp(): Promise<void> {
    if (this.isCleaningUp || !(await this.lock.holds(CLEAN_UP_LOCK))) return;
    this.isCleaningUp = true;
    for (const task of this.cleanUps) if (!this.isStopped) await this.run(task);
    this.isCleaningUp = false;
  }

  private async run(task: HousekeepingTask): Promise<void> {
    try {
      await task.run();
    } catch (error) {
      instruments().housekeepingFailures.add(1, { task: task.name });
      this.logger.warn(
        { err: error, task: task.name },
        'a housekeeping task failed; it runs again at its next interval',
      );
    }
  }
}
