// The statements that erase one batch of notifications, in the order in which one transaction runs them. Parameters:
// $1 the tenant, $2 ids of notifications or deliveries, $3 the recipient.

import type { Statement } from '../../statement.js';
import { COMPARABLE_ADDRESS } from '../comparable-address.js';
import { INBOX_COUNTS } from '../inbox-item.js';
import { ERASE_MOVES, guard, updateCounters } from '../sending/delivery-moves.js';
import { lockedDigests, REQUIRE_LOCKED_DIGEST } from '../sending/digests/digest-record.js';
import { LEASE_SECONDS } from './erase-recipient.js';

/** Notifications in one transaction. At this size it holds its locks for about 0.1 s. */
export const BATCH = 500;

/** The column of `deliveries` that $2 lists: notifications, all of whose deliveries are erased, or deliveries. */
type BatchOf = 'notification_id' | 'id';

const inBatch = (of: BatchOf, alias = ''): string => `${alias}${of} = any ($2::uuid[])`;
const deliveryIds = (of: BatchOf): string => `select id from deliveries where tenant_id = $1 and ${inBatch(of)}`;

/**
 * Ends the deliveries that are not final and erases the addresses of all. A delivery whose send has begun becomes
 * `unknown`; its worker finds no due row afterwards, so its record is rejected and writes nothing of the recipient. An
 * item of a digest whose message is prepared becomes `unknown` too. Remembers addresses and begun sends for the steps
 * that follow.
 *
 * Lock order: the locks of the ordering keys, digests, due_deliveries, deliveries, then notifications. Indexes:
 * deliveries_notification_id_tenant_id_id_idx and the primary keys.
 */
const abandon = (of: BatchOf): string => `
with ${lockedDigests(deliveryIds(of))}, deleted_due_rows as materialized (
  delete from due_deliveries q using deliveries d
  where d.tenant_id = $1 and ${inBatch(of, 'd.')}
    and q.tenant_id = d.tenant_id and q.delivery_id = d.id
    and (select carillon_lock_ordering_keys(array(
      select carillon_ordering_lock(n.tenant_id, n.ordering_key)
      from deliveries d join notifications n on n.tenant_id = d.tenant_id and n.id = d.notification_id
      where d.tenant_id = $1 and ${inBatch(of, 'd.')} and n.ordering_key is not null)))
    and (select count(*) from locked_digests) >= 0
  returning q.delivery_id, q.sending, ${REQUIRE_LOCKED_DIGEST},
    case when q.sending or (q.claim_id is not null and q.due_at = 'infinity') then 'unknown' else 'cancelled' end
      as state
), erased_deliveries as (
  update deliveries d set address = null, recipient_id = 'erased', provider_message_id = null,
    state = case when ${guard(ERASE_MOVES, 'd.state', 'q.state')} then q.state else d.state end
  from deliveries b left join deleted_due_rows q on q.delivery_id = b.id
  where b.tenant_id = $1 and ${inBatch(of, 'b.')} and d.tenant_id = b.tenant_id and d.id = b.id
  returning d.tenant_id, d.id, d.notification_id, d.state, d.channel, b.address,
    q.delivery_id is not null as is_changed
), changed_deliveries as (
  select tenant_id, notification_id, state from erased_deliveries where is_changed
), updated_notifications as (${updateCounters(ERASE_MOVES)}
), log_entries as (
  insert into delivery_log (tenant_id, delivery_id, id, code)
  select tenant_id, id, gen_random_uuid(), state from erased_deliveries where is_changed
), noted as (
  update erasures e set
    addresses = array(
      select distinct one from unnest(e.addresses || array(
        select ${COMPARABLE_ADDRESS} from erased_deliveries d
        cross join (select null::text as email, null::text as phone) r where d.address is not null)) as one),
    abandoned_delivery_ids = e.abandoned_delivery_ids || array(
      select delivery_id from deleted_due_rows where sending),
    due_at = now() + interval '${LEASE_SECONDS} seconds'
  where e.tenant_id = $1 and e.recipient_id = $3
)
select count(*)::int as deliveries,
       (count(*) filter (where is_changed and state = 'cancelled'))::int as cancelled,
       (count(*) filter (where is_changed and state = 'unknown'))::int as abandoned
from erased_deliveries`;

/**
 * Deletes the inbox items that these deliveries wrote after the request, $4. An item has the time of its delivery,
 * because one statement writes both. eraseInbox deletes the earlier ones. $3: the recipient. Lock order: deliveries,
 * then the inbox counters, then the items, as in RECORD. Indexes: those of `abandon`, inbox_counters_pkey,
 * inbox_items_pkey.
 */
const lateInboxItems = (of: BatchOf): string => `
with late_times as materialized (
  select distinct sent_at from deliveries
  where tenant_id = $1 and ${inBatch(of)} and channel = 'in_app' and sent_at > $4
), locked_counter as materialized (
  select from inbox_counters where tenant_id = $1 and recipient_id = $3 and exists (select from late_times) for update
), deleted as materialized (
  delete from inbox_items i using late_times l
  where exists (select from locked_counter)
    and i.tenant_id = $1 and i.recipient_id = $3 and i.created_at = l.sent_at
  returning i.archived_at, i.read_at, i.seen_at
), updated_counter as (
  update inbox_counters c set total = c.total - d.total, unread = c.unread - d.unread, unseen = c.unseen - d.unseen
  from (select ${INBOX_COUNTS} from deleted having count(*) > 0) d
  where c.tenant_id = $1 and c.recipient_id = $3
)
select count(*)::int as inbox_items from deleted`;

const NOTE_FOUND = `
update erasures e set addresses = e.addresses || array(
  select address from found where address <> all (e.addresses))
where e.tenant_id = $1 and e.recipient_id = $3 and exists (select from found)`;

/**
 * Remembers the addresses that these deliveries caused to be suppressed, for the steps that follow: a delivery to the
 * address of the profile does not contain it, and the profile may have another one since. Indexes:
 * deliveries_notification_id_tenant_id_id_idx, suppressions_delivery_id_idx.
 */
const suppressedAddresses = (of: BatchOf): string => `
with found as materialized (
  select distinct address from suppressions where tenant_id = $1 and delivery_id = any (array(${deliveryIds(of)}))
)${NOTE_FOUND}`;

/**
 * Remembers addresses that are no longer suppressed, from the notifications that told an endpoint of them. Run as the
 * platform, before the batch: under row-level security no index is used for a value inside JSON. $3: the recipient.
 * Indexes: deliveries_notification_id_tenant_id_id_idx, notifications_event_delivery_idx.
 */
const addressesTold = (of: BatchOf): string => `
with found as materialized (
  select distinct payload->'data'->>'address' as address from notifications
  where tenant_id = $1 and endpoint_id is not null and type = 'suppression.created'
    and payload->'data'->>'delivery_id' = any (array(select id::text from (${deliveryIds(of)}) d))
)${NOTE_FOUND}`;

/**
 * Texts that came back from a vendor or from a tenant's endpoint. Vendors quote addresses in them, and some message ids
 * contain a phone number. A dead letter of a webhook delivery keeps its recipient, which is an endpoint. Indexes:
 * attempts_pkey, delivery_log_pkey.
 */
const vendorTexts = (of: BatchOf): string[] => [
  `update attempts set detail = null, provider_message_id = null
   where tenant_id = $1 and delivery_id in (${deliveryIds(of)})
     and (detail is not null or provider_message_id is not null)`,
  `update delivery_log set detail = null
   where tenant_id = $1 and delivery_id in (${deliveryIds(of)}) and detail is not null`,
  `update dead_letters set
     detail = null, recipient_id = case channel when 'webhook' then recipient_id else 'erased' end
   where tenant_id = $1 and delivery_id in (${deliveryIds(of)})`,
];

/** A tenant's mailbox has about a thousand rows. Indexes: parked_receipts_delivery_id_idx, mailbox_messages_pkey. */
const ownRows = (of: BatchOf): string[] => [
  `delete from parked_receipts where tenant_id = $1 and delivery_id in (${deliveryIds(of)})`,
  `with deleted as (
     delete from mailbox_messages where tenant_id = $1 and delivery_id in (${deliveryIds(of)}) returning 1
   )
   select count(*)::int as mailbox_messages from deleted`,
];

const NOTIFICATIONS = `
with erased as (
  update notifications
  set recipient_id = 'erased', payload = null, content = null, shared_content_id = null, metadata = null,
      ordering_key = null, traceparent = null
  where tenant_id = $1 and id = any ($2::uuid[]) returning 1
)
select count(*)::int as notifications from erased`;

interface Batch {
  tenantId: string;
  recipientId: string;
  /** When the erasure was requested, with microseconds. */
  requestedAt: string;
  /** Of notifications, or of deliveries of sends to topics. */
  ids: string[];
}

/**
 * Each statement after the first has a younger snapshot: it sees what the records wrote that held the due rows before
 * `abandon`. Later records find no due row, and later receipts an erased delivery.
 */
function eraseDeliveries(of: BatchOf, { tenantId, recipientId, requestedAt, ids }: Batch): Statement[] {
  const values = [tenantId, ids];
  const ofRecipient = [...values, recipientId];
  return [
    { text: abandon(of), values: ofRecipient },
    { text: lateInboxItems(of), values: [...ofRecipient, requestedAt] },
    { text: suppressedAddresses(of), values: ofRecipient },
    ...[...vendorTexts(of), ...ownRows(of)].map((text) => ({ text, values })),
  ];
}

export function eraseNotifications(batch: Batch): Statement[] {
  return [...eraseDeliveries('notification_id', batch), { text: NOTIFICATIONS, values: [batch.tenantId, batch.ids] }];
}

/** The notification of a delivery of a send to a topic is of others too, and names no recipient. */
export const eraseTopicDeliveries = (batch: Batch): Statement[] => eraseDeliveries('id', batch);

export const ADDRESSES_TOLD = addressesTold('notification_id');
export const ADDRESSES_TOLD_OF_DELIVERIES = addressesTold('id');

/** Erases texts that came back for these notifications. */
export const VENDOR_TEXTS = vendorTexts('notification_id');

/**
 * $2: the recipient, $3: the last id of the batch before, $4: up to this time of acceptance. Index:
 * notifications_recipient_id_tenant_id_id_idx.
 */
export const NOTIFICATIONS_OF_RECIPIENT = `
select id from notifications
where tenant_id = $1 and recipient_id = $2 and id > $3 and created_at <= $4 and endpoint_id is null
order by id limit ${BATCH}`;

/** Deliveries of sends to topics: $3 and $4 as above. Index: deliveries_of_topic_idx. */
export const TOPIC_DELIVERIES_OF_RECIPIENT = `
select id from deliveries
where recipient_id = $2 and tenant_id = $1 and of_topic and id > $3 and created_at <= $4 order by id limit ${BATCH}`;
