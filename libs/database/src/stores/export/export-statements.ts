// The statements that read everything that is stored about a recipient. Each row is one line of the export, a JSON text
// `{kind, data}` with the columns as they are stored. Parameters: $1 the tenant, $2 the recipient.

/** Of `row`, without the columns that only repeat the tenant and the recipient. */
const line = (kind: string, row: string): string =>
  `jsonb_build_object('kind', '${kind}', 'data', (${row}) - '{tenant_id,recipient_id}'::text[])::text as line`;

/** Whether anything is known of the recipient. Indexes: the primary keys and those that begin with the recipient. */
export const IS_KNOWN = `
exists (select from recipients where tenant_id = $1 and id = $2)
   or exists (select from devices where tenant_id = $1 and recipient_id = $2)
   or exists (select from preferences where tenant_id = $1 and recipient_id = $2)
   or exists (select from subscriptions where tenant_id = $1 and recipient_id = $2)
   or exists (select from schedules where tenant_id = $1 and recipient_id = $2)
   or exists (select from job_lines where recipient_id = $2 and tenant_id = $1)
   or exists (select from inbox_items where tenant_id = $1 and recipient_id = $2)
   or exists (select from notifications where tenant_id = $1 and recipient_id = $2)
   or exists (select from deliveries where tenant_id = $1 and recipient_id = $2 and of_topic)`;

/**
 * Rows of tables with few rows for a recipient, and of jobs and schedules, of which a tenant has few. $3: all channels.
 */
export const SMALL_SECTIONS: readonly string[] = [
  `select ${line('profile', 'to_jsonb(r)')} from recipients r
   where tenant_id = $1 and id = $2 and $3::text[] is not null`,
  `select ${line('device', 'to_jsonb(v)')} from devices v
   where tenant_id = $1 and recipient_id = $2 and $3::text[] is not null order by created_at`,
  `select ${line('preferences', 'to_jsonb(p)')} from preferences p
   where tenant_id = $1 and recipient_id = $2 and $3::text[] is not null`,
  `select ${line('subscription', `to_jsonb(s) || jsonb_build_object('topic', t.key)`)}
   from subscriptions s left join topics t on t.tenant_id = s.tenant_id and t.id = s.topic_id
   where s.recipient_id = $2 and s.tenant_id = $1 and $3::text[] is not null order by t.key`,
  `select ${line('schedule', 'to_jsonb(s)')} from schedules s
   where tenant_id = $1 and recipient_id = $2 and $3::text[] is not null order by id`,
  `select ${line('exclusion', "jsonb_build_object('job_id', j.id, 'notification_id', j.notification_id)")}
   from jobs j where tenant_id = $1 and input->'exclude' ? $2 and $3::text[] is not null order by id`,
  `select ${line('exclusion', "jsonb_build_object('schedule_id', s.id, 'topic', s.notification->>'topic')")}
   from schedules s
   where tenant_id = $1 and recipient_id is null and notification->'exclude' ? $2 and $3::text[] is not null
   order by id`,
  `select ${line('upload_line', 'to_jsonb(l)')} from job_lines l
   where recipient_id = $2 and tenant_id = $1 and $3::text[] is not null order by job_id, line`,
  `select ${line('digest', 'to_jsonb(g)')} from digests g
   where tenant_id = $1 and recipient_id = $2 and $3::text[] is not null`,
  `select ${line('limit', 'to_jsonb(w)')} from rate_windows w
   where tenant_id = $1
     and (key = any (array(select c || ':' || $2 from unnest($3::text[]) as c)) or recipient_id = $2)`,
  `select ${line('inbox', 'to_jsonb(c)')} from inbox_counters c
   where tenant_id = $1 and recipient_id = $2 and $3::text[] is not null`,
];

/** $3: the last `key` of the page before, a text; $4: the rows of a page. Index: inbox_items_pkey. */
export const INBOX_ITEMS = `
select seq::text as key, ${line('inbox_item', 'to_jsonb(i)')} from inbox_items i
where tenant_id = $1 and recipient_id = $2 and seq > $3::bigint order by seq limit $4`;

/** $3 and $4 as above. Index: notifications_recipient_id_tenant_id_id_idx. */
export const NOTIFICATIONS = `
select id::text as key, shared_content_id, ${line('notification', 'to_jsonb(n)')} from notifications n
where tenant_id = $1 and recipient_id = $2 and id > $3::uuid and endpoint_id is null order by id limit $4`;

const list = (table: string, order: string): string => `(
    select coalesce(jsonb_agg(to_jsonb(x) - '{tenant_id,delivery_id,recipient_id}'::text[] order by x.${order}), '[]')
    from ${table} x where x.tenant_id = d.tenant_id and x.delivery_id = d.id)`;

const DELIVERY = `
select d.id::text as key, d.channel, d.address,
  (select s.address from suppressions s where s.tenant_id = d.tenant_id and s.delivery_id = d.id limit 1) as suppressed,
  ${line(
    'delivery',
    `to_jsonb(d) || jsonb_build_object(
    'waiting', (
      select jsonb_build_object('reason', q.reason, 'due_at', q.due_at, 'ordering_key', q.ordering_key)
      from due_deliveries q where q.tenant_id = d.tenant_id and q.delivery_id = d.id),
    'attempts', ${list('attempts', 'number')}, 'timeline', ${list('delivery_log', 'created_at')},
    'dead_letters', ${list('dead_letters', 'failed_at')}, 'receipts', ${list('parked_receipts', 'created_at')},
    'mailbox_messages', ${list('mailbox_messages', 'created_at')})`,
  )}
from deliveries d`;

/**
 * $2: notifications. Indexes: deliveries_notification_id_tenant_id_id_idx and those of the other tables by delivery; a
 * tenant's mailbox has about a thousand rows.
 */
export const DELIVERIES_OF_NOTIFICATIONS = `${DELIVERY}
where d.tenant_id = $1 and d.notification_id = any ($2::uuid[]) order by d.id`;

/** $3 and $4 as above. Index: deliveries_of_topic_idx. */
export const DELIVERIES_OF_TOPICS = `${DELIVERY}
where d.tenant_id = $1 and d.recipient_id = $2 and d.of_topic and d.id > $3::uuid order by d.id limit $4`;

/** $2: ids. Index: shared_contents_pkey. */
export const SHARED_CONTENTS = `
select ${line('shared_content', 'to_jsonb(s)')} from shared_contents s where tenant_id = $1 and id = any ($2::uuid[])`;

/**
 * $3: addresses, $4: their hashes. Index: suppressions_tenant_id_channel_address_key.
 */
export const SUPPRESSIONS = `
select ${line('suppression', 'to_jsonb(s)')} from suppressions s
where tenant_id = $1 and channel = any ($2::text[]) and address = any ($3::text[] || $4::text[])`;

/** Walks over the tenant's events from $3 on. $4: rows of a page; $5: addresses. Index: events_pkey. */
export const EVENTS = `
select x.seq::text as key, case
         when x.recipient_id = $2 or x.subject = $2 or x.data->>'address' = any ($5::text[])
         then jsonb_build_object('kind', 'event', 'data', to_jsonb(x) - 'tenant_id')::text
       end as line
from (select * from events where tenant_id = $1 and seq > $3::bigint order by seq limit $4) x order by x.seq`;

/**
 * Notifications that sent an endpoint an event about the recipient or one of the addresses ($3). Run as the platform:
 * under row-level security no index is used for a value inside JSON. Indexes: notifications_event_recipient_idx,
 * notifications_event_address_idx.
 */
export const EVENT_NOTIFICATION_IDS = `
select id::text as id from notifications
where tenant_id = $1 and endpoint_id is not null and payload->'data'->>'recipient_id' = $2
union
select id::text from notifications
where tenant_id = $1 and endpoint_id is not null and type = 'suppression.created'
  and payload->'data'->>'address' = any ($3::text[])`;

/** $2: ids. Index: notifications_pkey. */
export const EVENT_NOTIFICATIONS = `
select ${line('sent_event', 'to_jsonb(n)')} from notifications n where tenant_id = $1 and id = any ($2::uuid[])
order by id`;
