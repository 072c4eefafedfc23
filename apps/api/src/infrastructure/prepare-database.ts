import { Inject, Injectable } from '@nestjs/common';
import { OperationsStore, PartitionsStore, PlatformKeys } from '#database';
import { instruments, type Logger } from '#telemetry';
import { LOGGER } from '../tokens.js';

/** Waits until the database is reachable and migrated, then opens the platform's keys and makes partitions. */
@Injectable()
export class PrepareDatabase {
  constructor(
    private readonly operations: OperationsStore,
    private readonly partitions: PartitionsStore,
    private readonly keys: PlatformKeys,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async run(): Promise<void> {
    await this.operations.untilReady((checks) => this.logger.warn({ checks }, 'waiting for the database'));
    await this.keys.prepare();
    await this.makePartitions();
    instruments().gauge('partitionHorizon', () => this.partitions.horizonDays());
  }

  /**
   * Workers make partitions too, but an API may run alone. A failure is fatal only if no partition covers the present.
   */
  private async makePartitions(): Promise<void> {
    try {
      await this.partitions.make();
    } catch (error) {
      const days = await this.partitions.horizonDays();
      if (days <= 0) throw error;
      this.logger.warn({ err: error, days }, 'partitions could not be made; workers try again every minute');
    }
  }
}
