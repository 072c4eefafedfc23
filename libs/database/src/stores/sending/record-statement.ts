// The statement that writes the outcomes of many deliveries in one commit.

import { newId } from '#domain';
import { columnList } from '../../column-list.js';
import { json } from '../../columns.js';
import { guard, RECORD_MOVES, updateCounters } from './delivery-moves.js';
import { digestMembers } from './digests/digest-record.js';
import { deliveryEvent, emit, FINISHED_NOTIFICATIONS, SUPPRESSION_EVENT } from './emit-events.js';
import type { RecordRow } from './record.js';
import { INBOX_DELIVERIES, type RecordParts } from './record-parts.js';

const recordColumns = columnList<RecordRow>({
  tenant_id: ['uuid', (row) => row.tenantId],
  delivery_id: ['uuid', (row) => row.deliveryId],
  claim_id: ['uuid', (row) => row.claimId],
  state: ['text', (row) => row.state],
  reason: ['text', (row) => row.reason],
  rule: ['text', (row) => row.rule],
  delay_seconds: ['double precision', (row) => row.delaySeconds],
  retry_weight: ['real', (row) => row.retryWeight],
  rate_limit_consumed: ['boolean', (row) => row.rateLimitConsumed],
  pace_reserved: ['boolean', (row) => row.paceReserved],
  tried_account_id: ['uuid', (row) => row.triedAccountId],
  attempt: ['smallint', (row) => row.attempt?.number ?? null],
  attempt_outcome: ['text', (row) => row.attempt?.outcome ?? null],
  duration_ms: ['integer', (row) => row.attempt?.durationMs ?? 0],
  provider: ['text', (row) => row.provider],
  provider_account_id: ['uuid', (row) => row.providerAccountId],
  provider_message_id: ['text', (row) => row.providerMessageId],
  code: ['text', (row) => row.code],
  detail: ['text', (row) => row.detail],
  template_version: ['integer', (row) => row.templateVersion],
  log_code: ['text', (row) => row.logCode],
  /** The id of each new row: log entry, dead letter, suppression, inbox item. */
  row_id: ['uuid', () => newId()],
  category: ['text', (row) => row.inbox?.category ?? null],
  title: ['text', (row) => row.inbox?.title ?? null],
  body: ['text', (row) => row.inbox?.body ?? null],
  action_url: ['text', (row) => row.inbox?.actionUrl ?? null],
  data: ['text', (row) => json(row.inbox?.data)],
  gone_devices: ['text', (row) => json(row.goneDevices)],
  suppress_address: ['text', (row) => row.suppress?.address ?? null],
  suppress_reason: ['text', (row) => row.suppress?.reason ?? null],
  policy_recipient_id: ['text', (row) => row.heldByPolicy?.recipientId ?? null],
  policy_decided_at: ['timestamptz', (row) => row.heldByPolicy?.decidedAt ?? null],
  in_app_delivery_id: ['uuid', (row) => row.inAppDeliveryId],
});

const FIRST_EXTRA = recordColumns.length + 1;
const ORDERING_LOCKS = `$${FIRST_EXTRA}::integer[]`;

/** The values of RECORD: its columns, and the advisory locks of the ordering keys. */
export function recordValues(rows: readonly RecordRow[]): unknown[] {
  return [...recordColumns.values(rows), rows.flatMap(({ orderingLock }) => orderingLock ?? [])];
}

/** The values of RECORD_DIGESTS: the same, and the digests. */
export function digestRecordValues(rows: readonly RecordRow[]): unknown[] {
  return [...recordValues(rows), rows.map(({ tenantId }) => tenantId), rows.map(({ digestId }) => digestId)];
}

const attemptColumns = `tenant_id, delivery_id, attempt, provider, provider_account_id, attempt_outcome, code, detail,
         provider_message_id, duration_ms`;
const feedbackColumns = 'tenant_id, delivery_id, gone_devices, suppress_address, suppress_reason, detail, row_id';

/** The common table expressions that are the same in all record statements, from the dead letters on. */
const EFFECTS = `), dead_letter_rows as (
  insert into dead_letters (tenant_id, id, delivery_id, notification_id, recipient_id, channel, provider, reason, code,
                            detail, attempts)
  select tenant_id, row_id, delivery_id, notification_id, recipient_id, channel, provider, reason, code, detail,
         attempts
  from changed_deliveries where state = 'failed'
), address_feedback as materialized (
  select i.tenant_id, i.delivery_id, d.recipient_id, d.channel, i.gone_devices, i.suppress_address, i.suppress_reason,
         i.detail, i.row_id
  from (
    select ${feedbackColumns} from deleted_due_rows
    union all
    select ${feedbackColumns} from rescheduled_due_rows
  ) i
  join deliveries d on d.tenant_id = i.tenant_id and d.id = i.delivery_id
  where i.gone_devices is not null or i.suppress_address is not null
), removed_devices as (
  delete from devices v using (
    select f.tenant_id, f.recipient_id, g.token
    from address_feedback f cross join lateral jsonb_array_elements_text(f.gone_devices::jsonb) as g(token)
  ) g
  where v.tenant_id = g.tenant_id and v.recipient_id = g.recipient_id and v.token = g.token
  returning v.tenant_id, v.recipient_id, v.token, v.platform
), suppression_rows as (
  insert into suppressions (tenant_id, id, channel, address, reason, detail, delivery_id)
  select tenant_id, row_id, channel, suppress_address, suppress_reason, detail, delivery_id
  from address_feedback where suppress_address is not null
  on conflict do nothing
  returning *
), feedback_events as (
  ${emit(`
    select tenant_id, 'device.removed', recipient_id, recipient_id,
           jsonb_build_object('recipient_id', recipient_id, 'token', token, 'platform', platform)
    from removed_devices
    union all
    select tenant_id, 'suppression.created', null, id::text, ${SUPPRESSION_EVENT} from suppression_rows`)}
), new_inbox_items as materialized (
  select tenant_id, recipient_id, row_id, category, title, body, action_url, data,
         row_number() over (partition by tenant_id, recipient_id order by delivery_id) as place,
         count(*) over (partition by tenant_id, recipient_id) as new_items
  from changed_deliveries where title is not null
), updated_inbox_counters as (
  insert into inbox_counters as c (tenant_id, recipient_id, last_seq, total, unread, unseen)
  select tenant_id, recipient_id, count(*), count(*), count(*), count(*)
  from new_inbox_items group by tenant_id, recipient_id order by tenant_id, recipient_id
  on conflict (tenant_id, recipient_id) do update set
    last_seq = c.last_seq + excluded.last_seq, total = c.total + excluded.total,
    unread = c.unread + excluded.unread, unseen = c.unseen + excluded.unseen
  returning tenant_id, recipient_id, last_seq
), inbox_rows as (
  insert into inbox_items (tenant_id, recipient_id, seq, id, category, title, body, action_url, data)
  select a.tenant_id, a.recipient_id, c.last_seq - a.new_items + a.place, a.row_id, a.category, a.title, a.body,
         a.action_url, a.data::jsonb
  from new_inbox_items a join updated_inbox_counters c on c.tenant_id = a.tenant_id and c.recipient_id = a.recipient_id
)`;

/**
 * Only deliveries whose claim is still this worker's pass `deleted_due_rows` and `rescheduled_due_rows`; all other
 * parts read from these two. Indexes: the primary keys of due_deliveries, deliveries and notifications.
 *
 * Lock order: ordering keys, due_deliveries, deliveries, then notifications. Inbox counters are locked in order of the
 * recipient, so that two batches wait for each other instead of deadlocking, and stay locked until the commit: `seq`
 * has no gaps or repeats and becomes visible in order. A trigger makes the next delivery of an ordering key claimable
 * when the due row of the current one is deleted (docs/adr/0017).
 *
 * `sending` stays set when a delivery is only held: an earlier send whose outcome is not known remains so until the
 * next attempt. If the delivery ends without another attempt, that send is written as an attempt with the outcome
 * `unknown`, so that its receipt is believed.
 *
 * A delay ends at `expires_at` at the latest, so that the delivery is seen as expired when it expires. `due_at` is
 * never earlier than the start of this transaction, because claims do not read further back at once (docs/adr/0025).
 */
const recordStatement = (parts: RecordParts): string => `
with ${parts.before}input as materialized (
  select * from ${recordColumns.table('i')} where ${parts.isLocked}
), ${parts.deleted} as materialized (
  delete from due_deliveries d using input i
  where i.state is not null and d.tenant_id = i.tenant_id and d.delivery_id = i.delivery_id and d.claim_id = i.claim_id
  returning i.*, d.attempt as attempts, d.sending as had_unknown_send, d.sending_provider, d.sending_account_id,
            d.lane, d.expires_at, d.message_key, d.traceparent${parts.returning}
), ${parts.members}rescheduled_due_rows as materialized (
  update due_deliveries d set
    due_at = greatest(now(), least(now() + make_interval(secs => i.delay_seconds), d.expires_at)),
    reason = i.reason, claim_id = null, claims = 0, sending = d.sending and i.attempt is null,
    unrecorded = case when i.attempt is null then d.unrecorded else 0 end,
    retries = d.retries + i.retry_weight,
    rate_limit_consumed = d.rate_limit_consumed or i.rate_limit_consumed,
    pace_reserved = i.pace_reserved,
    policy_recipient_id = i.policy_recipient_id, policy_decided_at = i.policy_decided_at,
    tried_account_ids = case
      when i.attempt is null then d.tried_account_ids
      when i.tried_account_id is not null then d.tried_account_ids || i.tried_account_id
    end
  from input i
  where i.state is null and d.tenant_id = i.tenant_id and d.delivery_id = i.delivery_id and d.claim_id = i.claim_id
  returning i.*, d.due_at
), attempt_rows as (
  insert into attempts (tenant_id, delivery_id, number, provider, provider_account_id, outcome, code, detail,
                        provider_message_id, duration_ms)
  select ${attemptColumns}
  from deleted_due_rows where attempt is not null
  union all
  select ${attemptColumns}
  from rescheduled_due_rows where attempt is not null
  union all
  select tenant_id, delivery_id, attempts, sending_provider, sending_account_id, 'unknown', 'worker_lost',
         'the worker was lost between the send and its record', null, 0
  from deleted_due_rows where attempt is null and had_unknown_send
  on conflict do nothing
), changed_deliveries as (
  update deliveries d set
    state = e.state, reason = e.reason, template_version = e.template_version, attempts = e.attempts,
    provider = e.provider, provider_account_id = e.provider_account_id, provider_message_id = e.provider_message_id,
    sent_at = case when e.state = 'sent' then now() end
  from deleted_due_rows e
  where d.tenant_id = e.tenant_id and d.id = e.delivery_id and ${guard(RECORD_MOVES, 'd.state', 'e.state')}
  returning e.*, d.notification_id, d.recipient_id, d.channel, d.endpoint_id, d.of_topic
), ${parts.inserts}updated_notifications as (${updateCounters(RECORD_MOVES, parts.added)}
), delivery_events as (
  ${emit(`
    select tenant_id, 'delivery.' || state, recipient_id, delivery_id::text, ${deliveryEvent('c', 'c.rule')}
    from changed_deliveries c where endpoint_id is null
    union all
    ${FINISHED_NOTIFICATIONS}`)}
), log_entries as (
  insert into delivery_log (tenant_id, delivery_id, id, code, reason, rule, detail, until)
  select tenant_id, delivery_id, row_id, log_code, reason, rule, detail, null
  from deleted_due_rows where log_code is not null
  union all
  select tenant_id, delivery_id, row_id, log_code, reason, rule, detail, due_at
  from rescheduled_due_rows where log_code is not null
${EFFECTS}
select delivery_id from deleted_due_rows
union all
select delivery_id from rescheduled_due_rows`;

const PLAIN: RecordParts = {
  before: '',
  isLocked: `(select carillon_lock_ordering_keys(${ORDERING_LOCKS}))`,
  deleted: 'deleted_due_rows',
  returning: '',
  members: '',
  inserts: '',
};

export const RECORD = recordStatement(PLAIN);

/**
 * The same for leaders of digests: the other items end with their leader, in the same commit. A separate statement, so
 * that the record of other deliveries stays as cheap as it is.
 */
export const RECORD_DIGESTS = recordStatement({
  ...PLAIN,
  ...digestMembers(recordColumns.names, FIRST_EXTRA + 1),
});

/** The same for batches with downgraded deliveries: also creates the inbox deliveries that replace them. */
export const RECORD_DOWNGRADED = recordStatement({ ...PLAIN, ...INBOX_DELIVERIES });
