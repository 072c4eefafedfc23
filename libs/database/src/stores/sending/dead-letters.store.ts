import { type ChannelId, DomainError, laneName, laneOf, notFound } from '#domain';
import type { Database } from '../../database.js';
import { afterIdCursor, type Page, type PageRequest, toPage } from '../../page.js';
import { type AuditNote, auditInsert, noteValues } from '../audit/audit-entry.js';
import { guard, REPLAY_MOVES, updateCounters } from './delivery-moves.js';
import { MESSAGE_KEY } from './message-key.js';

export interface DeadLetter {
  id: string;
  tenantId: string;
  deliveryId: string;
  notificationId: string;
  recipientId: string;
  channel: ChannelId;
  provider: string | null;
  reason: string;
  code: string | null;
  detail: string | null;
  attempts: number;
  failedAt: Date;
  replayedAt: Date | null;
  /** The time when a receipt proved that the delivery was sent. */
  settledAt: Date | null;
}

export interface DeadLetterFilter {
  tenantId?: string | undefined;
  channel?: string | undefined;
  provider?: string | undefined;
  reason?: string | undefined;
  failedAfter?: Date | undefined;
  failedBefore?: Date | undefined;
  /** Neither replayed nor settled. */
  unreplayed?: boolean | undefined;
}

/** Failed deliveries of all tenants, for the operator. */
export class DeadLettersStore {
  constructor(
    private readonly database: Database,
    private readonly onDue: (lanes: string[]) => void,
  ) {}

  /** Newest first. Index: dead_letters_id_idx backwards, or dead_letters_pkey with a tenant. */
  async list(filter: DeadLetterFilter, page: PageRequest): Promise<Page<DeadLetter>> {
    const { where, values } = conditionsOf(filter, afterIdCursor(page.cursor));
    values.push(page.limit + 1);
    const rows = await this.database.platform.query<DeadLetter>({
      text: `${SELECT} ${where} order by id desc limit $${values.length}`,
      values,
    });
    return toPage(rows, page.limit, (row) => row.id);
  }

  async get(id: string): Promise<DeadLetter | null> {
    return (
      (await this.database.platform.query<DeadLetter>({ text: `${SELECT} where id = $1`, values: [id] }))[0] ?? null
    );
  }

  /**
   * Puts the delivery back into the queue, once, with its retries counted from zero. Throws `not_found`,
   * `already_replayed`, or `conflict` if the delivery is not failed any more or has expired.
   */
  async replay(id: string, audit: AuditNote | null): Promise<DeadLetter> {
    const [letter] = await this.database.platform.query<ReplayedLetter>({
      text: REPLAY,
      values: [id, PRIORITIES.map(laneOf), ...noteValues(audit)],
    });
    if (!letter) throw notFound('dead letter', id);
    if (!letter.replayed) throw refusalOf(id, letter);
    const lane = laneName(letter.channel, laneOf(letter.priority));
    this.onDue([lane]);
    return (await this.get(id))!;
  }

  /**
   * Dead letters of one endpoint since a time, neither replayed nor settled, oldest first. Index: dead_letters_pkey.
   */
  async ofEndpoint(tenantId: string, endpointId: string, since: Date, limit: number): Promise<string[]> {
    const rows = await this.database.platform.query<{ id: string }>({
      text: `select id from dead_letters
             where tenant_id = $1 and channel = 'webhook' and recipient_id = $2 and failed_at >= $3
               and replayed_at is null and settled_at is null
             order by id limit $4`,
      values: [tenantId, endpointId, since, limit],
    });
    return rows.map(({ id }) => id);
  }

  /** Discards the entry; the delivery stays failed. */
  async delete(id: string, audit: AuditNote | null): Promise<boolean> {
    const rows = await this.database.platform.query({ text: DISCARD, values: [id, ...noteValues(audit)] });
    return rows.length > 0;
  }
}

function conditionsOf(filter: DeadLetterFilter, before: string | null): { where: string; values: unknown[] } {
  const values: unknown[] = [];
  const conditions: string[] = [];
  const add = (condition: string, value: unknown): void => {
    if (value === undefined || value === null) return;
    values.push(value);
    conditions.push(condition.replace('?', `$${values.length}`));
  };
  add('id < ?::uuid', before);
  add('tenant_id = ?::uuid', filter.tenantId);
  add('channel = ?', filter.channel);
  add('provider = ?', filter.provider);
  add('reason = ?', filter.reason);
  add('failed_at > ?', filter.failedAfter);
  add('failed_at < ?', filter.failedBefore);
  add('(replayed_at is null and settled_at is null) = ?', filter.unreplayed);
  return { where: conditions.length > 0 ? `where ${conditions.join(' and ')}` : '', values };
}

const SELECT = `
select id, tenant_id as "tenantId", delivery_id as "deliveryId", notification_id as "notificationId",
       recipient_id as "recipientId", channel, provider, reason, code, detail, attempts, failed_at as "failedAt",
       replayed_at as "replayedAt", settled_at as "settledAt"
from dead_letters`;

const RECORDED = `jsonb_build_object('delivery_id', delivery_id, 'channel', channel)`;

/** Index: dead_letters_id_idx. */
const DISCARD = `
with discarded as (
  delete from dead_letters where id = $1 returning tenant_id, id, delivery_id, channel
), audit_entries as (
  ${auditInsert(2, `select tenant_id, id::text, ${RECORDED}, null::jsonb from discarded`)}
)
select id from discarded`;

/** The priorities of notifications: 1 to 10. */
const PRIORITIES = Array.from({ length: 10 }, (_, index) => index + 1);

/** The dead letter and its delivery as REPLAY found them under its locks. */
interface ReplayedLetter {
  deliveryId: string;
  channel: ChannelId;
  state: string;
  expired: boolean;
  priority: number;
  replayedAt: Date | null;
  replayed: boolean;
}

function refusalOf(id: string, { deliveryId, replayedAt, state }: ReplayedLetter): DomainError {
  if (replayedAt)
    return new DomainError('already_replayed', `Dead letter ${id} was replayed at ${replayedAt.toISOString()}.`);
  if (state !== 'failed')
    return new DomainError('conflict', `Delivery ${deliveryId} is ${state} by now; only a failed one can be replayed.`);
  return new DomainError('conflict', `Delivery ${deliveryId} has expired; sending it now would be too late.`);
}

/**
 * One statement, because accepts and records wait for the lock of an ordering key until its holder commits. Lock order:
 * ordering key, delivery, dead letter, notification; a receipt that confirms the delivery locks it first too. A locked
 * row is read again, so the checks see changes that were committed while it waited. The attempt counter continues, so
 * that attempts keep their numbers; the retries are counted from zero. Indexes: dead_letters_id_idx and the primary
 * keys.
 */
const REPLAY = `
with target as materialized (
  select l.tenant_id, l.delivery_id, n.id as notification_id, n.priority, n.expires_at, n.ordering_key
  from dead_letters l join notifications n on n.tenant_id = l.tenant_id and n.id = l.notification_id
  where l.id = $1
), locked_delivery as materialized (
  select d.id, d.state, d.channel, d.attempts, d.recipient_id from deliveries d
  where (d.tenant_id, d.id) = (select tenant_id, delivery_id from target)
    and (select carillon_lock_ordering_keys(array(
      select carillon_ordering_lock(tenant_id, ordering_key) from target where ordering_key is not null)))
  for update of d
), locked_letter as materialized (
  select l.replayed_at from dead_letters l
  where l.id = $1 and (select count(*) from locked_delivery) = 1
  for update of l
), checked as materialized (
  select t.*, d.state, d.channel, d.attempts, d.recipient_id, l.replayed_at,
         coalesce(t.expires_at <= now(), false) as expired
  from target t, locked_delivery d, locked_letter l
), replayable as materialized (
  select * from checked
  where replayed_at is null and ${guard(REPLAY_MOVES, 'state', "'waiting'")} and not expired
), replayed_letters as (
  update dead_letters l set replayed_at = now() from replayable r where l.tenant_id = r.tenant_id and l.id = $1
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
                              message_key)
  select tenant_id, delivery_id, channel, ($2::smallint[])[priority], now(), attempts, expires_at, ordering_key,
         ${MESSAGE_KEY}
  from replayable
), audit_entries as (
  ${auditInsert(3, `select tenant_id, $1::uuid::text, null::jsonb, ${RECORDED} from replayable`)}
)
select delivery_id as "deliveryId", channel, state, expired, priority, replayed_at as "replayedAt",
       exists (select from replayable) as replayed
from checked`;
