import { NIL_ID, newId, PLATFORM_TENANT_ID } from '#domain';
import { Batcher } from '../../batcher.js';
import { columnList } from '../../column-list.js';
import type { Database } from '../../database.js';
import { isOutage } from '../../outage.js';
import type { ClaimedDelivery } from '../queue/claimed-delivery.js';
import { guard, RESOLVE_MOVES, updateCounters } from './delivery-moves.js';
import { changedDeliveries, emit } from './emit-events.js';
import { applyReceipts } from './receipts/apply-receipts.js';
import type { DeliveryReceipt, ReceiptResult } from './receipts/delivery-receipt.js';
import {
  NEXT_PARKED,
  PARK,
  PARKED_OF_DELIVERY,
  type ParkedRow,
  parkedColumns,
  TENANTS_PER_TURN,
  triedColumns,
  UNPARK,
} from './receipts/parked-receipts.js';

/** `park`: whether the receipt is kept if it comes before the record of its send. */
interface IncomingReceipt {
  receipt: DeliveryReceipt;
  park: boolean;
}

/**
 * Changes of deliveries after their send: receipts of vendors, and decisions of people on unknown outcomes. Runs as the
 * platform.
 */
export class ReceiptsStore {
  private readonly batcher: Batcher<IncomingReceipt, ReceiptResult>;
  /** The last tenant whose parked receipts were tried. */
  private after = NIL_ID;

  constructor(private readonly database: Database) {
    // One statement at a time, so receipts of one delivery that this store takes are applied in order.
    this.batcher = new Batcher({ flush: (batch) => this.write(batch), slots: 1, maxBatch: 500, maxQueue: 100_000 });
  }

  /** Applies one receipt, in one batch with all that are waiting. A repeat changes nothing. */
  async apply(receipt: DeliveryReceipt): Promise<ReceiptResult> {
    return await this.batcher.run({ receipt, park: false });
  }

  /** The same, and keeps a receipt that came too early until it can be applied. */
  async take(receipt: DeliveryReceipt): Promise<ReceiptResult> {
    return await this.batcher.run({ receipt, park: true });
  }

  /**
   * Binds a signed token to the digest of the report that came with it, until the time. Returns whether the token is
   * new, or bound to the same digest. Accounts of several tenants may have the same signing key, so the platform owns
   * the tokens. Index: used_tokens_pkey.
   */
  async bindToken(token: string, digest: string, expiresAt: Date): Promise<boolean> {
    const [bound] = await this.database.queryForTenant<{ same: boolean }>(PLATFORM_TENANT_ID, {
      name: 'bind_receipt_token',
      // The update of a repeat changes nothing: it makes the statement return the row.
      text: `insert into used_tokens as u (tenant_id, jti, digest, expires_at) values ($1, $2, $3, $4)
             on conflict (tenant_id, jti) do update set digest = u.digest
             returning u.digest is not distinct from $3 as same`,
      values: [PLATFORM_TENANT_ID, token, digest, expiresAt],
    });
    return bound!.same;
  }

  /** The trace contexts of the notifications of these deliveries, in their order; null for one without. */
  async traceparentsOf(
    deliveries: readonly Pick<DeliveryReceipt, 'tenantId' | 'deliveryId'>[],
  ): Promise<(string | null)[]> {
    const rows = await this.database.platform.query<{ ord: number; traceparent: string }>({
      name: 'traces_of_deliveries',
      text: TRACES,
      values: tracedColumns.values(deliveries),
    });
    const found = new Map(rows.map(({ ord, traceparent }) => [ord, traceparent]));
    return deliveries.map((_, index) => found.get(index + 1) ?? null);
  }

  private async write(batch: readonly IncomingReceipt[]): Promise<ReceiptResult[]> {
    const { platform } = this.database;
    const results = await applyReceipts(
      platform,
      batch.map(({ receipt }) => receipt),
    );
    const early = batch.flatMap(({ receipt, park }, at) => (park && results[at] === 'early' ? [receipt] : []));
    if (early.length > 0)
      await platform.query({
        name: 'park_receipts',
        text: PARK,
        values: parkedColumns.values(early),
      });
    return results;
  }

  /**
   * Applies parked receipts that are due: an equal share of the limit for each of the next tenants that have some,
   * oldest first. Returns how many were applied and how many were given up.
   */
  async retryParked(limit = 500): Promise<{ applied: number; dropped: number }> {
    const rows = await this.database.platform.query<(ParkedRow | { id: null }) & { turn: string }>({
      name: 'parked_receipts',
      text: NEXT_PARKED,
      values: [this.after, limit],
    });
    const tenants = [...new Set(rows.map(({ turn }) => turn))].sort();
    this.after = tenants.length === TENANTS_PER_TURN ? tenants.at(-1)! : NIL_ID;
    return await this.unpark(rows.filter((row) => row.id !== null));
  }

  /** The same for all parked receipts of one delivery, whose send is recorded as unknown now. */
  async retryParkedOf(tenantId: string, deliveryId: string): Promise<{ applied: number; dropped: number }> {
    const rows = await this.database.platform.query<ParkedRow>({
      name: 'parked_receipts_of',
      text: PARKED_OF_DELIVERY,
      values: [tenantId, deliveryId],
    });
    return await this.unpark(rows);
  }

  /**
   * Whether a receipt of the last send of this delivery has come, which proves that the message was sent. Only the
   * account of that send counts, or any account if an older release began the send and did not store its account.
   * Index: parked_receipts_delivery_id_idx.
   */
  async hasParked(delivery: ClaimedDelivery): Promise<boolean> {
    const rows = await this.database.platform.query({
      name: 'has_parked_receipts',
      text: `select from parked_receipts where tenant_id = $1 and delivery_id = $2
               and ($3::text is null or provider_account_id = $4) limit 1`,
      values: [delivery.tenantId, delivery.deliveryId, delivery.sendingProvider, delivery.sendingAccountId],
    });
    return rows.length > 0;
  }

  /**
   * A receipt that cannot be written is kept until it is overdue, and does not prevent the others from being applied.
   */
  private async unpark(rows: readonly ParkedRow[]): Promise<{ applied: number; dropped: number }> {
    const results = await Promise.allSettled(
      rows.map((row) =>
        this.apply({
          tenantId: row.tenant_id,
          accountId: row.provider_account_id,
          deliveryId: row.delivery_id,
          kind: row.kind,
          detail: row.detail,
          suppress: row.suppress ?? undefined,
        }),
      ),
    );
    let [applied, dropped] = [0, 0];
    const tried = rows.map((row, index) => {
      const settled = results[index]!;
      if (settled.status === 'rejected' && isOutage(settled.reason)) throw settled.reason;
      const result = settled.status === 'fulfilled' ? settled.value : 'early';
      const isDone = result !== 'early' || row.is_overdue;
      if (result === 'applied') applied += 1;
      else if (isDone && result !== 'repeated') dropped += 1;
      return { row, isDone };
    });
    if (rows.length > 0)
      await this.database.platform.query({
        name: 'unpark_receipts',
        text: UNPARK,
        values: triedColumns.values(tried),
      });
    return { applied, dropped };
  }

  /**
   * Records a person's answer to whether an unknown delivery was sent. Returns the state before: null when there is no
   * such delivery. A delivery in any other state than `unknown` is not changed.
   */
  async resolveUnknown(
    tenantId: string,
    deliveryId: string,
    state: 'sent' | 'failed',
    note: string | null,
  ): Promise<string | null> {
    const [row] = await this.database.platform.query<{ state: string }>({
      name: 'resolve_unknown',
      text: RESOLVE_UNKNOWN,
      values: [tenantId, deliveryId, state, note, newId()],
    });
    return row?.state ?? null;
  }
}

const tracedColumns = columnList<Pick<DeliveryReceipt, 'tenantId' | 'deliveryId'>>({
  tenant_id: ['uuid', ({ tenantId }) => tenantId],
  id: ['uuid', ({ deliveryId }) => deliveryId],
});

/** Indexes: deliveries_pkey, notifications_pkey. */
const TRACES = `
select i.ord::integer as ord, n.traceparent
from ${tracedColumns.numberedTable('i')}
cross join lateral (
  select notification_id from deliveries d where d.tenant_id = i.tenant_id and d.id = i.id limit 1) d
cross join lateral (
  select traceparent from notifications n where n.tenant_id = i.tenant_id and n.id = d.notification_id limit 1) n
where n.traceparent is not null`;

/**
 * An unknown delivery becomes `sent`, or `failed` with a dead letter. Index: deliveries_pkey, notifications_pkey. Lock
 * order: the delivery, then its notification.
 */
const RESOLVE_UNKNOWN = `
with locked_delivery as materialized (
  select tenant_id, id, state from deliveries where tenant_id = $1 and id = $2 for update
), changed_deliveries as (
  update deliveries d set
    state = $3, reason = case when $3 = 'failed' then 'rejected' end, sent_at = case when $3 = 'sent' then now() end
  from locked_delivery b where d.tenant_id = b.tenant_id and d.id = b.id and ${guard(RESOLVE_MOVES, 'b.state', '$3')}
  returning d.*, b.state as state_before
), updated_notifications as (${updateCounters(RESOLVE_MOVES)}
), delivery_events as (
  ${emit(changedDeliveries('$3::text', "'settled'"))}
), dead_letter_rows as (
  insert into dead_letters (tenant_id, id, delivery_id, notification_id, recipient_id, channel, provider, reason, code,
                            detail, attempts)
  select tenant_id, $5, id, notification_id, recipient_id, channel, provider, 'rejected', 'settled', $4, attempts
  from changed_deliveries where $3 = 'failed'
), log_entries as (
  insert into delivery_log (tenant_id, delivery_id, id, code, reason, detail)
  select tenant_id, id, gen_random_uuid(), 'settled', $3, $4 from changed_deliveries
)
select state from locked_delivery`;
