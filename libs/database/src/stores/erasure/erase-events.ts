// The statements that erase a recipient from events, and from the notifications that send events to endpoints.
// Parameters: $1 the tenant, $2 the recipient; the addresses are those of the row in `erasures`.

/** Events that one statement examines. */
export const EVENTS_EXAMINED = 5_000;
/**
 * Notifications of each kind that one statement finds. Many, because each search reads the index entries of the erased
 * ones again while an older transaction is open.
 */
const EVENT_BATCH = 10_000;

const ADDRESSES = 'select unnest(addresses) from erasures where tenant_id = $1 and recipient_id = $2';

/** The data of an event, in the column or expression `data`, without what identifies the recipient. */
const erasedData = (data: string): string => `(${data} - '{address,token,code,provider_message_id}'::text[])
  || case when ${data} ? 'recipient_id' then '{"recipient_id": "erased"}'::jsonb else '{}' end`;

/** Whether an erased delivery caused the event that an address was suppressed. Index: deliveries_pkey. */
const IS_OF_ERASED_DELIVERY = `type = 'suppression.created' and exists (
    select from deliveries d
    where d.tenant_id = $1 and d.id = (data->>'delivery_id')::uuid and d.recipient_id = 'erased')`;

/**
 * Whether a row is about a delivery or a notification of a recipient who came back after the request. Other rows of
 * that time are erased too: they may be about an inbox item of before. `time`, `data` and `requestedAt` are SQL.
 * Indexes: deliveries_pkey, notifications_pkey.
 */
const isOfNewRecipient = (time: string, data: string, requestedAt: string): string => `(${time} > ${requestedAt} and (
    exists (
      select from deliveries d
      where d.tenant_id = $1 and d.id = (${data}->>'delivery_id')::uuid and d.recipient_id = $2)
    or exists (
      select from notifications x
      where x.tenant_id = $1 and x.id = (${data}->>'notification_id')::uuid and x.recipient_id = $2)))`;

/**
 * Walks over the tenant's events from $3 on: deletes those that are only kept to be sent again, and erases the
 * recipient from those that are still to be sent. Remembers their addresses for the steps that follow. $4: up to this
 * time, or null. $5: the time of the request. Indexes: events_pkey, erasures_pkey.
 */
export const ERASE_EVENTS = `
with examined as materialized (
  select seq, data->>'address' as address, not webhooks and not broker as is_sent,
         (recipient_id = $2 or data->>'address' in (${ADDRESSES}) or (${IS_OF_ERASED_DELIVERY}))
           and not ${isOfNewRecipient('created_at', 'data', '$5')} as is_found
  from events where tenant_id = $1 and seq > $3 and created_at <= coalesce($4, 'infinity'::timestamptz)
  order by seq limit ${EVENTS_EXAMINED}
), deleted as (
  delete from events e using examined x where x.is_found and x.is_sent and e.tenant_id = $1 and e.seq = x.seq
), erased as (
  update events e set
    recipient_id = case when e.recipient_id is not null then 'erased' end,
    subject = case when e.subject = $2 then 'erased' else e.subject end,
    data = ${erasedData('e.data')}
  from examined x where x.is_found and not x.is_sent and e.tenant_id = $1 and e.seq = x.seq
), noted as (
  update erasures e set addresses = e.addresses || array(
    select address from examined where is_found and address is not null except ${ADDRESSES})
  where e.tenant_id = $1 and e.recipient_id = $2
    and exists (select from examined where is_found and address is not null)
)
select count(*)::int as examined, max(seq)::text as last from examined`;

const EVENT_TIME = "(n.payload->>'timestamp')::timestamptz";
const IS_OF_THIS_ERASURE = `${EVENT_TIME} <= coalesce($3, 'infinity'::timestamptz)
    and not ${isOfNewRecipient(EVENT_TIME, "n.payload->'data'", '$4')}`;

/**
 * Notifications that sent an endpoint an event about the recipient or one of the addresses. Not sorted, which would
 * read all for each batch: erased ones are not found again. $3: up to this time of the event, or null. $4: the time of
 * the request. Indexes: notifications_event_recipient_idx, notifications_event_address_idx.
 */
export const EVENT_NOTIFICATIONS = `
(
  select id from notifications n
  where tenant_id = $1 and endpoint_id is not null and payload->'data'->>'recipient_id' = $2 and $2 <> 'erased'
    and ${IS_OF_THIS_ERASURE}
  limit ${EVENT_BATCH}
)
union all
(
  select id from notifications n
  where tenant_id = $1 and endpoint_id is not null and type = 'suppression.created'
    and payload->'data'->>'address' = any (array(${ADDRESSES}))
    and ${IS_OF_THIS_ERASURE}
  limit ${EVENT_BATCH}
)`;

/**
 * $2: the ids of the notifications, $3: the recipient. Ordering keys of earlier releases contain the recipient. Index:
 * notifications_pkey.
 */
export const ERASE_EVENT_NOTIFICATIONS = `
update notifications set
  ordering_key = case when strpos(ordering_key, $3) = 0 then ordering_key end, traceparent = null,
  payload = jsonb_set(payload, '{data}', ${erasedData("(payload->'data')")})
where tenant_id = $1 and id = any ($2::uuid[])`;
