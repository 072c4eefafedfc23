import { columns } from '../../columns.js';
import { COMMIT_GRACE_MS, type Database, RESCAN_TIMEOUT_MS } from '../../database.js';
import type { Sql } from '../../statement.js';

/** One thing that happened to a delivery, a notification or an inbox item. */
export interface StoredEvent {
  tenantId: string;
  id: string;
  /** Later things have higher ones wherever one led to the other. */
  seq: number;
  type: string;
  recipientId: string | null;
  /** The id of what it happened to. */
  subject: string;
  /** JSON text, as it is published: it is not looked into on the way. */
  data: string;
  /** RFC 3339 in UTC. */
  createdAt: string;
}

/** Connections of a deployment with a broker say so at their start (Database). */
const TO_BROKER = `coalesce(current_setting('carillon.events', true) = 'on', false)`;

/**
 * Writes events in the commit that makes them true, where somebody listens: the broker's relay, or an endpoint of the tenant.
 * `rows` selects tenant_id, type, recipient_id, subject and data; nothing of it is made where nobody does.
 */
export const emit = (
  rows: string,
): string => `insert into events (tenant_id, type, recipient_id, subject, data, broker, webhooks, kept)
  select e.tenant_id, e.type, e.recipient_id, e.subject, e.data, ${TO_BROKER}, w.there, w.there
  from (${rows}) e(tenant_id, type, recipient_id, subject, data)
  cross join lateral (select exists (select from webhook_endpoints x where x.tenant_id = e.tenant_id) as there) w
  where ${TO_BROKER} or w.there`;

/** How long an endpoint can be told what it missed. */
export const EVENTS_KEPT_DAYS = 7;

/** What an event says of a delivery, from the columns of a row called `x`. */
export const deliveryEvent = (x: string): string => `jsonb_strip_nulls(jsonb_build_object(
    'notification_id', ${x}.notification_id, 'delivery_id', ${x}.delivery_id, 'recipient_id', ${x}.recipient_id, 'channel', ${x}.channel, 'state', ${x}.state,
    'reason', ${x}.reason, 'provider', ${x}.provider, 'provider_message_id', ${x}.provider_message_id, 'code', ${x}.code, 'attempts', ${x}.attempts))`;

/** The events of the deliveries in `changed_deliveries`, for {@link emit}; `type` and `code` are SQL. */
export const changedDeliveries = (type: string, code: string): string =>
  `select x.tenant_id, 'delivery.' || ${type}, x.recipient_id, x.delivery_id::text, ${deliveryEvent('x')}
  from (select c.*, c.id as delivery_id, ${code} as code from changed_deliveries c) x`;

/** The events of the notifications in `updated_notifications` that are final now. Notifications to endpoints cause no events. */
export const FINISHED_NOTIFICATIONS = `
    select tenant_id, 'notification.finished', recipient_id, id::text, jsonb_build_object('notification_id', id, 'status', final_status, 'counts',
    jsonb_build_object('total', total, 'succeeded', succeeded, 'failed', failed, 'suppressed', suppressed, 'cancelled', cancelled))
    from updated_notifications where final_status is not null and endpoint_id is null`;

/** What an event says of a row of the suppression list. */
export const SUPPRESSION_EVENT = `jsonb_strip_nulls(jsonb_build_object('suppression_id', id, 'channel', channel, 'address', address, 'reason', reason, 'delivery_id', delivery_id, 'expires_at', expires_at))`;

/** No event is known to wait for the broker, or for endpoints, with a lower `seq` (docs/adr/0025). */
interface EventWatermarks {
  broker: number;
  webhooks: number;
}

interface WaitingEvents {
  /** The lowest `seq` of each, null where nothing waits. */
  broker: number | null;
  webhooks: number | null;
  /** The last `seq` given out. */
  issued: number;
  /** All transactions with a lower id have ended, and are visible to the statement. */
  oldestXid: number;
}

const FIRST_EVENT: EventWatermarks = { broker: 0, webhooks: 0 };

/** Events on their way out. A row is there until the broker has it; there is no position to lose. Runs as the platform. */
export class EventsStore {
  /** In memory of each process. Null until the first rescan: an event of a recipient must not overtake an older one. */
  private watermarks: EventWatermarks | null = null;
  /** The last `seq` that was given out at `at` (`performance.now()`), and a transaction id that was given out after it. */
  private issued = { seq: 0, at: 0, xid: 0 };
  /** Every event up to this `seq` is visible, or its transaction was rolled back. */
  private visibleSeq = 0;

  constructor(private readonly database: Database) {}

  /** The oldest events the broker has not got, in order. Index: events_broker_idx. */
  async next(limit: number): Promise<StoredEvent[]> {
    return await this.database.platform.query<StoredEvent>({
      name: 'next_events',
      text: `select ${EVENT} from events where broker and seq >= $2 order by seq limit $1`,
      values: [limit, (this.watermarks ?? FIRST_EVENT).broker],
    });
  }

  /** Raises the watermarks. Events that become visible below them are found by `rescan`. */
  async advanceWatermarks(): Promise<void> {
    const scannedFrom = this.watermarks;
    if (!scannedFrom) return;
    const watermarks = await this.scan(this.database.platform, scannedFrom);
    // A rescan that has ended meanwhile may have found late events that this scan did not read.
    if (this.watermarks === scannedFrom) this.watermarks = watermarks;
  }

  /** Finds waiting events below the watermarks. Reads every index entry, dead rows included, and can take seconds. */
  async rescan(): Promise<void> {
    this.watermarks = await this.database.sqlAsPlatform((sql) => this.scan(sql, FIRST_EVENT), RESCAN_TIMEOUT_MS);
  }

  /**
   * A `seq` belongs to a visible event, or to none, once every transaction has ended that was open when it was given out. Only transactions that write have
   * an id, so a backup or a report does not hold this back. A transaction gets its id a moment after its first `seq`, hence the grace period.
   */
  private async scan(sql: Sql, from: EventWatermarks): Promise<EventWatermarks> {
    // Taken before the statement: a scan that goes on meanwhile may raise them beyond what this one's snapshot shows.
    const { issued, visibleSeq } = this;
    const isOldEnough = performance.now() - issued.at >= COMMIT_GRACE_MS;
    const [found] = await sql.query<WaitingEvents>({ text: OLDEST_WAITING, values: [from.broker, from.webhooks] });
    const isVisible = isOldEnough && found!.oldestXid >= issued.xid;
    if (isVisible) {
      this.visibleSeq = issued.seq;
      // A statement of its own: the id is younger than the sequence number.
      const [given] = await sql.query<{ xid: number }>({ text: OWN_XID });
      this.issued = { seq: found!.issued, at: performance.now(), xid: given!.xid };
    }
    const next = (isVisible ? issued.seq : visibleSeq) + 1;
    return { broker: Math.min(found!.broker ?? next, next), webhooks: Math.min(found!.webhooks ?? next, next) };
  }

  /** The broker has them: deletes those that nobody else wants. Index: events_broker_idx. */
  async published(events: readonly StoredEvent[]): Promise<void> {
    await this.database.platform.query({
      name: 'published_events',
      text: `with gone as (delete from events where broker and seq = any ($1::bigint[]) and not kept)
             update events set broker = false where broker and seq = any ($1::bigint[]) and kept`,
      values: [events.map(({ seq }) => seq)],
    });
  }

  /** Age of the oldest event that waits for the broker, in seconds; 0 when none does. Index: events_broker_idx. */
  async oldestSeconds(): Promise<number> {
    const [row] = await this.database.platform.query<{ seconds: number }>({
      text: `select greatest(0, extract(epoch from now() - created_at))::float8 as seconds from events where broker and seq >= $1 order by seq limit 1`,
      values: [(this.watermarks ?? FIRST_EVENT).broker],
    });
    return row?.seconds ?? 0;
  }

  /**
   * Events that have not been handed to endpoints: an equal share of the limit, at least one, of each of the next tenants that have
   * some, in the order of each tenant. Index: events_webhooks_tenant_idx.
   */
  async nextForEndpoints(turn: { afterTenant: string; tenants: number; limit: number }): Promise<StoredEvent[]> {
    return await this.database.platform.query<StoredEvent>({
      name: 'next_for_endpoints',
      text: NEXT_FOR_ENDPOINTS,
      values: [turn.afterTenant, turn.tenants, turn.limit, (this.watermarks ?? FIRST_EVENT).webhooks],
    });
  }

  /** Every endpoint that wants them has them. Index: events_pkey. */
  async handedOut(events: readonly StoredEvent[]): Promise<void> {
    await this.database.platform.query({
      name: 'handed_out_events',
      text: `update events e set webhooks = false from unnest($1::uuid[], $2::bigint[]) as i(tenant_id, seq)
             where e.tenant_id = i.tenant_id and e.seq = i.seq and e.webhooks`,
      values: columns(events, [(event) => event.tenantId, (event) => event.seq]),
    });
  }

  /** A tenant's events since a time, oldest first, after one of them. Index: events_kept_idx. */
  async since(
    tenantId: string,
    since: Date,
    after: { createdAt: string; seq: number } | null,
    limit: number,
  ): Promise<StoredEvent[]> {
    return await this.database.sqlForTenant(tenantId, (sql) =>
      sql.query<StoredEvent>({
        text: `select ${EVENT} from events
               where tenant_id = $1 and kept and created_at >= $2 and ($3::timestamptz is null or (created_at, seq) > ($3, $4::bigint))
               order by created_at, seq limit $5`,
        values: [tenantId, since, after?.createdAt ?? null, after?.seq ?? null, limit],
      }),
    );
  }
}

const EVENT = `tenant_id as "tenantId", id, seq, type, recipient_id as "recipientId", subject, data::text as data,
  to_char(created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "createdAt"`;

/** Walks the tenants that have something by a loose index scan, one probe each. */
const NEXT_FOR_ENDPOINTS = `
with recursive walk(tenant_id) as (
  (select e.tenant_id from events e where e.webhooks and e.tenant_id > $1::uuid and e.seq >= $4 order by e.tenant_id, e.seq limit 1)
  union all
  select (select e.tenant_id from events e where e.webhooks and e.tenant_id > w.tenant_id and e.seq >= $4 order by e.tenant_id, e.seq limit 1)
  from walk w where w.tenant_id is not null
), turn as materialized (
  select tenant_id from walk where tenant_id is not null limit $2
)
select e.* from turn t cross join lateral (
  select ${EVENT} from events where webhooks and tenant_id = t.tenant_id and seq >= $4 order by seq
  limit (select greatest(1, $3::bigint / greatest(1, count(*))) from turn)
) e`;

/** The lowest `seq` that waits for the broker and for endpoints, and the last one given out. Indexes: events_broker_idx, events_webhooks_tenant_idx. */
const OLDEST_WAITING = `
with recursive walk(tenant_id, seq) as (
  (select e.tenant_id, e.seq from events e where e.webhooks and e.seq >= $2 order by e.tenant_id, e.seq limit 1)
  union all
  select n.tenant_id, n.seq from walk w cross join lateral (
    select e.tenant_id, e.seq from events e where e.webhooks and e.tenant_id > w.tenant_id and e.seq >= $2 order by e.tenant_id, e.seq limit 1
  ) n
)
select (select case when is_called then last_value else 0 end from events_seq_seq) as issued,
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint as "oldestXid",
       (select seq from events where broker and seq >= $1 order by seq limit 1) as broker,
       (select min(seq) from walk) as webhooks`;

/** Takes a transaction id: those of all transactions that were given one before are lower. */
const OWN_XID = 'select pg_current_xact_id()::text::bigint as xid';
