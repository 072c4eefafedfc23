import { type ChannelId, type LaneNumber, laneName } from '#domain';
import { Batcher } from '../../batcher.js';
import { type Database, RESCAN_TIMEOUT_MS } from '../../database.js';
import { commitIntents, confirmClaims, type Intent, type Release, releaseClaims } from './claim-changes.js';
import { CLAIM, claimValues, DUE_LANES, dueLaneColumns, MAX_PROBES } from './claim-statement.js';
import { ClaimWatermarks, laggingValues, lanesOf } from './claim-watermarks.js';
import { type ClaimedDelivery, type ClaimRow, type ClaimTicket, ofClaimRow } from './claimed-delivery.js';

export interface ClaimRequest {
  channel: ChannelId;
  lane: LaneNumber;
  limit: number;
  claimId: string;
  leaseSeconds: number;
  /** The tenant at which the walk of the last claim ended, or the nil UUID to begin a round. */
  afterTenant: string;
  /** The number of deliveries that may be claimed of a tenant, if less than its share; 0 for none. */
  capacities: ReadonlyMap<string, number>;
  /**
   * A send in doubt has begun, has no outcome, and its lease has ended. Its owner may record it for so many seconds
   * before it is claimed: 0 by default, Infinity to claim none.
   */
  doubtSeconds?: number;
  /** Whether a worker confirms each claim before its work begins: false by default. */
  isConfirmed?: boolean;
}

export interface Claim {
  deliveries: ClaimedDelivery[];
  /** Seconds between the due time of each delivery and this claim, in any order. */
  waits: number[];
  /** Whether a tenant has, or probably has, more due deliveries than its share. */
  more: boolean;
  /** The tenant after which the next claim begins; null at the end of a round, when no tenant is left. */
  endedAt: string | null;
}

/** The first row has no delivery if nothing was claimed. */
interface ClaimResultRow extends ClaimRow {
  /** Tenants with capacity that the walk found. */
  ready: number;
  ended_at: string | null;
  /** Seconds from its due time to this claim. */
  waited: number;
  counted_later: boolean;
}

/** Longer than any delivery waits, and within the limits of an interval. */
const FOREVER_SECONDS = 1e9;
/**
 * Looking for expired deliveries reads dead index entries, many of them while an old snapshot is open. So a claim looks
 * once a second at most, and looking takes a twentieth of the time at most.
 */
const EXPIRY_LOOK_MS = 1_000;
const PAUSES_PER_EXPIRY_LOOK = 19;

/**
 * The table of deliveries that are not final: finding and claiming them, and the intent to send. Runs as the platform,
 * because workers serve all tenants.
 */
export class DueDeliveriesStore {
  private readonly intents: Batcher<Intent, number | null>;
  private readonly releases: Batcher<Release, void>;
  private readonly watermarks = new ClaimWatermarks();
  /** By lane: the time of the next look for expired deliveries, on this process's monotonic clock. */
  private readonly nextExpiryLooks = new Map<string, number>();

  constructor(private readonly database: Database) {
    const limits = { maxBatch: 500, maxQueue: 100_000 };
    const { platform } = database;
    this.intents = new Batcher({ flush: (batch) => commitIntents(platform, batch), slots: 2, ...limits });
    this.releases = new Batcher({ flush: (batch) => releaseClaims(platform, batch), slots: 1, ...limits });
  }

  /** The lanes of these channels that have due deliveries, or had some when the watermarks last moved. */
  async dueLanes(channels: readonly ChannelId[]): Promise<{ channel: ChannelId; lane: LaneNumber }[]> {
    const lanes = lanesOf(channels);
    const due = await this.database.platform.query<{ due: boolean }>({
      name: 'due_lanes',
      text: DUE_LANES,
      values: dueLaneColumns.values(lanes.map((lane) => ({ ...lane, dueFrom: this.watermarks.dueFrom(lane) }))),
    });
    return lanes.filter((lane, index) => due[index]!.due || this.watermarks.get(lane).lagging.length > 0);
  }

  /** Raises the watermarks (docs/adr/0025). `rescan` finds deliveries that become visible below them. */
  async advanceWatermarks(channels: readonly ChannelId[]): Promise<void> {
    for (const lane of lanesOf(channels)) await this.watermarks.advance(this.database.platform, lane);
  }

  /** Finds due deliveries below the watermarks. Reads every index entry, dead rows included, and can take seconds. */
  async rescan(channels: readonly ChannelId[]): Promise<void> {
    await this.database.sqlAsPlatform(async (sql) => {
      for (const lane of lanesOf(channels)) await this.watermarks.rescan(sql, lane);
    }, RESCAN_TIMEOUT_MS);
  }

  /** Claims up to `limit` due deliveries, in equal shares of the tenants that have some. */
  async claim(request: ClaimRequest): Promise<Claim> {
    const startedAt = performance.now();
    const { lagging } = this.watermarks.get(request);
    const capped = [...request.capacities.keys()];
    const looksForExpired = this.isExpiryLookDue(request, startedAt);
    const nextLagging = lagging.filter(({ tenantId }) => tenantId > request.afterTenant).slice(0, MAX_PROBES);
    const [laggingTenants, laggingDueAts] = laggingValues(nextLagging);
    const rows = await this.database.platform.query<ClaimResultRow>({
      name: 'claim',
      text: CLAIM,
      values: claimValues({
        channel: request.channel,
        lane: request.lane,
        afterTenant: request.afterTenant,
        cappedTenants: capped,
        limit: request.limit,
        claimId: request.claimId,
        leaseSeconds: request.leaseSeconds,
        capacities: [...request.capacities.values()],
        doubtSeconds: Math.min(request.doubtSeconds ?? 0, FOREVER_SECONDS),
        dueFrom: this.watermarks.dueFrom(request),
        laggingTenants,
        laggingDueAts,
        expiryTenants: looksForExpired ? capped : [],
        isConfirmed: request.isConfirmed ?? false,
      }),
    });
    if (looksForExpired && capped.length > 0) this.planExpiryLook(request, startedAt);
    return toClaim(request, rows, startedAt);
  }

  /**
   * The claims that still hold, in the order of the tickets; null for one that was taken over, cancelled, recorded, or
   * begun by another reader of the same message. Renews a claim with less than half a lease left, and counts one that
   * was not counted when it was made.
   */
  async confirm(tickets: readonly ClaimTicket[], leaseSeconds: number): Promise<(ClaimedDelivery | null)[]> {
    return await confirmClaims(this.database.platform, tickets, leaseSeconds);
  }

  /**
   * Gives a claim back: the delivery is due again after the delay, as if it had not been claimed. Does nothing if the
   * claim was lost or a send has begun.
   */
  async release(release: Release): Promise<void> {
    await this.releases.run(release);
  }

  /**
   * Commits the intent to send, just before the call of the provider. Returns the number of the attempt that begins, or
   * null if the claim was lost (cancelled, or claimed by another worker) and nothing may be sent.
   */
  async begin(intent: Intent): Promise<number | null> {
    return await this.intents.run(intent);
  }

  /** Makes deliveries of a recipient that a limit holds due earlier. */
  async advance(
    tenantId: string,
    recipientId: string,
    turns: readonly { deliveryId: string; waitSeconds: number }[],
  ): Promise<void> {
    const ids = turns.map(({ deliveryId }) => deliveryId);
    const waits = turns.map(({ waitSeconds }) => waitSeconds);
    await this.database.platform.query({
      name: 'advance_turns',
      text: ADVANCE,
      values: [tenantId, recipientId, ids, waits],
    });
  }

  private isExpiryLookDue(lane: ClaimRequest, now: number): boolean {
    return now >= (this.nextExpiryLooks.get(laneKey(lane)) ?? 0);
  }

  private planExpiryLook(lane: ClaimRequest, startedAt: number): void {
    const now = performance.now();
    const pause = Math.max(EXPIRY_LOOK_MS, PAUSES_PER_EXPIRY_LOOK * (now - startedAt));
    this.nextExpiryLooks.set(laneKey(lane), now + pause);
  }
}

/**
 * A delivery that is claimed or locked may have asked before its turn became earlier. The change of a policy makes it
 * due again once it is recorded. Index: due_deliveries_pkey.
 */
const ADVANCE = `
with turns as materialized (
  select delivery_id, min(now() + make_interval(secs => seconds)) as due_at
  from unnest($3::uuid[], $4::double precision[]) as t(delivery_id, seconds) group by delivery_id
), free as materialized (
  select t.* from turns t join due_deliveries d on d.tenant_id = $1 and d.delivery_id = t.delivery_id
  where d.claim_id is null order by d.delivery_id for update of d skip locked
), advanced as (
  update due_deliveries d set due_at = f.due_at from free f
  where d.tenant_id = $1 and d.delivery_id = f.delivery_id and d.reason in ('frequency_cap', 'recipient_limit')
    and d.due_at > f.due_at and d.due_at < 'infinity'
)
insert into policy_changes (tenant_id, recipient_id)
select $1, $2 where exists (
  select from turns t join due_deliveries d on d.tenant_id = $1 and d.delivery_id = t.delivery_id
  where t.delivery_id not in (select delivery_id from free))`;

const laneKey = ({ channel, lane }: ClaimRequest): string => laneName(channel, lane);

function toClaim(request: ClaimRequest, rows: readonly ClaimResultRow[], startedAt: number): Claim {
  const claimed = rows.filter((row) => row.delivery_id !== null);
  const deliveries = claimed.map((row) => ({
    ...ofClaimRow(row),
    channel: request.channel,
    claimId: request.claimId,
    countedLater: row.counted_later,
    // From before the statement, on the monotonic clock: it ends before the lease in the database does.
    leaseEndsAt: startedAt + request.leaseSeconds * 1_000,
  }));
  // In the order of acceptance: `returning` has no order.
  deliveries.sort((left, right) => (left.deliveryId < right.deliveryId ? -1 : 1));
  const { ready, ended_at: endedAt } = rows[0]!;
  const share = Math.ceil(request.limit / Math.max(1, ready));
  const claimedOf = new Map<string, number>();
  for (const { tenantId } of deliveries) claimedOf.set(tenantId, (claimedOf.get(tenantId) ?? 0) + 1);
  const waits = claimed.map(({ waited }) => waited);
  return { deliveries, waits, endedAt, more: [...claimedOf.values()].some((count) => count >= share) };
}
