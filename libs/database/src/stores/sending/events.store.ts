import type { Database } from '../../database.js';

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
  /** RFC 3339 in UTC, to the millisecond. */
  createdAt: string;
}

/**
 * Statements that change a state write their event in the same commit, where this holds: `insert into events ... select ...
 * where EVENTS_WANTED`. Connections say so at their start (Database), so that nobody pays for events that nobody takes.
 */
export const EVENTS_WANTED = `current_setting('carillon.events', true) = 'on'`;

/** The columns every one of those inserts fills. */
export const EVENT_COLUMNS = 'tenant_id, type, recipient_id, subject, data';

/** What an event says of a delivery, from the columns of a row called `x`. */
export const deliveryEvent = (x: string): string => `jsonb_strip_nulls(jsonb_build_object(
    'notification_id', ${x}.notification_id, 'delivery_id', ${x}.delivery_id, 'recipient_id', ${x}.recipient_id, 'channel', ${x}.channel, 'state', ${x}.state,
    'reason', ${x}.reason, 'provider', ${x}.provider, 'provider_message_id', ${x}.provider_message_id, 'code', ${x}.code, 'attempts', ${x}.attempts))`;

/** What an event says of a row of the suppression list. */
export const SUPPRESSION_EVENT = `jsonb_strip_nulls(jsonb_build_object('suppression_id', id, 'channel', channel, 'address', address, 'reason', reason, 'delivery_id', delivery_id, 'expires_at', expires_at))`;

/** Events on their way out. A row is there until the broker has it; there is no position to lose. Runs as the platform. */
export class EventsStore {
  constructor(private readonly database: Database) {}

  /** The oldest events, in order. Index: events_seq_idx. */
  async next(limit: number): Promise<StoredEvent[]> {
    return await this.database.platform.query<StoredEvent>({
      name: 'next_events',
      text: `select tenant_id as "tenantId", id, seq, type, recipient_id as "recipientId", subject, data::text as data,
                    to_char(created_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "createdAt"
             from events order by seq limit $1`,
      values: [limit],
    });
  }

  /** Deletes what was published. Index: events_seq_idx. */
  async published(events: readonly StoredEvent[]): Promise<void> {
    await this.database.platform.query({
      name: 'published_events',
      text: 'delete from events where seq = any ($1::bigint[])',
      values: [events.map(({ seq }) => seq)],
    });
  }

  /** Age of the oldest event that waits, in seconds; 0 when none does. Index: events_seq_idx. */
  async oldestSeconds(): Promise<number> {
    const [row] = await this.database.platform.query<{ seconds: number }>({
      text: `select greatest(0, extract(epoch from now() - created_at))::float8 as seconds from events order by seq limit 1`,
    });
    return row?.seconds ?? 0;
  }
}
