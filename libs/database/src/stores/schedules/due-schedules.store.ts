import { columnList } from '../../column-list.js';
import { json } from '../../columns.js';
import type { Database } from '../../database.js';
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
  | 'failures';

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

/** What became of an occurrence, and the next one. */
export interface ScheduleProgress extends SchedulePosition {
  schedule: Pick<DueSchedule, 'tenantId' | 'id' | 'nextLocal'>;
  /** Null if it was not fired. */
  notificationId: string | null;
  /** Whether it was not fired in time. */
  missed: boolean;
  failures: number;
  error: ScheduleError | null;
}

/**
 * An equal share of each tenant with due schedules, so that one with many or costly ones does not delay the others.
 * The earliest of each tenant come first: not all may be decided. Rows that another worker is firing are skipped. The
 * tenant's row and the profile are not locked. Indexes: schedules_next_at_idx, schedules_tenant_next_at_idx.
 */
const TAKE_DUE = `
with tenants_due as materialized (
  select tenant_id, min(next_at) as first_at from schedules where next_at <= now() group by tenant_id
), due as materialized (
  select s.* from (select * from tenants_due order by first_at) as o
  cross join lateral (
    select * from schedules where tenant_id = o.tenant_id and next_at <= now() order by next_at
    limit (select greatest(1, $1::integer / count(*)) from tenants_due) for update skip locked
  ) as s
  limit $1
), in_turn as (
  select *, row_number() over (partition by tenant_id order by next_at) as place from due
)
select d.tenant_id as "tenantId", d.id, d.rrule, d.exdates, d.timezone, d.starts_at_local as "startsAtLocal",
       d.last_local as "lastLocal", d.notification, d.recipient_id as "recipientId", d.misfire, d.failures,
       d.next_local as "nextLocal", d.next_at as "nextAt", r.timezone as "recipientTimezone",
       t.settings->>'timezone' as "tenantTimezone", now() as now
from in_turn d
join tenants t on t.id = d.tenant_id
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
   */
  async take(limit: number, fire: (due: DueSchedule[]) => Promise<ScheduleProgress[]>): Promise<number> {
    return await this.database.sqlAsPlatform(async (sql) => {
      const due = await sql.query<DueSchedule>({ name: 'take_due_schedules', text: TAKE_DUE, values: [limit] });
      if (due.length === 0) return 0;
      const progress = await fire(due);
      if (progress.length > 0)
        await sql.query({ name: 'advance_schedules', text: ADVANCE, values: progressColumns.values(progress) });
      return due.length;
    });
  }
}
