// The columns of notifications and deliveries as the API shows them, and their computed states.

import { idDaysAfter, notificationCounters } from '#domain';
import type { Statement } from '../../statement.js';
import type { DeliveryRow, NotificationRow } from '../sending/notification.js';

export interface NotificationWithDeliveries {
  notification: NotificationRow;
  /** The first hundred. */
  deliveries: DeliveryRow[];
}

const SHOWN_DELIVERIES = 100;

/**
 * The ids of deliveries are younger than that of their notification: made at once or, when an event is sent again, at
 * most seven days later. These bounds, with a margin, exclude the partitions of all other weeks.
 */
export const nearby = (first: string, last = first): string =>
  `d.id between carillon_id_days_after(${first}, ${DAYS_BEFORE}) and carillon_id_days_after(${last}, ${DAYS_AFTER})`;
const [DAYS_BEFORE, DAYS_AFTER] = [-1, 15];

/**
 * The due row of `d`. The limit keeps this a look-up by primary key for each delivery: with a join, the planner may
 * read all due rows of a tenant, in a plan that it made while there were none. Index: due_deliveries_pkey.
 */
const DUE_ROW =
  'lateral (select * from due_deliveries x where x.tenant_id = d.tenant_id and x.delivery_id = d.id limit 1) q';

const ENDED_DELIVERIES = notificationCounters.map((counter) => `n.${counter}`).join(' + ');

/** Whether the job of a send to a topic has begun. Index: jobs_pkey. */
const FAN_OUT_BEGUN = `n.topic is not null and exists (
    select from jobs j where j.tenant_id = n.tenant_id and j.id = n.id and j.started_at is not null)`;

const statusWith = (begun: string): string =>
  `coalesce(n.final_status, case
    when ${ENDED_DELIVERIES} > 0 or ${begun} or ${FAN_OUT_BEGUN} then 'active' else 'pending' end)`;

/** The deliveries of a notification `n`. While a job creates them, `total` is one higher. Index: jobs_pkey. */
const TOTAL = `n.total - case when n.topic is not null and exists (
    select from jobs j where j.tenant_id = n.tenant_id and j.id = n.id
      and (j.state = 'failed' or j.finished_at is null and not j.cursor ? 'isExpanded')) then 1 else 0 end`;

/** The status of a notification `n` if its deliveries are not read. */
export const STATUS = statusWith(`exists (
  select 1 from deliveries d cross join ${DUE_ROW}
  where d.tenant_id = n.tenant_id and d.notification_id = n.id and ${nearby('n.id')}
    and (q.claims > 0 or q.attempt > 0))`);

/**
 * Whether a due delivery waits because no account of the tenant works. Workers rarely claim such deliveries, so the
 * reason is not stored in the due row. Platform accounts do not count. Indexes: the primary keys of provider_accounts
 * and provider_account_health.
 */
const ALL_DOWN = `
q.due_at <= now() and d.endpoint_id is null
and exists (select from provider_accounts a where a.tenant_id = d.tenant_id and a.channel = d.channel and a.enabled)
and not exists (
  select from provider_accounts a
  left join provider_account_health h on h.tenant_id = a.tenant_id and h.account_id = a.id
  where a.tenant_id = d.tenant_id and a.channel = d.channel and a.enabled
    and coalesce(h.breaker, 'closed') = 'closed')`;

/**
 * A delivery with a due row is waiting or sending; otherwise its own column has the state. An item of a digest waits at
 * infinity until the message of the digest is recorded, also while it is being sent.
 */
export const DELIVERIES = `
select d.id, d.notification_id as "notificationId", d.recipient_id as "recipientId", d.channel, d.address,
       case
         when q.delivery_id is null then d.state
         when q.sending or (q.claim_id is not null and q.due_at > now() and q.due_at < 'infinity') then 'sending'
         else 'waiting'
       end as state,
       case
         when q.delivery_id is null then d.reason
         when q.reason is null and not q.sending and ${ALL_DOWN} then 'provider_down'
         else q.reason
       end as reason,
       case when q.sending or q.claim_id is not null or q.due_at = 'infinity' then null else q.due_at end as "dueAt",
       d.provider, d.provider_message_id as "providerMessageId", d.template_version as "templateVersion",
       coalesce(q.attempt, d.attempts)::int as attempts, d.created_at as "createdAt", d.sent_at as "sentAt",
       d.delivered_at as "deliveredAt", d.complained_at as "complainedAt", d.opened_at as "openedAt",
       coalesce(q.claims > 0 or q.attempt > 0, false) as begun
from deliveries d left join ${DUE_ROW} on true`;

/**
 * The columns of a notification `n`; `x` has its deliveries as JSON, and whether a worker has begun with one of them.
 */
const COLUMNS = `
n.tenant_id as "tenantId", n.id, n.recipient_id as "recipientId", n.topic, n.type, n.category, n.channels,
n.template_id as "templateId", n.priority, n.ordering_key as "orderingKey", n.metadata,
n.scheduled_at as "scheduledAt", n.expires_at as "expiresAt", n.endpoint_id as "endpointId",
n.created_at as "createdAt", ${TOTAL} as total, ${notificationCounters.map((counter) => `n.${counter}`).join(', ')},
${statusWith('x.begun')} as status, coalesce(x.deliveries, '[]') as deliveries,
case when n.topic is not null then (
  select json_build_object('total', j.total, 'expanded', j.done, 'state', j.state)
  from jobs j where j.tenant_id = n.tenant_id and j.id = n.id
) end as "fanOut"`;

/**
 * One notification with its first deliveries. The bounds of their ids are parameters, so that the server excludes the
 * partitions of other weeks before it starts. Indexes: notifications_pkey, deliveries_notification_id_tenant_id_id_idx.
 */
const ONE = `
select ${COLUMNS}
from notifications n
cross join lateral (
  select json_agg(x order by x.id) as deliveries, bool_or(x.begun) as begun
  from (
    ${DELIVERIES} where d.tenant_id = $1 and d.notification_id = $2 and d.id between $3 and $4
    order by d.id limit ${SHOWN_DELIVERIES}
  ) x
) x
where n.tenant_id = $1 and n.id = $2`;

/**
 * The first deliveries of a send to a topic. Their ids have no upper bound: the job may have been scheduled or paused
 * for long. Index: deliveries_notification_id_tenant_id_id_idx.
 */
export function topicDeliveries(tenantId: string, id: string): Statement {
  return {
    name: 'deliveries_of_topic_send',
    text: `${DELIVERIES} where d.tenant_id = $1 and d.notification_id = $2 and d.id >= $2::uuid
           order by d.id limit ${SHOWN_DELIVERIES}`,
    values: [tenantId, id],
  };
}

export function oneStatement(tenantId: string, id: string): Statement {
  return {
    name: 'notification',
    text: ONE,
    values: [tenantId, id, idDaysAfter(id, DAYS_BEFORE), idDaysAfter(id, DAYS_AFTER)],
  };
}

/**
 * The notifications of the common table expression `page`, newest first, each with its deliveries. One scan finds all
 * deliveries, so it must not meet a notification with very many: those of events are not listed, and the first
 * deliveries of each send to a topic are found by themselves. Index: deliveries_notification_id_tenant_id_id_idx.
 */
export const SHOWN_PAGE = `
  bounds as materialized (
    select (select id from page order by id limit 1) as first, (select id from page order by id desc limit 1) as last
  ), page_deliveries as materialized (
    select x."notificationId", json_agg(x order by x.id) as deliveries, bool_or(x.begun) as begun
    from (
      ${DELIVERIES}
      where d.tenant_id = $1 and d.notification_id = any (array(select id from page where topic is null))
        and ${nearby('(select first from bounds)', '(select last from bounds)')}
      union all
      select t.* from page p cross join lateral (
        ${DELIVERIES} where d.tenant_id = $1 and d.notification_id = p.id and d.id >= p.id
        order by d.id limit ${SHOWN_DELIVERIES}
      ) t
      where p.topic is not null
    ) x
    group by 1
  ), shown_notifications as (
    select ${COLUMNS} from page n left join page_deliveries x on x."notificationId" = n.id
  )`;

export type FoundRow = NotificationRow & { deliveries: DeliveryRow[] };

/** Converts the times of the deliveries, which are text in JSON. */
export function withDeliveries({ deliveries, ...notification }: FoundRow): NotificationWithDeliveries {
  for (const delivery of deliveries) {
    for (const time of DELIVERY_TIMES) if (delivery[time] !== null) delivery[time] = new Date(delivery[time]);
  }
  return { notification, deliveries };
}

const DELIVERY_TIMES = ['createdAt', 'dueAt', 'sentAt', 'deliveredAt', 'complainedAt', 'openedAt'] as const;
