import { type ChannelId, DomainError, laneOf, notFound } from '#domain';
import type { Database } from '../../database.js';
import { afterIdCursor, type Page, type PageRequest, toPage } from '../../page.js';
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
  /** When a receipt proved that the delivery was sent after all. */
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

/** The operator's list of failed deliveries, over all tenants. */
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
   * Puts the delivery back into the queue, once, with its attempts counted from zero. Throws `not_found`,
   * `already_replayed`, or `conflict` when the delivery is not failed any more or has expired.
   */
  async replay(id: string): Promise<DeadLetter> {
    const [letter] = await this.database.platform.query<ReplayedLetter>({
      text: REPLAY,
      values: [id, PRIORITIES.map(laneOf)],
    });
    if (!letter) throw notFound('dead letter', id);
    if (!letter.replayed) throw refusalOf(id, letter);
    const lane = `${letter.channel}:${laneOf(letter.priority)}`;
    this.onDue([lane]);
    return (await this.get(id))!;
  }

  /** Dead letters of one endpoint since a time, neither replayed nor settled, oldest first. Index: dead_letters_pkey. */
  async ofEndpoint(tenantId: string, endpointId: string, since: Date, limit: number): Promise<string[]> {
    const rows = await this.database.platform.query<{ id: string }>({
      text: `select id from dead_letters
             where tenant_id = $1 and channel = 'webhook' and recipient_id = $2 and failed_at >= $3 and replayed_at is null and settled_at is null
             order by id limit $4`,
      values: [tenantId, endpointId, since, limit],
    });
    return rows.map(({ id }) => id);
  }

  /** Discards the entry; the delivery stays failed. */
  async delete(id: string): Promise<boolean> {
    const rows = await this.database.platform.query({
      text: 'delete from dead_letters where id = $1 returning id',
      values: [id],
    });
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
select id, tenant_id as "tenantId", delivery_id as "deliveryId", notification_id as "notificationId", recipient_id as "recipientId", channel, provider,
       reason, code, detail, attempts, failed_at as "failedAt", replayed_at as "replayedAt", settled_at as "settledAt"
from dead_letters`;

/** Of a notification: 1 to 10. */
const PRIORITIES = Array.from({ length: 10 }, (_, index) => index + 1);

/** What REPLAY found, under its locks. */
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
 * One statement, because accepts and records wait for the lock of an ordering key until its holder commits. Locks in the order of all
 * others: the ordering key, the delivery (a receipt that settles it begins there too), the letter. A locked row is read again, so the
 * checks see what was committed meanwhile. The attempt counter goes on where it stopped, so that attempts keep their numbers; the
 * retries begin anew. Indexes: dead_letters_id_idx and the primary keys.
 */
const REPLAY = `
with target as materialized (
  select l.tenant_id, l.delivery_id, n.id as notification_id, n.priority, n.expires_at, n.ordering_key
  from dead_letters l join notifications n on n.tenant_id = l.tenant_id and n.id = l.notification_id
  where l.id = $1
), delivery as materialized (
  select d.id, d.state, d.channel, d.attempts, d.recipient_id from deliveries d
  where (d.tenant_id, d.id) = (select tenant_id, delivery_id from target)
    and (select carillon_lock_ordering_keys(array(
      select carillon_ordering_lock(tenant_id, ordering_key) from target where ordering_key is not null)))
  for update of d
), letter as materialized (
  select l.replayed_at from dead_letters l where l.id = $1 and (select count(*) from delivery) = 1 for update of l
), checked as materialized (
  select t.*, d.state, d.channel, d.attempts, d.recipient_id, l.replayed_at, coalesce(t.expires_at <= now(), false) as expired
  from target t, delivery d, letter l
), replayed as materialized (
  select * from checked where replayed_at is null and state = 'failed' and not expired
), marked as (
  update dead_letters l set replayed_at = now() from replayed r where l.tenant_id = r.tenant_id and l.id = $1
), revived as (
  update deliveries d set state = 'waiting', reason = null from replayed r where d.tenant_id = r.tenant_id and d.id = r.delivery_id
), counted as (
  update notifications n set failed = n.failed - 1 from replayed r where n.tenant_id = r.tenant_id and n.id = r.notification_id
), told as (
  insert into delivery_log (tenant_id, delivery_id, id, code) select tenant_id, delivery_id, gen_random_uuid(), 'replayed' from replayed
), due as (
  insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at, attempt, expires_at, ordering_key, message_key)
  select tenant_id, delivery_id, channel, ($2::smallint[])[priority], now(), attempts, expires_at, ordering_key,
         ${MESSAGE_KEY}
  from replayed
)
select delivery_id as "deliveryId", channel, state, expired, priority, replayed_at as "replayedAt", exists (select from replayed) as replayed from checked`;
