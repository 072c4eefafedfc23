import type { MailboxStore, OperationsStore, ReceiptsStore } from '#database';
import type { Logger } from '#telemetry';
import { countLateReceipts } from '../late-receipts.js';

const SECOND = 1_000;

interface Chore {
  name: string;
  everyMs: number;
  run: () => Promise<unknown>;
}

interface Stores {
  operations: OperationsStore;
  mailbox: MailboxStore;
  receipts: ReceiptsStore;
}

/** Small chores beside the deliveries. Each may run in any number of workers at once. */
export class Housekeeper {
  private readonly chores: Chore[];
  private readonly timers: NodeJS.Timeout[] = [];

  constructor(
    { operations, mailbox, receipts }: Stores,
    private readonly logger: Logger,
  ) {
    this.chores = [
      { name: 'make partitions', everyMs: 6 * 3_600 * SECOND, run: () => operations.makePartitions() },
      { name: 'delete what has expired', everyMs: 600 * SECOND, run: () => operations.deleteExpired() },
      {
        name: 'apply receipts that came early',
        everyMs: 2 * SECOND,
        run: async () => countLateReceipts(await receipts.retryParked()),
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
      this.logger.warn({ err: error, chore: chore.name }, 'a chore failed; it comes round again');
    }
  }
}
