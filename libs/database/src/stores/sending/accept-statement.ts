// The statement of accept.store.ts: its text, its parameters and its rows.

import { type ChannelId, laneOf, MAX_ATTRIBUTES_BYTES, type RecipientUpsert } from '#domain';
import { columnList } from '../../column-list.js';
import { json } from '../../columns.js';
import type { Statement } from '../../statement.js';
import { MESSAGE_KEY } from './message-key.js';
import type { NewNotification } from './new-notification.js';

/** One row with `ord` 0 and the time, and one for each request that was not accepted. */
export interface AcceptRow {
  /** The position of the request in the batch, from 1. */
  ord: number;
  created_at: Date;
  /** Whether the key was used before, by the notification in `notification_id`; null there if it was no send. */
  key_exists: boolean | null;
  notification_id: string | null;
  body_hash: string | null;
  /** The channels for which the recipient's profile has no address. */
  unaddressed: ChannelId[] | null;
  /** Whether the recipient would have too large attributes. */
  oversized: boolean | null;
}

interface RequestRow extends NewNotification {
  /** The position of the metadata in the list of distinct metadata, from 1. */
  metadataPosition: number | null;
}

interface DeliveryRow {
  /** The position of the request in the batch, from 1; the same in {@link ProfileRow}. */
  ord: number;
  delivery: NewNotification['deliveries'][number];
}

interface ProfileRow {
  ord: number;
  profile: RecipientUpsert;
}

const requestColumns = columnList<RequestRow>({
  tenant_id: ['uuid', ({ notification }) => notification.tenantId],
  id: ['uuid', ({ notification }) => notification.id],
  recipient_id: ['text', ({ notification }) => notification.recipientId],
  type: ['text', ({ notification }) => notification.type],
  category: ['text', ({ notification }) => notification.category],
  // One text: unnest would flatten an array of arrays.
  channels: ['text', ({ notification }) => notification.channels.join(',')],
  template_id: ['text', ({ notification }) => notification.templateId],
  content: ['text', ({ notification }) => json(notification.content)],
  payload: ['text', ({ notification }) => json(notification.payload)],
  priority: ['smallint', ({ notification }) => notification.priority],
  lane: ['smallint', ({ notification }) => laneOf(notification.priority)],
  ordering_key: ['text', ({ notification }) => notification.orderingKey],
  scheduled_at: ['timestamptz', ({ notification }) => notification.scheduledAt],
  expires_at: ['timestamptz', ({ notification }) => notification.expiresAt],
  total: ['integer', ({ deliveries }) => deliveries.length],
  key: ['text', ({ idempotency }) => idempotency?.key ?? null],
  body_hash: ['text', ({ idempotency }) => idempotency?.bodyHash ?? null],
  traceparent: ['text', ({ traceparent }) => traceparent],
  endpoint_id: ['uuid', ({ notification }) => notification.endpointId],
  shared_content_id: ['uuid', ({ notification }) => notification.sharedContentId],
  metadata_position: ['integer', ({ metadataPosition }) => metadataPosition],
});

const deliveryColumns = columnList<DeliveryRow>({
  ord: ['integer', ({ ord }) => ord],
  id: ['uuid', ({ delivery }) => delivery.id],
  channel: ['text', ({ delivery }) => delivery.channel],
  address: ['text', ({ delivery }) => delivery.address],
  address_from: ['text', ({ delivery }) => delivery.addressFrom],
});

const profileColumns = columnList<ProfileRow>({
  ord: ['integer', ({ ord }) => ord],
  id: ['text', ({ profile }) => profile.id],
  email: ['text', ({ profile }) => profile.email ?? null],
  phone: ['text', ({ profile }) => profile.phone ?? null],
  locale: ['text', ({ profile }) => profile.locale ?? null],
  timezone: ['text', ({ profile }) => profile.timezone ?? null],
  attributes: ['text', ({ profile }) => json(profile.attributes)],
});

const FIRST_DELIVERY_COLUMN = 1 + requestColumns.length;
const FIRST_PROFILE_COLUMN = FIRST_DELIVERY_COLUMN + deliveryColumns.length;
const METADATA = FIRST_PROFILE_COLUMN + profileColumns.length;

export function acceptValues(batch: readonly NewNotification[]): unknown[] {
  // All items of a bulk send have the same metadata object of up to 50 kB: each distinct object is sent once.
  const metadata = [...new Set(batch.map(({ notification }) => notification.metadata))].filter((one) => one !== null);
  const positions = new Map(metadata.map((one, index) => [one, index + 1]));
  const requests = batch.map((request) => ({
    ...request,
    metadataPosition: request.notification.metadata && positions.get(request.notification.metadata)!,
  }));
  const deliveries = batch.flatMap((request, index) =>
    request.deliveries.map((delivery) => ({ ord: index + 1, delivery })),
  );
  const profiles = batch.flatMap(({ recipient }, index) => (recipient ? [{ ord: index + 1, profile: recipient }] : []));
  return [
    ...requestColumns.values(requests),
    ...deliveryColumns.values(deliveries),
    ...profileColumns.values(profiles),
    metadata.map(json),
  ];
}

/**
 * A request without a needed address, or whose profile would become too large, writes nothing, not even its key. The
 * keys of all rejected requests are looked up, so a replay is reported as one even if an address is missing by now. A
 * key that this statement inserts, or that another transaction commits after this statement began, can be neither
 * inserted nor seen: the row of its request has no key and no channels.
 *
 * `created_at` is cut to milliseconds, the precision of the response, so that a replayed response is the same text.
 * `due_at` is never before the start of this transaction: claims do not read further back (docs/adr/0025).
 *
 * Lock order: keys by tenant and key, so that two batches with the same keys wait for each other instead of
 * deadlocking; the locks of all ordering keys, in carillon_lock_ordering_keys; due rows by id, where a trigger blocks
 * each delivery whose ordering key has an earlier row (docs/adr/0017); last profiles by tenant and id. Postgres runs
 * inserts that nothing reads in the reverse order of the text, so the due rows come before the profiles.
 *
 * Indexes: idempotency_keys_pkey, recipients_pkey, devices_pkey.
 */
export const ACCEPT = `
with requests as materialized (
  select * from ${requestColumns.numberedTable('r')}
), request_deliveries as materialized (
  select * from ${deliveryColumns.table('d', FIRST_DELIVERY_COLUMN)}
), missing_addresses as materialized (
  select d.ord, array_agg(d.channel) as channels
  from request_deliveries d
  join requests q on q.ord = d.ord
  left join recipients r on r.tenant_id = q.tenant_id and r.id = q.recipient_id
  where (d.address_from = 'email' and r.email is null)
     or (d.address_from = 'phone' and r.phone is null)
     or (d.address_from = 'devices' and not exists (
          select from devices v where v.tenant_id = q.tenant_id and v.recipient_id = q.recipient_id))
  group by d.ord
), oversized_profiles as materialized (
  select q.ord from ${profileColumns.table('p', FIRST_PROFILE_COLUMN)}
  join requests q on q.ord = p.ord
  join recipients r on r.tenant_id = q.tenant_id and r.id = p.id
  -- Quick for what is small and so not compressed.
  where case when pg_column_compression(r.attributes) is not null
               or pg_column_size(r.attributes) + octet_length(p.attributes) > ${MAX_ATTRIBUTES_BYTES / 2}
        then (
          select m.bytes > ${MAX_ATTRIBUTES_BYTES} and m.bytes > octet_length(r.attributes::text)
          from (select octet_length((r.attributes || p.attributes::jsonb)::text) as bytes offset 0) m)
        else false end
), addressed_requests as materialized (
  select * from requests q
  where not exists (select from missing_addresses m where m.ord = q.ord)
    and not exists (select from oversized_profiles o where o.ord = q.ord)
), inserted_keys as (
  insert into idempotency_keys (tenant_id, key, body_hash, notification_id)
  select tenant_id, key, decode(body_hash, 'hex'), id from addressed_requests
  where key is not null order by tenant_id, key, ord
  on conflict (tenant_id, key) do nothing
  returning tenant_id, key, notification_id
), accepted_requests as materialized (
  select q.*, date_trunc('milliseconds', now()) as created_at from addressed_requests q
  where q.key is null or exists (
    select 1 from inserted_keys k where k.tenant_id = q.tenant_id and k.key = q.key and k.notification_id = q.id)
), rejected_requests as materialized (
  select q.ord, q.tenant_id, q.key from requests q
  where not exists (select from accepted_requests a where a.ord = q.ord)
), matching_keys as materialized (
  select q.ord, k.notification_id, k.body_hash
  from rejected_requests q
  cross join lateral (select * from idempotency_keys x where x.tenant_id = q.tenant_id and x.key = q.key offset 0) k
), upserted_recipients as (
  insert into recipients as r (tenant_id, id, email, phone, locale, timezone, attributes)
  select distinct on (a.tenant_id, p.id) a.tenant_id, p.id, p.email, p.phone, p.locale, p.timezone,
         coalesce(p.attributes::jsonb, '{}')
  from ${profileColumns.table('p', FIRST_PROFILE_COLUMN)}
  join accepted_requests a on a.ord = p.ord
  order by a.tenant_id, p.id, p.ord desc
  on conflict (tenant_id, id) do update set
    email = coalesce(excluded.email, r.email), phone = coalesce(excluded.phone, r.phone),
    locale = coalesce(excluded.locale, r.locale), timezone = coalesce(excluded.timezone, r.timezone),
    attributes = r.attributes || excluded.attributes, updated_at = now()
), inserted_notifications as (
  insert into notifications (tenant_id, id, recipient_id, type, category, channels, template_id, content, payload,
                             priority, ordering_key, metadata, scheduled_at, expires_at, total, created_at,
                             endpoint_id, shared_content_id, traceparent)
  select tenant_id, id, recipient_id, type, category, string_to_array(channels, ','), template_id, content::jsonb,
         payload::jsonb, priority, ordering_key, ($${METADATA}::text[])[metadata_position]::jsonb, scheduled_at,
         expires_at, total, created_at, endpoint_id, shared_content_id, traceparent
  from accepted_requests
), accepted_deliveries as materialized (
  select a.tenant_id, d.id, a.id as notification_id, a.recipient_id, d.channel, d.address, a.lane, a.ordering_key,
         a.scheduled_at, a.expires_at, a.created_at, a.traceparent, a.endpoint_id
  from request_deliveries d join accepted_requests a on a.ord = d.ord
), inserted_deliveries as (
  insert into deliveries (tenant_id, id, notification_id, recipient_id, channel, address, created_at, endpoint_id)
  select tenant_id, id, notification_id, recipient_id, channel, address, created_at, endpoint_id
  from accepted_deliveries
), inserted_due_deliveries as (
  insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at, reason, expires_at, ordering_key,
                              message_key, traceparent)
  select tenant_id, id, channel, lane, greatest(scheduled_at, created_at),
         case when scheduled_at > created_at then 'scheduled' end, expires_at, ordering_key,
         ${MESSAGE_KEY}, traceparent
  from accepted_deliveries
  where coalesce((
    select carillon_lock_ordering_keys(array_agg(carillon_ordering_lock(tenant_id, ordering_key)))
    from accepted_requests where ordering_key is not null), true)
  order by id
)
select 0 as ord, date_trunc('milliseconds', now()) as created_at, null::boolean as key_exists,
       null::uuid as notification_id, null as body_hash, null::text[] as unaddressed, null::boolean as oversized
union all
select q.ord::integer, date_trunc('milliseconds', now()), k.ord is not null, k.notification_id,
       encode(k.body_hash, 'hex'), m.channels, exists (select from oversized_profiles o where o.ord = q.ord)
from rejected_requests q
left join matching_keys k on k.ord = q.ord
left join missing_addresses m on m.ord = q.ord`;

export interface ExistingKeyRow {
  ord: number;
  notification_id: string | null;
  body_hash: string;
}

const keyColumns = columnList<{ tenantId: string; key: string }>({
  tenant_id: ['uuid', ({ tenantId }) => tenantId],
  key: ['text', ({ key }) => key],
});

/** Index: idempotency_keys_pkey. */
const EXISTING_KEYS = `
select i.ord::int as ord, k.notification_id, encode(k.body_hash, 'hex') as body_hash
from ${keyColumns.numberedTable('i')}
join idempotency_keys k on k.tenant_id = i.tenant_id and k.key = i.key`;

/** Looks up idempotency keys. Returns an {@link ExistingKeyRow} for each that exists; `ord` is its position from 1. */
export function existingKeys(keys: readonly { tenantId: string; key: string }[]): Statement {
  return { name: 'existing_keys', text: EXISTING_KEYS, values: keyColumns.values(keys) };
}
