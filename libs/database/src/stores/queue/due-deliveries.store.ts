import type { ChannelId } from '#domain';
import { Batcher } from '../../batcher.js';
import { columns } from '../../columns.js';
import { type Database, RESCAN_TIMEOUT_MS } from '../../database.js';
import type { Sql } from '../../statement.js';
import { CLAIM, DUE_LANES, MAX_PROBES, OLDEST_DUE } from './claim-statement.js';
import { ClaimWatermarks, type Lane, type LaneScan, type LaneWatermark, lanesOf } from './claim-watermarks.js';

/** A delivery a worker may work on until `leaseEndsAt`. Small enough to travel in a message. */
export interface ClaimedDelivery {
  tenantId: string;
  deliveryId: string;
  channel: ChannelId;
  lane: 1 | 2 | 3;
  claimId: string;
  /** Claims without an attempt, this one included. */
  claims: number;
  /** Attempts begun so far. */
  attempt: number;
  /** Retries burnt so far. */
  retries: number;
  /** An earlier claim had begun to send and left no outcome. */
  sending: boolean;
  /** Sends in a row that left no outcome, before the last one that began. */
  unrecorded: number;
  rateLimitConsumed: boolean;
  expired: boolean;
  /** Accounts that refused it since its last retry. */
  triedAccountIds: readonly string[];
  /** It has waited for its turn in its account's pace. */
  paceReserved: boolean;
  /** The hash of its ordering key or recipient: deliveries with the same one stay in order on their way. */
  messageKey: string;
  /** It has an ordering key: the next delivery of that key waits for its end. */
  ordered: boolean;
  /** W3C trace context of the request that asked for it. */
  traceparent: string | null;
  /** Milliseconds of this process's monotonic clock (`performance.now()`), not wall time. */
  leaseEndsAt: number;
}

export interface ClaimRequest {
  channel: ChannelId;
  lane: 1 | 2 | 3;
  limit: number;
  claimId: string;
  leaseSeconds: number;
  /** Where the last claim's walk over the tenants ended, or the nil UUID to begin a round. */
  afterTenant: string;
  /** How many of a tenant may be taken at most, where that is less than its share; 0 for none. */
  capacities: ReadonlyMap<string, number>;
  /**
   * A send in doubt (begun, without an outcome, its lease over) is left to its owner for so long, to record it after all; 0 by
   * default, infinite for not to claim any.
   */
  doubtSeconds?: number;
}

export interface Claim {
  deliveries: ClaimedDelivery[];
  /** Whether a tenant surely or probably has more due rows now than its share. */
  more: boolean;
  /** The tenant after which the next claim goes on; null when the round is over: no tenant is left behind it. */
  endedAt: string | null;
}

/** Longer than anything waits, and short enough for an interval. */
const FOREVER_SECONDS = 1e9;
const FIRST_ENTRY = '-infinity';
/** Looking for expired deliveries passes the dead ones, beside an old snapshot many: not with every claim, and for a twentieth of the time at most. */
const EXPIRY_LOOK_MS = 1_000;
const PAUSES_PER_EXPIRY_LOOK = 19;

/** Comes once, without a delivery, where nothing was claimed. */
type ClaimedRow = ClaimRow & { ready: number; ended_at: string | null };

interface ClaimRow {
  tenant_id: string;
  delivery_id: string;
  lane: 1 | 2 | 3;
  claims: number;
  attempt: number;
  retries: number;
  sending: boolean;
  unrecorded: number;
  rate_limit_consumed: boolean;
  expired: boolean;
  tried_account_ids: string[] | null;
  pace_reserved: boolean;
  message_key: number;
  ordered: boolean;
  traceparent: string | null;
}

interface ConfirmedRow extends ClaimRow {
  ord: number;
  seconds_left: number;
}

/** What a message says of a claim: whose it is, and how far the delivery had come when it was made. */
export type ClaimTicket = Pick<
  ClaimedDelivery,
  'tenantId' | 'deliveryId' | 'channel' | 'claimId' | 'attempt' | 'sending'
>;

export interface Intent {
  delivery: ClaimedDelivery;
  /** The recipient's limit has been asked and granted. */
  rateLimitConsumed: boolean;
}

/** A claim that goes back to the queue without an attempt. */
export interface Release {
  delivery: ClaimedDelivery;
  /** How long nobody claims it. */
  delaySeconds: number;
  /** Nothing was sent, although the intent may have been committed: then it is taken back. */
  intentUnsure: boolean;
}

/** The hot table of what is not final: claiming and the intent to send. Runs as the platform: workers serve all tenants. */
export class DueDeliveriesStore {
  private readonly intents: Batcher<Intent, number | null>;
  private readonly releases: Batcher<Release, void>;
  private readonly watermarks = new ClaimWatermarks();
  /** By lane, when the next claim looks for expired deliveries, on this process's monotonic clock. */
  private readonly nextExpiryLooks = new Map<string, number>();

  constructor(private readonly database: Database) {
    const limits = { maxBatch: 500, maxQueue: 100_000 };
    this.intents = new Batcher({ flush: (batch) => this.writeIntents(batch), slots: 2, ...limits });
    this.releases = new Batcher({ flush: (batch) => this.writeReleases(batch), slots: 1, ...limits });
  }

  /**
   * The lanes of these channels in which something is due, or was when the watermarks last moved: the poll behind the wake-ups.
   * Index: due_deliveries_claim_idx.
   */
  async dueLanes(channels: readonly ChannelId[]): Promise<{ channel: ChannelId; lane: 1 | 2 | 3 }[]> {
    const lanes = lanesOf(channels);
    const due = await this.database.platform.query<{ due: boolean }>({
      name: 'due_lanes',
      text: DUE_LANES,
      values: columns(lanes, [
        ({ channel }) => channel,
        ({ lane }) => lane,
        (lane) => this.watermarks.get(lane).dueFrom ?? FIRST_ENTRY,
      ]),
    });
    return lanes.filter((lane, index) => due[index]!.due || this.watermarks.get(lane).lagging.length > 0);
  }

  /** Raises the watermarks (docs/adr/0025). Deliveries that become visible below them are found by `rescan`. */
  async advanceWatermarks(channels: readonly ChannelId[]): Promise<void> {
    for (const lane of lanesOf(channels)) {
      const watermark = this.watermarks.get(lane);
      this.watermarks.advance(lane, watermark, await scan(this.database.platform, lane, watermark));
    }
  }

  /** Finds due deliveries below the watermarks. Reads every index entry, dead rows included, and can take seconds. */
  async rescan(channels: readonly ChannelId[]): Promise<void> {
    await this.database.sqlAsPlatform(async (sql) => {
      for (const lane of lanesOf(channels))
        this.watermarks.replace(lane, await scan(sql, lane, { dueFrom: FIRST_ENTRY, lagging: [] }));
    }, RESCAN_TIMEOUT_MS);
  }

  /** Claims up to `limit` due deliveries, fairly over the tenants that have some. Index: due_deliveries_claim_idx. */
  async claim(request: ClaimRequest): Promise<Claim> {
    const startedAt = performance.now();
    const { dueFrom, lagging } = this.watermarks.get(request);
    const capped = [...request.capacities.keys()];
    const lane = `${request.channel}:${request.lane}`;
    const looksForExpired = startedAt >= (this.nextExpiryLooks.get(lane) ?? 0);
    const next = lagging.filter(({ tenantId }) => tenantId > request.afterTenant).slice(0, MAX_PROBES);
    const rows = await this.database.platform.query<ClaimedRow>({
      name: 'claim',
      text: CLAIM,
      values: [
        request.channel,
        request.lane,
        request.afterTenant,
        capped,
        request.limit,
        request.claimId,
        request.leaseSeconds,
        [...request.capacities.values()],
        Math.min(request.doubtSeconds ?? 0, FOREVER_SECONDS),
        dueFrom ?? FIRST_ENTRY,
        ...columns(next, [({ tenantId }) => tenantId, ({ dueAt }) => dueAt]),
        looksForExpired ? capped : [],
      ],
    });
    if (looksForExpired && capped.length > 0) {
      const now = performance.now();
      this.nextExpiryLooks.set(lane, now + Math.max(EXPIRY_LOOK_MS, PAUSES_PER_EXPIRY_LOOK * (now - startedAt)));
    }
    const claimed = rows.filter((row) => row.delivery_id !== null);
    const deliveries = claimed.map((row) => ({
      ...claimOf(row),
      channel: request.channel,
      claimId: request.claimId,
      // Counted from before the statement, so that it ends before the database's lease does, whatever the wall clock says.
      leaseEndsAt: startedAt + request.leaseSeconds * 1_000,
    }));
    // In the order they were accepted: `returning` knows none.
    deliveries.sort((left, right) => (left.deliveryId < right.deliveryId ? -1 : 1));
    const { ready, ended_at: endedAt } = rows[0]!;
    const share = Math.ceil(request.limit / Math.max(1, ready));
    const perTenant = new Map<string, number>();
    for (const { tenantId } of deliveries) perTenant.set(tenantId, (perTenant.get(tenantId) ?? 0) + 1);
    return { deliveries, endedAt, more: [...perTenant.values()].some((count) => count >= share) };
  }

  /**
   * The claims that still hold, in the order asked, null for the others: taken over, cancelled, recorded, or begun by
   * somebody else with the same message. A claim with less than half a lease left is renewed. Index: due_deliveries_pkey.
   */
  async confirm(tickets: readonly ClaimTicket[], leaseSeconds: number): Promise<(ClaimedDelivery | null)[]> {
    const startedAt = performance.now();
    const rows = await this.database.platform.query<ConfirmedRow>({
      name: 'confirm',
      text: CONFIRM,
      values: [
        ...columns(tickets, [
          (ticket) => ticket.tenantId,
          (ticket) => ticket.deliveryId,
          (ticket) => ticket.claimId,
          (ticket) => ticket.attempt,
          (ticket) => ticket.sending,
        ]),
        leaseSeconds,
      ],
    });
    const deliveries: (ClaimedDelivery | null)[] = tickets.map(() => null);
    for (const row of rows) {
      deliveries[row.ord - 1] = {
        ...tickets[row.ord - 1]!,
        ...claimOf(row),
        leaseEndsAt: startedAt + row.seconds_left * 1_000,
      };
    }
    return deliveries;
  }

  /** Gives a claim back: due again after the delay, as if it had not been claimed. Nothing happens when the claim was lost, or a send begun. */
  async release(release: Release): Promise<void> {
    await this.releases.run(release);
  }

  /**
   * Commits the intent to send, just before the provider is asked: returns the number of the attempt that begins, or null
   * when the claim is not ours any more (cancelled, or another worker has it) and nothing may be sent.
   */
  async begin(intent: Intent): Promise<number | null> {
    return await this.intents.run(intent);
  }

  private async writeReleases(batch: Release[]): Promise<void[]> {
    await this.database.platform.query({
      name: 'release',
      text: RELEASE,
      values: columns(batch, [
        ({ delivery }) => delivery.tenantId,
        ({ delivery }) => delivery.deliveryId,
        ({ delivery }) => delivery.claimId,
        ({ delivery }) => delivery.attempt,
        ({ delivery }) => delivery.sending,
        (row) => row.delaySeconds,
        (row) => row.intentUnsure,
      ]),
    });
    return batch.map(() => undefined);
  }

  private async writeIntents(batch: Intent[]): Promise<(number | null)[]> {
    const rows = await this.database.platform.query<{ delivery_id: string; attempt: number }>({
      name: 'intent',
      text: INTENT,
      values: columns(batch, [
        (row) => row.delivery.tenantId,
        (row) => row.delivery.deliveryId,
        (row) => row.delivery.claimId,
        (row) => row.delivery.sending,
        (row) => row.rateLimitConsumed,
      ]),
    });
    const attempts = new Map(rows.map((row) => [row.delivery_id, row.attempt]));
    return batch.map((row) => attempts.get(row.delivery.deliveryId) ?? null);
  }
}

async function scan(
  sql: Sql,
  { channel, lane }: Lane,
  { dueFrom, lagging }: { dueFrom: Date | string | null; lagging: LaneWatermark['lagging'] },
): Promise<LaneScan> {
  const tenants = columns(lagging, [({ tenantId }) => tenantId, ({ dueAt }) => dueAt]);
  const [found] = await sql.query<LaneScan>({
    name: 'oldest_due',
    text: OLDEST_DUE,
    values: [channel, lane, dueFrom, ...tenants],
  });
  return found!;
}

function claimOf(row: ClaimRow): Omit<ClaimedDelivery, 'channel' | 'claimId' | 'leaseEndsAt'> {
  return {
    tenantId: row.tenant_id,
    deliveryId: row.delivery_id,
    lane: row.lane,
    claims: row.claims,
    attempt: row.attempt,
    retries: row.retries,
    sending: row.sending,
    unrecorded: row.unrecorded,
    rateLimitConsumed: row.rate_limit_consumed,
    expired: row.expired,
    triedAccountIds: row.tried_account_ids ?? [],
    paceReserved: row.pace_reserved,
    messageKey: String(row.message_key),
    ordered: row.ordered,
    traceparent: row.traceparent,
  };
}

/** Whoever re-claims a row at this moment wins: the renewal then finds another claim, and a claim near its end is not confirmed without it. */
const CONFIRM = `
with asked as materialized (
  select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::integer[], $5::boolean[])
    with ordinality as i(tenant_id, delivery_id, claim_id, attempt, sending, ord)
), renewed as materialized (
  update due_deliveries d set due_at = now() + make_interval(secs => $6::double precision)
  from asked i
  where d.tenant_id = i.tenant_id and d.delivery_id = i.delivery_id and d.claim_id = i.claim_id and d.attempt = i.attempt and d.sending = i.sending
    and d.due_at < now() + make_interval(secs => $6::double precision / 2)
  returning i.ord, d.due_at
)
select i.ord::integer as ord, d.tenant_id, d.delivery_id, d.lane, d.claims, d.attempt, d.retries, d.sending, d.unrecorded, d.rate_limit_consumed, d.tried_account_ids, d.pace_reserved,
       d.message_key, d.ordering_key is not null as ordered, d.traceparent,
       coalesce(d.expires_at <= now(), false) as expired, extract(epoch from coalesce(r.due_at, d.due_at) - now())::float8 as seconds_left
from asked i
join due_deliveries d on d.tenant_id = i.tenant_id and d.delivery_id = i.delivery_id and d.claim_id = i.claim_id and d.attempt = i.attempt and d.sending = i.sending
left join renewed r on r.ord = i.ord
where r.ord is not null or d.due_at >= now() + make_interval(secs => $6::double precision / 2)`;

/**
 * The attempt that a killed worker left without an outcome is written down as unknown in the same commit: an extra send is
 * always on record. Index: due_deliveries_pkey.
 */
const INTENT = `
with begun as (
  update due_deliveries d
  set sending = true, attempt = d.attempt + 1, claims = 0, unrecorded = d.unrecorded + i.was_sending::integer, rate_limit_consumed = d.rate_limit_consumed or i.rate_limit_consumed
  from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::boolean[], $5::boolean[]) as i(tenant_id, delivery_id, claim_id, was_sending, rate_limit_consumed)
  where d.tenant_id = i.tenant_id and d.delivery_id = i.delivery_id and d.claim_id = i.claim_id and d.sending = i.was_sending
  returning d.tenant_id, d.delivery_id, d.attempt, i.was_sending
), lost as (
  insert into attempts (tenant_id, delivery_id, number, outcome, code, detail)
  select tenant_id, delivery_id, attempt - 1, 'unknown', 'worker_lost', 'the worker was lost between the send and its record' from begun where was_sending
  on conflict do nothing
)
select delivery_id, attempt from begun`;

/**
 * An intent whose commit was not confirmed is found by its attempt, one higher than claimed, and taken back: the caller has sent nothing.
 * One that is still under way locks the row before this statement, or finds no claim after it. Index: due_deliveries_pkey.
 */
const RELEASE = `
update due_deliveries d
set due_at = now() + make_interval(secs => i.delay_seconds), claim_id = null, claims = greatest(0, d.claims - 1), attempt = i.attempt, sending = i.sending,
  unrecorded = d.unrecorded - case when i.sending then d.attempt - i.attempt else 0 end
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::smallint[], $5::boolean[], $6::double precision[], $7::boolean[])
  as i(tenant_id, delivery_id, claim_id, attempt, sending, delay_seconds, intent_unsure)
where d.tenant_id = i.tenant_id and d.delivery_id = i.delivery_id and d.claim_id = i.claim_id
  and (d.attempt = i.attempt or (i.intent_unsure and d.attempt = i.attempt + 1))`;
