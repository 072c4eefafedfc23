import { lowestId, PLATFORM_TENANT_ID } from '#domain';
import type { Database } from '../../database.js';
import { EVENTS_KEPT_DAYS } from '../sending/events.store.js';
import { type Batch, CleanUp } from './clean-up.js';
import type { PartitionedTable, PartitionsStore } from './partitions.store.js';

/** A tenant, and until when its rows are too old. */
interface Limit {
  tenantId: string;
  days: number;
  before: Date;
}

/** Tenants asked about in one statement. */
const TENANTS_A_LOOK = 500;
/** How long a partition that is past every limit may be held before its rows are deleted one by one. */
const HELD_MS = 7 * 86_400_000;

/**
 * Deletes what is older than its tenant's `retention_days`, or than the operator's (docs/adr/0016): whole partitions once every tenant's limit has
 * passed, and rows before that where a tenant's limit is shorter than the longest. A delivery that is not final stays, and its notification with it.
 */
export class RetentionStore {
  /** In this order: a notification goes when its deliveries are gone. */
  readonly cleanUps: readonly CleanUp[];

  constructor(
    private readonly database: Database,
    private readonly partitions: PartitionsStore,
    private readonly defaultDays: number,
  ) {
    const all = (): Promise<Limit[]> => this.limits();
    this.cleanUps = [
      new CleanUp('dead_letters', () => this.byTenant('dead_letters', DEAD_LETTERS, all)),
      new CleanUp('deliveries', () => this.byTenant('deliveries', DELIVERIES, () => this.beside('deliveries'))),
      new CleanUp('notifications', () =>
        this.byTenant('notifications', NOTIFICATIONS, () => this.beside('notifications')),
      ),
      new CleanUp('inbox_items', () => this.byTenant('inbox_items', INBOX_ITEMS, all)),
      new CleanUp('events', () => this.keptEvents()),
    ];
  }

  /** Drops the partitions that are past the longest retention; returns how many. */
  async dropPartitions(): Promise<number> {
    return await this.partitions.dropBefore(longestOf(await this.limits()).before);
  }

  /** By the database's clock, in random order: a clean-up that runs out of time must not always leave out the same tenants. */
  private async limits(): Promise<Limit[]> {
    return await this.database.platform.query<Limit>({
      text: LIMITS,
      values: [PLATFORM_TENANT_ID, this.defaultDays],
    });
  }

  /**
   * Tenants with the longest retention lose their rows with the partition. Where a delivery that is not final, or a dead letter, still keeps one from being
   * dropped a week after its time, all rows in it are deleted one by one. Most are gone by then: retries end within a day or two.
   */
  private async beside(table: PartitionedTable): Promise<Limit[]> {
    const limits = await this.limits();
    const longest = longestOf(limits);
    const overdue = new Date(longest.before.getTime() - HELD_MS);
    const held = (await this.partitions.lastEndBefore(table, overdue)) ?? new Date(0);
    return limits.map((limit) => (limit.days < longest.days ? limit : { ...limit, before: held }));
  }

  /** A batch for each tenant that has rows below its limit; their ids are UUIDv7, which tell their age. */
  private async *byTenant(table: string, text: string, limits: () => Promise<Limit[]>): AsyncGenerator<Batch> {
    const old = `x.tenant_id = t.id and x.id < t.before`;
    for await (const { tenantId, before } of this.having(await limits(), `${table} x where ${old}`, 'uuid', (date) =>
      lowestId(date.getTime()),
    )) {
      let after = lowestId(0);
      yield async (size) => {
        const [row] = await this.database.platform.query<{ deleted: number; seen: number; last: string | null }>({
          text,
          values: [tenantId, after, lowestId(before.getTime()), size],
        });
        after = row!.last ?? after;
        return { deleted: row!.deleted, done: row!.seen < size };
      };
    }
  }

  /** Events that endpoints could be told again: for a week at the most. */
  private async *keptEvents(): AsyncGenerator<Batch> {
    const old = `x.tenant_id = t.id and x.kept and x.created_at < greatest(t.before, ${EVENTS_LIMIT})`;
    for await (const { tenantId, before } of this.having(
      await this.limits(),
      `events x where ${old}`,
      'timestamptz',
      (date) => date,
    )) {
      yield async (size) => {
        const [row] = await this.database.platform.query<{ count: number }>({
          text: KEPT_EVENTS,
          values: [tenantId, before, size],
        });
        return { deleted: row!.count, done: row!.count < size };
      };
    }
  }

  /** The tenants that have such rows: one probe of an index for each, and a statement for many. */
  private async *having(
    limits: Limit[],
    rows: string,
    type: 'uuid' | 'timestamptz',
    toValue: (before: Date) => unknown,
  ): AsyncGenerator<Limit> {
    for (let at = 0; at < limits.length; at += TENANTS_A_LOOK) {
      const some = limits.slice(at, at + TENANTS_A_LOOK);
      const found = await this.database.platform.query<{ id: string }>({
        // Not `exists`: that may become a join that reads the whole table.
        text: `select t.id from unnest($1::uuid[], $2::${type}[]) as t(id, before) where (select 1 from ${rows} limit 1) = 1`,
        values: [some.map(({ tenantId }) => tenantId), some.map(({ before }) => toValue(before))],
      });
      const ids = new Set(found.map(({ id }) => id));
      for (const limit of some) if (ids.has(limit.tenantId)) yield limit;
    }
  }
}

function longestOf(limits: readonly Limit[]): Limit {
  return limits.reduce((longest, limit) => (limit.days > longest.days ? limit : longest));
}

/** The operator's own limit stands under the platform's id, which has none of these rows. */
const LIMITS = `
select id as "tenantId", days, now() - make_interval(days => days) as before
from (
  select id, coalesce((settings->>'retention_days')::int, $2::int) as days from tenants
  union all
  select $1::uuid, $2::int
) limits order by random()`;

const EVENTS_LIMIT = `now() - interval '${EVENTS_KEPT_DAYS} days'`;

/**
 * Each statement looks at the next `$4` rows of tenant `$1` between the ids `$2` and `$3`, deletes those that may go, and says where it has stopped: rows
 * that stay are passed once in a run, however many there are. Rows are found by an array of their keys and not by a join, which the planner may answer by
 * reading all rows of the tenant.
 */
const ANSWER = `
select (select count(*) from gone) as deleted, (select count(*) from seen) as seen, (select id from seen order by id desc limit 1) as last`;

/** Their age counts from the failure. A letter whose delivery is under way again stays. Index: dead_letters_pkey, due_deliveries_pkey. */
const DEAD_LETTERS = `
with seen as materialized (
  select id, delivery_id from dead_letters where tenant_id = $1 and id > $2 and id < $3 order by id limit $4
), gone as (
  delete from dead_letters where tenant_id = $1 and id = any (array(
    select s.id from seen s where (select 1 from due_deliveries q where q.tenant_id = $1 and q.delivery_id = s.delivery_id) is null))
  returning 1
)
${ANSWER}`;

/**
 * A delivery that failed long after it was accepted stays as long as its dead letter. `state` is looked at again when a row was locked meanwhile: a dead
 * letter that is replayed at this moment makes it `waiting`, and the delivery stays.
 * Index: the primary keys of deliveries, due_deliveries, attempts and delivery_log, dead_letters_tenant_id_delivery_id_idx.
 */
const DELIVERIES = `
with seen as materialized (
  select id, state from deliveries where tenant_id = $1 and id > $2 and id < $3 order by id limit $4
), gone as (
  delete from deliveries where tenant_id = $1 and id > $2 and id < $3 and state <> 'waiting' and id = any (array(
    select s.id from seen s where s.state <> 'waiting'
      and (select 1 from due_deliveries q where q.tenant_id = $1 and q.delivery_id = s.id) is null
      and (select 1 from dead_letters l where l.tenant_id = $1 and l.delivery_id = s.id limit 1) is null))
  returning id
), attempts_gone as (
  delete from attempts where tenant_id = $1 and delivery_id > $2 and delivery_id < $3 and delivery_id = any (array(select id from gone))
), delivery_log_gone as (
  delete from delivery_log where tenant_id = $1 and delivery_id > $2 and delivery_id < $3 and delivery_id = any (array(select id from gone))
)
${ANSWER}`;

/** Index: notifications_pkey, deliveries_notification_id_tenant_id_id_idx. */
const NOTIFICATIONS = `
with seen as materialized (
  select id from notifications where tenant_id = $1 and id > $2 and id < $3 order by id limit $4
), gone as (
  delete from notifications where tenant_id = $1 and id > $2 and id < $3 and id = any (array(
    select s.id from seen s where (select 1 from deliveries d where d.notification_id = s.id and d.tenant_id = $1 limit 1) is null))
  returning 1
)
${ANSWER}`;

/**
 * Counters move in the same commit. Items or counters that somebody else holds are left to the next time: who changes an inbox locks the counters first,
 * and this must not wait for them while it holds items. Index: inbox_items_tenant_id_id_key, inbox_counters_pkey.
 */
const INBOX_ITEMS = `
with seen as materialized (
  select id from inbox_items where tenant_id = $1 and id > $2 and id < $3 order by id limit $4
), items as materialized (
  select id, recipient_id from inbox_items where tenant_id = $1 and id = any (array(select id from seen)) for update skip locked
), counters as materialized (
  select recipient_id from inbox_counters where tenant_id = $1 and recipient_id = any (array(select recipient_id from items)) for update skip locked
), gone as (
  delete from inbox_items where tenant_id = $1 and id = any (array(select i.id from items i join counters c on c.recipient_id = i.recipient_id))
  returning recipient_id, archived_at, read_at, seen_at
), counted as (
  update inbox_counters c set total = c.total - g.total, unread = c.unread - g.unread, unseen = c.unseen - g.unseen
  from (
    select recipient_id, count(*) filter (where archived_at is null) as total, count(*) filter (where archived_at is null and read_at is null) as unread,
           count(*) filter (where archived_at is null and seen_at is null) as unseen
    from gone group by recipient_id
  ) g
  where c.tenant_id = $1 and c.recipient_id = any (array(select recipient_id from counters)) and c.recipient_id = g.recipient_id
)
${ANSWER}`;

/** Index: events_kept_idx. */
const KEPT_EVENTS = `
with gone as (
  delete from events where ctid = any (array(
    select ctid from events where tenant_id = $1 and kept and created_at < greatest($2, ${EVENTS_LIMIT}) order by created_at limit $3 for update skip locked)) returning 1
) select count(*) as count from gone`;
