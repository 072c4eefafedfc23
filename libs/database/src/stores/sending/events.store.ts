import { columnList } from '../../column-list.js';
import { COMMIT_GRACE_MS, type Database, RESCAN_TIMEOUT_MS } from '../../database.js';
import type { Sql } from '../../statement.js';

/** An event of a delivery, a notification, an inbox item, a device, a suppression or a webhook endpoint. */
export interface StoredEvent {
  tenantId: string;
  id: string;
  /** An event that was caused by another one has a higher number. */
  seq: number;
  type: string;
  recipientId: string | null;
  /** The id of the object of the event, such as the delivery. */
  subject: string;
  /** JSON text, published as it is. */
  data: string;
  /** RFC 3339 in UTC. */
  createdAt: string;
}

/** With the trace context of its notification, whose trace the deliveries to endpoints continue. */
export interface TracedEvent extends StoredEvent {
  traceparent: string | null;
}

/** For this time an endpoint can be sent again the events that it missed. */
export const EVENTS_KEPT_DAYS = 7;

/** No event with a lower `seq` is known to wait for the broker or for endpoints (docs/adr/0025). */
interface EventWatermarks {
  broker: number;
  webhooks: number;
}

interface WaitingEvents {
  /** The lowest `seq` that waits for the broker and for endpoints; null if none does. */
  broker: number | null;
  webhooks: number | null;
  /** The last `seq` that was issued. */
  issued: number;
  /** All transactions with a lower id have ended, and are visible to the statement. */
  oldestXid: number;
}

const eventColumns = columnList<StoredEvent>({
  tenant_id: ['uuid', (event) => event.tenantId],
  seq: ['bigint', (event) => event.seq],
});

const FIRST_EVENT: EventWatermarks = { broker: 0, webhooks: 0 };

/**
 * Events that wait to be published. A row stays until the broker has it, so no position can be lost. Runs as the
 * platform.
 */
export class EventsStore {
  /**
   * Each process has its own. Null until the first rescan, because an event of a recipient must not overtake an older
   * one.
   */
  private watermarks: EventWatermarks | null = null;
  /** The last `seq` issued before `at` (`performance.now()`), and a transaction id that was assigned after it. */
  private issued = { seq: 0, at: 0, xid: 0 };
  /** Every event up to this `seq` is visible, or its transaction was rolled back. */
  private visibleSeq = 0;

  constructor(private readonly database: Database) {}

  /** The oldest events that wait for the broker, in order. Index: events_broker_idx. */
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
    // A rescan that ended in the meantime may have found late events that this scan did not read.
    if (this.watermarks === scannedFrom) this.watermarks = watermarks;
  }

  /** Finds waiting events below the watermarks. Reads every index entry, dead rows included, and can take seconds. */
  async rescan(): Promise<void> {
    this.watermarks = await this.database.sqlAsPlatform((sql) => this.scan(sql, FIRST_EVENT), RESCAN_TIMEOUT_MS);
  }

  /**
   * A `seq` belongs to a visible event, or to none, as soon as all transactions have ended that were open when it was
   * issued. Only transactions that write have an id, so a backup or a report does not delay this. A transaction gets
   * its id a moment after its first `seq`, hence the grace period.
   */
  private async scan(sql: Sql, from: EventWatermarks): Promise<EventWatermarks> {
    // Read before the statement: another scan may raise them beyond the snapshot of this one.
    const { issued, visibleSeq } = this;
    const isOldEnough = performance.now() - issued.at >= COMMIT_GRACE_MS;
    const [found] = await sql.query<WaitingEvents>({ text: OLDEST_WAITING, values: [from.broker, from.webhooks] });
    const isVisible = isOldEnough && found!.oldestXid >= issued.xid;
    if (isVisible) {
      this.visibleSeq = issued.seq;
      // In a statement of its own, so that the id is younger than the sequence number.
      const [given] = await sql.query<{ xid: number }>({ text: OWN_XID });
      this.issued = { seq: found!.issued, at: performance.now(), xid: given!.xid };
    }
    const next = (isVisible ? issued.seq : visibleSeq) + 1;
    return { broker: Math.min(found!.broker ?? next, next), webhooks: Math.min(found!.webhooks ?? next, next) };
  }

  /**
   * Notes that the broker has these events: deletes those that are not kept for endpoints. Index: events_broker_idx.
   */
  async published(events: readonly StoredEvent[]): Promise<void> {
    await this.database.platform.query({
      name: 'published_events',
      text: `with deleted as (delete from events where broker and seq = any ($1::bigint[]) and not kept)
             update events set broker = false where broker and seq = any ($1::bigint[]) and kept`,
      values: [events.map(({ seq }) => seq)],
    });
  }

  /** Age of the oldest event that waits for the broker, in seconds; 0 if none does. Index: events_broker_idx. */
  async oldestSeconds(): Promise<number> {
    const [row] = await this.database.platform.query<{ seconds: number }>({
      text: `select greatest(0, extract(epoch from now() - created_at))::float8 as seconds
             from events where broker and seq >= $1 order by seq limit 1`,
      values: [(this.watermarks ?? FIRST_EVENT).broker],
    });
    return row?.seconds ?? 0;
  }

  /**
   * Events that wait for endpoints: an equal share of the limit, at least one, for each of the next tenants that have
   * some; the events of a tenant are in order. Indexes: events_webhooks_tenant_idx, notifications_pkey.
   */
  async nextForEndpoints(turn: { afterTenant: string; tenants: number; limit: number }): Promise<TracedEvent[]> {
    return await this.database.platformReads.query<TracedEvent>({
      name: 'next_for_endpoints',
      text: NEXT_FOR_ENDPOINTS,
      values: [turn.afterTenant, turn.tenants, turn.limit, (this.watermarks ?? FIRST_EVENT).webhooks],
    });
  }

  /** Notes that deliveries exist for all endpoints that listen to these events. Index: events_pkey. */
  async markFannedOut(events: readonly StoredEvent[]): Promise<void> {
    await this.database.platform.query({
      name: 'handed_out_events',
      text: `update events e set webhooks = false from ${eventColumns.table('i')}
             where e.tenant_id = i.tenant_id and e.seq = i.seq and e.webhooks`,
      values: eventColumns.values(events),
    });
  }

  /**
   * A tenant's events since a time, oldest first, and after the given one. Indexes: events_kept_idx,
   * notifications_pkey.
   */
  async since(
    tenantId: string,
    since: Date,
    after: { createdAt: string; seq: number } | null,
    limit: number,
  ): Promise<TracedEvent[]> {
    return await this.database.sqlForTenant(tenantId, (sql) =>
      sql.query<TracedEvent>({
        text: `select ${EVENT}, ${TRACEPARENT} from events
               where tenant_id = $1 and kept and created_at >= $2
                 and ($3::timestamptz is null or (created_at, seq) > ($3, $4::bigint))
               order by created_at, seq limit $5`,
        values: [tenantId, since, after?.createdAt ?? null, after?.seq ?? null, limit],
      }),
    );
  }
}

const EVENT = `tenant_id as "tenantId", id, seq, type, recipient_id as "recipientId", subject, data::text as data,
  to_char(created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "createdAt"`;

const TRACEPARENT = `(select n.traceparent from notifications n
  where n.tenant_id = events.tenant_id and n.id = (events.data->>'notification_id')::uuid) as traceparent`;

/** Finds the tenants that have waiting events by a loose index scan, one probe each. */
const NEXT_FOR_ENDPOINTS = `
with recursive walk(tenant_id) as (
  (
    select e.tenant_id from events e where e.webhooks and e.tenant_id > $1::uuid and e.seq >= $4
    order by e.tenant_id, e.seq limit 1
  )
  union all
  select (
    select e.tenant_id from events e where e.webhooks and e.tenant_id > w.tenant_id and e.seq >= $4
    order by e.tenant_id, e.seq limit 1
  )
  from walk w where w.tenant_id is not null
), turn as materialized (
  select tenant_id from walk where tenant_id is not null limit $2
)
select e.* from turn t cross join lateral (
  select ${EVENT}, ${TRACEPARENT} from events where webhooks and tenant_id = t.tenant_id and seq >= $4 order by seq
  limit (select greatest(1, $3::bigint / greatest(1, count(*))) from turn)
) e`;

/** Indexes: events_broker_idx, events_webhooks_tenant_idx. */
const OLDEST_WAITING = `
with recursive walk(tenant_id, seq) as (
  (select e.tenant_id, e.seq from events e where e.webhooks and e.seq >= $2 order by e.tenant_id, e.seq limit 1)
  union all
  select n.tenant_id, n.seq from walk w cross join lateral (
    select e.tenant_id, e.seq from events e where e.webhooks and e.tenant_id > w.tenant_id and e.seq >= $2
    order by e.tenant_id, e.seq limit 1
  ) n
)
select (select case when is_called then last_value else 0 end from events_seq_seq) as issued,
       pg_snapshot_xmin(pg_current_snapshot())::text::bigint as "oldestXid",
       (select seq from events where broker and seq >= $1 order by seq limit 1) as broker,
       (select min(seq) from walk) as webhooks`;

/** Assigns a transaction id: the ids that were assigned before are lower. */
const OWN_XID = 'select pg_current_xact_id()::text::bigint as xid';
