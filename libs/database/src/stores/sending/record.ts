// How an outcome becomes rows: the one exhaustive switch over outcomes, and the one statement that writes them.

import type { DeliveryState, InboxRow, Outcome } from '#domain';
import { cleanText, newId } from '#domain';
import { columns, json } from '../../columns.js';
import type { ClaimedDelivery } from '../queue/due-deliveries.store.js';
import { deliveryEvent, emit, FINISHED_NOTIFICATIONS, SUPPRESSION_EVENT } from './events.store.js';

export interface RecordRow {
  tenantId: string;
  deliveryId: string;
  claimId: string;
  /** The final state, or null when the delivery goes on waiting. */
  state: DeliveryState | null;
  reason: string | null;
  delaySeconds: number | null;
  retryWeight: number;
  rateLimitConsumed: boolean;
  pace_reserved: boolean;
  /** The advisory lock of its ordering key, or null without one. */
  orderingLock: number | null;
  triedAccountId: string | null;
  goneDevices: string[] | null;
  suppress: { address: string; reason: string } | null;
  attempt: { number: number; outcome: string; durationMs: number } | null;
  provider: string | null;
  providerAccountId: string | null;
  providerMessageId: string | null;
  code: string | null;
  detail: string | null;
  templateVersion: number | null;
  /** A line of the timeline beyond the attempts, or null where the attempt says it all. */
  decision: string | null;
  inbox: InboxRow | null;
}

export interface Recorded {
  recorded: boolean;
}

/** As in carillon_ordering_lock(), which hashes the same text as `messageKey`. */
const ORDERING_LOCKS_MASK = 255;

/** Of a line of the timeline, and of a vendor's code and message id. */
const MAX_DETAIL = 1_000;
const MAX_CODE = 100;
const MAX_MESSAGE_ID = 500;

/** Ends an outcome: what is to be written for it. What a vendor said is made storable here. */
export function toRecord(delivery: ClaimedDelivery, outcome: Exclude<Outcome, { kind: 'claim_lost' }>): RecordRow {
  const row = rowOf(delivery, outcome);
  return {
    ...row,
    providerMessageId: cleaned(row.providerMessageId, MAX_MESSAGE_ID),
    code: cleaned(row.code, MAX_CODE),
    detail: cleaned(row.detail, MAX_DETAIL),
  };
}

function cleaned(text: string | null, maxLength: number): string | null {
  return text === null || text === undefined ? null : cleanText(text, maxLength);
}

function rowOf(delivery: ClaimedDelivery, outcome: Exclude<Outcome, { kind: 'claim_lost' }>): RecordRow {
  const attempt = 'attempt' in outcome ? outcome.attempt : undefined;
  const row: RecordRow = {
    tenantId: delivery.tenantId,
    deliveryId: delivery.deliveryId,
    claimId: delivery.claimId,
    state: null,
    reason: null,
    delaySeconds: null,
    retryWeight: 0,
    rateLimitConsumed: false,
    pace_reserved: false,
    orderingLock: delivery.ordered ? Number(delivery.messageKey) & ORDERING_LOCKS_MASK : null,
    triedAccountId: null,
    goneDevices: ('goneDevices' in outcome && outcome.goneDevices) || null,
    suppress: ('suppress' in outcome && outcome.suppress) || null,
    attempt: attempt ? { number: attempt.number, outcome: attempt.outcome, durationMs: attempt.durationMs } : null,
    provider: attempt?.provider ?? null,
    providerAccountId: attempt?.providerAccountId ?? null,
    providerMessageId: attempt?.providerMessageId ?? null,
    code: attempt?.code ?? null,
    detail: attempt?.detail ?? null,
    templateVersion: null,
    decision: null,
    inbox: null,
  };
  switch (outcome.kind) {
    case 'sent':
      return { ...row, state: 'sent', templateVersion: outcome.templateVersion };
    case 'in_inbox':
      return { ...row, state: 'sent', provider: 'inbox', templateVersion: outcome.templateVersion, inbox: outcome.row };
    case 'suppressed':
      return {
        ...row,
        state: 'suppressed',
        reason: outcome.reason,
        detail: outcome.detail ?? null,
        decision: 'suppressed',
      };
    case 'expired':
      return { ...row, state: 'expired', decision: 'expired' };
    case 'held':
      return {
        ...row,
        reason: outcome.reason,
        delaySeconds: outcome.delaySeconds,
        detail: outcome.detail ?? null,
        decision: 'held',
        rateLimitConsumed: outcome.rateLimitConsumed ?? false,
        pace_reserved: outcome.paceReserved ?? false,
      };
    case 'retry':
      return {
        ...row,
        reason: outcome.reason,
        delaySeconds: outcome.delaySeconds,
        retryWeight: outcome.weight,
        rateLimitConsumed: true,
        triedAccountId: outcome.triedAccountId ?? null,
      };
    case 'failed':
      return {
        ...row,
        state: 'failed',
        reason: outcome.reason,
        code: outcome.code,
        detail: outcome.detail,
        decision: 'failed',
      };
    case 'unknown':
      return { ...row, state: 'unknown', detail: outcome.detail, decision: 'unknown' };
  }
}

const recordColumns: ((row: RecordRow) => unknown)[] = [
  (row) => row.tenantId,
  (row) => row.deliveryId,
  (row) => row.claimId,
  (row) => row.state,
  (row) => row.reason,
  (row) => row.delaySeconds,
  (row) => row.retryWeight,
  (row) => row.rateLimitConsumed,
  (row) => row.attempt?.number ?? null,
  (row) => row.attempt?.outcome ?? null,
  (row) => row.attempt?.durationMs ?? 0,
  (row) => row.provider,
  (row) => row.providerAccountId,
  (row) => row.providerMessageId,
  (row) => row.code,
  (row) => row.detail,
  (row) => row.templateVersion,
  (row) => row.decision,
  () => newId(),
  (row) => row.inbox?.category ?? null,
  (row) => row.inbox?.title ?? null,
  (row) => row.inbox?.body ?? null,
  (row) => row.inbox?.actionUrl ?? null,
  (row) => json(row.inbox?.data),
  (row) => row.pace_reserved,
  (row) => row.triedAccountId,
  (row) => json(row.goneDevices),
  (row) => row.suppress?.address ?? null,
  (row) => row.suppress?.reason ?? null,
];

/** What RECORD is given: a column for each field of the rows, and the locks of the ordering keys among them. */
export function recordValues(rows: readonly RecordRow[]): unknown[] {
  return [...columns(rows, recordColumns), rows.flatMap(({ orderingLock }) => orderingLock ?? [])];
}

/**
 * `finished` and `deferred` are the fence: only rows whose claim is still ours go on; everything else hangs on them.
 * Indexes: the primary keys of due_deliveries, deliveries and notifications. The locks of ordering keys come before all row locks;
 * a trigger makes the next delivery of a key claimable when its head is deleted (docs/adr/0017).
 *
 * A send that an earlier worker left in doubt stays in doubt until somebody tries again: a hold alone does not settle it. Where the delivery
 * ends without another try, the lost one is written down as unknown, so that its receipt is believed.
 *
 * A wait that would outlast expires_at is cut there, so that a delivery is seen as expired when it expires; but `due_at` is never earlier than the start of
 * this transaction, because claims do not read further back at once (docs/adr/0025).
 * Inbox counters are taken in order of recipient, so that two batches queue up instead of deadlocking, and hold the
 * recipient's row until the commit: seq has neither gaps nor repeats and is visible in order.
 */
export const RECORD = `
with input as materialized (
  select * from unnest(
    $1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::double precision[], $7::real[], $8::boolean[], $9::smallint[], $10::text[], $11::integer[],
    $12::text[], $13::uuid[], $14::text[], $15::text[], $16::text[], $17::integer[], $18::text[], $19::uuid[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[],
    $25::boolean[], $26::uuid[], $27::text[], $28::text[], $29::text[]
  ) as i(tenant_id, delivery_id, claim_id, state, reason, delay_seconds, retry_weight, rate_limit_consumed, attempt, attempt_outcome, duration_ms,
         provider, provider_account_id, provider_message_id, code, detail, template_version, decision, row_id, category, title, body, action_url, data,
         pace_reserved, tried_account_id, gone_devices, suppress_address, suppress_reason)
  where (select carillon_lock_ordering_keys($30::integer[]))
), finished as materialized (
  delete from due_deliveries d using input i
  where i.state is not null and d.tenant_id = i.tenant_id and d.delivery_id = i.delivery_id and d.claim_id = i.claim_id
  returning i.*, d.attempt as attempts, d.sending as in_doubt
), deferred as materialized (
  update due_deliveries d set
    due_at = greatest(now(), least(now() + make_interval(secs => i.delay_seconds), d.expires_at)), reason = i.reason, claim_id = null, claims = 0, sending = d.sending and i.attempt is null,
    unrecorded = case when i.attempt is null then d.unrecorded else 0 end, retries = d.retries + i.retry_weight, rate_limit_consumed = d.rate_limit_consumed or i.rate_limit_consumed, pace_reserved = i.pace_reserved,
    tried_account_ids = case when i.attempt is null then d.tried_account_ids when i.tried_account_id is not null then d.tried_account_ids || i.tried_account_id end
  from input i
  where i.state is null and d.tenant_id = i.tenant_id and d.delivery_id = i.delivery_id and d.claim_id = i.claim_id
  returning i.*, d.due_at
), tried as (
  insert into attempts (tenant_id, delivery_id, number, provider, provider_account_id, outcome, code, detail, provider_message_id, duration_ms)
  select tenant_id, delivery_id, attempt, provider, provider_account_id, attempt_outcome, code, detail, provider_message_id, duration_ms from finished where attempt is not null
  union all
  select tenant_id, delivery_id, attempt, provider, provider_account_id, attempt_outcome, code, detail, provider_message_id, duration_ms from deferred where attempt is not null
  union all
  select tenant_id, delivery_id, attempts, null, null, 'unknown', 'worker_lost', 'the worker was lost between the send and its record', null, 0 from finished where attempt is null and in_doubt
  on conflict do nothing
), ended as (
  update deliveries d set
    state = f.state, reason = f.reason, template_version = f.template_version, attempts = f.attempts, provider = f.provider,
    provider_account_id = f.provider_account_id, provider_message_id = f.provider_message_id, sent_at = case when f.state = 'sent' then now() end
  from finished f
  where d.tenant_id = f.tenant_id and d.id = f.delivery_id and d.state = 'waiting'
  returning f.*, d.notification_id, d.recipient_id, d.channel, d.endpoint_id
), counted as (
  update notifications n set
    succeeded = n.succeeded + e.succeeded, failed = n.failed + e.failed, suppressed = n.suppressed + e.suppressed
  from (
    select tenant_id, notification_id,
           count(*) filter (where state = 'sent') as succeeded,
           count(*) filter (where state in ('failed', 'unknown')) as failed,
           count(*) filter (where state in ('suppressed', 'expired')) as suppressed
    from ended group by tenant_id, notification_id order by tenant_id, notification_id
  ) e
  where n.tenant_id = e.tenant_id and n.id = e.notification_id
  returning n.tenant_id, n.id, n.recipient_id, n.endpoint_id, n.final_status, n.total, n.succeeded, n.failed, n.suppressed, n.cancelled
), emitted as (
  ${emit(`
    select tenant_id, 'delivery.' || state, recipient_id, delivery_id::text, ${deliveryEvent('e')} from ended e where endpoint_id is null
    union all
    ${FINISHED_NOTIFICATIONS}`)}
), told as (
  insert into delivery_log (tenant_id, delivery_id, id, code, reason, detail, until)
  select tenant_id, delivery_id, row_id, decision, reason, detail, null from finished where decision is not null
  union all
  select tenant_id, delivery_id, row_id, decision, reason, detail, due_at from deferred where decision is not null
), buried as (
  insert into dead_letters (tenant_id, id, delivery_id, notification_id, recipient_id, channel, provider, reason, code, detail, attempts)
  select tenant_id, row_id, delivery_id, notification_id, recipient_id, channel, provider, reason, code, detail, attempts from ended where state = 'failed'
), taught as materialized (
  select i.tenant_id, i.delivery_id, d.recipient_id, d.channel, i.gone_devices, i.suppress_address, i.suppress_reason, i.detail, i.row_id
  from (
    select tenant_id, delivery_id, gone_devices, suppress_address, suppress_reason, detail, row_id from finished
    union all
    select tenant_id, delivery_id, gone_devices, suppress_address, suppress_reason, detail, row_id from deferred
  ) i
  join deliveries d on d.tenant_id = i.tenant_id and d.id = i.delivery_id
  where i.gone_devices is not null or i.suppress_address is not null
), removed as (
  delete from devices v using (select t.tenant_id, t.recipient_id, g.token from taught t cross join lateral jsonb_array_elements_text(t.gone_devices::jsonb) as g(token)) g
  where v.tenant_id = g.tenant_id and v.recipient_id = g.recipient_id and v.token = g.token
  returning v.tenant_id, v.recipient_id, v.token, v.platform
), suppressed as (
  insert into suppressions (tenant_id, id, channel, address, reason, detail, delivery_id)
  select tenant_id, row_id, channel, suppress_address, suppress_reason, detail, delivery_id from taught where suppress_address is not null
  on conflict do nothing
  returning *
), learnt as (
  ${emit(`
    select tenant_id, 'device.removed', recipient_id, recipient_id, jsonb_build_object('recipient_id', recipient_id, 'token', token, 'platform', platform) from removed
    union all
    select tenant_id, 'suppression.created', null, id::text, ${SUPPRESSION_EVENT} from suppressed`)}
), arrived as materialized (
  select tenant_id, recipient_id, row_id, category, title, body, action_url, data,
         row_number() over (partition by tenant_id, recipient_id order by delivery_id) as place,
         count(*) over (partition by tenant_id, recipient_id) as arrivals
  from ended where title is not null
), numbered as (
  insert into inbox_counters as c (tenant_id, recipient_id, last_seq, total, unread, unseen)
  select tenant_id, recipient_id, count(*), count(*), count(*), count(*) from arrived group by tenant_id, recipient_id order by tenant_id, recipient_id
  on conflict (tenant_id, recipient_id) do update set
    last_seq = c.last_seq + excluded.last_seq, total = c.total + excluded.total, unread = c.unread + excluded.unread, unseen = c.unseen + excluded.unseen
  returning tenant_id, recipient_id, last_seq
), filed as (
  insert into inbox_items (tenant_id, recipient_id, seq, id, category, title, body, action_url, data)
  select a.tenant_id, a.recipient_id, c.last_seq - a.arrivals + a.place, a.row_id, a.category, a.title, a.body, a.action_url, a.data::jsonb
  from arrived a join numbered c on c.tenant_id = a.tenant_id and c.recipient_id = a.recipient_id
)
select delivery_id from finished
union all
select delivery_id from deferred`;
