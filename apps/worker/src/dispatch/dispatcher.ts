// Claims due deliveries and publishes them to the transport of their channel. A scheduled, held or retried delivery
// is a row whose due time has come, like any other.

import { Inject, Injectable } from '@nestjs/common';
import type { Config } from '#config';
import { type ClaimedDelivery, DueDeliveriesStore } from '#database';
import { type ChannelId, type LaneNumber, newId } from '#domain';
import type { DeliveryTransport } from '#messaging';
import { instruments, type Logger, noteClaims } from '#telemetry';
import { OutcomeSpool } from '../delivery/outcome-spool.js';
import { CONFIG, LOGGER, TRANSPORT } from '../tokens.js';
import { ChannelQueue } from './channel-queue.js';
import { ClaimCapacity, MIN_CLAIM_SHARE } from './claim-capacity.js';

const POLL_MS = 200;
/**
 * Minimum interval between checks whether skipped tenants have capacity again: every delivery that ends would cause
 * one.
 */
const CAPACITY_CHECK_MS = 5;
/** Shares of the capacity by lane while all lanes have work, so that bulk sends always continue. */
const LANE_SHARES: Record<LaneNumber, number> = { 1: 6, 2: 3, 3: 1 };

@Injectable()
export class Dispatcher {
  private readonly queues: Map<ChannelId, ChannelQueue>;
  private timer: NodeJS.Timeout | undefined;
  private isRunning = false;
  private isPolling = false;
  private readonly claims = new Set<Promise<void>>();
  /** True until the database has answered a poll, and again after an error. Nothing is claimed while it is true. */
  private isUnavailable = true;
  /** When the database answered after the last outage, on this process's monotonic clock. */
  private availableSince = 0;

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'workerChannels' | 'leaseSeconds' | 'concurrency'>,
    private readonly store: DueDeliveriesStore,
    @Inject(TRANSPORT) private readonly transport: DeliveryTransport<ClaimedDelivery>,
    private readonly capacity: ClaimCapacity,
    private readonly spool: OutcomeSpool,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.queues = new Map(config.workerChannels.map((channel) => [channel, new ChannelQueue()]));
    transport.onCapacity((channel) => {
      this.resumeSkipped(channel);
      this.claimSoon(channel);
    });
  }

  start(): void {
    this.isRunning = true;
    void this.poll();
  }

  /** Claims at once on these lanes, written `channel:lane`: deliveries have become due. */
  wake(lanes: string[]): void {
    for (const name of lanes) {
      const [channel, lane] = name.split(':') as [ChannelId, string];
      const queue = this.queues.get(channel);
      if (!queue) continue;
      queue.pending.add(Number(lane) as LaneNumber);
      this.claimSoon(channel);
    }
  }

  /** Stops claiming. Resolves when the deliveries of claims under way are released. */
  async stop(): Promise<void> {
    this.isRunning = false;
    clearTimeout(this.timer);
    await Promise.all(this.claims);
  }

  private resumeSkipped(channel: ChannelId): void {
    const queue = this.queues.get(channel);
    if (!queue?.hasSkipped || performance.now() - queue.capacityCheckedAt < CAPACITY_CHECK_MS) return;
    queue.capacityCheckedAt = performance.now();
    queue.resumeSkipped(this.capacity.remainingOf(channel));
  }

  /** Finds scheduled deliveries, and due ones whose wake-up was lost. */
  private async poll(): Promise<void> {
    if (this.isPolling) return;
    this.isPolling = true;
    try {
      if (this.isUnavailable) {
        // Outcomes of sends before claims: a delivery whose outcome waits in the spool must not be sent again.
        await this.spool.replay();
        this.isUnavailable = false;
        this.availableSince = performance.now();
      }
      for (const { channel, lane } of await this.store.dueLanes([...this.queues.keys()])) {
        this.queues.get(channel)!.pending.add(lane);
        this.claimSoon(channel);
      }
    } catch (error) {
      if (!this.isUnavailable) this.logger.warn({ err: error }, 'database unavailable; claiming is suspended');
      this.isUnavailable = true;
    } finally {
      this.isPolling = false;
      if (this.isRunning) this.timer = setTimeout(() => void this.poll(), POLL_MS);
    }
  }

  private claimSoon(channel: ChannelId): void {
    const queue = this.queues.get(channel);
    if (!queue || queue.isClaiming || queue.pending.size === 0 || !this.isRunning || this.isUnavailable) return;
    if (this.transport.capacity(channel) < Math.max(1, this.config.concurrency[channel] * MIN_CLAIM_SHARE)) return;
    queue.isClaiming = true;
    const claim = this.claimAll(channel, queue)
      .catch((error: unknown) => {
        this.isUnavailable = true;
        this.logger.warn({ err: error, channel }, 'a claim failed');
      })
      .finally(() => {
        queue.isClaiming = false;
        this.claims.delete(claim);
        this.claimSoon(channel);
      });
    this.claims.add(claim);
  }

  private async claimAll(channel: ChannelId, queue: ChannelQueue): Promise<void> {
    const total = this.transport.capacity(channel);
    const lanes = [...queue.pending].sort();
    const shares = lanes.reduce((sum, lane) => sum + LANE_SHARES[lane], 0);
    for (const lane of lanes) {
      const share = Math.max(1, Math.ceil((total * LANE_SHARES[lane]) / shares));
      const limit = Math.min(this.transport.capacity(channel), share);
      if (limit > 0) await this.claimLane(channel, lane, limit, queue);
    }
  }

  private async claimLane(channel: ChannelId, lane: LaneNumber, limit: number, queue: ChannelQueue): Promise<void> {
    const capacities = this.capacity.remainingOf(channel);
    // Before the claim, so that a delivery that becomes due meanwhile makes the lane pending again. One of a tenant
    // that the round has passed waits for the next poll.
    queue.pending.delete(lane);
    const claimedFrom = performance.now();
    const { deliveries, waits, more, endedAt } = await this.store.claim({
      channel,
      lane,
      limit,
      claimId: newId(),
      leaseSeconds: this.config.leaseSeconds,
      afterTenant: queue.rounds[lane].after,
      capacities,
      doubtSeconds: this.doubtSeconds(),
      isConfirmed: this.transport.confirmsClaims,
    });
    queue.endClaim(lane, more, endedAt);
    queue.noteSkipped(lane, capacities, deliveries);
    if (deliveries.length === 0) return;
    instruments().claimed.add(deliveries.length, { channel });
    noteClaims(deliveries, claimedFrom);
    for (const seconds of waits) instruments().queueWait.record(seconds, { channel });
    if (!this.isRunning) return await this.release(deliveries);
    try {
      await this.transport.publish(channel, lane, deliveries);
    } catch (error) {
      this.logger.warn({ err: error, channel, count: deliveries.length }, 'publishing claimed deliveries failed');
      await this.release(deliveries);
    }
  }

  /**
   * Seconds after the end of its lease during which a send whose outcome is unknown is left to the worker that made
   * it: a third of a lease. Right after an outage none is claimed, because workers record their outcomes first.
   */
  private doubtSeconds(): number {
    const margin = this.config.leaseSeconds / 3;
    const isRightAfterOutage = performance.now() - this.availableSince < margin * 1_000;
    return isRightAfterOutage ? Number.POSITIVE_INFINITY : margin;
  }

  /** Any worker may claim these deliveries again at once. */
  private async release(deliveries: readonly ClaimedDelivery[]): Promise<void> {
    await Promise.all(
      deliveries.map((delivery) => this.store.release({ delivery, delaySeconds: 0, intentUnsure: false })),
    );
  }
}
