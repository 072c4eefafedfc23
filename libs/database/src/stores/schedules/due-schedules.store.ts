import { columnList } from '../../column-list.js';
import { json } from '../../columns.js';
import type { Database } from '../../database.js';
import type { Sql } from '../../statement.js';
import type { Schedule, ScheduleError, SchedulePosition } from './schedule.js';

type DueFields =
  | 'id'
  | 'rrule'
  | 'exdates'
  | 'timezone'
  | 'startsAtLocal'
  | 'lastLocal'
  | 'notification'
  | 'recipientId'
  | 'misfire'
  | 'failures'
  | 'traceparent';

export interface DueSchedule extends Pick<Schedule, DueFields> {
  tenantId: string;
  nextLocal: string;
  nextAt: Date;
  /** The zone of the stored profile of the recipient. */
  recipientTimezone: string | null;
  /** The zone of the tenant. */
  tenantTimezone: string | null;
  /** The time of the database. */
  now: Date;
}

/** The result of an occurrence, and the next one. */
export interface ScheduleProgress extends SchedulePosition {
  schedule: Pick<DueSchedule, 'tenantId' | 'id' | 'nextLocal'>;
  /** Null if it was not fired. */
  notificationId: string | null;
  /** Whether it was not fired in time. */
  missed: boolean;
  failures: number;
  error: ScheduleError | null;
}

/** How long a worker uses one list of tenants. With 100,000 due schedules the list takes 20 ms, a batch 10 ms. */
const TENANTS_MS = 1_000;

/** Those with the earliest due schedule come first. Index: schedules_next_at_idx. */
const TENANTS_DUE = `
select tenant_id as id from schedules where next_at <= now() group by tenant_id order by min(next_at)`;

/**
 * Up to $2 due schedules of each of these tenants, $3 in all. The earliest of each tenant come first: not all may be
 * decided. Rows that another worker is firing are skipped. The tenant's row and the profile are not locked.
 * Index: schedules_tenant_next_at_idx.
 */
const TAKE_DUE = `
with due as materialized (
  select s.* from unnest($1::uuid[]) as o(tenant_id)
  cross join lateral (
    select locked.*, row_number() over () as place from (
      select tenant_id, id, rrule, exdates, timezone, starts_at_local, last_local, notification, recipient_id, misfire,
             failures, next_local, next_at, traceparent
      from schedules where tenant_id = o.tenant_id and next_at <= now() order by next_at
      limit $2 for update skip locked
    ) as locked
  ) as s
  limit $3
)
select d.tenant_id as "tenantId", d.id, d.rrule, d.exdates, d.timezone, d.starts_at_local as "startsAtLocal",
       d.last_local as "lastLocal", d.notification, d.recipient_id as "recipientId", d.misfire, d.failures,
       d.next_local as "nextLocal", d.next_at as "nextAt", d.traceparent, r.timezone as "recipientTimezone",
       t.settings->>'timezone' as "tenantTimezone", now() as now
from due d
left join tenants t on d.timezone = 'recipient' and t.id = d.tenant_id
left join recipients r on d.timezone = 'recipient' and r.tenant_id = d.tenant_id and r.id = d.recipient_id
order by d.place, d.next_at`;

const progressColumns = columnList<ScheduleProgress>({
  tenant_id: ['uuid', ({ schedule }) => schedule.tenantId],
  id: ['uuid', ({ schedule }) => schedule.id],
  occurrence: ['text', ({ schedule }) => schedule.nextLocal],
  state: ['text', ({ state }) => state],
  next_local: ['text', ({ nextLocal }) => nextLocal],
  next_at: ['timestamptz', ({ nextAt }) => nextAt],
  notification_id: ['uuid', ({ notificationId }) => notificationId],
  missed: ['boolean', ({ missed }) => missed],
  failures: ['integer', ({ failures }) => failures],
  error: ['text', ({ error }) => json(error)],
});

/** Only where the next occurrence is still the one that was taken. Index: schedules_pkey. */
const ADVANCE = `
update schedules s set
  state = p.state, next_local = p.next_local, next_at = p.next_at,
  last_fired_at = case when p.notification_id is null then s.last_fired_at else now() end,
  last_notification_id = coalesce(p.notification_id, s.last_notification_id),
  last_missed_at = case when p.missed then s.next_at else s.last_missed_at end,
  failures = p.failures, last_error = coalesce(p.error::jsonb, s.last_error)
from ${progressColumns.table('p')}
where s.tenant_id = p.tenant_id and s.id = p.id and s.next_local = p.occurrence`;

/** The schedules of all tenants, for the workers that fire them. */
export class DueSchedulesStore {
  /** The tenants with due schedules; those whose schedules were taken last are at the end. Empty: to be read. */
  private tenants: string[] = [];
  private tenantsReadAt = 0;

  constructor(private readonly database: Database) {}

  /** Milliseconds until the next schedule is due, negative if one is late; null without one. */
  async untilNextMs(): Promise<number | null> {
    const [row] = await this.database.platform.query<{ ms: number | null }>({
      name: 'next_schedule',
      text: `select (extract(epoch from min(next_at) - clock_timestamp()) * 1000)::float8 as ms from schedules
             where next_at is not null`,
      values: [],
    });
    return row!.ms;
  }

  /**
   * Takes up to `limit` due schedules that no other worker holds, in turn of the tenants, and commits the progress that
   * `fire` returns. They stay locked meanwhile; those without progress stay due. If this process is lost, the next
   * worker fires them again, and the idempotency keys of their sends prevent duplicates. Returns the number taken.
   *
   * Each tenant has an equal share, so that one with many or costly schedules does not delay the others. Tenants whose
   * first schedule has become due since the list was read wait at most a second while others fill whole batches.
   */
  async take(limit: number, fire: (due: DueSchedule[]) => Promise<ScheduleProgress[]>): Promise<number> {
    return await this.database.sqlAsPlatform(async (sql) => {
      const tenants = await this.tenantsDue(sql);
      if (tenants.length === 0) return 0;
      const share = Math.max(1, Math.floor(limit / tenants.length));
      const values = [tenants, share, limit];
      const due = await sql.query<DueSchedule>({ name: 'take_due_schedules', text: TAKE_DUE, values });
      this.tenants = due.length < limit ? [] : lastTaken(tenants, due);
      if (due.length === 0) return 0;
      const progress = await fire(due);
      if (progress.length > 0)
        await sql.query({ name: 'advance_schedules', text: ADVANCE, values: progressColumns.values(progress) });
      return due.length;
    });
  }

  private async tenantsDue(sql: Sql): Promise<string[]> {
    const now = performance.now();
    if (this.tenants.length > 0 && now - this.tenantsReadAt < TENANTS_MS) return this.tenants;
    const rows = await sql.query<{ id: string }>({ name: 'tenants_with_due_schedules', text: TENANTS_DUE, values: [] });
    this.tenantsReadAt = now;
    return rows.map(({ id }) => id);
  }
}

function lastTaken(tenants: readonly string[], due: readonly DueSchedule[]): string[] {
  const taken = new Set(due.map(({ tenantId }) => tenantId));
  return [...tenants.filter((id) => !taken.has(id)), ...tenants.filter((id) => taken.has(id))];
}
