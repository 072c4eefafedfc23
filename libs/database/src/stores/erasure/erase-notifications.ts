// The statements that erase one batch of notifications, in the order in which one transaction runs them. Parameters:
// $1 the tenant, $2 the ids of the notifications; the first two have $3, the recipient, too.

import type { Statement } from '../../statement.js';
import { COMPARABLE_ADDRESS } from '../comparable-address.js';
import { ERASE_MOVES, guard, updateCounters } from '../sending/delivery-moves.js';
import { LEASE_SECONDS } from './erase-recipient.js';

/** Notifications in one transaction. At this size it holds its locks for about 0.1 s. */
export const BATCH = 500;

/**
 * Ends the deliveries that are not final and erases the addresses of all. A delivery whose send has begun becomes
 * `unknown`; its worker finds no due row afterwards, so its record is rejected and writes nothing of the recipient. An
 * item of a digest whose message is prepared becomes `unknown` too. Remembers addresses and begun sends for the steps
 * that follow.
 *
 * Lock order: the locks of the ordering keys, then due_deliveries, deliveries and notifications, as in RECORD. Indexes:
 * deliveries_notification_id_tenant_id_id_idx and the primary keys.
 */
const ABANDON = `
with deleted_due_rows as materialized (
  delete from due_deliveries q using deliveries d
  where d.tenant_id = $1 and d.notification_id = any ($2::uuid[])
    and q.tenant_id = d.tenant_id and q.delivery_id = d.id
    and (select carillon_lock_ordering_keys(array(
      select carillon_ordering_lock(n.tenant_id, n.ordering_key)
      from deliveries d join notifications n on n.tenant_id = d.tenant_id and n.id = d.notification_id
      where d.tenant_id = $1 and d.notification_id = any ($2::uuid[]) and n.ordering_key is not null)))
  returning q.delivery_id, q.sending,
    case when q.sending or (q.claim_id is not null and q.due_at = 'infinity') then 'unknown' else 'cancelled' end
      as state
), erased_deliveries as (
  update deliveries d set address = null, recipient_id = 'erased', provider_message_id = null,
    state = case when ${guard(ERASE_MOVES, 'd.state', 'q.state')} then q.state else d.state end
  from deliveries b left join deleted_due_rows q on q.delivery_id = b.id
  where b.tenant_id = $1 and b.notification_id = any ($2::uuid[]) and d.tenant_id = b.tenant_id and d.id = b.id
  returning d.tenant_id, d.id, d.notification_id, d.state, d.channel, b.address,
    q.delivery_id is not null as is_changed
), changed_deliveries as (
  select tenant_id, notification_id, state from erased_deliveries where is_changed
), updated_notifications as (${updateCounters(ERASE_MOVES)}
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

const DELIVERY_IDS = 'select id from deliveries where tenant_id = $1 and notification_id = any ($2::uuid[])';

const NOTE_FOUND = `
update erasures e set addresses = e.addresses || array(
  select address from found where address <> all (e.addresses))
where e.tenant_id = $1 and e.recipient_id = $3 and exists (select from found)`;

/**
 * Remembers the addresses that these deliveries caused to be suppressed, for the steps that follow: a delivery to the
 * address of the profile does not contain it, and the profile may have another one since. Indexes:
 * deliveries_notification_id_tenant_id_id_idx, suppressions_delivery_id_idx.
 */
const SUPPRESSED_ADDRESSES = `
with found as materialized (
  select distinct address from suppressions where tenant_id = $1 and delivery_id = any (array(${DELIVERY_IDS}))
)${NOTE_FOUND}`;

/**
 * Remembers addresses that are no longer suppressed, from the notifications that told an endpoint of them. Run as the
 * platform, before the batch: under row-level security no index is used for a value inside JSON. $3: the recipient.
 * Indexes: deliveries_notification_id_tenant_id_id_idx, notifications_event_delivery_idx.
 */
export const ADDRESSES_TOLD = `
with found as materialized (
  select distinct payload->'data'->>'address' as address from notifications
  where tenant_id = $1 and endpoint_id is not null and type = 'suppression.created'
    and payload->'data'->>'delivery_id' = any (array(select id::text from (${DELIVERY_IDS}) d))
)${NOTE_FOUND}`;

/** Vendors quote addresses in their texts, and some message ids contain a phone number. Index: attempts_pkey. */
const ATTEMPTS = `
update attempts set detail = null, provider_message_id = null
where tenant_id = $1 and delivery_id in (${DELIVERY_IDS}) and (detail is not null or provider_message_id is not null)`;

/** Index: delivery_log_pkey. */
const DELIVERY_LOG = `
update delivery_log set detail = null
where tenant_id = $1 and delivery_id in (${DELIVERY_IDS}) and detail is not null`;

/** A dead letter of a webhook delivery keeps its recipient, which is an endpoint. */
const DEAD_LETTERS = `
update dead_letters set detail = null, recipient_id = case channel when 'webhook' then recipient_id else 'erased' end
where tenant_id = $1 and delivery_id in (${DELIVERY_IDS})`;

/** Index: parked_receipts_delivery_id_idx. */
const PARKED_RECEIPTS = `delete from parked_receipts where tenant_id = $1 and delivery_id in (${DELIVERY_IDS})`;

/** A tenant's mailbox has about a thousand rows. Index: mailbox_messages_pkey. */
const MAILBOX_MESSAGES = `
with deleted as (
  delete from mailbox_messages where tenant_id = $1 and delivery_id in (${DELIVERY_IDS}) returning 1
)
select count(*)::int as mailbox_messages from deleted`;

const NOTIFICATIONS = `
with erased as (
  update notifications
  set recipient_id = 'erased', payload = null, content = null, shared_content_id = null, metadata = null,
      ordering_key = null, traceparent = null
  where tenant_id = $1 and id = any ($2::uuid[]) returning 1
)
select count(*)::int as notifications from erased`;

/**
 * Each statement after the first has a younger snapshot: it sees what the records wrote that held the due rows before
 * ABANDON. Later records find no due row, and later receipts an erased delivery.
 */
export function eraseNotifications(tenantId: string, recipientId: string, ids: string[]): Statement[] {
  const values = [tenantId, ids];
  return [
    ...[ABANDON, SUPPRESSED_ADDRESSES].map((text) => ({ text, values: [tenantId, ids, recipientId] })),
    ...[...VENDOR_TEXTS, PARKED_RECEIPTS, MAILBOX_MESSAGES, NOTIFICATIONS].map((text) => ({ text, values })),
  ];
}

/**
 * The same for deliveries of sends to topics, whose notification is of others too: the parts of these texts that name
 * the notifications of the deliveries name the deliveries themselves.
 */
export function eraseTopicDeliveries(tenantId: string, recipientId: string, deliveryIds: string[]): Statement[] {
  return eraseNotifications(tenantId, recipientId, deliveryIds)
    .filter(({ text }) => text !== NOTIFICATIONS)
    .map((statement) => ({ ...statement, text: ofDeliveries(statement.text) }));
}

const ofDeliveries = (text: string): string => text.replaceAll('notification_id = any ($2', 'id = any ($2');
export const ADDRESSES_TOLD_OF_DELIVERIES = ofDeliveries(ADDRESSES_TOLD);

/** Erases texts that came back for these notifications, from a vendor or from a tenant's endpoint. */
export const VENDOR_TEXTS = [ATTEMPTS, DELIVERY_LOG, DEAD_LETTERS];

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
