import { lowestId, PLATFORM_TENANT_ID } from '#domain';
import type { Database } from '../../database.js';
import { EVENTS_KEPT_DAYS } from '../sending/events.store.js';
import { type Batch, CleanUp } from './clean-up.js';
import type { PartitionedTable, PartitionsStore } from './partitions.store.js';
import { DEAD_LETTERS, DELIVERIES, INBOX_ITEMS, JOBS, NOTIFICATIONS } from './retention-statements.js';

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

/** Includes the operator's default, under the id of the platform, which has jobs. */
const LIMITS = `
select id as "tenantId", days, now() - make_interval(days => days) as before
from (
  select id, coalesce((settings->>'retention_days')::int, $2::int) as days from tenants
  union all
  select $1::uuid, $2::int
) limits order by random()`;

const EVENTS_LIMIT = `now() - interval '${EVENTS_KEPT_DAYS} days'`;

/** Index: events_kept_idx. */
const KEPT_EVENTS = `
with deleted as (
  delete from events where ctid = any (array(
    select ctid from events where tenant_id = $1 and kept and created_at < greatest($2, ${EVENTS_LIMIT})
    order by created_at limit $3 for update skip locked))
  returning 1
)
select count(*) as count from deleted`;
