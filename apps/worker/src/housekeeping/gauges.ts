import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import type { Config } from '#config';
import {
  type BacklogFigures,
  BacklogFiguresStore,
  type ChannelFigures,
  OperationsStore,
  PartitionsStore,
  type QueueFigures,
  QueueFiguresStore,
} from '#database';
import { instruments, OTHER_TENANTS } from '#telemetry';
import { OutcomeSpool } from '../delivery/outcome-spool.js';
import { CONFIG } from '../tokens.js';

/** One query serves all gauges of a scrape that show its figures. */
const FRESH_MS = 1_000;

/** The stores that gauges read. */
@Injectable()
export class GaugeStores {
  @Inject() readonly queue!: QueueFiguresStore;
  @Inject() readonly backlog!: BacklogFiguresStore;
  @Inject() readonly partitions!: PartitionsStore;
  @Inject() readonly operations!: OperationsStore;
  @Inject() readonly spool!: OutcomeSpool;
}

/** Gauges that are read from the database when metrics are scraped. While it is unavailable they are missing. */
@Injectable()
export class Gauges implements OnApplicationBootstrap {
  private readonly queue: () => Promise<QueueFigures>;
  private readonly backlog: () => Promise<BacklogFigures>;

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'workerChannels'>,
    private readonly stores: GaugeStores,
  ) {
    this.queue = keptFor(FRESH_MS, () => stores.queue.read());
    this.backlog = keptFor(FRESH_MS, () => stores.backlog.read());
  }

  onApplicationBootstrap(): void {
    this.observeQueue('waiting', ({ waiting }) => waiting);
    this.observeQueue('due', ({ due }) => due);
    this.observeQueue('inFlight', ({ inFlight }) => inFlight);
    this.observeQueue('oldestDue', ({ oldestDueSeconds }) => oldestDueSeconds);
    this.observeTenants();
    this.observeBacklog();
    instruments().gauge('partitionHorizon', () => this.stores.partitions.horizonDays());
    instruments().gauge('oldestTransaction', () => this.stores.operations.oldestTransactionSeconds());
    instruments().gauge('spool', () => this.stores.spool.size());
    // So that Prometheus sees the first bug as an increase.
    for (const channel of this.config.workerChannels)
      instruments().outcomes.add(0, { channel, provider: '', state: 'waiting', outcome: 'error', reason: '' });
  }

  /** Reports 0 for a channel without deliveries. */
  private observeQueue(
    name: 'waiting' | 'due' | 'inFlight' | 'oldestDue',
    figure: (figures: ChannelFigures) => number,
  ): void {
    instruments().gauge(name, async () => {
      const { channels } = await this.queue();
      return this.config.workerChannels.map((channel) => {
        const found = channels.find((row) => row.channel === channel);
        return { value: found ? figure(found) : 0, labels: { channel } };
      });
    });
  }

  private observeTenants(): void {
    instruments().gauge('tenantDue', async () => {
      const { channels, tenants } = await this.queue();
      const own = tenants.slice(0, instruments().tenantSeries);
      const total = channels.reduce((sum, { due }) => sum + due, 0);
      const other = own.reduce((rest, { due }) => rest - due, total);
      return [
        ...own.map(({ id, due }) => ({ value: due, labels: { tenant: id } })),
        { value: Math.max(0, other), labels: { tenant: OTHER_TENANTS } },
      ];
    });
  }

  private observeBacklog(): void {
    const { gauge } = instruments();
    gauge('deadLetters', async () => (await this.backlog()).deadLetters);
    gauge('endpoints', async () => {
      const { endpointsEnabled, endpointsFailing, endpointsDisabled, endpointsOff } = await this.backlog();
      return [
        { value: endpointsEnabled, labels: { state: 'enabled' } },
        { value: endpointsFailing, labels: { state: 'failing' } },
        { value: endpointsDisabled, labels: { state: 'disabled' } },
        { value: endpointsOff, labels: { state: 'off' } },
      ];
    });
    gauge('jobs', async () => (await this.backlog()).jobs);
    gauge('jobsOldestDue', async () => (await this.backlog()).jobsOldestDueSeconds);
    gauge('schedulesOldestDue', async () => (await this.backlog()).schedulesOldestDueSeconds);
    gauge('serverConnections', async () => (await this.backlog()).connections);
    gauge('serverConnectionsMax', async () => (await this.backlog()).maxConnections);
  }
}

/** Keeps the result of `read` for some milliseconds. */
function keptFor<Value>(milliseconds: number, read: () => Promise<Value>): () => Promise<Value> {
  let readAt = Number.NEGATIVE_INFINITY;
  let kept: Promise<Value>;
  return () => {
    if (performance.now() - readAt > milliseconds) {
      readAt = performance.now();
      kept = read();
    }
    return kept;
  };
}
