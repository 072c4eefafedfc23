import type { DeliveryState } from '#domain';
import type { Database } from '../../database.js';
import { repeatConflicts } from '../../outage.js';
import { afterIdCursor, type Page, type PageRequest, toCursor, toPage } from '../../page.js';
import type { DeliveryRow } from '../sending/notification.js';
import { CANCEL, CANCEL_FAN_OUT, type Cancellation, type CancelledDelivery } from './cancel-notification.js';
import { type ListRow, listStatement, type NotificationFilter, type NotificationPage } from './notification-list.js';
import {
  DELIVERIES,
  type FoundRow,
  type NotificationWithDeliveries,
  nearby,
  oneStatement,
  topicDeliveries,
  withDeliveries,
} from './notification-select.js';

/** One entry of a delivery's timeline. */
export interface TimelineEntry {
  at: Date;
  /**
   * `accepted`, `attempt`, `sent`, or the code of the log entry: held, suppressed, expired, failed, cancelled,
   * replayed, …
   */
  code: string;
  attempt: number | null;
  outcome: string | null;
  provider: string | null;
  providerCode: string | null;
  reason: string | null;
  rule: string | null;
  detail: string | null;
  durationMs: number | null;
  until: Date | null;
}

/** Leads from a delivery to its provider account, and to the trace of its request. */
export interface DeliveryOrigin {
  providerAccountId: string | null;
  /** 32 hexadecimal digits; null if the request was not traced. */
  traceId: string | null;
}

export interface DeliveryWithTimeline {
  delivery: DeliveryRow;
  timeline: TimelineEntry[];
  origin: DeliveryOrigin;
}

/** Reads and cancels notifications of one tenant. */
export class NotificationsStore {
  constructor(private readonly database: Database) {}

  async get(tenantId: string, id: string): Promise<NotificationWithDeliveries | null> {
    const [row] = await this.database.queryForTenant<FoundRow>(tenantId, oneStatement(tenantId, id));
    if (!row) return null;
    if (row.topic === null) return withDeliveries(row);
    const deliveries = await this.database.queryForTenant<DeliveryRow>(tenantId, topicDeliveries(tenantId, id));
    return withDeliveries({ ...row, deliveries });
  }

  /** Newest first. A page with filters that no index serves may be short or empty although more pages follow. */
  async list(
    tenantId: string,
    filter: NotificationFilter,
    page: NotificationPage,
  ): Promise<Page<NotificationWithDeliveries>> {
    const rows = await this.database.queryForTenant<ListRow>(tenantId, listStatement(tenantId, filter, page));
    const found = toPage(
      rows.filter(({ id }) => id !== null).map(withDeliveries),
      page.limit,
      ({ notification }) => notification.id,
    );
    if (found.nextCursor !== null || !rows[0]?.isCut) return found;
    return { ...found, nextCursor: toCursor(rows[0].examinedTo!) };
  }

  /**
   * The deliveries of a notification, oldest first; null if there is no such notification.
   * Index: deliveries_notification_id_tenant_id_id_idx.
   */
  async deliveries(
    tenantId: string,
    id: string,
    page: PageRequest,
    state?: DeliveryState,
  ): Promise<Page<DeliveryRow> | null> {
    const values = [tenantId, id, afterIdCursor(page.cursor), state ?? null, page.limit + 1];
    const [[found], rows] = await this.database.pipelineForTenant<[{ topic: string | null }[], DeliveryRow[]]>(
      tenantId,
      [
        {
          name: 'topic_of_notification',
          text: 'select topic from notifications where tenant_id = $1 and id = $2',
          values: [tenantId, id],
        },
        { name: 'deliveries_of_notification', text: deliveriesWithin(nearby('$2::uuid')), values },
      ],
    );
    if (!found) return null;
    if (found.topic === null) return toPage(rows, page.limit, (row) => row.id);
    const all = await this.database.queryForTenant<DeliveryRow>(tenantId, {
      name: 'all_deliveries_of_topic_send',
      text: deliveriesWithin('d.id >= $2::uuid'),
      values,
    });
    return toPage(all, page.limit, (row) => row.id);
  }

  /**
   * The deliveries to one of the tenant's webhook endpoints, newest first, each with its event.
   * Index: deliveries_tenant_id_endpoint_id_id_idx.
   */
  async ofEndpoint(
    tenantId: string,
    endpointId: string,
    page: PageRequest,
  ): Promise<Page<DeliveryRow & { type: string; eventId: string }>> {
    return await this.database.sqlForTenant(tenantId, async (sql) => {
      const rows = await sql.query<DeliveryRow>({
        text: `${DELIVERIES} where d.tenant_id = $1 and d.endpoint_id = $2 and ($3::uuid is null or d.id < $3)
               order by d.id desc limit $4`,
        values: [tenantId, endpointId, afterIdCursor(page.cursor), page.limit + 1],
      });
      const events = await sql.query<{ id: string; type: string; eventId: string }>({
        text: `select id, type, metadata->>'event_id' as "eventId" from notifications
               where tenant_id = $1 and id = any ($2::uuid[])`,
        values: [tenantId, rows.map(({ notificationId }) => notificationId)],
      });
      const byId = new Map(events.map((event) => [event.id, event]));
      return toPage(
        rows.map((row) => ({
          ...row,
          type: byId.get(row.notificationId)!.type,
          eventId: byId.get(row.notificationId)!.eventId,
        })),
        page.limit,
        (row) => row.id,
      );
    });
  }

  /** The ids of those notifications that exist. Index: notifications_pkey. */
  async existing(tenantId: string, ids: readonly string[]): Promise<Set<string>> {
    const rows = await this.database.queryForTenant<{ id: string }>(tenantId, {
      text: 'select id from notifications where tenant_id = $1 and id = any ($2::uuid[])',
      values: [tenantId, ids],
    });
    return new Set(rows.map(({ id }) => id));
  }

  async delivery(tenantId: string, id: string): Promise<DeliveryWithTimeline | null> {
    const values = [tenantId, id];
    const [[delivery], timeline, [origin]] = await this.database.pipelineForTenant<
      [DeliveryRow[], TimelineEntry[], DeliveryOrigin[]]
    >(tenantId, [
      { name: 'delivery', text: `${DELIVERIES} where d.tenant_id = $1 and d.id = $2`, values },
      { name: 'timeline', text: TIMELINE, values },
      { name: 'origin_of_delivery', text: ORIGIN, values },
    ]);
    return delivery && origin ? { delivery, timeline, origin } : null;
  }

  /**
   * Cancels the deliveries whose send has not begun; the job of a send to a topic cancels those of the send. Returns
   * null if there is no such notification. Deleting the due row decides: a later intent or record finds no row. One
   * round trip, because accepts and records wait for the lock of an ordering key until its holder commits.
   */
  async cancel(tenantId: string, id: string): Promise<Cancellation | null> {
    // A delivery may become an item of a digest meanwhile (REQUIRE_LOCKED_DIGEST).
    const [found, deliveries, jobs] = await repeatConflicts(() =>
      this.database.pipelineForTenant<[object[], CancelledDelivery[], object[]]>(tenantId, [
        { text: 'select 1 from notifications where tenant_id = $1 and id = $2', values: [tenantId, id] },
        { text: CANCEL, values: [tenantId, id] },
        { text: CANCEL_FAN_OUT, values: [tenantId, id] },
      ]),
    );
    return found.length === 0 ? null : { isCancelled: deliveries.length + jobs.length > 0, deliveries };
  }
}

/**
 * Oldest first. $1 tenant, $2 notification, $3 the last delivery of the page before, $4 state, $5 limit; `bounds` is a
 * constant condition on the ids.
 */
const deliveriesWithin = (bounds: string): string => `
select * from (
  ${DELIVERIES} where d.tenant_id = $1 and d.notification_id = $2 and ${bounds} and ($3::uuid is null or d.id > $3)
) x
where $4::text is null or x.state = $4 order by x.id limit $5`;

/** `traceparent` is `00-<trace id>-<span id>-<flags>`. Indexes: the primary keys of deliveries and notifications. */
const ORIGIN = `
select d.provider_account_id as "providerAccountId", split_part(n.traceparent, '-', 2) as "traceId"
from deliveries d join notifications n on n.tenant_id = d.tenant_id and n.id = d.notification_id
where d.tenant_id = $1 and d.id = $2`;

/** Indexes: the primary keys of deliveries, notifications, attempts and delivery_log. */
const TIMELINE = `
select at, code, attempt, outcome, provider, "providerCode", reason, rule, detail, "durationMs", until from (
  select d.created_at as at, 0 as rank, 'accepted' as code, null::int as attempt, null as outcome, null as provider,
         null as "providerCode", case when n.scheduled_at > n.created_at then 'scheduled' end as reason,
         case when n.scheduled_at > n.created_at then 'send.scheduled_at' end as rule, null as detail,
         null::int as "durationMs", n.scheduled_at as until
  from deliveries d join notifications n on n.tenant_id = d.tenant_id and n.id = d.notification_id
  where d.tenant_id = $1 and d.id = $2
  union all
  select ended_at, 1, 'attempt', number, outcome, provider, code, null, null, detail, duration_ms, null
  from attempts where tenant_id = $1 and delivery_id = $2
  union all
  select created_at, 2, code, null, null, null, null, reason, rule, detail, null, until
  from delivery_log where tenant_id = $1 and delivery_id = $2
  union all
  select sent_at, 2, 'sent', null, null, provider, null, null, null, null, null, null
  from deliveries where tenant_id = $1 and id = $2 and sent_at is not null
) t order by at, rank, attempt`;
