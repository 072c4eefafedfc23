// The statements on parked_receipts: receipts that came before the record of their send.

import { newId, type ReceiptKind, type SuppressionReason } from '#domain';
import { columnList } from '../../../column-list.js';
import type { DeliveryReceipt } from './delivery-receipt.js';

export interface ParkedRow {
  tenant_id: string;
  id: string;
  delivery_id: string;
  kind: ReceiptKind;
  detail: string | null;
  suppress: SuppressionReason | null;
  /** The account that reported. */
  provider_account_id: string | null;
  is_overdue: boolean;
}

/** How long a receipt waits for the record of its send. */
const PARKED_MINUTES = 60;
/** The pause before the next try is a quarter of the receipt's age, within these bounds. */
const [SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS] = [2, 30];
/** The number of tenants whose parked receipts one call of `retryParked` reads. */
export const TENANTS_PER_TURN = 50;

const IS_OVERDUE = `p.created_at < now() - make_interval(mins => ${PARKED_MINUTES}) as is_overdue`;

export const parkedColumns = columnList<DeliveryReceipt>({
  tenant_id: ['uuid', (receipt) => receipt.tenantId],
  id: ['uuid', () => newId()],
  delivery_id: ['uuid', (receipt) => receipt.deliveryId],
  kind: ['text', (receipt) => receipt.kind],
  detail: ['text', (receipt) => receipt.detail],
  suppress: ['text', (receipt) => receipt.suppress ?? null],
  provider_account_id: ['uuid', (receipt) => receipt.accountId],
});

/**
 * Parks one receipt of each kind and account, however often the vendor repeats it. The account of the send is not known
 * yet, so the receipt of one account must not displace that of another. Index: parked_receipts_delivery_id_idx.
 */
export const PARK = `
insert into parked_receipts (${parkedColumns.names})
select distinct on (i.tenant_id, i.delivery_id, i.kind, i.suppress, i.provider_account_id) i.*
from ${parkedColumns.table('i')}
where not exists (
  select from parked_receipts p
  where p.tenant_id = i.tenant_id and p.delivery_id = i.delivery_id and p.kind = i.kind
    and p.suppress is not distinct from i.suppress
    and p.provider_account_id is not distinct from i.provider_account_id)`;

/** Index: parked_receipts_delivery_id_idx. */
export const PARKED_OF_DELIVERY = `
select p.*, ${IS_OVERDUE} from parked_receipts p where p.tenant_id = $1 and p.delivery_id = $2 order by p.created_at`;

/**
 * A loose index scan over the tenants, then the receipts of each that are due; a tenant without any has one empty row.
 * Index: parked_receipts_try_at_idx.
 */
export const NEXT_PARKED = `
with recursive walk(tenant_id) as (
  (select p.tenant_id from parked_receipts p where p.tenant_id > $1::uuid order by p.tenant_id limit 1)
  union all
  select (select p.tenant_id from parked_receipts p where p.tenant_id > w.tenant_id order by p.tenant_id limit 1)
  from walk w where w.tenant_id is not null
), turn as materialized (
  select tenant_id from walk where tenant_id is not null limit ${TENANTS_PER_TURN}
)
select t.tenant_id as turn, p.*, ${IS_OVERDUE}
from turn t left join lateral (
  select * from parked_receipts x where x.tenant_id = t.tenant_id and x.try_at <= now() order by x.try_at
  limit (select greatest(1, $2::bigint / greatest(1, count(*))) from turn)
) p on true`;

export const triedColumns = columnList<{ row: ParkedRow; isDone: boolean }>({
  tenant_id: ['uuid', ({ row }) => row.tenant_id],
  id: ['uuid', ({ row }) => row.id],
  is_done: ['boolean', ({ isDone }) => isDone],
});

/** Deletes receipts that are done, and sets the time of the next try of the others. Index: parked_receipts_pkey. */
export const UNPARK = `
with tried as (
  select * from ${triedColumns.table('i')}
), deleted as (
  delete from parked_receipts p using tried t where t.is_done and p.tenant_id = t.tenant_id and p.id = t.id
)
update parked_receipts p
set try_at = now() + least(
  greatest((now() - p.created_at) / 4, interval '${SHORTEST_PAUSE_SECONDS} seconds'),
  interval '${LONGEST_PAUSE_SECONDS} seconds')
from tried t where not t.is_done and p.tenant_id = t.tenant_id and p.id = t.id`;
