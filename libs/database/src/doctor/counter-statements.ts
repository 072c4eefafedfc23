// The statements of counter-checks.ts. Those that read have the values of check.ts, and return its pages.

import { counterOf, deliveryStates, isStored, notificationCounters } from '#domain';
import { INBOX_COUNTS } from '../stores/inbox-item.js';
import { stateList } from '../stores/sending/delivery-moves.js';
import { PAGE_RESULT } from './check.js';

/** For each counter of a notification: the deliveries whose state counts in it. */
const COUNTS = notificationCounters
  .map((counter) => {
    const states = deliveryStates.filter((state) => isStored(state) && counterOf(state) === counter);
    return `count(*) filter (where d.state in ${stateList(states)})::integer as ${counter}`;
  })
  .join(', ');

const RANGE = '(tenant_id, id) > ($1::uuid, $2::uuid) and (tenant_id, id) <= ($3::uuid, $4::uuid)';

/**
 * $6: days of retention of a tenant without its own. Notifications that old are left out: their deliveries are deleted
 * before them. While a job creates or cancels deliveries, `total` may be one higher (20261130013100_topics).
 *
 * A page is a range of ids, of notifications and of deliveries: most deliveries have an id soon after that of their
 * notification, so that they are counted with one scan instead of a look-up in each partition for each notification.
 * Where the range does not agree, all deliveries are counted. So are those of a notification of another range, in the
 * page that has the last of them. Every delivery is in one page, so no difference is overlooked.
 *
 * Indexes: notifications_pkey, deliveries_pkey, deliveries_notification_id_tenant_id_id_idx, tenants_pkey, jobs_pkey.
 */
export const NOTIFICATIONS = `
with some_deliveries as materialized (
  select tenant_id, id, notification_id, state from deliveries where ${RANGE} order by tenant_id, id limit $5::integer
), some_notifications as materialized (
  select tenant_id, id, total, succeeded, failed, suppressed, cancelled from notifications
  where ${RANGE} order by tenant_id, id limit $5::integer
), last as materialized (
  select tenant_id, id from (
    (select tenant_id, id from some_deliveries order by tenant_id, id offset $5::integer - 1)
    union all
    (select tenant_id, id from some_notifications order by tenant_id, id offset $5::integer - 1)
  ) l order by tenant_id, id limit 1
), page as materialized (
  select n.* from some_notifications n left join last on true
  where ((n.tenant_id, n.id) <= (last.tenant_id, last.id)) is not false
), counted as materialized (
  select d.tenant_id, d.notification_id as id, count(*)::integer as total, ${COUNTS}
  from some_deliveries d left join last on true
  where ((d.tenant_id, d.id) <= (last.tenant_id, last.id)) is not false
  group by d.tenant_id, d.notification_id
), doubtful as materialized (
  select tenant_id, id, n.id is not null as is_in_page
  from page n full join counted c using (tenant_id, id)
  where (n.total, n.succeeded, n.failed, n.suppressed, n.cancelled)
    is distinct from (c.total, c.succeeded, c.failed, c.suppressed, c.cancelled)
), problems as materialized (
  select 'notification_counters' as problem, n.tenant_id, n.id from doubtful o
  join notifications n on n.tenant_id = o.tenant_id and n.id = o.id
  cross join lateral (
    select count(*)::integer as total, ${COUNTS} from deliveries d
    where d.notification_id = n.id and d.tenant_id = n.tenant_id offset 0) c
  where (o.is_in_page or (
      select ((n.tenant_id, d.id) <= (last.tenant_id, last.id)) is not false
      from (select id from deliveries d where d.notification_id = n.id and d.tenant_id = n.tenant_id
            order by notification_id desc, tenant_id desc, id desc limit 1) d
      left join last on true))
    and ((n.succeeded, n.failed, n.suppressed, n.cancelled)
           is distinct from (c.succeeded, c.failed, c.suppressed, c.cancelled)
         or n.total not in (c.total, c.total + (
           select count(*) from jobs j where j.tenant_id = n.tenant_id and j.id = n.id and j.state <> 'finished')))
    and n.created_at > now() - make_interval(days => coalesce(
      (select (t.settings->>'retention_days')::integer from tenants t where t.id = n.tenant_id), $6::integer))
)
select (select count(*)::integer from page) as examined,
       (select tenant_id from last) as "lastTenant",
       (select id from last) as "lastId",
       (select jsonb_agg(jsonb_build_object('problem', problem, 'tenantId', tenant_id, 'id', id)
               order by tenant_id, id) from problems) as problems`;

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

/**
 * A page ends when its rows have twenty items each on average, unless its first row has more by itself. Indexes:
 * inbox_counters_pkey, inbox_items_pkey.
 */
export const INBOXES = `
with read_rows as materialized (
  select tenant_id, recipient_id as id, total, unread, unseen, last_seq,
         sum(total) over (order by tenant_id, recipient_id) - total as before
  from (select * from inbox_counters
        where (tenant_id, recipient_id) > ($1::uuid, $2::text) and (tenant_id, recipient_id) <= ($3::uuid, $4::text)
        order by tenant_id, recipient_id limit $5::integer) n
), page as materialized (
  select * from read_rows where before < 20 * $5::bigint
), problems as materialized (
  select 'inbox_counters' as problem, n.tenant_id, n.id from page n
  cross join lateral (
    select ${ITEM_COUNTS} from inbox_items i where i.tenant_id = n.tenant_id and i.recipient_id = n.id offset 0) c
  where (n.total, n.unread, n.unseen) is distinct from (c.total, c.unread, c.unseen) or n.last_seq < c.last_seq
)
${PAGE_RESULT}`;

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

/** Bounded like INBOXES. Indexes: topics_pkey, subscriptions_pkey. */
export const TOPICS = `
with read_rows as materialized (
  select tenant_id, id, subscribers, deleted_at,
         sum(subscribers) over (order by tenant_id, id) - subscribers as before
  from (select * from topics where ${RANGE} order by tenant_id, id limit $5::integer) t
), page as materialized (
  select * from read_rows where before < 20 * $5::bigint
), problems as materialized (
  select 'topic_subscribers' as problem, t.tenant_id, t.id from page t
  where t.deleted_at is null and t.subscribers <> (
    select count(*) from subscriptions s where s.tenant_id = t.tenant_id and s.topic_id = t.id)
)
${PAGE_RESULT}`;

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
