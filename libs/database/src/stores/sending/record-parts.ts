// The parts in which the record statements differ (record-statement.ts).

/** Each is SQL, and empty where a statement does not have the part. */
export interface RecordParts {
  /** Common table expressions before `input`. */
  before: string;
  /** The condition that takes the locks which come before those of the due rows. */
  isLocked: string;
  /** The name of the expression that deletes the due rows in `input`. */
  deleted: string;
  /** More columns that it returns. */
  returning: string;
  /** Common table expressions that delete the due rows of the other items of a digest. */
  members: string;
  /** Common table expressions that add deliveries. */
  inserts: string;
  /** The common table expression with the deliveries that were added to the notifications, if any. */
  added?: string;
}

/**
 * Creates the inbox deliveries that replace downgraded deliveries. The deliveries of a notification to a recipient
 * share one: its id is derived, so that the first of them creates it, also among several workers. It has no ordering
 * key, because the next delivery of that key does not wait for it.
 */
export const INBOX_DELIVERIES: Pick<RecordParts, 'inserts' | 'added'> = {
  inserts: `inbox_deliveries as (
  insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, of_topic)
  select distinct on (tenant_id, in_app_delivery_id) tenant_id, in_app_delivery_id, notification_id, recipient_id,
         'in_app', of_topic
  from changed_deliveries where in_app_delivery_id is not null order by tenant_id, in_app_delivery_id
  on conflict do nothing
  returning tenant_id, id, notification_id
), inbox_due_rows as (
  insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at, expires_at, message_key, traceparent)
  select distinct on (b.tenant_id, b.id) b.tenant_id, b.id, 'in_app', e.lane, now(), e.expires_at, e.message_key,
         e.traceparent
  from inbox_deliveries b
  join deleted_due_rows e on e.tenant_id = b.tenant_id and e.in_app_delivery_id = b.id
  order by b.tenant_id, b.id
), `,
  added: 'inbox_deliveries',
};
