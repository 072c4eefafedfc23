// The statement that puts the delivery of a dead letter back into the queue.

import { type ChannelId, DomainError, laneOf } from '#domain';
import { type AuditNote, auditInsert, noteValues } from '../../audit/audit-entry.js';
import { guard, REPLAY_MOVES, updateCounters } from '../delivery-moves.js';
import { MESSAGE_KEY } from '../message-key.js';

/** The tenant whose dead letters a caller sees; null: those of all tenants, for the operator. */
export type LetterScope = string | null;

/** What an audit entry has about the delivery of a dead letter. */
export const AUDIT_FIELDS = `jsonb_build_object('delivery_id', delivery_id, 'channel', channel)`;

/** The priorities of notifications: 1 to 10. */
const PRIORITIES = Array.from({ length: 10 }, (_, index) => index + 1);

/** The dead letter and its delivery as REPLAY found them under its locks. */
export interface ReplayedLetter {
  deliveryId: string;
  channel: ChannelId;
  state: string;
  expired: boolean;
  priority: number;
  replayedAt: Date | null;
  /** The job that replayed it before. */
  replayJob: string | null;
  replayed: boolean;
}

export function refusalOf(id: string, { deliveryId, replayedAt, state }: ReplayedLetter): DomainError {
  if (replayedAt)
    return new DomainError('already_replayed', `Dead letter ${id} was replayed at ${replayedAt.toISOString()}.`);
  if (state !== 'failed')
    return new DomainError('conflict', `Delivery ${deliveryId} is ${state} by now; only a failed one can be replayed.`);
  return new DomainError('conflict', `Delivery ${deliveryId} has expired; sending it now would be too late.`);
}

export function replayValues(scope: LetterScope, id: string, audit: AuditNote | null, job: string | null): unknown[] {
  return [id, PRIORITIES.map(laneOf), ...noteValues(audit), scope, job];
}

/**
 * One statement, because accepts and records wait for the lock of an ordering key until its holder commits. Lock order:
 * ordering key, delivery, dead letter, notification; a receipt that confirms the delivery locks it first too. A locked
 * row is read again, so the checks see changes that were committed while it waited. The attempt counter continues, so
 * that attempts keep their numbers; the retries are counted from zero. Indexes: dead_letters_id_idx and the primary
 * keys.
 */
export const REPLAY = `
with target as materialized (
  select l.tenant_id, l.delivery_id, n.id as notification_id, n.priority, n.expires_at, n.ordering_key, n.traceparent
  from dead_letters l join notifications n on n.tenant_id = l.tenant_id and n.id = l.notification_id
  where l.id = $1 and ($8::uuid is null or l.tenant_id = $8)
), locked_delivery as materialized (
  select d.id, d.state, d.channel, d.attempts, d.recipient_id from deliveries d
  where (d.tenant_id, d.id) = (select tenant_id, delivery_id from target)
    and (select carillon_lock_ordering_keys(array(
      select carillon_ordering_lock(tenant_id, ordering_key) from target where ordering_key is not null)))
  for update of d
), locked_letter as materialized (
  select l.replayed_at, l.replay_job from dead_letters l
  where l.id = $1 and (select count(*) from locked_delivery) = 1
  for update of l
), checked as materialized (
  select t.*, d.state, d.channel, d.attempts, d.recipient_id, l.replayed_at, l.replay_job,
         coalesce(t.expires_at <= now(), false) as expired
  from target t, locked_delivery d, locked_letter l
), replayable as materialized (
  select * from checked
  where replayed_at is null and ${guard(REPLAY_MOVES, 'state', "'waiting'")} and not expired
), replayed_letters as (
  update dead_letters l set replayed_at = now(), replay_job = $9::uuid
  from replayable r where l.tenant_id = r.tenant_id and l.id = $1
), changed_deliveries as (
  update deliveries d set state = 'waiting', reason = null
  from replayable r where d.tenant_id = r.tenant_id and d.id = r.delivery_id
  returning d.tenant_id, d.notification_id, d.state, r.state as state_before
), updated_notifications as (${updateCounters(REPLAY_MOVES)}
), log_entries as (
  insert into delivery_log (tenant_id, delivery_id, id, code)
  select tenant_id, delivery_id, gen_random_uuid(), 'replayed' from replayable
), due_rows as (
  insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at, attempt, expires_at, ordering_key,
                              message_key, traceparent)
  select tenant_id, delivery_id, channel, ($2::smallint[])[priority], now(), attempts, expires_at, ordering_key,
         ${MESSAGE_KEY}, traceparent
  from replayable
), audit_entries as (
  ${auditInsert(3, `select tenant_id, $1::uuid::text, null::jsonb, ${AUDIT_FIELDS} from replayable`)}
)
select delivery_id as "deliveryId", channel, state, expired, priority, replayed_at as "replayedAt",
       replay_job as "replayJob",
       exists (select from replayable) as replayed
from checked`;
