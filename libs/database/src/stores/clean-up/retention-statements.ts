// The statements of retention.store.ts that delete the rows of one tenant.

import { INBOX_COUNTS } from '../inbox-item.js';

/**
 * Each statement reads the next `$4` rows of tenant `$1` between the ids `$2` and `$3`, deletes those that may be
 * deleted, and returns where it stopped: a run reads rows that stay once only. Rows are found by an array of their keys
 * and not by a join, for which the planner may read all rows of the tenant.
 */
const RESULT = `
select (select count(*) from deleted) as deleted, (select count(*) from seen) as seen,
       (select id from seen order by id desc limit 1) as last`;

/**
 * Their age counts from the failure. Keeps a dead letter whose delivery was replayed and is not final. Indexes:
 * dead_letters_pkey, due_deliveries_pkey.
 */
export const DEAD_LETTERS = `
with seen as materialized (
  select id, delivery_id from dead_letters where tenant_id = $1 and id > $2 and id < $3 order by id limit $4
), deleted as (
  delete from dead_letters where tenant_id = $1 and id = any (array(
    select s.id from seen s
    where (select 1 from due_deliveries q where q.tenant_id = $1 and q.delivery_id = s.delivery_id) is null))
  returning 1
)
${RESULT}`;

/**
 * Keeps a delivery as long as its dead letter. The second condition on `state` is checked again after a wait for a row
 * lock, so that a delivery whose dead letter is being replayed stays. Indexes: the primary keys of deliveries,
 * due_deliveries, attempts and delivery_log, and dead_letters_tenant_id_delivery_id_idx.
 */
export const DELIVERIES = `
with seen as materialized (
  select id, state from deliveries where tenant_id = $1 and id > $2 and id < $3 order by id limit $4
), deleted as (
  delete from deliveries
  where tenant_id = $1 and id > $2 and id < $3 and state <> 'waiting' and id = any (array(
    select s.id from seen s where s.state <> 'waiting'
      and (select 1 from due_deliveries q where q.tenant_id = $1 and q.delivery_id = s.id) is null
      and (select 1 from dead_letters l where l.tenant_id = $1 and l.delivery_id = s.id limit 1) is null))
  returning id
), deleted_attempts as (
  delete from attempts
  where tenant_id = $1 and delivery_id > $2 and delivery_id < $3 and delivery_id = any (array(select id from deleted))
), deleted_log as (
  delete from delivery_log
  where tenant_id = $1 and delivery_id > $2 and delivery_id < $3 and delivery_id = any (array(select id from deleted))
)
${RESULT}`;

/**
 * Keeps a notification whose job has not ended: it may have no deliveries yet. Indexes: notifications_pkey,
 * deliveries_notification_id_tenant_id_id_idx, jobs_pkey.
 */
export const NOTIFICATIONS = `
with seen as materialized (
  select id from notifications where tenant_id = $1 and id > $2 and id < $3 order by id limit $4
), deleted as (
  delete from notifications where tenant_id = $1 and id > $2 and id < $3 and id = any (array(
    select s.id from seen s
    where (select 1 from deliveries d where d.notification_id = s.id and d.tenant_id = $1 limit 1) is null
      and (select 1 from jobs j where j.tenant_id = $1 and j.id = s.id and j.finished_at is null) is null))
  returning 1
)
${RESULT}`;

/** Keeps a job that has not ended. Index: jobs_pkey. */
export const JOBS = `
with seen as materialized (
  select id from jobs where tenant_id = $1 and id > $2 and id < $3 order by id limit $4
), deleted as (
  delete from jobs where tenant_id = $1 and id = any (array(select id from seen)) and finished_at is not null
  returning 1
)
${RESULT}`;

/**
 * Updates the counters in the same commit. Lock order: items, then counters, the reverse of a change of an inbox. So it
 * skips locked rows, which the next run deletes, instead of waiting. Indexes: inbox_items_tenant_id_id_key,
 * inbox_counters_pkey.
 */
export const INBOX_ITEMS = `
with seen as materialized (
  select id from inbox_items where tenant_id = $1 and id > $2 and id < $3 order by id limit $4
), locked_items as materialized (
  select id, recipient_id from inbox_items where tenant_id = $1 and id = any (array(select id from seen))
  for update skip locked
), locked_counters as materialized (
  select recipient_id from inbox_counters
  where tenant_id = $1 and recipient_id = any (array(select recipient_id from locked_items))
  for update skip locked
), deleted as (
  delete from inbox_items where tenant_id = $1 and id = any (array(
    select i.id from locked_items i join locked_counters c on c.recipient_id = i.recipient_id))
  returning recipient_id, archived_at, read_at, seen_at
), updated_counters as (
  update inbox_counters c set total = c.total - g.total, unread = c.unread - g.unread, unseen = c.unseen - g.unseen
  from (
    select recipient_id, ${INBOX_COUNTS}
    from deleted group by recipient_id
  ) g
  where c.tenant_id = $1 and c.recipient_id = any (array(select recipient_id from locked_counters))
    and c.recipient_id = g.recipient_id
)
${RESULT}`;
