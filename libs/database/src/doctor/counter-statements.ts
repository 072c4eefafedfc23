// The statements of counter-checks.ts. Each reads one page of rows with counters after the key $1, $2.

import { counterOf, deliveryStates, isStored, notificationCounters } from '#domain';
import { INBOX_COUNTS } from '../stores/inbox-item.js';
import { stateList } from '../stores/sending/delivery-moves.js';

/** Rows of a page. */
const ROWS = 1_000;
/** Rows that a page counts, unless its first row has more by itself. */
const COUNTED_ROWS = 20_000;

/** For each counter of a notification: the deliveries whose state counts in it. */
const COUNTS = notificationCounters
  .map((counter) => {
    const states = deliveryStates.filter((state) => isStored(state) && counterOf(state) === counter);
    return `count(*) filter (where d.state in ${stateList(states)})::integer as ${counter}`;
  })
  .join(', ');

const RESULT = `
select (select count(*)::integer from bounded) as examined,
       (select tenant_id from bounded order by tenant_id desc, id desc limit 1) as "lastTenant",
       (select id from bounded order by tenant_id desc, id desc limit 1) as "lastId",
       (select jsonb_agg(jsonb_build_object('tenantId', tenant_id, 'id', id) order by tenant_id, id)
        from wrong) as wrong`;

/**
 * $3: days of retention of a tenant without its own. Notifications that old are left out: their deliveries are deleted
 * before them. While a job creates or cancels deliveries, `total` may be one higher (20261130013100_topics). Indexes:
 * notifications_pkey, tenants_pkey, jobs_pkey, deliveries_notification_id_tenant_id_id_idx.
 */
export const NOTIFICATIONS = `
with page as materialized (
  select tenant_id, id, created_at, total, succeeded, failed, suppressed, cancelled,
         sum(total) over (order by tenant_id, id) - total as before
  from (select * from notifications where (tenant_id, id) > ($1::uuid, $2::uuid) order by tenant_id, id limit ${ROWS}) n
), bounded as materialized (
  select * from page where before < ${COUNTED_ROWS}
), wrong as materialized (
  select n.tenant_id, n.id from bounded n
  cross join lateral (
    select count(*)::integer as total, ${COUNTS} from deliveries d
    where d.notification_id = n.id and d.tenant_id = n.tenant_id offset 0) c
  where ((n.succeeded, n.failed, n.suppressed, n.cancelled)
           is distinct from (c.succeeded, c.failed, c.suppressed, c.cancelled)
         or n.total not in (c.total, c.total + (
           select count(*) from jobs j where j.tenant_id = n.tenant_id and j.id = n.id and j.state <> 'finished')))
    and n.created_at > now() - make_interval(days => coalesce(
      (select (t.settings->>'retention_days')::integer from tenants t where t.id = n.tenant_id), $3::integer))
)
${RESULT}`;

/** In the order in which all statements lock notifications. Index: notifications_pkey. */
export const LOCK_NOTIFICATIONS = `
select from notifications
where (tenant_id, id) in (select * from unnest($1::uuid[], $2::uuid[])) order by tenant_id, id for update`;

/** Leaves `total` while a job may change it. Indexes: as NOTIFICATIONS. */
export const FIX_NOTIFICATIONS = `
update notifications n set
  succeeded = c.succeeded, failed = c.failed, suppressed = c.suppressed, cancelled = c.cancelled,
  total = case when exists (
    select from jobs j where j.tenant_id = n.tenant_id and j.id = n.id and j.state <> 'finished') then n.total
    else c.total end
from unnest($1::uuid[], $2::uuid[]) as w (tenant_id, id)
cross join lateral (
  select count(*)::integer as total, ${COUNTS} from deliveries d
  where d.notification_id = w.id and d.tenant_id = w.tenant_id offset 0) c
where n.tenant_id = w.tenant_id and n.id = w.id
returning 1 as fixed`;

const ITEM_COUNTS = `${INBOX_COUNTS}, coalesce(max(seq), 0) as last_seq`;

/** Indexes: inbox_counters_pkey, inbox_items_pkey. */
export const INBOXES = `
with page as materialized (
  select tenant_id, recipient_id as id, total, unread, unseen, last_seq,
         sum(total) over (order by tenant_id, recipient_id) - total as before
  from (select * from inbox_counters where (tenant_id, recipient_id) > ($1::uuid, $2::text)
        order by tenant_id, recipient_id limit ${ROWS}) n
), bounded as materialized (
  select * from page where before < ${COUNTED_ROWS}
), wrong as materialized (
  select n.tenant_id, n.id from bounded n
  cross join lateral (
    select ${ITEM_COUNTS} from inbox_items i where i.tenant_id = n.tenant_id and i.recipient_id = n.id offset 0) c
  where (n.total, n.unread, n.unseen) is distinct from (c.total, c.unread, c.unseen) or n.last_seq < c.last_seq
)
${RESULT}`;

/** Index: inbox_counters_pkey. */
export const LOCK_INBOXES = `
select from inbox_counters
where (tenant_id, recipient_id) in (select * from unnest($1::uuid[], $2::text[]))
order by tenant_id, recipient_id for update`;

/** Indexes: as INBOXES. */
export const FIX_INBOXES = `
update inbox_counters n set
  total = c.total, unread = c.unread, unseen = c.unseen, last_seq = greatest(n.last_seq, c.last_seq)
from unnest($1::uuid[], $2::text[]) as w (tenant_id, id)
cross join lateral (
  select ${ITEM_COUNTS} from inbox_items i where i.tenant_id = w.tenant_id and i.recipient_id = w.id offset 0) c
where n.tenant_id = w.tenant_id and n.recipient_id = w.id
returning 1 as fixed`;

/** Indexes: topics_pkey, subscriptions_pkey. */
export const TOPICS = `
with page as materialized (
  select tenant_id, id, subscribers, deleted_at,
         sum(subscribers) over (order by tenant_id, id) - subscribers as before
  from (select * from topics where (tenant_id, id) > ($1::uuid, $2::uuid) order by tenant_id, id limit ${ROWS}) t
), bounded as materialized (
  select * from page where before < ${COUNTED_ROWS}
), wrong as materialized (
  select t.tenant_id, t.id from bounded t
  where t.deleted_at is null and t.subscribers <> (
    select count(*) from subscriptions s where s.tenant_id = t.tenant_id and s.topic_id = t.id)
)
${RESULT}`;

/** Index: topics_pkey. */
export const LOCK_TOPICS = `
select from topics
where (tenant_id, id) in (select * from unnest($1::uuid[], $2::uuid[])) order by tenant_id, id for update`;

/** Indexes: as TOPICS. */
export const FIX_TOPICS = `
update topics t set subscribers = (
  select count(*) from subscriptions s where s.tenant_id = t.tenant_id and s.topic_id = t.id)
where (t.tenant_id, t.id) in (select * from unnest($1::uuid[], $2::uuid[]))
returning 1 as fixed`;
