import type { PostgresListener, ReceiptsStore, RetentionStore } from '#database';
import type { ChannelId } from '#domain';
import { instruments, type Logger } from '#telemetry';
import { countLateReceipts } from '../delivery/count-late-receipts.js';
import type { HousekeepingStores } from './housekeeping-stores.js';

const SECOND = 1_000;
/** Batches of 500 parked receipts in one run of the task. */
const PARKED_TURNS = 10;

/** The share of one connection's time that a scan may take. */
const MAX_DUTY_CYCLE = 0.05;

interface HousekeepingTask {
  name: string;
  run: () => Promise<unknown>;
}

/** One worker at a time cleans up: several would look for the same rows. */
const CLEAN_UP_LOCK = 'carillon_clean_up';
const CLEAN_UP_EVERY_MS = 600 * SECOND;

/**
 * Runs maintenance tasks on timers. Several workers may run the same task at once, except clean-ups, which hold a lock.
 * A task that fails does not stop the others.
 */
export class Housekeeper {
  private readonly tasks: (HousekeepingTask & { everyMs: number })[];
  private readonly cleanUps: HousekeepingTask[];
  private readonly timers: NodeJS.Timeout[] = [];
  private cleaningUp = false;
  private stopped = false;

  constructor(
    { due, events, operations, partitions, queue, mailbox, receipts, retention, expired, spool }: HousekeepingStores,
    channels: readonly ChannelId[],
    private readonly lock: Pick<PostgresListener, 'holds'>,
    private readonly logger: Logger,
  ) {
    this.tasks = [
      // Every minute, because an attempt that does not get its lock is given up.
      { name: 'make partitions', everyMs: 60 * SECOND, run: () => partitions.make() },
      {
        name: 'apply receipts that came early',
        everyMs: 2 * SECOND,
        run: () => applyParked(receipts),
      },
      {
        name: 'analyze grown tables',
        everyMs: SECOND,
        run: async () => {
          const table = await operations.analyzeGrown();
          if (table) this.logger.debug({ table }, 'analyzed a table that has grown');
        },
      },
      {
        name: 'advance claim watermarks',
        everyMs: SECOND,
        run: withDutyCycle(() => due.advanceWatermarks(channels)),
      },
      { name: 'rescan due deliveries', everyMs: 5 * SECOND, run: withDutyCycle(() => due.rescan(channels)) },
      { name: 'advance event watermarks', everyMs: SECOND, run: withDutyCycle(() => events.advanceWatermarks()) },
      { name: 'rescan events', everyMs: 5 * SECOND, run: withDutyCycle(() => events.rescan()) },
      { name: 'expect rows in queues', everyMs: SECOND, run: () => operations.expectRows() },
      // The store skips most runs: it counts only as often as that is cheap.
      { name: 'count the queue', everyMs: SECOND, run: () => queue.keep() },
      { name: 'record spooled outcomes', everyMs: SECOND, run: () => spool.replay() },
      { name: 'trim mailboxes', everyMs: 5 * SECOND, run: () => mailbox.trim() },
      { name: 'clean up', everyMs: CLEAN_UP_EVERY_MS, run: () => this.cleanUp() },
    ];
    this.cleanUps = [
      { name: 'drop partitions', run: () => this.dropPartitions(retention) },
      ...[...retention.cleanUps, ...expired.cleanUps].map((cleanUp) => ({
        name: `clean up ${cleanUp.table}`,
        run: () => cleanUp.run((rows) => instruments().pruned.add(rows, { table: cleanUp.table })),
      })),
    ];
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
    this.stopped = true;
    for (const timer of this.timers) clearInterval(timer);
  }

  /** Runs the clean-ups one after another, in one worker at a time. One that fails does not skip the others. */
  private async cleanUp(): Promise<void> {
    if (this.cleaningUp || !(await this.lock.holds(CLEAN_UP_LOCK))) return;
    this.cleaningUp = true;
    for (const task of this.cleanUps) if (!this.stopped) await this.run(task);
    this.cleaningUp = false;
  }

  private async dropPartitions(retention: RetentionStore): Promise<void> {
    const dropped = await retention.dropPartitions();
    if (dropped > 0) this.logger.info({ dropped }, 'dropped partitions that are past the longest retention');
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

/**
 * Skips calls while `run` is under way, and after it for so long that runs take at most MAX_DUTY_CYCLE of the time.
 * After a failure the next call runs again.
 */
function withDutyCycle(run: () => Promise<unknown>): () => Promise<void> {
  let isRunning = false;
  let restsUntil = 0;
  return async () => {
    const startedAt = performance.now();
    if (isRunning || startedAt < restsUntil) return;
    isRunning = true;
    try {
      await run();
      restsUntil = startedAt + (performance.now() - startedAt) / MAX_DUTY_CYCLE;
    } finally {
      isRunning = false;
    }
  };
}

/** Applies parked receipts in batches until a batch changes nothing, at most PARKED_TURNS times. */
async function applyParked(receipts: ReceiptsStore): Promise<void> {
  for (let turn = 0; turn < PARKED_TURNS; turn += 1) {
    const found = await receipts.retryParked();
    countLateReceipts(found);
    if (found.applied + found.dropped === 0) return;
  }
}
