// SQL that writes events in the statements that cause them; events.store.ts reads them.

/** Set at the start of a connection if the deployment has a broker (see Database). */
const TO_BROKER = `coalesce(current_setting('carillon.events', true) = 'on', false)`;

/**
 * Writes events in the transaction that causes them, if the deployment has a broker or the tenant has a webhook
 * endpoint; otherwise writes nothing. `rows` selects tenant_id, type, recipient_id, subject and data. Index:
 * webhook_endpoints_pkey.
 */
export const emit = (
  rows: string,
): string => `insert into events (tenant_id, type, recipient_id, subject, data, broker, webhooks, kept)
  select e.tenant_id, e.type, e.recipient_id, e.subject, e.data, ${TO_BROKER}, w.has_endpoint, w.has_endpoint
  from (${rows}) e(tenant_id, type, recipient_id, subject, data)
  cross join lateral (
    select exists (select from webhook_endpoints x where x.tenant_id = e.tenant_id) as has_endpoint
  ) w
  where ${TO_BROKER} or w.has_endpoint`;

/** The data of a delivery event, from the columns of the row with alias `x`. `rule`: SQL of the deciding rule. */
export const deliveryEvent = (x: string, rule = 'null::text'): string => `jsonb_strip_nulls(jsonb_build_object(
    'notification_id', ${x}.notification_id, 'delivery_id', ${x}.delivery_id, 'recipient_id', ${x}.recipient_id,
    'channel', ${x}.channel, 'state', ${x}.state, 'reason', ${x}.reason, 'rule', ${rule},
    'provider', ${x}.provider, 'provider_message_id', ${x}.provider_message_id, 'code', ${x}.code,
    'attempts', ${x}.attempts))`;

/** The events of the deliveries in `changed_deliveries`, for {@link emit}; `type` and `code` are SQL. */
export const changedDeliveries = (type: string, code: string): string =>
  `select x.tenant_id, 'delivery.' || ${type}, x.recipient_id, x.delivery_id::text, ${deliveryEvent('x')}
  from (select c.*, c.id as delivery_id, ${code} as code from changed_deliveries c) x`;

/**
 * The events of the notifications in `updated_notifications` that are final now. Notifications to endpoints cause no
 * events.
 */
export const FINISHED_NOTIFICATIONS = `
    select tenant_id, 'notification.finished', recipient_id, id::text,
           jsonb_build_object('notification_id', id, 'status', final_status, 'counts', jsonb_build_object(
             'total', total, 'succeeded', succeeded, 'failed', failed,
             'suppressed', suppressed, 'cancelled', cancelled))
    from updated_notifications where final_status is not null and endpoint_id is null`;

/** The data of a suppression event, from a row of `suppressions`. */
export const SUPPRESSION_EVENT = `jsonb_strip_nulls(jsonb_build_object(
    'suppression_id', id, 'channel', channel, 'address', address, 'reason', reason, 'delivery_id', delivery_id,
    'expires_at', expires_at))`;
