// Where an outcome waits when the database was away for longer than a lease: a provider has accepted a message and nobody
// could be told. Read back at the next start, before anything is claimed, and while running as soon as the database answers.

import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClaimedDelivery, DeliveriesStore } from '#database';
import type { Outcome } from '#domain';
import type { Logger } from '#telemetry';

interface Entry {
  delivery: ClaimedDelivery;
  outcome: Outcome;
}

export class OutcomeSpool {
  private readonly file: string;
  /** Appending and replaying take turns. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly directory: string) {
    this.file = `outcomes-${process.pid}.jsonl`;
  }

  /** Durable when it resolves: written and flushed to the disk. */
  async append(delivery: ClaimedDelivery, outcome: Outcome): Promise<void> {
    await this.inTurn(async () => {
      await mkdir(this.directory, { recursive: true });
      const handle = await open(join(this.directory, this.file), 'a', 0o600);
      try {
        await handle.appendFile(`${JSON.stringify({ delivery, outcome } satisfies Entry)}\n`);
        await handle.sync();
      } finally {
        await handle.close();
      }
    });
  }

  /**
   * Records what this process or a dead one has spooled, and removes it. An entry whose claim somebody else has taken
   * meanwhile is told to the log and dropped: that worker has met the unknown outcome and decided.
   * Returns how many were recorded. Throws what the store throws; the file then stays.
   */
  async replay(deliveries: DeliveriesStore, logger: Logger): Promise<number> {
    return await this.inTurn(async () => {
      let recorded = 0;
      for (const name of await readdir(this.directory).catch(() => [] as string[])) {
        const pid = Number(/^outcomes-(\d+)\.jsonl$/.exec(name)?.[1]);
        if (!pid || (name !== this.file && isAlive(pid))) continue;
        const file = join(this.directory, name);
        for (const { delivery, outcome } of await entriesOf(file)) {
          if (await deliveries.record(delivery, outcome)) recorded += 1;
          else
            logger.warn(
              { tenant_id: delivery.tenantId, delivery_id: delivery.deliveryId, outcome: outcome.kind },
              'a spooled outcome came too late',
            );
        }
        await rm(file);
      }
      return recorded;
    });
  }

  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.turn.then(work);
    this.turn = mine.catch(() => undefined);
    return await mine;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** A last line cut off by a crash was never promised to anybody. */
async function entriesOf(file: string): Promise<Entry[]> {
  const lines = (await readFile(file, 'utf8')).split('\n');
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Entry);
}
