import { newId, type ReceiptKind, type SuppressionReason } from '#domain';
import { Batcher } from '../../batcher.js';
import { columns } from '../../columns.js';
import type { Database } from '../../database.js';
import { isOutage } from '../../outage.js';
import { applyReceipts } from './apply-receipts.js';
import { guard, RESOLVE_MOVES, updateCounters } from './delivery-moves.js';
import type { DeliveryReceipt, ReceiptResult } from './delivery-receipt.js';
import { changedDeliveries, emit } from './events.store.js';

interface ParkedRow {
  tenant_id: string;
  id: string;
  delivery_id: string;
  kind: ReceiptKind;
  detail: string | null;
  suppress: SuppressionReason | null;
  old: boolean;
}

/** A receipt, and whether it is kept when it comes before the record of its send. */
interface Taken {
  receipt: DeliveryReceipt;
  park: boolean;
}

/** How long a receipt waits for its send to be recorded. */
const PARKED_MINUTES = 60;
/** The pause before a parked receipt is tried again: a quarter of its age, within these. */
const [SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS] = [2, 30];
/** Tenants whose parked receipts are looked at in one turn. */
const TENANTS_A_TURN = 50;
const FIRST_TENANT = '00000000-0000-0000-0000-000000000000';

/** What vendors report, and what people settle, of deliveries that the pipeline is done with. Runs as the platform. */
export class ReceiptsStore {
  private readonly batcher: Batcher<Taken, ReceiptResult>;
  /** The last tenant whose parked receipts were looked at. */
  private after = FIRST_TENANT;

  constructor(private readonly database: Database) {
    // One statement at a time, so receipts of one delivery that this store takes are applied in order.
    this.batcher = new Batcher({ flush: (batch) => this.write(batch), slots: 1, maxBatch: 500, maxQueue: 100_000 });
  }

  /** Applies one receipt together with all that wait at the moment. A repeat changes nothing. */
  async apply(receipt: DeliveryReceipt): Promise<ReceiptResult> {
    return await this.batcher.run({ receipt, park: false });
  }

  /** The same, and keeps what came too early until it can be applied. */
  async take(receipt: DeliveryReceipt): Promise<ReceiptResult> {
    return await this.batcher.run({ receipt, park: true });
  }

  private async write(batch: readonly Taken[]): Promise<ReceiptResult[]> {
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
        values: columns(early, [
          (receipt) => receipt.tenantId,
          () => newId(),
          (receipt) => receipt.deliveryId,
          (receipt) => receipt.kind,
          (receipt) => receipt.detail,
          (receipt) => receipt.suppress ?? null,
        ]),
      });
    return results;
  }

  /**
   * Tries parked receipts again whose turn it is: an equal share of each of the next tenants that have some, oldest first.
   * Returns how many were applied and how many were given up.
   */
  async retryParked(limit = 500): Promise<{ applied: number; dropped: number }> {
    const rows = await this.database.platform.query<(ParkedRow | { id: null }) & { turn: string }>({
      name: 'parked_receipts',
      text: NEXT_PARKED,
      values: [this.after, limit],
    });
    const tenants = [...new Set(rows.map(({ turn }) => turn))].sort();
    this.after = tenants.length === TENANTS_A_TURN ? tenants.at(-1)! : FIRST_TENANT;
    return await this.unpark(rows.filter((row) => row.id !== null));
  }

  /** The same for one delivery whose outcome nobody knew until now. */
  async retryParkedOf(tenantId: string, deliveryId: string): Promise<{ applied: number; dropped: number }> {
    const rows = await this.database.platform.query<ParkedRow>({
      name: 'parked_receipts_of',
      text: `select p.*, ${OLD} from parked_receipts p where p.tenant_id = $1 and p.delivery_id = $2 order by p.created_at`, // index: parked_receipts_delivery_id_idx
      values: [tenantId, deliveryId],
    });
    return await this.unpark(rows);
  }

  /** Whether a vendor has told something of a delivery whose send is not on record: then it has it. */
  async hasParked(tenantId: string, deliveryId: string): Promise<boolean> {
    const rows = await this.database.platform.query({
      name: 'has_parked_receipts',
      text: 'select from parked_receipts where tenant_id = $1 and delivery_id = $2 limit 1', // index: parked_receipts_delivery_id_idx
      values: [tenantId, deliveryId],
    });
    return rows.length > 0;
  }

  /** A receipt that cannot be written is kept until it is too old, and does not keep the others. */
  private async unpark(rows: readonly ParkedRow[]): Promise<{ applied: number; dropped: number }> {
    const tried = await Promise.allSettled(
      rows.map(({ tenant_id: tenantId, delivery_id: deliveryId, kind, detail, suppress }) =>
        this.apply({ tenantId, deliveryId, kind, detail, suppress: suppress ?? undefined }),
      ),
    );
    let [applied, dropped] = [0, 0];
    const done: ParkedRow[] = [];
    tried.forEach((ended, at) => {
      if (ended.status === 'rejected' && isOutage(ended.reason)) throw ended.reason;
      const result = ended.status === 'fulfilled' ? ended.value : 'early';
      if (result === 'early' && !rows[at]!.old) return;
      done.push(rows[at]!);
      if (result === 'applied') applied += 1;
      else if (result !== 'repeated') dropped += 1;
    });
    if (rows.length > 0)
      await this.database.platform.query({
        name: 'unpark_receipts',
        text: UNPARK,
        values: columns(rows, [(row) => row.tenant_id, (row) => row.id, (row) => done.includes(row)]),
      });
    return { applied, dropped };
  }

  /**
   * Records a person's answer to whether an unknown delivery was sent. Returns the state before: null when there is no such
   * delivery. A delivery in any other state than `unknown` is not changed.
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

const OLD = `p.created_at < now() - make_interval(mins => ${PARKED_MINUTES}) as old`;

/** One receipt of a kind is enough, however often the vendor repeats it. Index: parked_receipts_delivery_id_idx. */
const PARK = `
insert into parked_receipts (tenant_id, id, delivery_id, kind, detail, suppress)
select distinct on (i.tenant_id, i.delivery_id, i.kind, i.suppress) i.*
from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[]) as i(tenant_id, id, delivery_id, kind, detail, suppress)
where not exists (
  select from parked_receipts p
  where p.tenant_id = i.tenant_id and p.delivery_id = i.delivery_id and p.kind = i.kind and p.suppress is not distinct from i.suppress)`;

/** A loose index scan over the tenants, then the receipts of each whose turn it is; a tenant without any has one empty row. Index: parked_receipts_try_at_idx. */
const NEXT_PARKED = `
with recursive walk(tenant_id) as (
  (select p.tenant_id from parked_receipts p where p.tenant_id > $1::uuid order by p.tenant_id limit 1)
  union all
  select (select p.tenant_id from parked_receipts p where p.tenant_id > w.tenant_id order by p.tenant_id limit 1)
  from walk w where w.tenant_id is not null
), turn as materialized (
  select tenant_id from walk where tenant_id is not null limit ${TENANTS_A_TURN}
)
select t.tenant_id as turn, p.*, ${OLD}
from turn t left join lateral (
  select * from parked_receipts x where x.tenant_id = t.tenant_id and x.try_at <= now() order by x.try_at
  limit (select greatest(1, $2::bigint / greatest(1, count(*))) from turn)
) p on true`;

/** Deletes what is done with; the rest waits for its next turn. Index: parked_receipts_pkey. */
const UNPARK = `
with tried as (
  select * from unnest($1::uuid[], $2::uuid[], $3::boolean[]) as i(tenant_id, id, done)
), gone as (
  delete from parked_receipts p using tried t where t.done and p.tenant_id = t.tenant_id and p.id = t.id
)
update parked_receipts p
set try_at = now() + least(greatest((now() - p.created_at) / 4, interval '${SHORTEST_PAUSE_SECONDS} seconds'), interval '${LONGEST_PAUSE_SECONDS} seconds')
from tried t where not t.done and p.tenant_id = t.tenant_id and p.id = t.id`;

/**
 * An unknown delivery becomes `sent`, or `failed` with a dead letter. Index: deliveries_pkey, notifications_pkey. Lock order: the
 * delivery, then its notification.
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
