// The statements that cancel a notification. Parameters: $1 the tenant, $2 the notification.

import type { ChannelId } from '#domain';
import { CANCEL_MOVES, guard, updateCounters } from '../sending/delivery-moves.js';
import { IS_CANCELLABLE, lockedDigests, REQUIRE_LOCKED_DIGEST } from '../sending/digests/digest-record.js';
import { changedDeliveries, emit, FINISHED_NOTIFICATIONS } from '../sending/emit-events.js';

export interface Cancellation {
  /** Whether there was something to cancel. */
  isCancelled: boolean;
  deliveries: CancelledDelivery[];
}

export interface CancelledDelivery {
  id: string;
  channel: ChannelId;
  /** Its places in limits and quotas were recorded. Otherwise a run that was under way may have taken some. */
  rateLimitConsumed: boolean;
}

/**
 * The common table expressions that cancel the deliveries of `deleted_due_rows`, with counters, events and timeline.
 * $1: the tenant. Indexes: the primary keys. Lock order: due_deliveries, deliveries, then the notification.
 */
export const CANCELLED = `changed_deliveries as (
  update deliveries d set state = 'cancelled' from deleted_due_rows q
  where d.tenant_id = $1 and d.id = q.delivery_id and ${guard(CANCEL_MOVES, 'd.state', "'cancelled'")}
  returning d.*
), updated_notifications as (${updateCounters(CANCEL_MOVES)}
), delivery_events as (
  ${emit(`
    ${changedDeliveries("'cancelled'", 'null::text')} where endpoint_id is null
    union all
    ${FINISHED_NOTIFICATIONS}`)}
), log_entries as (
  insert into delivery_log (tenant_id, delivery_id, id, code)
  select $1, id, gen_random_uuid(), 'cancelled' from changed_deliveries
)`;

/**
 * Indexes: deliveries_notification_id_tenant_id_id_idx and the primary keys. Lock order: ordering key, digests,
 * due_deliveries, deliveries, then the notification.
 */
export const CANCEL = `
with ${lockedDigests('select id from deliveries where tenant_id = $1 and notification_id = $2')}, deleted_due_rows as (
  delete from due_deliveries q using deliveries d
  where d.tenant_id = $1 and d.notification_id = $2 and q.tenant_id = d.tenant_id and q.delivery_id = d.id
    and (select topic from notifications where tenant_id = $1 and id = $2) is null
    and ${IS_CANCELLABLE} and (select carillon_lock_ordering_keys(array(
      select carillon_ordering_lock(tenant_id, ordering_key)
      from notifications where tenant_id = $1 and id = $2 and ordering_key is not null)))
    and (select count(*) from locked_digests) >= 0
  returning q.delivery_id, q.rate_limit_consumed, ${REQUIRE_LOCKED_DIGEST}
), ${CANCELLED}
select c.id, c.channel, q.rate_limit_consumed as "rateLimitConsumed"
from changed_deliveries c join deleted_due_rows q on q.delivery_id = c.id`;

/**
 * Lets the job of a send to a topic cancel the deliveries that wait. `isExpanded`: the job had created all deliveries.
 * Indexes: jobs_pkey, notifications_pkey.
 */
export const CANCEL_FAN_OUT = `
update jobs set
  state = 'cancelled', finished_at = null, due_at = now(), failures = 0, pace_per_second = null,
  cursor = case when finished_at is not null and state <> 'failed' then '{"isExpanded": true}' else cursor end
where tenant_id = $1 and id = $2 and kind = 'topic_send'
  and exists (select from notifications where tenant_id = $1 and id = $2 and final_status is null)
returning id`;
