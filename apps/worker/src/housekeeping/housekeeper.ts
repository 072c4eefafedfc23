import type { MailboxStore, OperationsStore, PartitionsStore, ReceiptsStore } from '#database';
import { instruments, type Logger } from '#telemetry';
import { countLateReceipts } from '../late-receipts.js';

const SECOND = 1_000;
/** Of parked receipts, 500 a turn, each time the chore runs. */
const PARKED_TURNS = 10;

interface Chore {
  name: string;
  everyMs: number;
  run: () => Promise<unknown>;
}

interface Stores {
  operations: OperationsStore;
  partitions: PartitionsStore;
  mailbox: MailboxStore;
  receipts: ReceiptsStore;
}

/** Small chores beside the deliveries. Each may run in any number of workers at once. */
export class Housekeeper {
  private readonly chores: Chore[];
  private readonly timers: NodeJS.Timeout[] = [];

  constructor(
    { operations, partitions, mailbox, receipts }: Stores,
    private readonly logger: Logger,
  ) {
    this.chores = [
      // Often, because a lock that was not to be had must not cost a week.
      { name: 'make partitions', everyMs: 60 * SECOND, run: () => partitions.make() },
      { name: 'delete what has expired', everyMs: 600 * SECOND, run: () => operations.deleteExpired() },
      {
        name: 'apply receipts that came early',
        everyMs: 2 * SECOND,
        run: () => applyParked(receipts),
      },
      {
        name: 'tell the planner what has grown',
        everyMs: SECOND,
        run: async () => {
          const table = await operations.analyzeGrown();
          if (table) this.logger.debug({ table }, 'new statistics of a table that has grown');
        },
      },
      { name: 'trim mailboxes', everyMs: 5 * SECOND, run: () => mailbox.trim() },
    ];
  }

  start(): void {
    for (const chore of this.chores) {
      void this.run(chore);
      const timer = setInterval(() => void this.run(chore), chore.everyMs);
      timer.unref();
      this.timers.push(timer);
    }
  }

  stop(): void {
    for (const timer of this.timers) clearInterval(timer);
  }

  private async run(chore: Chore): Promise<void> {
    try {
      await chore.run();
    } catch (error) {
      instruments().choreFailures.add(1, { chore: chore.name });
      this.logger.warn({ err: error, chore: chore.name }, 'a chore failed; it comes round again');
    }
  }
}

/** Turn after turn while there is something to be done, and then it is the next chore's time. */
async function applyParked(receipts: ReceiptsStore): Promise<void> {
  for (let turn = 0; turn < PARKED_TURNS; turn += 1) {
    const found = await receipts.retryParked();
    countLateReceipts(found);
    if (found.applied + found.dropped === 0) return;
  }
}
