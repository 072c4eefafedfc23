import { type ChannelId, type DeliveryState, type NotificationStatus } from '#domain';
import type { Database } from '../../database.js';
import { afterIdCursor, type Page, type PageRequest, toPage } from '../../page.js';
import { changedDeliveries, emit, FINISHED_NOTIFICATIONS } from './events.store.js';
import type { DeliveryRow, NotificationRow } from './notification.js';

export interface NotificationFilter {
  status?: NotificationStatus | undefined;
  recipientId?: string | undefined;
  channel?: ChannelId | undefined;
  category?: string | undefined;
  type?: string | undefined;
  createdAfter?: Date | undefined;
  createdBefore?: Date | undefined;
  metadata?: Record<string, string> | undefined;
  /** true: only those with a cancelled delivery; false: only those without. */
  deleted?: boolean | undefined;
}

export interface NotificationWithDeliveries {
  notification: NotificationRow;
  /** The first hundred. */
  deliveries: DeliveryRow[];
}

/** One line of a delivery's history, oldest first. */
export interface TimelineEntry {
  at: Date;
  /** `accepted`, `attempt`, or the decision: held, suppressed, expired, failed, cancelled, replayed, delivered, bounced, … */
  code: string;
  attempt: number | null;
  outcome: string | null;
  provider: string | null;
  providerCode: string | null;
  reason: string | null;
  detail: string | null;
  durationMs: number | null;
  until: Date | null;
}

const SHOWN_DELIVERIES = 100;

/** Reading and cancelling, always within one tenant. */
export class NotificationsStore {
  constructor(private readonly database: Database) {}

  async get(tenantId: string, id: string): Promise<NotificationWithDeliveries | null> {
    const [row] = await this.database.queryForTenant<FoundRow>(tenantId, {
      name: 'notification',
      text: select('n.tenant_id = $1 and n.id = $2'), // index: notifications_pkey
      values: [tenantId, id],
    });
    return row ? withDeliveries(row) : null;
  }

  /** Newest first. Index: the primary key backwards, or notifications_recipient_id_tenant_id_id_idx. */
  async list(
    tenantId: string,
    filter: NotificationFilter,
    page: PageRequest & { offset?: number | undefined },
  ): Promise<Page<NotificationWithDeliveries>> {
    const values: unknown[] = [tenantId];
    // What goes to the tenant's own endpoints is listed with them.
    const conditions = ['n.tenant_id = $1', 'n.endpoint_id is null'];
    const where = (condition: (parameter: string) => string, value: unknown): void => {
      if (value === undefined || value === null) return;
      values.push(value);
      conditions.push(condition(`$${values.length}`));
    };
    where((p) => `n.id < ${p}::uuid`, afterIdCursor(page.cursor));
    const isPlain = Object.values(filter).every((value) => value === undefined);
    where((p) => `n.recipient_id = ${p}`, filter.recipientId);
    where((p) => `${p} = any (n.channels)`, filter.channel);
    where((p) => `n.category = ${p}`, filter.category);
    where((p) => `n.type = ${p}`, filter.type);
    where((p) => `n.created_at > ${p}`, filter.createdAfter);
    where((p) => `n.created_at < ${p}`, filter.createdBefore);
    where((p) => `n.metadata @> ${p}::jsonb`, filter.metadata && JSON.stringify(filter.metadata));
    where((p) => `(n.cancelled > 0) = ${p}`, filter.deleted);
    where((p) => `${STATUS} = ${p}`, filter.status);
    values.push(page.limit + 1, page.offset ?? 0);
    const rest = `order by n.id desc limit $${values.length - 1} offset $${values.length}`;
    const rows = await this.database.queryForTenant<FoundRow>(tenantId, {
      // Every combination of filters is a statement of its own; only those that are asked for all the time stay prepared.
      ...(isPlain && { name: page.cursor === undefined ? 'notifications' : 'notifications_after' }),
      text: select(conditions.join(' and '), rest),
      values,
    });
    return toPage(rows.map(withDeliveries), page.limit, ({ notification }) => notification.id);
  }

  /** The deliveries of a notification, oldest first; null when there is no such notification. */
  async deliveries(
    tenantId: string,
    id: string,
    page: PageRequest,
    state?: DeliveryState,
  ): Promise<Page<DeliveryRow> | null> {
    const [found, rows] = await this.database.pipelineForTenant<[object[], DeliveryRow[]]>(tenantId, [
      {
        name: 'notification_exists',
        text: 'select 1 from notifications where tenant_id = $1 and id = $2',
        values: [tenantId, id],
      },
      {
        name: 'deliveries_of_notification',
        text: `select * from (${DELIVERIES} where d.tenant_id = $1 and d.notification_id = $2 and ${nearby('$2::uuid')} and ($3::uuid is null or d.id > $3)) x
               where $4::text is null or x.state = $4 order by x.id limit $5`, // index: deliveries_notification_id_tenant_id_id_idx
        values: [tenantId, id, afterIdCursor(page.cursor), state ?? null, page.limit + 1],
      },
    ]);
    return found.length === 0 ? null : toPage(rows, page.limit, (row) => row.id);
  }

  /** What went to one of the tenant's endpoints, newest first, with the event that each carries. Index: deliveries_tenant_id_endpoint_id_id_idx. */
  async ofEndpoint(
    tenantId: string,
    endpointId: string,
    page: PageRequest,
  ): Promise<Page<DeliveryRow & { type: string; eventId: string }>> {
    return await this.database.sqlForTenant(tenantId, async (sql) => {
      const rows = await sql.query<DeliveryRow>({
        text: `${DELIVERIES} where d.tenant_id = $1 and d.endpoint_id = $2 and ($3::uuid is null or d.id < $3) order by d.id desc limit $4`,
        values: [tenantId, endpointId, afterIdCursor(page.cursor), page.limit + 1],
      });
      const events = await sql.query<{ id: string; type: string; eventId: string }>({
        text: `select id, type, metadata->>'event_id' as "eventId" from notifications where tenant_id = $1 and id = any ($2::uuid[])`,
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

  /** Which of these there are. Index: notifications_pkey. */
  async existing(tenantId: string, ids: readonly string[]): Promise<Set<string>> {
    const rows = await this.database.queryForTenant<{ id: string }>(tenantId, {
      text: 'select id from notifications where tenant_id = $1 and id = any ($2::uuid[])',
      values: [tenantId, ids],
    });
    return new Set(rows.map(({ id }) => id));
  }

  async delivery(tenantId: string, id: string): Promise<{ delivery: DeliveryRow; timeline: TimelineEntry[] } | null> {
    const [[delivery], timeline] = await this.database.pipelineForTenant<[DeliveryRow[], TimelineEntry[]]>(tenantId, [
      { name: 'delivery', text: `${DELIVERIES} where d.tenant_id = $1 and d.id = $2`, values: [tenantId, id] },
      { name: 'timeline', text: TIMELINE, values: [tenantId, id] },
    ]);
    return delivery ? { delivery, timeline } : null;
  }

  /**
   * Cancels what has not begun to be sent. Returns the ids of the cancelled deliveries, or null when there is no such
   * notification. Deleting the due row is what decides: an intent or a record that comes later finds no row.
   */
  async cancel(tenantId: string, id: string): Promise<string[] | null> {
    return await this.database.sqlForTenant(tenantId, async (sql) => {
      const found = await sql.query({
        text: 'select from notifications where tenant_id = $1 and id = $2',
        values: [tenantId, id],
      });
      if (found.length === 0) return null;
      const rows = await sql.query<{ id: string }>({ text: CANCEL, values: [tenantId, id] });
      return rows.map((row) => row.id);
    });
  }
}

/**
 * Deliveries get their ids after that of their notification: at once, or, when an event is told again, as long as it is kept (seven
 * days). The bounds, with a margin, let the search skip all other weeks.
 */
const nearby = (id: string): string =>
  `d.id between carillon_id_days_after(${id}, -1) and carillon_id_days_after(${id}, 15)`;

const STATUS = `coalesce(n.final_status, case when n.succeeded + n.failed + n.suppressed + n.cancelled > 0 or exists (
  select 1 from deliveries d join due_deliveries q on q.tenant_id = d.tenant_id and q.delivery_id = d.id
  where d.tenant_id = n.tenant_id and d.notification_id = n.id and ${nearby('n.id')} and (q.claims > 0 or q.attempt > 0)) then 'active' else 'pending' end)`;

/** A notification and its first deliveries as JSON. Index of the deliveries: deliveries_notification_id_tenant_id_id_idx. */
function select(where: string, rest = ''): string {
  return `select n.tenant_id as "tenantId", n.id, n.recipient_id as "recipientId", n.type, n.category, n.channels, n.template_id as "templateId",
       n.priority, n.test, n.ordering_key as "orderingKey", n.metadata, n.scheduled_at as "scheduledAt", n.expires_at as "expiresAt", n.endpoint_id as "endpointId",
       n.created_at as "createdAt", n.total, ${STATUS} as status, coalesce(x.deliveries, '[]') as deliveries
from notifications n
left join lateral (
  select json_agg(x order by x.id) as deliveries
  from (${DELIVERIES} where d.tenant_id = n.tenant_id and d.notification_id = n.id and ${nearby('n.id')} order by d.id limit ${SHOWN_DELIVERIES}) x
) x on true
where ${where} ${rest}`;
}

type FoundRow = NotificationRow & { deliveries: DeliveryRow[] };

/** In JSON the times of the deliveries are text. */
function withDeliveries({ deliveries, ...notification }: FoundRow): NotificationWithDeliveries {
  for (const delivery of deliveries) {
    for (const time of DELIVERY_TIMES) if (delivery[time] !== null) delivery[time] = new Date(delivery[time]);
  }
  return { notification, deliveries };
}

const DELIVERY_TIMES = ['createdAt', 'dueAt', 'sentAt', 'deliveredAt', 'complainedAt', 'openedAt'] as const;

/**
 * Left in the queue because none of the tenant's own accounts works: the workers take such deliveries up only to see whether one does
 * again, so what is not written on the row is looked up. The platform's accounts are none of the tenant's business.
 */
const ALL_DOWN = `
q.due_at <= now() and d.endpoint_id is null
and exists (select from provider_accounts a where a.tenant_id = d.tenant_id and a.channel = d.channel and a.enabled)
and not exists (
  select from provider_accounts a left join provider_account_health h on h.tenant_id = a.tenant_id and h.account_id = a.id
  where a.tenant_id = d.tenant_id and a.channel = d.channel and a.enabled and coalesce(h.breaker, 'closed') = 'closed')`;

/** While a due row is there it tells the state; afterwards the delivery itself does. */
const DELIVERIES = `
select d.id, d.notification_id as "notificationId", d.recipient_id as "recipientId", d.channel, d.address,
       case when q.delivery_id is null then d.state when q.sending or (q.claim_id is not null and q.due_at > now()) then 'sending' else 'waiting' end as state,
       case when q.delivery_id is null then d.reason when q.reason is null and not q.sending and ${ALL_DOWN} then 'provider_down' else q.reason end as reason,
       case when q.sending or q.claim_id is not null or q.due_at = 'infinity' then null else q.due_at end as "dueAt",
       d.provider, d.provider_message_id as "providerMessageId", d.template_version as "templateVersion",
       coalesce(q.attempt, d.attempts)::int as attempts, d.created_at as "createdAt", d.sent_at as "sentAt",
       d.delivered_at as "deliveredAt", d.complained_at as "complainedAt", d.opened_at as "openedAt"
from deliveries d left join due_deliveries q on q.tenant_id = d.tenant_id and q.delivery_id = d.id`;

const TIMELINE = `
select at, code, attempt, outcome, provider, "providerCode", reason, detail, "durationMs", until from (
  select d.created_at as at, 0 as rank, 'accepted' as code, null::int as attempt, null as outcome, null as provider, null as "providerCode",
         case when n.scheduled_at > n.created_at then 'scheduled' end as reason, null as detail, null::int as "durationMs", n.scheduled_at as until
  from deliveries d join notifications n on n.tenant_id = d.tenant_id and n.id = d.notification_id where d.tenant_id = $1 and d.id = $2
  union all
  select ended_at, 1, 'attempt', number, outcome, provider, code, null, detail, duration_ms, null from attempts where tenant_id = $1 and delivery_id = $2
  union all
  select created_at, 2, code, null, null, null, null, reason, detail, null, until from decisions where tenant_id = $1 and delivery_id = $2
  union all
  select sent_at, 2, 'sent', null, null, provider, null, null, null, null, null from deliveries where tenant_id = $1 and id = $2 and sent_at is not null
) t order by at, rank, attempt`;

const CANCEL = `
with gone as (
  delete from due_deliveries q using deliveries d
  where d.tenant_id = $1 and d.notification_id = $2 and q.tenant_id = d.tenant_id and q.delivery_id = d.id and not q.sending
    and (select carillon_lock_ordering_keys(array(
      select carillon_ordering_lock(tenant_id, ordering_key) from notifications where tenant_id = $1 and id = $2 and ordering_key is not null)))
  returning q.delivery_id
), changed as (
  update deliveries d set state = 'cancelled' from gone where d.tenant_id = $1 and d.id = gone.delivery_id and d.state = 'waiting' returning d.*
), counted as (
  update notifications n set cancelled = n.cancelled + (select count(*) from changed) where n.tenant_id = $1 and n.id = $2 and exists (select 1 from changed)
  returning n.*
), emitted as (
  ${emit(`
    ${changedDeliveries("'cancelled'", 'null::text')} where endpoint_id is null
    union all
    ${FINISHED_NOTIFICATIONS}`)}
), told as (
  insert into decisions (tenant_id, delivery_id, id, code) select $1, id, gen_random_uuid(), 'cancelled' from changed
)
select id from changed`;
