// The chunks of a send to a topic: each creates or cancels the deliveries of some members.

import { atLocalTime, firstTimezone } from '#domain';
import type { Sql } from '../../statement.js';
import type { ChunkResult, LockedJob } from '../jobs/job.js';
import { CANCELLED, type CancelledDelivery } from '../notifications/cancel-notification.js';
import { IS_CANCELLABLE, lockedDigests, REQUIRE_LOCKED_DIGEST } from '../sending/digests/digest-record.js';
import { emit, FINISHED_NOTIFICATIONS } from '../sending/emit-events.js';
import { MESSAGE_KEY } from '../sending/message-key.js';
import type { TopicSendInput } from './topic-send.js';

interface ExpandedRow {
  examined: number;
  last: string | null;
  included: number;
  deliveries: number;
}

interface Zones {
  /** Of the profiles of members. */
  zones: string[];
  tenant: string | null;
}

interface LocalTimes {
  zones: string[];
  instants: Date[];
  otherwise: Date | null;
}

const NO_TIMES: LocalTimes = { zones: [], instants: [], otherwise: null };

/**
 * Creates the deliveries of the next members. Members are those that subscribed before the job began and are still
 * subscribed when their turn comes.
 */
export async function expandTopicSend(job: LockedJob, sql: Sql): Promise<ChunkResult> {
  const { topicId, exclude, lane, traceparent, localTime } = job.input as TopicSendInput;
  const after = (job.cursor['after'] as string | undefined) ?? '';
  const members = [job.tenantId, topicId, after, job.maxItems];
  const times = localTime === null ? NO_TIMES : await timesOf(localTime, sql, members);
  const [chunk] = await sql.query<ExpandedRow>({
    name: 'expand_topic',
    text: EXPAND,
    values: [...members, job.id, exclude, lane, traceparent, times.zones, times.instants, times.otherwise],
  });
  const { examined, last, included, deliveries } = chunk!;
  const isLast = examined < job.maxItems;
  await sql.query({ name: 'count_expanded', text: COUNT_EXPANDED, values: [job.tenantId, job.id, deliveries, isLast] });
  return {
    items: examined,
    done: included,
    failed: 0,
    cursor: { after: last ?? after },
    ...(isLast && { total: job.done + included }),
    isLast,
  };
}

/**
 * When clocks of the next members show a local time. Computed here: PostgreSQL has other rules. `otherwise` is for
 * members without a zone, and for those whose profile or subscription changes before the statement that follows.
 */
async function timesOf(local: string, sql: Sql, members: unknown[]): Promise<LocalTimes> {
  const rows = await sql.query<Zones>({ name: 'zones_of_members', text: ZONES, values: members });
  const { zones, tenant } = rows[0]!;
  const instants = zones.map((zone) => atLocalTime(local, firstTimezone(zone, tenant)));
  return { zones, instants, otherwise: atLocalTime(local, firstTimezone(tenant)) };
}

/**
 * Cancels deliveries whose send has not begun, as CANCEL in cancel-notification.ts does for a notification with few.
 * `cursor.isExpanded`: the job had created all deliveries before it was cancelled.
 */
export async function cancelTopicSend(
  job: LockedJob,
  sql: Sql,
): Promise<ChunkResult & { cancelled: CancelledDelivery[] }> {
  const { cancelledTo, isExpanded } = job.cursor as { cancelledTo?: string; isExpanded?: boolean };
  const [chunk] = await sql.query<{ examined: number; last: string | null; cancelled: CancelledDelivery[] }>({
    name: 'cancel_topic_send',
    text: CANCEL_BATCH,
    values: [job.tenantId, job.id, cancelledTo ?? null, job.maxItems],
  });
  const { examined, last, cancelled } = chunk!;
  const isLast = examined < job.maxItems;
  if (isLast && !isExpanded)
    await sql.query({ name: 'end_cancelled_send', text: END_CANCELLED, values: [job.tenantId, job.id] });
  const cursor = { ...job.cursor, cancelledTo: last ?? cancelledTo };
  return { items: examined, done: 0, failed: 0, cursor, isLast, cancelled };
}

/**
 * The next members of a topic. $1 tenant, $2 topic, $3 last recipient of the chunk before, $4 members. Indexes:
 * subscriptions_pkey, topics_pkey.
 */
const MEMBERS = `
  select recipient_id, channels, created_at from subscriptions
  where tenant_id = $1 and topic_id = $2 and recipient_id > $3
    and exists (select from topics where tenant_id = $1 and id = $2 and deleted_at is null)
  order by recipient_id limit $4`;

/** The zone of the profile of a member `m`. Index: recipients_pkey. */
const ZONE = '(select r.timezone from recipients r where r.tenant_id = $1 and r.id = m.recipient_id)';

/** Index: tenants_pkey. */
const ZONES = `
select array(select distinct zone from (select ${ZONE} as zone from (${MEMBERS}) m) z where zone is not null) as zones,
       (select t.settings->>'timezone' from tenants t where t.id = $1) as tenant`;

/**
 * $1 tenant, $2 topic, $3 last recipient of the chunk before, $4 members, $5 notification, $6 excluded recipients, $7
 * lane, $8 trace context, $9 and $10 zones and the time of sending in each, $11 that of other members; null if it is
 * not a local time. One delivery for each member and each channel of the send that the subscription allows.
 *
 * Ids are UUIDv7: the time of this transaction, the place in the chunk, 62 random bits. `due_at` is never before the
 * start of this transaction: claims do not read further back (docs/adr/0025). Lock order: ordering keys, then inserts;
 * the notification is locked by the next statement. Indexes: subscriptions_pkey and the primary keys of topics,
 * notifications and jobs.
 */
const EXPAND = `
with members as materialized (${MEMBERS}
), notification as materialized (
  select tenant_id, id, channels, ordering_key, scheduled_at, expires_at,
         lpad(to_hex((extract(epoch from now()) * 1000)::bigint), 12, '0') || '7' as id_prefix
  from notifications where tenant_id = $1 and id = $5
), included_members as materialized (
  select recipient_id, channels,
         case when $11::timestamptz is not null
           then coalesce(($10::timestamptz[])[array_position($9::text[], ${ZONE})], $11::timestamptz)
         end as local_time
  from members m
  where recipient_id <> all ($6::text[])
    and created_at <= (select coalesce(started_at, now()) from jobs where tenant_id = $1 and id = $5)
), new_deliveries as materialized (
  select n.tenant_id, n.id as notification_id, m.recipient_id, c.channel, n.ordering_key,
         coalesce(m.local_time, n.scheduled_at) as scheduled_at, n.expires_at,
         (n.id_prefix || lpad(to_hex(row_number() over (order by m.recipient_id) & 4095), 3, '0')
           || right(replace(gen_random_uuid()::text, '-', ''), 16))::uuid as id
  from included_members m cross join notification n cross join lateral unnest(n.channels) as c(channel)
  where m.channels is null or c.channel = any (m.channels)
), inserted_deliveries as (
  insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, created_at, of_topic)
  select tenant_id, id, notification_id, recipient_id, channel, now(), true from new_deliveries
), inserted_due_deliveries as (
  insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at, reason, expires_at, ordering_key,
                              message_key, traceparent)
  select tenant_id, id, channel, $7::smallint, greatest(scheduled_at, now()),
         case when scheduled_at > now() then 'scheduled' end, expires_at, ordering_key, ${MESSAGE_KEY}, $8::text
  from new_deliveries
  where coalesce((
    select carillon_lock_ordering_keys(array[carillon_ordering_lock(tenant_id, ordering_key)])
    from notification where ordering_key is not null), true)
  order by id
)
select (select count(*) from members)::int as examined,
       (select recipient_id from members order by recipient_id desc limit 1) as last,
       (select count(*) from included_members)::int as included,
       (select count(*) from new_deliveries)::int as deliveries`;

/**
 * $3 new deliveries, $4 whether the job has created all: the notification may be final then. Index: notifications_pkey.
 */
const COUNT_EXPANDED = `
with updated_notifications as (
  update notifications set total = total + $3::integer - case when $4 then 1 else 0 end
  where tenant_id = $1 and id = $2
  returning *
), finished_events as (${emit(`${FINISHED_NOTIFICATIONS} and $4`)})
select 1`;

/**
 * $3 the last delivery of the batch before, $4 the size of the batch. Indexes:
 * deliveries_notification_id_tenant_id_id_idx and the primary keys. Lock order: ordering key, digests,
 * due_deliveries, deliveries, then the notification.
 */
const CANCEL_BATCH = `
with batch as materialized (
  select id from deliveries
  where tenant_id = $1 and notification_id = $2 and ($3::uuid is null or id > $3) order by id limit $4
), ${lockedDigests('select id from batch')}, deleted_due_rows as (
  delete from due_deliveries q using batch b
  where q.tenant_id = $1 and q.delivery_id = b.id
    and ${IS_CANCELLABLE} and (select count(*) from locked_digests) >= 0
    and (select carillon_lock_ordering_keys(array(
      select carillon_ordering_lock(tenant_id, ordering_key)
      from notifications where tenant_id = $1 and id = $2 and ordering_key is not null)))
  returning q.delivery_id, q.rate_limit_consumed, ${REQUIRE_LOCKED_DIGEST}
), ${CANCELLED}
select (select count(*) from batch)::int as examined, (select id from batch order by id desc limit 1) as last,
       coalesce((
         select json_agg(json_build_object(
           'id', c.id, 'channel', c.channel, 'rateLimitConsumed', q.rate_limit_consumed))
         from changed_deliveries c join deleted_due_rows q on q.delivery_id = c.id), '[]') as cancelled`;

/**
 * Ends the notification of a job that was cancelled before it had created all deliveries. One without a cancelled
 * delivery counts as one, so that its status is `cancelled`. Index: notifications_pkey.
 */
const END_CANCELLED = `
with updated_notifications as (
  update notifications set total = total - case when cancelled > 0 then 1 else 0 end,
                           cancelled = cancelled + case when cancelled > 0 then 0 else 1 end
  where tenant_id = $1 and id = $2
  returning *
), finished_events as (${emit(FINISHED_NOTIFICATIONS)})
select 1`;
