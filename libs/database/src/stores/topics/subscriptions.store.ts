import type { ChannelId } from '#domain';
import type { Database } from '../../database.js';
import { afterCursor, type Page, type PageRequest, toPage } from '../../page.js';
import type { Subscription } from './topic.js';

export interface NewSubscriptions {
  recipientIds: readonly string[];
  /** Null for all channels; undefined keeps those of existing subscriptions. */
  channels: readonly ChannelId[] | null | undefined;
}

/** The subscriptions of recipients to topics. */
export class SubscriptionsStore {
  constructor(private readonly database: Database) {}

  /**
   * Subscribes recipients, and creates those that do not exist, without addresses. Returns the number of new
   * subscriptions, and of those that existed; null if there is no such topic.
   */
  async subscribe(
    tenantId: string,
    key: string,
    { recipientIds, channels }: NewSubscriptions,
  ): Promise<{ subscribed: number; already: number } | null> {
    const distinct = [...new Set(recipientIds)];
    const [row] = await this.database.queryForTenant<{ topics: number; subscribed: number }>(tenantId, {
      name: 'subscribe',
      text: SUBSCRIBE,
      values: [tenantId, key, distinct, channels ?? null, channels !== undefined],
    });
    return row!.topics === 0 ? null : { subscribed: row!.subscribed, already: distinct.length - row!.subscribed };
  }

  /** Returns the number of deleted subscriptions; null if there is no such topic. */
  async unsubscribe(tenantId: string, key: string, recipientIds: readonly string[]): Promise<number | null> {
    const [row] = await this.database.queryForTenant<{ topics: number; unsubscribed: number }>(tenantId, {
      name: 'unsubscribe',
      text: UNSUBSCRIBE,
      values: [tenantId, key, recipientIds],
    });
    return row!.topics === 0 ? null : row!.unsubscribed;
  }

  /** The subscriptions of a topic, by recipient; null if there is no such topic. Index: subscriptions_pkey. */
  async ofTopic(tenantId: string, key: string, page: PageRequest): Promise<Page<Subscription> | null> {
    const rows = await this.database.queryForTenant<Subscription & { recipientId: string | null }>(tenantId, {
      name: 'subscriptions_of_topic',
      text: `select t.key as topic, s.* from topics t left join lateral (
               select recipient_id as "recipientId", channels, created_at as "createdAt" from subscriptions x
               where x.tenant_id = t.tenant_id and x.topic_id = t.id and ($3::text is null or x.recipient_id > $3)
               order by x.recipient_id limit $4
             ) s on true
             where t.tenant_id = $1 and t.key = $2 and t.deleted_at is null order by s."recipientId"`,
      values: [tenantId, key, afterCursor(page.cursor), page.limit + 1],
    });
    if (rows.length === 0) return null;
    return toPage(
      rows.filter(({ recipientId }) => recipientId !== null),
      page.limit,
      ({ recipientId }) => recipientId,
    );
  }

  /**
   * The subscriptions of a recipient, by topic. Sorts all of them. Indexes:
   * subscriptions_recipient_id_tenant_id_topic_id_idx, topics_pkey.
   */
  async ofRecipient(tenantId: string, recipientId: string, page: PageRequest): Promise<Page<Subscription>> {
    const rows = await this.database.queryForTenant<Subscription>(tenantId, {
      name: 'subscriptions_of_recipient',
      text: `select t.key as topic, s.recipient_id as "recipientId", s.channels, s.created_at as "createdAt"
             from subscriptions s join topics t on t.tenant_id = s.tenant_id and t.id = s.topic_id
             where s.recipient_id = $2 and s.tenant_id = $1 and t.deleted_at is null
               and ($3::text is null or t.key > $3)
             order by t.key limit $4`,
      values: [tenantId, recipientId, afterCursor(page.cursor), page.limit + 1],
    });
    return toPage(rows, page.limit, ({ topic }) => topic);
  }
}

/**
 * The lock of the topic's row comes first, so that two requests for one topic wait for each other instead of
 * deadlocking; requests for different topics insert recipients in order of id. Indexes: topics_tenant_id_key_key, the
 * primary keys.
 */
const SUBSCRIBE = `
with topic as materialized (
  select tenant_id, id from topics where tenant_id = $1 and key = $2 and deleted_at is null for no key update
), members as materialized (
  select t.tenant_id, t.id as topic_id, m.recipient_id
  from topic t cross join unnest($3::text[]) as m(recipient_id)
), inserted_recipients as (
  insert into recipients (tenant_id, id) select tenant_id, recipient_id from members order by recipient_id
  on conflict do nothing
), subscribed as (
  insert into subscriptions as s (tenant_id, topic_id, recipient_id, channels)
  select tenant_id, topic_id, recipient_id, $4::text[] from members order by recipient_id
  on conflict (tenant_id, topic_id, recipient_id) do update set channels = excluded.channels
    where $5 and s.channels is distinct from excluded.channels
  returning s.xmax = 0 as is_new
), counted as (
  update topics t set subscribers = t.subscribers + (select count(*) from subscribed where is_new)
  where t.tenant_id = $1 and t.id = (select id from topic) and exists (select from subscribed where is_new)
)
select (select count(*) from topic)::int as topics, (select count(*) from subscribed where is_new)::int as subscribed`;

/** Lock order as in SUBSCRIBE. Indexes: topics_tenant_id_key_key, the primary keys. */
const UNSUBSCRIBE = `
with topic as materialized (
  select tenant_id, id from topics where tenant_id = $1 and key = $2 and deleted_at is null for no key update
), unsubscribed as (
  delete from subscriptions s using topic t
  where s.tenant_id = t.tenant_id and s.topic_id = t.id and s.recipient_id = any ($3::text[])
  returning 1
), counted as (
  update topics t set subscribers = t.subscribers - (select count(*) from unsubscribed)
  where t.tenant_id = $1 and t.id = (select id from topic) and exists (select from unsubscribed)
)
select (select count(*) from topic)::int as topics, (select count(*) from unsubscribed)::int as unsubscribed`;
