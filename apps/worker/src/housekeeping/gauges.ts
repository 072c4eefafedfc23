import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import type { Config } from '#config';
import { type ChannelFigures, OperationsStore, PartitionsStore, QueueFiguresStore } from '#database';
import { instruments } from '#telemetry';
import { CONFIG } from '../tokens.js';

/** One query serves the four queue gauges of a scrape. */
const FRESH_MS = 1_000;

type QueueFigure = 'waiting' | 'due' | 'inFlight' | 'oldestDueSeconds';

/** Gauges that are read from the database when metrics are scraped. */
@Injectable()
export class Gauges implements OnApplicationBootstrap {
  private readAt = 0;
  private figures: Promise<ChannelFigures[]> = Promise.resolve([]);

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'workerChannels'>,
    private readonly queue: QueueFiguresStore,
    private readonly partitions: PartitionsStore,
    private readonly operations: OperationsStore,
  ) {}

  onApplicationBootstrap(): void {
    this.observe('carillon_queue_waiting', 'Deliveries that are not final', 'waiting');
    this.observe('carillon_queue_due', 'Deliveries due now and not claimed', 'due');
    this.observe('carillon_queue_in_flight', 'Deliveries claimed by any worker', 'inFlight');
    this.observe('carillon_queue_oldest_due_seconds', 'Age of the oldest due delivery', 'oldestDueSeconds');
    instruments().partitionHorizon(() => this.partitions.horizonDays());
    instruments().oldestTransaction(() => this.operations.oldestTransactionSeconds());
  }

  /** Reports 0 for a channel without deliveries, and nothing while the database is unavailable. */
  private observe(name: string, description: string, figure: QueueFigure): void {
    instruments().gauge(name, description, async () => {
      const found = await this.read().catch(() => null);
      if (!found) return [];
      return this.config.workerChannels.map((channel) => ({
        value: found.find((row) => row.channel === channel)?.[figure] ?? 0,
        attributes: { channel },
      }));
    });
  }

  private read(): Promise<ChannelFigures[]> {
    if (performance.now() - this.readAt > FRESH_MS) {
      this.readAt = performance.now();
      this.figures = this.queue.read().then(({ channels }) => channels);
    }
    return this.figures;
  }
}
