// The statement of accept.store.ts: its parameters from requests, and its text.

import { laneOf } from '#domain';
import { columns, json } from '../../columns.js';
import { MESSAGE_KEY } from './message-key.js';
import type { NewNotification } from './new-notification.js';

/** One row with place 0 and the time, and one for each request that was not accepted. */
export interface AcceptRow {
  /** The place of the request in the batch, from 1. */
  ord: number;
  created_at: Date;
  /** A request that used the key before, and its notification: null when that was not a send. */
  known: boolean | null;
  notification_id: string | null;
  body_hash: string | null;
  /** The channels that have no address. */
  lacking: NewNotification['deliveries'][number]['channel'][] | null;
}

export function acceptValues(batch: readonly NewNotification[]): unknown[] {
  const deliveries = batch.flatMap((acceptance, index) =>
    acceptance.deliveries.map((delivery) => ({ delivery, index: index + 1 })),
  );
  // Of a bulk send all have the same, and it may have 50 kB: it travels once, and each names its place from 1.
  const metadata = [...new Set(batch.map(({ notification }) => notification.metadata))].filter((one) => one !== null);
  const placeOf = new Map(metadata.map((one, index) => [one, index + 1]));
  const upserts = batch.flatMap(({ notification, recipient }, index) =>
    recipient ? [{ tenantId: notification.tenantId, recipient, index: index + 1 }] : [],
  );
  return [
    ...columns(batch, notificationFields),
    ...columns(deliveries, [
      (row) => row.index,
      (row) => row.delivery.id,
      (row) => row.delivery.channel,
      (row) => row.delivery.address,
      (row) => row.delivery.addressFrom,
    ]),
    ...columns(upserts, [
      (row) => row.index,
      (row) => row.recipient.id,
      (row) => row.recipient.email ?? null,
      (row) => row.recipient.phone ?? null,
      (row) => row.recipient.locale ?? null,
      (row) => row.recipient.timezone ?? null,
      (row) => json(row.recipient.attributes),
    ]),
    batch.map(({ notification }) => notification.sharedContentId),
    batch.map(({ notification }) => (notification.metadata === null ? null : placeOf.get(notification.metadata)!)),
    metadata.map(json),
  ];
}

const notificationFields: ((row: NewNotification) => unknown)[] = [
  (row) => row.notification.tenantId,
  (row) => row.notification.id,
  (row) => row.notification.recipientId,
  (row) => row.notification.type,
  (row) => row.notification.category,
  // unnest would flatten an array of arrays.
  (row) => row.notification.channels.join(','),
  (row) => row.notification.templateId,
  (row) => json(row.notification.content),
  (row) => json(row.notification.payload),
  (row) => row.notification.priority,
  (row) => laneOf(row.notification.priority),
  (row) => row.notification.test,
  (row) => row.notification.orderingKey,
  (row) => row.notification.scheduledAt,
  (row) => row.notification.expiresAt,
  (row) => row.deliveries.length,
  (row) => row.idempotency?.key ?? null,
  (row) => row.idempotency?.bodyHash ?? null,
  (row) => row.traceparent,
  (row) => row.notification.endpointId,
];

/**
 * A request that lacks an address writes nothing, not even its key. Of those that were not accepted the key is looked up: a replay
 * is answered as such even where an address is missing now. Keys are inserted in order, so that two batches with the same keys wait
 * for each other and do not deadlock. A key that is inserted by this statement or committed by another one after it began is neither
 * visible nor insertable: the row of its request is empty.
 * created_at is cut to milliseconds because the answer shows it so, and a replayed answer must be the same text.
 *
 * `due_at` is never earlier than the start of this transaction: claims do not read further back at once (docs/adr/0025).
 * Due rows go in order of id: a trigger blocks each that has an ordering key with a row already (docs/adr/0017).
 */
export const ACCEPT = `
with input as materialized (
  select * from unnest(
    $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::smallint[], $11::smallint[],
    $12::boolean[], $13::text[], $14::timestamptz[], $15::timestamptz[], $16::integer[], $17::text[], $18::text[], $19::text[], $20::uuid[],
    $33::uuid[], $34::integer[]
  ) with ordinality as i(tenant_id, id, recipient_id, type, category, channels, template_id, content, payload, priority, lane,
                         test, ordering_key, scheduled_at, expires_at, total, key, body_hash, traceparent, endpoint_id, shared_content_id, metadata_at, ord)
), asked as materialized (
  select * from unnest($21::integer[], $22::uuid[], $23::text[], $24::text[], $25::text[]) as d(ord, id, channel, address, address_from)
), lacking as materialized (
  select a.ord, array_agg(a.channel) as channels
  from asked a join input i on i.ord = a.ord left join recipients r on r.tenant_id = i.tenant_id and r.id = i.recipient_id
  where (a.address_from = 'email' and r.email is null) or (a.address_from = 'phone' and r.phone is null)
     or (a.address_from = 'devices' and not exists (select from devices v where v.tenant_id = i.tenant_id and v.recipient_id = i.recipient_id))
  group by a.ord
), able as materialized (
  select * from input i where not exists (select from lacking l where l.ord = i.ord)
), keys as (
  insert into idempotency_keys (tenant_id, key, body_hash, notification_id)
  select tenant_id, key, decode(body_hash, 'hex'), id from able where key is not null order by tenant_id, key, ord
  on conflict (tenant_id, key) do nothing
  returning tenant_id, key, notification_id
), accepted as materialized (
  select i.*, date_trunc('milliseconds', now()) as created_at from able i
  where i.key is null or exists (select 1 from keys k where k.tenant_id = i.tenant_id and k.key = i.key and k.notification_id = i.id)
), refused as materialized (
  select i.ord, i.tenant_id, i.key from input i where not exists (select from accepted a where a.ord = i.ord)
), known as materialized (
  select i.ord, k.notification_id, k.body_hash
  from refused i cross join lateral (select * from idempotency_keys x where x.tenant_id = i.tenant_id and x.key = i.key offset 0) k -- index: idempotency_keys_pkey
), profiles as (
  insert into recipients as r (tenant_id, id, email, phone, locale, timezone, attributes)
  select distinct on (a.tenant_id, u.id) a.tenant_id, u.id, u.email, u.phone, u.locale, u.timezone, coalesce(u.attributes::jsonb, '{}')
  from unnest($26::integer[], $27::text[], $28::text[], $29::text[], $30::text[], $31::text[], $32::text[]) as u(ord, id, email, phone, locale, timezone, attributes)
  join accepted a on a.ord = u.ord
  order by a.tenant_id, u.id, u.ord desc
  on conflict (tenant_id, id) do update set
    email = coalesce(excluded.email, r.email), phone = coalesce(excluded.phone, r.phone), locale = coalesce(excluded.locale, r.locale),
    timezone = coalesce(excluded.timezone, r.timezone), attributes = r.attributes || excluded.attributes, updated_at = now()
), stored as (
  insert into notifications (tenant_id, id, recipient_id, type, category, channels, template_id, content, payload, priority, test, ordering_key,
                             metadata, scheduled_at, expires_at, total, created_at, endpoint_id, shared_content_id)
  select tenant_id, id, recipient_id, type, category, string_to_array(channels, ','), template_id, content::jsonb, payload::jsonb, priority, test, ordering_key,
         ($35::text[])[metadata_at]::jsonb, scheduled_at, expires_at, total, created_at, endpoint_id, shared_content_id
  from accepted
), wanted as materialized (
  select a.tenant_id, d.id, a.id as notification_id, a.recipient_id, d.channel, d.address, a.lane, a.ordering_key, a.scheduled_at, a.expires_at, a.created_at, a.traceparent, a.endpoint_id
  from asked d join accepted a on a.ord = d.ord
), made as (
  insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, address, created_at, endpoint_id)
  select tenant_id, id, notification_id, recipient_id, channel, address, created_at, endpoint_id from wanted
), due as (
  insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at, reason, expires_at, ordering_key, message_key, traceparent)
  select tenant_id, id, channel, lane, greatest(scheduled_at, created_at), case when scheduled_at > created_at then 'scheduled' end, expires_at, ordering_key,
         ${MESSAGE_KEY}, traceparent
  from wanted
  where coalesce((select carillon_lock_ordering_keys(array_agg(carillon_ordering_lock(tenant_id, ordering_key))) from accepted where ordering_key is not null), true)
  order by id
)
select 0 as ord, date_trunc('milliseconds', now()) as created_at, null::boolean as known, null::uuid as notification_id, null as body_hash, null::text[] as lacking
union all
select r.ord::integer, date_trunc('milliseconds', now()), k.ord is not null, k.notification_id, encode(k.body_hash, 'hex'), l.channels
from refused r left join known k on k.ord = r.ord left join lacking l on l.ord = r.ord`;
