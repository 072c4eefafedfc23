import { type ChannelId, type LaneNumber, laneName } from '#domain';
import { columnList } from '../../column-list.js';
import { COMMIT_GRACE_MS } from '../../database.js';
import type { Sql } from '../../statement.js';

export interface Lane {
  channel: ChannelId;
  lane: LaneNumber;
}

/** The point at which claims of a lane begin to read the index of due deliveries (docs/adr/0025). */
export interface LaneWatermark {
  /** No delivery is known to be due before this, except those of lagging tenants. Null before the first scan. */
  dueFrom: Date | null;
  /** Tenants with older due deliveries, in order of id, and the due time of the oldest. */
  lagging: readonly LaggingTenant[];
}

interface LaggingTenant {
  tenantId: string;
  dueAt: Date;
}

/** The result of scanning a lane: the lagging tenants in order of id, and when the oldest delivery of each was due. */
interface LaneScan {
  tenants: string[];
  dueAts: Date[];
  /** Every delivery due before this is visible, unless its transaction took longer than the grace period. */
  committedBefore: Date;
}

/** Before every entry of the index. */
export const FIRST_ENTRY = '-infinity';
const NOT_SCANNED: LaneWatermark = { dueFrom: null, lagging: [] };

/**
 * The watermarks of all lanes, in the memory of each process. One that is too low costs reads; one that is too high
 * delays deliveries until the next rescan.
 */
export class ClaimWatermarks {
  private readonly watermarks = new Map<string, LaneWatermark>();

  get(lane: Lane): LaneWatermark {
    return this.watermarks.get(nameOf(lane)) ?? NOT_SCANNED;
  }

  /** The same as a parameter of a statement. */
  dueFrom(lane: Lane): Date | string {
    return this.get(lane).dueFrom ?? FIRST_ENTRY;
  }

  /**
   * Scans the lane from its watermark and sets the new one, unless a rescan has replaced it during the scan: the rescan
   * may have found late deliveries that this scan did not read.
   */
  async advance(sql: Sql, lane: Lane): Promise<void> {
    const scannedFrom = this.get(lane);
    const scan = await scanLane(sql, lane, scannedFrom);
    if (this.get(lane) === scannedFrom) this.replace(lane, scan);
  }

  /** Scans the whole lane and sets its watermark. */
  async rescan(sql: Sql, lane: Lane): Promise<void> {
    this.replace(lane, await scanLane(sql, lane, { dueFrom: FIRST_ENTRY, lagging: [] }));
  }

  /** Dates are cut to milliseconds, so a watermark is never later than its delivery. */
  private replace(lane: Lane, { tenants, dueAts, committedBefore }: LaneScan): void {
    const lagging = tenants.map((tenantId, index) => ({ tenantId, dueAt: dueAts[index]! }));
    this.watermarks.set(nameOf(lane), { dueFrom: committedBefore, lagging });
  }
}

export function lanesOf(channels: readonly ChannelId[]): Lane[] {
  return channels.flatMap((channel) => ([1, 2, 3] as const).map((lane) => ({ channel, lane })));
}

const nameOf = ({ channel, lane }: Lane): string => laneName(channel, lane);

const laggingColumns = columnList<LaggingTenant>({
  tenant_id: ['uuid', ({ tenantId }) => tenantId],
  due_at: ['timestamptz', ({ dueAt }) => dueAt],
});

/** Lagging tenants as two arrays: their ids and their due times. */
export const laggingValues = (lagging: readonly LaggingTenant[]): unknown[] => laggingColumns.values(lagging);

async function scanLane(
  sql: Sql,
  { channel, lane }: Lane,
  { dueFrom, lagging }: { dueFrom: Date | string | null; lagging: readonly LaggingTenant[] },
): Promise<LaneScan> {
  const [scan] = await sql.query<LaneScan>({
    name: 'oldest_due',
    text: OLDEST_DUE,
    values: [channel, lane, dueFrom, ...laggingValues(lagging)],
  });
  return scan!;
}

/**
 * The tenants of a lane ($1, $2) whose oldest due delivery is older than the grace period, in order of id. Reads each
 * known lagging tenant from its own due time on, and walks the other tenants from $3 on by one probe each.
 * Index: due_deliveries_claim_idx.
 */
const OLDEST_DUE = `
with recursive bounds as materialized (
  select now() - interval '${COMMIT_GRACE_MS} milliseconds' as committed_before
), walk(tenant_id, due_at) as (
  select '00000000-0000-0000-0000-000000000000'::uuid, null::timestamptz
  union all
  select n.tenant_id, n.due_at from walk w cross join bounds b cross join lateral (
    select d.tenant_id, d.due_at from due_deliveries d
    where d.channel = $1 and d.lane = $2 and d.tenant_id > w.tenant_id
      and d.due_at >= coalesce($3::timestamptz, b.committed_before) and d.due_at <= b.committed_before
      and d.due_at < 'infinity'
    order by d.tenant_id, d.due_at limit 1
  ) n
), known as (
  select l.tenant_id, n.due_at
  from ${laggingColumns.table('l', 4)}
  cross join bounds b
  cross join lateral (
    select d.due_at from due_deliveries d
    where d.channel = $1 and d.lane = $2 and d.tenant_id = l.tenant_id
      and d.due_at >= l.due_at and d.due_at <= b.committed_before and d.due_at < 'infinity'
    order by d.due_at limit 1
  ) n
), lagging as (
  select tenant_id, min(due_at) as due_at
  from (select * from walk where due_at is not null union all select * from known) found
  group by tenant_id
)
select b.committed_before as "committedBefore", coalesce(l.tenants, '{}') as tenants,
       coalesce(l.due_ats, '{}') as "dueAts"
from bounds b
cross join (
  select array_agg(tenant_id order by tenant_id) as tenants, array_agg(due_at order by tenant_id) as due_ats
  from lagging
) l`;
