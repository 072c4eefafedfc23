import { newId } from '#domain';
import { json } from '../../columns.js';
import type { Database } from '../../database.js';
import { afterIdCursor, type Page, type PageRequest, toPage } from '../../page.js';
import { type AuditNote, auditStatement } from '../audit/audit-entry.js';
import type { Schedule, ScheduleFields, SchedulePosition } from './schedule.js';

const COLUMNS = `id, rrule, exdates, timezone, starts_at_local as "startsAtLocal", last_local as "lastLocal",
  notification, recipient_id as "recipientId", misfire, state, next_local as "nextLocal", next_at as "nextAt",
  last_fired_at as "lastFiredAt", last_notification_id as "lastNotificationId", last_missed_at as "lastMissedAt",
  failures, last_error as "lastError", traceparent, created_at as "createdAt", updated_at as "updatedAt"`;

/** The recurring sends of tenants. DueSchedulesStore fires them. */
export class SchedulesStore {
  constructor(private readonly database: Database) {}

  /** Null if the tenant already has `limit` schedules. Indexes: tenants_pkey, schedules_pkey. */
  async create(
    tenantId: string,
    fields: ScheduleFields & SchedulePosition,
    limit: number,
    audit: AuditNote | null,
  ): Promise<Schedule | null> {
    return await this.database.sqlForTenant(tenantId, async (sql) => {
      // Serialises creations of a tenant, so that each counts the schedules of the one before.
      await sql.query({ text: 'select from tenants where id = $1 for no key update', values: [tenantId] });
      const [created] = await sql.query<Schedule>({
        text: `insert into schedules (tenant_id, id, rrule, exdates, timezone, starts_at_local, last_local,
                 notification, recipient_id, misfire, traceparent, state, next_local, next_at, created_at, updated_at)
               select $1::uuid, $2::uuid, $3, $4::text[], $5, $6, $7, $8::jsonb, $9, $10, $11, $12, $13,
                 $14::timestamptz,
                 date_trunc('milliseconds', now()), date_trunc('milliseconds', now())
               where (select count(*) from schedules where tenant_id = $1) < $15 returning ${COLUMNS}`,
        values: [tenantId, newId(), ...valuesOf(fields), limit],
      });
      if (!created) return null;
      await sql.query(auditStatement(audit, { tenantId, subject: created.id, after: recordedFields(created) }));
      return created;
    });
  }

  /** Index: schedules_pkey. */
  async list(tenantId: string, page: PageRequest): Promise<Page<Schedule>> {
    const rows = await this.database.queryForTenant<Schedule>(tenantId, {
      text: `select ${COLUMNS} from schedules
             where tenant_id = $1 and ($2::uuid is null or id < $2) order by id desc limit $3`,
      values: [tenantId, afterIdCursor(page.cursor), page.limit + 1],
    });
    return toPage(rows, page.limit, (row) => row.id);
  }

  /** Index: schedules_pkey. */
  async get(tenantId: string, id: string): Promise<Schedule | null> {
    const [row] = await this.database.queryForTenant<Schedule>(tenantId, {
      text: `select ${COLUMNS} from schedules where tenant_id = $1 and id = $2`,
      values: [tenantId, id],
    });
    return row ?? null;
  }

  /**
   * Replaces the fields of a schedule and clears its failures. Null if it was changed or deleted since it was read with
   * `updatedAt`. Waits while the schedule is being fired. Index: schedules_pkey.
   */
  async replace(
    tenantId: string,
    before: Schedule,
    fields: ScheduleFields & SchedulePosition,
    audit: AuditNote | null,
  ): Promise<Schedule | null> {
    const { id, updatedAt } = before;
    return await this.database.sqlForTenant(tenantId, async (sql) => {
      const [row] = await sql.query<Schedule>({
        text: `update schedules set rrule = $4, exdates = $5::text[], timezone = $6, starts_at_local = $7,
                 last_local = $8, notification = $9::jsonb, recipient_id = $10, misfire = $11, traceparent = $12,
                 state = $13, next_local = $14, next_at = $15::timestamptz, failures = 0, last_error = null,
                 updated_at = greatest(date_trunc('milliseconds', now()), updated_at + interval '1 millisecond')
               where tenant_id = $1 and id = $2 and updated_at = $3::timestamptz returning ${COLUMNS}`,
        values: [tenantId, id, updatedAt, ...valuesOf(fields)],
      });
      if (!row) return null;
      const recorded = { before: recordedFields(before), after: recordedFields(row) };
      await sql.query(auditStatement(audit, { tenantId, subject: id, ...recorded }));
      return row;
    });
  }

  /** Index: schedules_pkey. */
  async delete(tenantId: string, id: string, audit: AuditNote | null): Promise<boolean> {
    return await this.database.sqlForTenant(tenantId, async (sql) => {
      const [before] = await sql.query<Schedule>({
        text: `delete from schedules where tenant_id = $1 and id = $2 returning ${COLUMNS}`,
        values: [tenantId, id],
      });
      if (!before) return false;
      await sql.query(auditStatement(audit, { tenantId, subject: id, before: recordedFields(before) }));
      return true;
    });
  }
}

/** What the audit log shows: not the notification, which is about a recipient. */
function recordedFields({ rrule, exdates, timezone, startsAtLocal, misfire, state }: Schedule): object {
  return { rrule, exdates, timezone, startsAtLocal, misfire, state };
}

/** In the order of the columns from `rrule` to `next_at`. */
function valuesOf(fields: ScheduleFields & SchedulePosition): unknown[] {
  return [
    ...[fields.rrule, fields.exdates, fields.timezone, fields.startsAtLocal, fields.lastLocal],
    ...[json(fields.notification), fields.recipientId, fields.misfire, fields.traceparent],
    ...[fields.state, fields.nextLocal, fields.nextAt],
  ];
}
