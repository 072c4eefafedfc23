// The statements that erase what belongs to a recipient directly. Parameters: $1 the tenant, $2 the recipient.

import { channelIds } from '#domain';
import { hmacPads } from '../../secrets/hashed-address.js';
import type { Statement } from '../../statement.js';
import { type AuditNote, auditInsert, noteValues, recipientSubject } from '../audit/audit-entry.js';
import { COMPARABLE_ADDRESS } from '../comparable-address.js';

/** Until a worker searches for rows that were written during the erasure. Longer than a send and its record take. */
export const SECOND_PASS_SECONDS = 60;
/**
 * For which a process that works on an erasure keeps it from the workers, after each batch of notifications: more than
 * the other steps take. Also the time after which a failed erasure is tried again.
 */
export const LEASE_SECONDS = 300;
/** Erasures that a worker takes at once, and how many of them one tenant may have. */
const AT_ONCE = 10;
const AT_ONCE_OF_TENANT = 2;

/**
 * Deletes the schedules for the recipient, and the recipient from the excluded ones of others. A worker holds the row
 * of a schedule until it has accepted the send, which may write the profile. So this waits in a transaction of its own,
 * which holds nothing that the send needs, and the erasure that begins afterwards finds that send. `excluded`: 1 if
 * a schedule or a job excluded the recipient. A tenant has few jobs. Indexes: schedules_recipient_idx, schedules_pkey,
 * jobs_pkey.
 */
export const SCHEDULES = `
with deleted as (
  delete from schedules where tenant_id = $1 and recipient_id = $2 returning 1
), changed as (
  update schedules set notification = jsonb_set(notification, '{exclude}', (notification->'exclude') - $2::text)
  where tenant_id = $1 and recipient_id is null and notification->'exclude' ? $2 returning 1
)
select (select count(*) from deleted)::int as schedules,
       (exists (select from changed)
        or exists (select from jobs where tenant_id = $1 and input->'exclude' ? $2))::int as excluded`;

/**
 * Lines of uploads that wait, and errors that may quote a line. Waits for the chunk of a job that sends to one of them.
 * The job counts them as failed. Index: job_lines_recipient_id_idx.
 */
export const UPLOAD_LINES = `
with erased as (
  update job_lines set recipient_id = null, item = null, code = 'erased', errors = '[]'
  where recipient_id = $2 and tenant_id = $1 returning 1
)
select count(*)::int as upload_lines from erased`;

/**
 * Waits for requests that are changing the recipient: later statements see what they wrote. In their lock order:
 * topics, the profile, the preferences. A recipient without a profile may have preferences. Indexes: the primary keys,
 * subscriptions_recipient_id_tenant_id_topic_id_idx.
 */
const LOCKS = [
  `select from topics where tenant_id = $1 and id = any (array(
     select topic_id from subscriptions where recipient_id = $2 and tenant_id = $1))
   order by id for no key update`,
  'select from recipients where tenant_id = $1 and id = $2 for update',
  'select from preferences where tenant_id = $1 and recipient_id = $2 for update',
];

/**
 * Notes the erasure with the addresses of the profile, which the later steps search for. Here and in the later steps,
 * addresses have the form of the suppression list. Notes nothing if nothing is known of the recipient, because those
 * steps read all events. $3: whether schedules, jobs or lines of uploads knew the recipient. Indexes: the primary
 * keys, and notifications_recipient_id_tenant_id_id_idx.
 */
const START = `
insert into erasures as e (tenant_id, recipient_id, addresses, due_at)
select $1::uuid, $2::text, array(
         select one from recipients r cross join (values ('email', null), ('sms', null)) as d(channel, address)
         cross join lateral (select ${COMPARABLE_ADDRESS}) as a(one)
         where r.tenant_id = $1 and r.id = $2 and one is not null
         union select token from devices where tenant_id = $1 and recipient_id = $2),
       now() + interval '${LEASE_SECONDS} seconds'
where $3::boolean
   or exists (select from recipients where tenant_id = $1 and id = $2)
   or exists (select from devices where tenant_id = $1 and recipient_id = $2)
   or exists (select from preferences where tenant_id = $1 and recipient_id = $2)
   or exists (select from inbox_items where tenant_id = $1 and recipient_id = $2)
   or exists (select from notifications where tenant_id = $1 and recipient_id = $2)
   or exists (select from subscriptions where recipient_id = $2 and tenant_id = $1)
   or exists (select from deliveries where recipient_id = $2 and tenant_id = $1 and of_topic)
on conflict (tenant_id, recipient_id) do update set
  addresses = e.addresses || excluded.addresses, requested_at = now(), completed_at = null, due_at = excluded.due_at
returning requested_at::text as "requestedAt"`;

/** The entry of the audit log, if this transaction began an erasure. $3: its subject, from $4: its note. */
const ENTRY = auditInsert(
  4,
  `select $1::uuid, $3::text, null::jsonb, null::jsonb
   from erasures where tenant_id = $1 and recipient_id = $2 and requested_at = now()`,
);

/**
 * $3: all channels. Indexes: the primary keys, rate_windows_recipient_id_idx,
 * subscriptions_recipient_id_tenant_id_topic_id_idx.
 */
const PROFILE = `
with deleted_devices as (
  delete from devices where tenant_id = $1 and recipient_id = $2 returning 1
), deleted_preferences as (
  delete from preferences where tenant_id = $1 and recipient_id = $2 returning 1
), deleted_rate_windows as (
  delete from rate_windows
  where tenant_id = $1 and (key = any (array(select c || ':' || $2 from unnest($3::text[]) as c)) or recipient_id = $2)
), deleted_subscriptions as (
  delete from subscriptions where recipient_id = $2 and tenant_id = $1 returning topic_id
), counted_topics as (
  update topics t set subscribers = t.subscribers - 1 from deleted_subscriptions d
  where t.tenant_id = $1 and t.id = d.topic_id
), deleted_changes as (
  delete from policy_changes where tenant_id = $1 and recipient_id = $2
), deleted_recipient as (
  delete from recipients where tenant_id = $1 and id = $2 returning 1
)
select (select count(*) from deleted_recipient)::int as profile,
       (select count(*) from deleted_devices)::int as devices,
       (select count(*) from deleted_preferences)::int as preferences,
       (select count(*) from deleted_subscriptions)::int as subscriptions`;

/** The statements of one transaction. `isKnown`: from its schedules, jobs or lines of uploads. */
export function eraseProfile(
  tenantId: string,
  recipientId: string,
  isKnown: boolean,
  audit: AuditNote | null,
): Statement[] {
  const subject = recipientSubject(tenantId, recipientId);
  return [
    ...LOCKS.map((text) => ({ text, values: [tenantId, recipientId] })),
    { text: START, values: [tenantId, recipientId, isKnown] },
    { text: ENTRY, values: [tenantId, recipientId, subject, ...noteValues(audit)] },
    { text: PROFILE, values: [tenantId, recipientId, channelIds] },
  ];
}

/**
 * Jobs of sends to topics: their lists of excluded recipients, and where their next chunk begins. The subscription of
 * the recipient is deleted, so a chunk that begins after the one before it sees the same members. A tenant has few
 * jobs. Indexes: jobs_pkey, subscriptions_pkey.
 */
export const JOBS = `
update jobs j set
  input = case when input->'exclude' ? $2 then jsonb_set(input, '{exclude}', (input->'exclude') - $2) else input end,
  cursor = case when cursor->>'after' = $2 then jsonb_set(cursor, '{after}', to_jsonb(coalesce((
    select s.recipient_id from subscriptions s
    where s.tenant_id = $1 and s.topic_id = (j.input->>'topicId')::uuid and s.recipient_id < $2
    order by s.recipient_id desc limit 1), ''))) else cursor end
where tenant_id = $1 and (input->'exclude' ? $2 or cursor->>'after' = $2)`;

/**
 * The entries that have the addresses themselves. $3: all channels. Index:
 * suppressions_tenant_id_channel_address_key.
 */
const OF_ADDRESSES = `s.tenant_id = $1 and s.channel = any ($3::text[])
  and s.address in (select unnest(addresses) from erasures where tenant_id = $1 and recipient_id = $2)`;
const HASHED = 'carillon_hashed_address($4::bytea, s.tenant_id, s.address)';

/** An entry of an earlier erasure: the address was used again since. The entry that came later takes its place. */
const REPLACED_SUPPRESSIONS = `
delete from suppressions h using suppressions s
where ${OF_ADDRESSES} and h.tenant_id = s.tenant_id and h.channel = s.channel and h.address = ${HASHED}`;

const HASHED_SUPPRESSIONS = `
with hashed as (
  update suppressions s set address = ${HASHED}, detail = null, delivery_id = null where ${OF_ADDRESSES} returning 1
), noted as (
  update tenants set has_hashed_suppressions = true
  where id = $1 and not has_hashed_suppressions and exists (select from hashed)
)
select count(*)::int as suppressions from hashed`;

/**
 * A suppression keeps a keyed hash of its address, so that the address gets no messages by mistake, and loses the
 * vendor's text. Deliveries see both changes at once, because one transaction makes them.
 */
export function eraseSuppressions(tenantId: string, recipientId: string, addressKey: Buffer): Statement[] {
  const values = [tenantId, recipientId, channelIds, hmacPads(addressKey)];
  return [REPLACED_SUPPRESSIONS, HASHED_SUPPRESSIONS].map((text) => ({ text, values }));
}

/**
 * Vendors' texts with one of the addresses, at the accounts of the tenant and of the platform ($3). An account has one
 * row. Index: provider_account_health_pkey.
 */
export const ACCOUNT_HEALTH = `
update provider_account_health h set detail = null from erasures e
where e.tenant_id = $1 and e.recipient_id = $2 and h.tenant_id in ($1, $3) and h.detail is not null
  and exists (select from unnest(e.addresses) as one where strpos(lower(h.detail), lower(one)) > 0)`;

/** Indexes: erasures_pkey, mailbox_messages_pkey. */
export const MAILBOX = `
delete from mailbox_messages m using erasures e
where e.tenant_id = $1 and e.recipient_id = $2 and m.tenant_id = e.tenant_id
  and m.delivery_id = any (e.abandoned_delivery_ids)`;

// A request that was repeated meanwhile has another time, $3. Its erasure has the same row and is not complete.

export const COMPLETE = `
update erasures set completed_at = now(), due_at = now() + interval '${SECOND_PASS_SECONDS} seconds'
where tenant_id = $1 and recipient_id = $2 and requested_at = $3`;

export const FORGET = 'delete from erasures where tenant_id = $1 and recipient_id = $2 and requested_at = $3';

/**
 * Takes due erasures for a lease, in turn of the tenants, so that one with many does not delay the others. Times are
 * texts because a Date has no microseconds. Indexes: erasures_due_at_idx, erasures_pkey.
 */
export const TAKE_DUE = `
with next as (
  select tenant_id, recipient_id from (
    select tenant_id, recipient_id, due_at, row_number() over (partition by tenant_id order by due_at) as place
    from erasures where due_at <= now()
  ) as due
  where place <= ${AT_ONCE_OF_TENANT} order by place, due_at limit ${AT_ONCE}
), taken as materialized (
  select tenant_id, recipient_id from erasures
  where (tenant_id, recipient_id) in (select tenant_id, recipient_id from next) and due_at <= now()
  for update skip locked
)
update erasures e set due_at = now() + interval '${LEASE_SECONDS} seconds' from taken t
where e.tenant_id = t.tenant_id and e.recipient_id = t.recipient_id
returning e.tenant_id as "tenantId", e.recipient_id as "recipientId", e.requested_at::text as "requestedAt",
          e.completed_at::text as "completedAt"`;
