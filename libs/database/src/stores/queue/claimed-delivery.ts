import type { ChannelId, LaneNumber, WaitingReason } from '#domain';

/** A delivery that a worker may process until `leaseEndsAt`. Small enough for a message of a broker. */
export interface ClaimedDelivery {
  tenantId: string;
  deliveryId: string;
  channel: ChannelId;
  lane: LaneNumber;
  claimId: string;
  /**
   * Claims without an attempt whose work began, this one included. Through a broker, the first claim counts even if its
   * work never began.
   */
  claims: number;
  /** The claim counts when a worker confirms it, because the one before it lapsed, perhaps in the broker. */
  countedLater: boolean;
  /** Attempts begun so far. */
  attempt: number;
  /** Retries used so far. */
  retries: number;
  /** An earlier claim began to send and recorded no outcome. */
  sending: boolean;
  /** Where that claim sent to. Null for a send that an older release began, and for providers without accounts. */
  sendingProvider: string | null;
  sendingAccountId: string | null;
  /** Consecutive sends without a recorded outcome, before the last one that began. */
  unrecorded: number;
  rateLimitConsumed: boolean;
  expired: boolean;
  /** Accounts that refused it since its last retry. */
  triedAccountIds: readonly string[];
  /** It has waited for its turn in the pace of its account. */
  paceReserved: boolean;
  /** A hash of its ordering key or recipient: messages with the same one stay in order. */
  messageKey: string;
  /** It has an ordering key: the next delivery of that key waits until this one is final. */
  ordered: boolean;
  /** The digest that it leads: its message has all items of the digest (docs/adr/0030). Null without one. */
  digestId: string | null;
  /** Why it waited before this claim; null for a first claim without a wait. */
  waitedFor: WaitingReason | null;
  /** W3C trace context of the request that created it. */
  traceparent: string | null;
  /** Milliseconds of this process's monotonic clock (`performance.now()`), not wall time. */
  leaseEndsAt: number;
}

/** Identifies a claim in a message: its owner, and the progress of the delivery when the message was written. */
export type ClaimTicket = Pick<
  ClaimedDelivery,
  'tenantId' | 'deliveryId' | 'channel' | 'claimId' | 'attempt' | 'sending' | 'countedLater'
>;

export interface ClaimRow {
  tenant_id: string;
  delivery_id: string;
  lane: LaneNumber;
  claims: number;
  attempt: number;
  retries: number;
  sending: boolean;
  sending_provider: string | null;
  sending_account_id: string | null;
  unrecorded: number;
  rate_limit_consumed: boolean;
  expired: boolean;
  tried_account_ids: string[] | null;
  pace_reserved: boolean;
  message_key: number;
  ordered: boolean;
  digest_id: string | null;
  reason: WaitingReason | null;
  traceparent: string | null;
}

/** Selects a {@link ClaimRow} from the row `d` of due_deliveries. */
export const CLAIM_ROW = `
  d.tenant_id, d.delivery_id, d.lane, d.claims, d.attempt, d.retries, d.sending, d.sending_provider,
  d.sending_account_id, d.unrecorded, d.rate_limit_consumed, d.tried_account_ids, d.pace_reserved, d.message_key,
  d.ordering_key is not null as ordered, d.digest_id, d.reason, d.traceparent,
  coalesce(d.expires_at <= now(), false) as expired`;

type NotInRow = 'channel' | 'claimId' | 'leaseEndsAt' | 'countedLater';

export function ofClaimRow(row: ClaimRow): Omit<ClaimedDelivery, NotInRow> {
  return {
    tenantId: row.tenant_id,
    deliveryId: row.delivery_id,
    lane: row.lane,
    claims: row.claims,
    attempt: row.attempt,
    retries: row.retries,
    sending: row.sending,
    sendingProvider: row.sending_provider,
    sendingAccountId: row.sending_account_id,
    unrecorded: row.unrecorded,
    rateLimitConsumed: row.rate_limit_consumed,
    expired: row.expired,
    triedAccountIds: row.tried_account_ids ?? [],
    paceReserved: row.pace_reserved,
    messageKey: String(row.message_key),
    ordered: row.ordered,
    digestId: row.digest_id,
    waitedFor: row.reason,
    traceparent: row.traceparent,
  };
}
