import type { Database } from '../../database.js';

/** Deliveries that one transaction makes due: some 30 ms. */
const BATCH = 1_000;
/** Changes that one transaction takes. */
const CHANGES = 100;
/** A change is visible to all others within so many seconds after its time. */
const COMMIT_SECONDS = 5;

/** The stale deliveries of each change, at most its share. `recipients` is a condition of SQL. */
const staleOf = (recipients: string): string => `
  select c.tenant_id, c.id, d.delivery_id
  from changes c cross join share s cross join lateral (
    select q.delivery_id from due_deliveries q
    where q.tenant_id = c.tenant_id and ${recipients}
      and q.policy_decided_at < c.changed_at + interval '${COMMIT_SECONDS} seconds'
      and q.claim_id is null and q.due_at < 'infinity'
    limit s.rows for update skip locked
  ) d`;

/**
 * Takes changes in the order of their time, and makes the deliveries due that were decided before them: an equal share
 * of a batch for each change, so that a large tenant does not delay a small one. A change with a full share goes behind
 * the others. The others are done for now: they are taken once more after $1 seconds, because a worker may have decided
 * by the old values and record it afterwards.
 *
 * A delivery that is claimed is left out: it is being decided now. Rows that others have locked are skipped. Indexes:
 * policy_changes_due_at_idx, due_deliveries_policy_idx, and the primary keys.
 */
const APPLY = `
with changes as materialized (
  select * from policy_changes where due_at <= now() order by due_at limit ${CHANGES} for update skip locked
), share as materialized (
  select ceil(${BATCH}::numeric / greatest(1, count(*)))::bigint as rows from changes
), stale_of_recipients as materialized (${staleOf('q.policy_recipient_id = c.recipient_id')}
  where c.recipient_id is not null
), stale_of_tenants as materialized (${staleOf('q.policy_recipient_id is not null')}
  where c.recipient_id is null
), stale as materialized (
  select * from stale_of_recipients union all select * from stale_of_tenants
), due_rows as (
  update due_deliveries d set due_at = now(), policy_recipient_id = null, policy_decided_at = null
  from (select distinct tenant_id, delivery_id from stale) s
  where d.tenant_id = s.tenant_id and d.delivery_id = s.delivery_id
), results as materialized (
  select c.tenant_id, c.id, c.is_last, c.changed_at,
         (select count(*) from stale s where s.tenant_id = c.tenant_id and s.id = c.id) = share.rows as is_full
  from changes c cross join share
), finished as (
  delete from policy_changes h using results r
  where h.tenant_id = r.tenant_id and h.id = r.id and r.is_last and not r.is_full
), postponed as (
  update policy_changes h
  set due_at = case when r.is_full then now() else r.changed_at + make_interval(secs => $1) end,
      is_last = r.is_last or not r.is_full
  from results r
  where h.tenant_id = r.tenant_id and h.id = r.id and (r.is_full or not r.is_last)
)
select (select count(*) from changes)::int as changes,
       (select count(distinct (tenant_id, delivery_id)) from stale)::int as deliveries`;

/** Changes of quiet hours, caps, quotas and time zones. They make the deliveries due that the old values hold. */
export class PolicyChangesStore {
  constructor(private readonly database: Database) {}

  /**
   * Applies changes in batches, each in its own transaction, for `timeLimitMs` at most. `decidedWithinSeconds`: a
   * decision is recorded within this time after it was made. Returns the number of deliveries that are due now.
   */
  async apply(decidedWithinSeconds: number, timeLimitMs: number): Promise<number> {
    const endsAt = performance.now() + timeLimitMs;
    let total = 0;
    do {
      const [batch] = await this.database.platform.query<{ changes: number; deliveries: number }>({
        name: 'apply_policy_changes',
        text: APPLY,
        values: [decidedWithinSeconds + COMMIT_SECONDS],
      });
      if (batch!.changes === 0) break;
      total += batch!.deliveries;
    } while (performance.now() < endsAt);
    return total;
  }
}
