import { lowestId, PLATFORM_TENANT_ID } from '#domain';
import type { Database } from '../../database.js';
import { EVENTS_KEPT_DAYS } from '../sending/events.store.js';
import { type Batch, CleanUp } from './clean-up.js';
import type { PartitionedTable, PartitionsStore } from './partitions.store.js';

/** The retention of a tenant: rows from before `before` are deleted. */
interface Limit {
  tenantId: string;
  days: number;
  before: Date;
}

/** The number of tenants that one statement checks for old rows. */
const TENANTS_PER_CHECK = 500;
/** A partition that cannot be dropped this long after the longest retention is emptied row by row. */
const HELD_MS = 7 * 86_400_000;

/**
 * Deletes rows older than the `retention_days` of their tenant, or of the operator by default (docs/adr/0016). Drops
 * whole partitions after the longest retention of all tenants, and deletes rows of tenants with a shorter one before
 * that. Keeps deliveries that are not final, and their notifications.
 */
export class RetentionStore {
  /** In this order, because a notification is deleted after its deliveries. */
  readonly cleanUps: readonly CleanUp[];

  constructor(
    private readonly database: Database,
    private readonly partitions: PartitionsStore,
    private readonly defaultDays: number,
  ) {
    const all = (): Promise<Limit[]> => this.limits();
    this.cleanUps = [
      new CleanUp('dead_letters', () => this.byTenant('dead_letters', DEAD_LETTERS, all)),
      new CleanUp('deliveries', () =>
        this.byTenant('deliveries', DELIVERIES, () => this.limitsBesidePartitions('deliveries')),
      ),
      new CleanUp('notifications', () =>
        this.byTenant('notifications', NOTIFICATIONS, () => this.limitsBesidePartitions('notifications')),
      ),
      new CleanUp('jobs', () => this.byTenant('jobs', JOBS, all)),
      new CleanUp('inbox_items', () => this.byTenant('inbox_items', INBOX_ITEMS, all)),
      new CleanUp('events', () => this.keptEvents()),
    ];
  }

  /** Drops the partitions older than the longest retention. Returns their number. */
  async dropPartitions(): Promise<number> {
    return await this.partitions.dropBefore(longestOf(await this.limits()).before);
  }

  /** In random order, so that a clean-up that runs out of time does not always leave out the same tenants. */
  private async limits(): Promise<Limit[]> {
    return await this.database.platform.query<Limit>({
      text: LIMITS,
      values: [PLATFORM_TENANT_ID, this.defaultDays],
    });
  }

  /**
   * The limits for a partitioned table. Rows of tenants with the longest retention are deleted by dropping partitions.
   * If a delivery that is not final or a dead letter prevents that for a week, their rows are deleted one by one. That
   * is rare: retries end within a day or two.
   */
  private async limitsBesidePartitions(table: PartitionedTable): Promise<Limit[]> {
    const limits = await this.limits();
    const longest = longestOf(limits);
    const overdue = new Date(longest.before.getTime() - HELD_MS);
    const held = (await this.partitions.lastEndBefore(table, overdue)) ?? new Date(0);
    return limits.map((limit) => (limit.days < longest.days ? limit : { ...limit, before: held }));
  }

  /** A batch for each tenant with old rows. The age of a row is in its id, a UUIDv7. */
  private async *byTenant(table: string, text: string, limits: () => Promise<Limit[]>): AsyncGenerator<Batch> {
    const old = `x.tenant_id = t.id and x.id < t.before`;
    for await (const { tenantId, before } of this.withRows(await limits(), `${table} x where ${old}`, 'uuid', (date) =>
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

  /** Events that are kept to be sent to endpoints again, for a week at most. */
  private async *keptEvents(): AsyncGenerator<Batch> {
    const old = `x.tenant_id = t.id and x.kept and x.created_at < greatest(t.before, ${EVENTS_LIMIT})`;
    for await (const { tenantId, before } of this.withRows(
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

  /** The tenants that have such rows: one index probe for each, many in one statement. */
  private async *withRows(
    limits: Limit[],
    rows: string,
    type: 'uuid' | 'timestamptz',
    toValue: (before: Date) => unknown,
  ): AsyncGenerator<Limit> {
    for (let at = 0; at < limits.length; at += TENANTS_PER_CHECK) {
      const some = limits.slice(at, at + TENANTS_PER_CHECK);
      const found = await this.database.platform.query<{ id: string }>({
        // Not `exists`, which the planner may turn into a join that reads the whole table.
        text: `select t.id from unnest($1::uuid[], $2::${type}[]) as t(id, before)
               where (select 1 from ${rows} limit 1) = 1`,
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

/** Includes the operator's default, under the id of the platform, which has no rows of these tables. */
const LIMITS = `
select id as "tenantId", days, now() - make_interval(days => days) as before
from (
  select id, coalesce((settings->>'retention_days')::int, $2::int) as days from tenants
  union all
  select $1::uuid, $2::int
) limits order by random()`;

const EVENTS_LIMIT = `now() - interval '${EVENTS_KEPT_DAYS} days'`;

/**
 * Each statement reads the next `$4` rows of tenant `$1` between the ids `$2` and `$3`, deletes those that may be
 * deleted, and returns where it stopped: a run reads rows that stay once only. Rows are found by an array of their keys
 * and not by a join, for which the planner may read all rows of the tenant.
 */
const RESULT = `
select (select count(*) from deleted) as deleted, (select count(*) from seen) as seen,
       (select id from seen order by id desc limit 1) as last`;

/**
 * Their age counts from the failure. Keeps a dead letter whose delivery was replayed and is not final. Indexes:
 * dead_letters_pkey, due_deliveries_pkey.
 */
const DEAD_LETTERS = `
with seen as materialized (
  select id, delivery_id from dead_letters where tenant_id = $1 and id > $2 and id < $3 order by id limit $4
), deleted as (
  delete from dead_letters where tenant_id = $1 and id = any (array(
    select s.id from seen s
    where (select 1 from due_deliveries q where q.tenant_id = $1 and q.delivery_id = s.delivery_id) is null))
  returning 1
)
${RESULT}`;

/**
 * Keeps a delivery as long as its dead letter. The second condition on `state` is checked again after a wait for a row
 * lock, so that a delivery whose dead letter is being replayed stays. Indexes: the primary keys of deliveries,
 * due_deliveries, attempts and delivery_log, and dead_letters_tenant_id_delivery_id_idx.
 */
const DELIVERIES = `
with seen as materialized (
  select id, state from deliveries where tenant_id = $1 and id > $2 and id < $3 order by id limit $4
), deleted as (
  delete from deliveries
  where tenant_id = $1 and id > $2 and id < $3 and state <> 'waiting' and id = any (array(
    select s.id from seen s where s.state <> 'waiting'
      and (select 1 from due_deliveries q where q.tenant_id = $1 and q.delivery_id = s.id) is null
      and (select 1 from dead_letters l where l.tenant_id = $1 and l.delivery_id = s.id limit 1) is null))
  returning id
), deleted_attempts as (
  delete from attempts
  where tenant_id = $1 and delivery_id > $2 and delivery_id < $3 and delivery_id = any (array(select id from deleted))
), deleted_log as (
  delete from delivery_log
  where tenant_id = $1 and delivery_id > $2 and delivery_id < $3 and delivery_id = any (array(select id from deleted))
)
${RESULT}`;

/**
 * Keeps a notification whose job has not ended: it may have no deliveries yet. Indexes: notifications_pkey,
 * deliveries_notification_id_tenant_id_id_idx, jobs_pkey.
 */
const NOTIFICATIONS = `
with seen as materialized (
  select id from notifications where tenant_id = $1 and id > $2 and id < $3 order by id limit $4
), deleted as (
  delete from notifications where tenant_id = $1 and id > $2 and id < $3 and id = any (array(
    select s.id from seen s
    where (select 1 from deliveries d where d.notification_id = s.id and d.tenant_id = $1 limit 1) is null
      and (select 1 from jobs j where j.tenant_id = $1 and j.id = s.id and j.finished_at is null) is null))
  returning 1
)
${RESULT}`;

/** Keeps a job that has not ended. Index: jobs_pkey. */
const JOBS = `
with seen as materialized (
  select id from jobs where tenant_id = $1 and id > $2 and id < $3 order by id limit $4
), deleted as (
  delete from jobs where tenant_id = $1 and id = any (array(select id from seen)) and finished_at is not null
  returning 1
)
${RESULT}`;

/**
 * Updates the counters in the same commit. Lock order: items, then counters, the reverse of a change of an inbox. So it
 * skips locked rows, which the next run deletes, instead of waiting. Indexes: inbox_items_tenant_id_id_key,
 * inbox_counters_pkey.
 */
const INBOX_ITEMS = `
with seen as materialized (
  select id from inbox_items where tenant_id = $1 and id > $2 and id < $3 order by id limit $4
), locked_items as materialized (
  select id, recipient_id from inbox_items where tenant_id = $1 and id = any (array(select id from seen))
  for update skip locked
), locked_counters as materialized (
  select recipient_id from inbox_counters
  where tenant_id = $1 and recipient_id = any (array(select recipient_id from locked_items))
  for update skip locked
), deleted as (
  delete from inbox_items where tenant_id = $1 and id = any (array(
    select i.id from locked_items i join locked_counters c on c.recipient_id = i.recipient_id))
  returning recipient_id, archived_at, read_at, seen_at
), updated_counters as (
  update inbox_counters c set total = c.total - g.total, unread = c.unread - g.unread, unseen = c.unseen - g.unseen
  from (
    select recipient_id, count(*) filter (where archived_at is null) as total,
           count(*) filter (where archived_at is null and read_at is null) as unread,
           count(*) filter (where archived_at is null and seen_at is null) as unseen
    from deleted group by recipient_id
  ) g
  where c.tenant_id = $1 and c.recipient_id = any (array(select recipient_id from locked_counters))
    and c.recipient_id = g.recipient_id
)
${RESULT}`;

/** Index: events_kept_idx. */
const KEPT_EVENTS = `
with deleted as (
  delete from events where ctid = any (array(
    select ctid from events where tenant_id = $1 and kept and created_at < greatest($2, ${EVENTS_LIMIT})
    order by created_at limit $3 for update skip locked))
  returning 1
)
select count(*) as count from deleted`;
