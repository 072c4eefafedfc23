import type { Config } from '#config';
import type { ReceiptsStore } from '#database';
import { instruments, type Logger } from '#telemetry';
import { countParkedReceipts } from '../delivery/count-parked-receipts.js';
import type { HousekeepingStores } from './housekeeping-stores.js';

export interface HousekeepingTask {
  name: string;
  run: () => Promise<unknown>;
}

export interface TimedTask extends HousekeepingTask {
  everyMs: number;
}

export const SECOND = 1_000;
/** Batches of 500 parked receipts in one run of the task. */
const PARKED_TURNS = 10;
/** Time for changes of quiet hours, caps and quotas in one run of the task: about 20,000 deliveries. */
const POLICY_CHANGES_MS = 800;
/** The share of one connection's time that a scan may take. */
const MAX_DUTY_CYCLE = 0.05;

/** Tasks that any number of workers may run at once. */
export function timedTasks(
  stores: HousekeepingStores,
  { workerChannels: channels, leaseSeconds }: Pick<Config, 'workerChannels' | 'leaseSeconds'>,
  logger: Logger,
): TimedTask[] {
  const { counts, due, erasures, events, operations, partitions, queue, policyChanges, mailbox, receipts, spool } =
    stores;
  return [
    // Every minute, because an attempt that does not get its lock is given up.
    { name: 'make partitions', everyMs: 60 * SECOND, run: () => partitions.make() },
    { name: 'apply receipts that came early', everyMs: 2 * SECOND, run: () => applyParked(receipts) },
    {
      name: 'analyze grown tables',
      everyMs: SECOND,
      run: async () => {
        const table = await operations.analyzeGrown();
        if (table) logger.debug({ table }, 'analyzed a table that has grown');
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
    { name: 'count deliveries', everyMs: 5 * SECOND, run: withDutyCycle(() => counts.run()) },
    { name: 'record spooled outcomes', everyMs: SECOND, run: () => spool.replay() },
    { name: 'finish erasures', everyMs: 10 * SECOND, run: withoutOverlap(() => erasures.finishDue()) },
    {
      name: 'apply changes of policies',
      everyMs: SECOND,
      run: withoutOverlap(() => policyChanges.apply(leaseSeconds, POLICY_CHANGES_MS)),
    },
    { name: 'trim mailboxes', everyMs: 5 * SECOND, run: () => mailbox.trim() },
  ];
}

/** Tasks that delete expired data. They run one after another. */
export function cleanUpTasks(
  { retention, expired, auditRetention }: HousekeepingStores,
  logger: Logger,
): HousekeepingTask[] {
  const dropPartitions = async (): Promise<void> => {
    const dropped = await retention.dropPartitions();
    if (dropped > 0) logger.info({ dropped }, 'dropped partitions that are past the longest retention');
  };
  return [
    { name: 'drop partitions', run: dropPartitions },
    ...[...retention.cleanUps, ...expired.cleanUps, ...auditRetention.cleanUps].map((cleanUp) => ({
      name: `clean up ${cleanUp.table}`,
      run: () => cleanUp.run((rows) => instruments().pruned.add(rows, { table: cleanUp.table })),
    })),
  ];
}

/** Skips calls while `run` is under way. */
function withoutOverlap(run: () => Promise<unknown>): () => Promise<void> {
  let isRunning = false;
  return async () => {
    if (isRunning) return;
    isRunning = true;
    try {
      await run();
    } finally {
      isRunning = false;
    }
  };
}

/**
 * Skips calls while `run` is under way, and after it for so long that runs take at most MAX_DUTY_CYCLE of the time.
 * After a failure the next call runs again.
 */
function withDutyCycle(run: () => Promise<unknown>): () => Promise<void> {
  let restsUntil = 0;
  return withoutOverlap(async () => {
    const startedAt = performance.now();
    if (startedAt < restsUntil) return;
    await run();
    restsUntil = startedAt + (performance.now() - startedAt) / MAX_DUTY_CYCLE;
  });
}

/** Applies parked receipts in batches until a batch changes nothing, at most PARKED_TURNS times. */
async function applyParked(receipts: ReceiptsStore): Promise<void> {
  for (let turn = 0; turn < PARKED_TURNS; turn += 1) {
    const result = await receipts.retryParked();
    countParkedReceipts(result);
    if (result.applied + result.dropped === 0) return;
  }
}
