/**
 * Parameters: $1 the tenant, $2 the recipient, $3 all channels. Deletes events that are kept only to be sent to
 * endpoints again, and removes the recipient's id from the notifications of events.
 *
 * Lock order: the locks of all ordering keys of the recipient, then the due rows; the other rows in no order.
 *
 * Indexes: notifications_recipient_id_tenant_id_id_idx, notifications_event_recipient_idx,
 * deliveries_notification_id_tenant_id_id_idx, dead_letters_tenant_id_delivery_id_idx, and the primary keys.
 */
export const ERASE_RECIPIENT = `
with deleted_devices as (
  delete from devices where tenant_id = $1 and recipient_id = $2 returning 1
), deleted_preferences as (
  delete from preferences where tenant_id = $1 and recipient_id = $2 returning 1
), deleted_inbox_items as (
  delete from inbox_items where tenant_id = $1 and recipient_id = $2 returning 1
), deleted_inbox_counters as (
  delete from inbox_counters where tenant_id = $1 and recipient_id = $2 returning 1
), deleted_due_deliveries as (
  delete from due_deliveries q using deliveries d
  where d.tenant_id = $1
    and d.notification_id in (select id from notifications where tenant_id = $1 and recipient_id = $2)
    and q.tenant_id = d.tenant_id and q.delivery_id = d.id and not q.sending
    and (select carillon_lock_ordering_keys(array(
      select carillon_ordering_lock(tenant_id, ordering_key) from notifications
      where tenant_id = $1 and recipient_id = $2 and ordering_key is not null)))
  returning q.delivery_id, d.notification_id
), erased_deliveries as (
  update deliveries d set address = null, recipient_id = 'erased',
    state = case when d.id in (select delivery_id from deleted_due_deliveries) then 'cancelled' else d.state end
  where d.tenant_id = $1
    and d.notification_id in (select id from notifications where tenant_id = $1 and recipient_id = $2)
  returning d.id
), erased_dead_letters as (
  update dead_letters set recipient_id = 'erased'
  where tenant_id = $1 and delivery_id in (select id from erased_deliveries)
), deleted_events as (
  delete from events where tenant_id = $1 and kept and not webhooks and not broker and recipient_id = $2
), erased_event_notifications as (
  update notifications set payload = jsonb_set(payload, '{data,recipient_id}', '"erased"')
  where tenant_id = $1 and endpoint_id is not null and payload->'data'->>'recipient_id' = $2
), deleted_rate_windows as (
  delete from rate_windows where tenant_id = $1 and key = any (select c || ':' || $2 from unnest($3::text[]) as c)
), deleted_mailbox_messages as (
  delete from mailbox_messages m where m.tenant_id = $1 and m.delivery_id in (select id from erased_deliveries)
  returning 1
), cancelled as materialized (
  select o.id, count(w.delivery_id) as count
  from notifications o left join deleted_due_deliveries w on w.notification_id = o.id
  where o.tenant_id = $1 and o.recipient_id = $2 group by o.id
), erased_notifications as (
  update notifications n
  set recipient_id = 'erased', payload = null, content = null, shared_content_id = null, metadata = null,
      cancelled = n.cancelled + c.count
  from cancelled c
  where n.tenant_id = $1 and n.recipient_id = $2 and n.id = c.id returning 1
), deleted_recipient as (
  delete from recipients where tenant_id = $1 and id = $2 returning 1
)
select (select count(*) from deleted_recipient)::int as profile,
       (select count(*) from deleted_devices)::int as devices,
       (select count(*) from deleted_preferences)::int as preferences,
       (select count(*) from deleted_inbox_items)::int as inbox_items,
       (select count(*) from erased_deliveries)::int as deliveries,
       (select count(*) from deleted_due_deliveries)::int as cancelled,
       (select count(*) from erased_notifications)::int as notifications,
       (select count(*) from deleted_mailbox_messages)::int as mailbox_messages`;
