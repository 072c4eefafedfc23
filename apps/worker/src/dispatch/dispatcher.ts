// Takes what is due and hands it to the transport of its channel. "Scheduled", "held" and "to be retried" are all the same
// here: a row whose time has come.

import type { Config } from '#config';
import type { ClaimedDelivery, DueDeliveriesStore } from '#database';
import { type ChannelId, newId } from '#domain';
import type { DeliveryTransport, LaneNumber } from '#messaging';
import type { Capacity } from '#providers';
import { instruments, type Logger } from '#telemetry';

const POLL_MS = 200;
/** Room comes with every delivery that is done; whether it is enough for those left out is looked up this often at most. */
const CAPACITY_CHECK_MS = 5;
/** What each lane gets of the room while all three have work: bulk is never starved. */
const LANE_SHARES: Record<LaneNumber, number> = { 1: 6, 2: 3, 3: 1 };
/** A claim smaller than this is not worth a statement while more room is about to come. */
const MIN_CLAIM_SHARE = 0.25;
/** Of a channel's concurrency one tenant may hold this much, as long as others have work too. */
const TENANT_SHARE = 0.5;
const FIRST_TENANT = '00000000-0000-0000-0000-000000000000';

interface Round {
  /** The tenant after which the next claim goes on. */
  after: string;
  /** Whether a tenant served in this round may have more: then another round follows at once. */
  more: boolean;
}

interface ChannelQueue {
  /** Lanes in which something may be due. */
  pending: Set<LaneNumber>;
  /** How far each lane's round over the tenants has come. */
  rounds: Record<LaneNumber, Round>;
  claiming: boolean;
  /** Tenants left out of the last claims for want of room, and the lanes in which something of theirs may be due. */
  skippedTenants: Map<string, Set<LaneNumber>>;
  capacityCheckedAt: number;
}

export class Dispatcher {
  private readonly queues: Map<ChannelId, ChannelQueue>;
  private timer: NodeJS.Timeout | undefined;
  private running = false;
  private polling = false;
  private readonly claims = new Set<Promise<void>>();
  /** Until the database has answered, and again after it was away: nothing is claimed. */
  private away = true;
  /** Since when the database answers, on this process's monotonic clock. */
  private backAt = 0;

  constructor(
    private readonly config: Pick<Config, 'workerChannels' | 'leaseSeconds' | 'concurrency'>,
    private readonly store: DueDeliveriesStore,
    private readonly transport: DeliveryTransport<ClaimedDelivery>,
    /** How many deliveries may be in hand for the tenants whose provider accounts take few or none just now. */
    private readonly places: (channel: ChannelId) => ReadonlyMap<string, Capacity>,
    /** Done before the first claim, and before claiming again once the database is back. */
    private readonly recover: () => Promise<unknown>,
    private readonly logger: Logger,
  ) {
    this.queues = new Map(
      config.workerChannels.map((channel) => [
        channel,
        {
          pending: new Set(),
          rounds: { 1: newRound(), 2: newRound(), 3: newRound() },
          claiming: false,
          skippedTenants: new Map(),
          capacityCheckedAt: 0,
        },
      ]),
    );
    transport.onCapacity((channel) => {
      this.resumeSkipped(channel);
      this.claimSoon(channel);
    });
  }

  start(): void {
    this.running = true;
    void this.poll();
  }

  /** Something is due on these lanes, written `channel:lane`. */
  wake(lanes: string[]): void {
    for (const name of lanes) {
      const [channel, lane] = name.split(':') as [ChannelId, string];
      const queue = this.queues.get(channel);
      if (!queue) continue;
      queue.pending.add(Number(lane) as LaneNumber);
      this.claimSoon(channel);
    }
  }

  /** Claims nothing more, and waits until the claims under way are given back. */
  async stop(): Promise<void> {
    this.running = false;
    clearTimeout(this.timer);
    await Promise.all(this.claims);
  }

  /** How many more may be taken up of the tenants that have less room than their share: enough in hand, or nobody to send it. */
  private remainingCapacityOf(channel: ChannelId): Map<string, number> {
    const capacities = new Map<string, number>();
    const held = this.transport.inFlight(channel);
    for (const [tenant, { total, free }] of this.places(channel)) {
      // On their way to a place, or in one; through a broker only the latter are known here.
      const room = Math.min(free, total - (held.get(tenant) ?? 0));
      capacities.set(tenant, room < total * MIN_CLAIM_SHARE ? 0 : room);
    }
    const cap = Math.max(1, Math.floor(this.config.concurrency[channel] * TENANT_SHARE));
    if (held.size > 1) for (const [tenant, count] of held) if (count >= cap) capacities.set(tenant, 0);
    return capacities;
  }

  /** Remembers who had too little room for what may be due, so that room is enough to look again. */
  private noteSkipped(
    lane: LaneNumber,
    capacities: ReadonlyMap<string, number>,
    taken: readonly ClaimedDelivery[],
    { skippedTenants }: ChannelQueue,
  ): void {
    const counts = new Map<string, number>();
    for (const { tenantId } of taken) counts.set(tenantId, (counts.get(tenantId) ?? 0) + 1);
    for (const [tenant, room] of capacities) {
      if ((counts.get(tenant) ?? 0) < room) continue;
      skippedTenants.set(tenant, (skippedTenants.get(tenant) ?? new Set()).add(lane));
    }
  }

  private resumeSkipped(channel: ChannelId): void {
    const queue = this.queues.get(channel);
    if (!queue || queue.skippedTenants.size === 0 || performance.now() - queue.capacityCheckedAt < CAPACITY_CHECK_MS)
      return;
    queue.capacityCheckedAt = performance.now();
    const capacities = this.remainingCapacityOf(channel);
    for (const [tenant, lanes] of queue.skippedTenants) {
      if (capacities.get(tenant) === 0) continue;
      for (const lane of lanes) queue.pending.add(lane);
      queue.skippedTenants.delete(tenant);
    }
  }

  /** The backstop behind the wake-ups, and what finds scheduled work. */
  private async poll(): Promise<void> {
    if (this.polling) return;
    this.polling = true;
    try {
      if (this.away) {
        await this.recover();
        this.away = false;
        this.backAt = performance.now();
      }
      for (const { channel, lane } of await this.store.dueLanes([...this.queues.keys()])) {
        this.queues.get(channel)!.pending.add(lane);
        this.claimSoon(channel);
      }
    } catch (error) {
      if (!this.away) this.logger.warn({ err: error }, 'the database is away: nothing is claimed until it is back');
      this.away = true;
    } finally {
      this.polling = false;
      if (this.running) this.timer = setTimeout(() => void this.poll(), POLL_MS);
    }
  }

  private claimSoon(channel: ChannelId): void {
    const queue = this.queues.get(channel);
    if (!queue || queue.claiming || queue.pending.size === 0 || !this.running || this.away) return;
    if (this.transport.capacity(channel) < Math.max(1, this.config.concurrency[channel] * MIN_CLAIM_SHARE)) return;
    queue.claiming = true;
    const claim = this.claimAll(channel, queue)
      .catch((error: unknown) => {
        this.away = true;
        this.logger.warn({ err: error, channel }, 'a claim failed');
      })
      .finally(() => {
        queue.claiming = false;
        this.claims.delete(claim);
        this.claimSoon(channel);
      });
    this.claims.add(claim);
  }

  private async claimAll(channel: ChannelId, queue: ChannelQueue): Promise<void> {
    const room = this.transport.capacity(channel);
    const lanes = [...queue.pending].sort();
    const shares = lanes.reduce((sum, lane) => sum + LANE_SHARES[lane], 0);
    for (const lane of lanes) {
      const limit = Math.min(
        this.transport.capacity(channel),
        Math.max(1, Math.ceil((room * LANE_SHARES[lane]) / shares)),
      );
      if (limit > 0) await this.claimLane(channel, lane, limit, queue);
    }
  }

  private async claimLane(channel: ChannelId, lane: LaneNumber, limit: number, queue: ChannelQueue): Promise<void> {
    const capacities = this.remainingCapacityOf(channel);
    // What becomes due from here on wakes it again. What does so behind the place of a round over many tenants waits for the next poll.
    queue.pending.delete(lane);
    const round = queue.rounds[lane];
    const { deliveries, more, endedAt } = await this.store.claim({
      channel,
      lane,
      limit,
      claimId: newId(),
      leaseSeconds: this.config.leaseSeconds,
      afterTenant: round.after,
      capacities,
      doubtSeconds: this.doubtSeconds(),
    });
    round.more ||= more;
    if (endedAt !== null || round.more) queue.pending.add(lane);
    queue.rounds[lane] = endedAt === null ? newRound() : { ...round, after: endedAt };
    this.noteSkipped(lane, capacities, deliveries, queue);
    if (deliveries.length === 0) return;
    instruments().claimed.add(deliveries.length, { channel });
    if (!this.running) return await this.release(deliveries);
    try {
      await this.transport.publish(channel, lane, deliveries);
    } catch (error) {
      // Nobody has them: somebody else, or this worker a little later, may claim them at once.
      this.logger.warn({ err: error, channel, count: deliveries.length }, 'deliveries could not be handed on');
      await this.release(deliveries);
    }
  }

  /**
   * How long after its lease a send in doubt is left to its owner: a third of a lease. Right after an outage none is claimed,
   * because owners record their outcomes first.
   */
  private doubtSeconds(): number {
    const margin = this.config.leaseSeconds / 3;
    return performance.now() - this.backAt < margin * 1_000 ? Number.POSITIVE_INFINITY : margin;
  }

  private async release(deliveries: readonly ClaimedDelivery[]): Promise<void> {
    await Promise.all(
      deliveries.map((delivery) => this.store.release({ delivery, delaySeconds: 0, intentUnsure: false })),
    );
  }
}

function newRound(): Round {
  return { after: FIRST_TENANT, more: false };
}
