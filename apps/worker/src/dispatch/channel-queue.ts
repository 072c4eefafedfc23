import { type LaneNumber, NIL_ID } from '#domain';

/** One round of a lane over all tenants; a claim serves a part of them. */
export interface Round {
  /** The tenant after which the next claim continues. */
  after: string;
  /** Whether a tenant of this round may have more due deliveries: then another round follows at once. */
  more: boolean;
}

/** The state of the claims on one channel. */
export class ChannelQueue {
  /** Lanes that may have due deliveries. */
  readonly pending = new Set<LaneNumber>();
  readonly rounds: Record<LaneNumber, Round> = { 1: newRound(), 2: newRound(), 3: newRound() };
  isClaiming = false;
  capacityCheckedAt = 0;
  /** Tenants that had too little capacity in the last claims, with the lanes in which they may have due deliveries. */
  private readonly skipped = new Map<string, Set<LaneNumber>>();

  get hasSkipped(): boolean {
    return this.skipped.size > 0;
  }

  /** Notes a claim that ended at this tenant; null when it ended the round. */
  endClaim(lane: LaneNumber, more: boolean, endedAt: string | null): void {
    const round = this.rounds[lane];
    round.more ||= more;
    if (endedAt !== null || round.more) this.pending.add(lane);
    this.rounds[lane] = endedAt === null ? newRound() : { ...round, after: endedAt };
  }

  /** Notes the tenants whose whole capacity was claimed: they may have more due deliveries on this lane. */
  noteSkipped(
    lane: LaneNumber,
    capacities: ReadonlyMap<string, number>,
    claimed: readonly { tenantId: string }[],
  ): void {
    const counts = new Map<string, number>();
    for (const { tenantId } of claimed) counts.set(tenantId, (counts.get(tenantId) ?? 0) + 1);
    for (const [tenant, capacity] of capacities) {
      if ((counts.get(tenant) ?? 0) < capacity) continue;
      this.skipped.set(tenant, (this.skipped.get(tenant) ?? new Set()).add(lane));
    }
  }

  /** Makes the lanes of skipped tenants pending again where the tenant has capacity now. */
  resumeSkipped(capacities: ReadonlyMap<string, number>): void {
    for (const [tenant, lanes] of this.skipped) {
      if (capacities.get(tenant) === 0) continue;
      for (const lane of lanes) this.pending.add(lane);
      this.skipped.delete(tenant);
    }
  }
}

function newRound(): Round {
  return { after: NIL_ID, more: false };
}
