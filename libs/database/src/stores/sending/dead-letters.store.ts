import { type ChannelId, DomainError, laneOf, notFound } from '#domain';
import type { Database } from '../../database.js';
import { afterIdCursor, type Page, type PageRequest, toPage } from '../../page.js';

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
    const lane = await this.database.sqlAsPlatform(async (sql) => {
      // The delivery first: a receipt that settles it locks in the same order.
      await sql.query({ text: LOCK_DELIVERY, values: [id] });
      const [letter] = await sql.query<DeadLetter & { state: string; expired: boolean; priority: number }>({
        text: LOCK,
        values: [id],
      });
      if (!letter) throw notFound('dead letter', id);
      if (letter.replayedAt) {
        throw new DomainError(
          'already_replayed',
          `Dead letter ${id} was replayed at ${letter.replayedAt.toISOString()}.`,
        );
      }
      if (letter.state !== 'failed')
        throw new DomainError(
          'conflict',
          `Delivery ${letter.deliveryId} is ${letter.state} by now; only a failed one can be replayed.`,
        );
      if (letter.expired)
        throw new DomainError(
          'conflict',
          `Delivery ${letter.deliveryId} has expired; sending it now would be too late.`,
        );
      await sql.query({
        text: REPLAY,
        values: [letter.tenantId, id, letter.deliveryId, letter.notificationId, laneOf(letter.priority)],
      });
      return `${letter.channel}:${laneOf(letter.priority)}`;
    });
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

const LOCK_DELIVERY = `
select from deliveries d
where (d.tenant_id, d.id) = (select l.tenant_id, l.delivery_id from dead_letters l where l.id = $1)
for update of d`;

const LOCK = `
select l.id, l.tenant_id as "tenantId", l.delivery_id as "deliveryId", l.notification_id as "notificationId", l.channel, l.replayed_at as "replayedAt",
       d.state, coalesce(n.expires_at <= now(), false) as expired, n.priority
from dead_letters l
join deliveries d on d.tenant_id = l.tenant_id and d.id = l.delivery_id
join notifications n on n.tenant_id = l.tenant_id and n.id = l.notification_id
where l.id = $1
for update of l`;

/** The attempt counter goes on where it stopped, so that attempts keep their numbers; the retries begin anew. */
const REPLAY = `
with marked as (
  update dead_letters set replayed_at = now() where tenant_id = $1 and id = $2
), revived as (
  update deliveries set state = 'waiting', reason = null where tenant_id = $1 and id = $3 and state = 'failed' returning channel, attempts, recipient_id
), counted as (
  update notifications set failed = failed - 1 where tenant_id = $1 and id = $4
), told as (
  insert into decisions (tenant_id, delivery_id, id, code) values ($1, $3, gen_random_uuid(), 'replayed')
)
insert into due_deliveries (tenant_id, delivery_id, channel, lane, due_at, attempt, expires_at, ordering_key, message_key)
select $1, $3, r.channel, $5, now(), r.attempts, n.expires_at, n.ordering_key, hashtext($1::uuid::text || coalesce(n.ordering_key, r.recipient_id)) from revived r, notifications n where n.tenant_id = $1 and n.id = $4`;
