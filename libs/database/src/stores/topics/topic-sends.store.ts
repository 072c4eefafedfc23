import { newId } from '#domain';
import { json } from '../../columns.js';
import type { Database } from '../../database.js';
import { parameterList } from '../../parameter-list.js';
import { inputOf, type NewTopicSend } from './topic-send.js';

/** The outcome of a send to a topic that was handed to the store. */
export type TopicSendResult =
  | { kind: 'accepted'; createdAt: Date }
  | { kind: 'unknown_topic' }
  /** The idempotency key exists. AcceptStore.findAccepted tells whether this is a replay. */
  | { kind: 'known_key' };

/** Accepts sends to topics. A job creates the deliveries: expand-topic.ts. */
export class TopicSendsStore {
  constructor(private readonly database: Database) {}

  /** Commits the notification, its shared content, its job and the idempotency key. Throws `unavailable`. */
  async accept(topicSend: NewTopicSend): Promise<TopicSendResult> {
    const [row] = await this.database.queryForTenant<{ topics: number; createdAt: Date | null }>(topicSend.tenantId, {
      name: 'accept_topic_send',
      text: ACCEPT_TOPIC_SEND,
      values: acceptValues(topicSend),
    });
    if (row!.createdAt) return { kind: 'accepted', createdAt: row!.createdAt };
    return { kind: row!.topics === 0 ? 'unknown_topic' : 'known_key' };
  }
}

const parameters = parameterList(
  'tenantId',
  'id',
  'topic',
  'type',
  'category',
  'channels',
  'templateId',
  'sharedContentId',
  'content',
  'payload',
  'priority',
  'orderingKey',
  'metadata',
  'scheduledAt',
  'expiresAt',
  'key',
  'bodyHash',
  'input',
  'startsAt',
  'spreadSeconds',
  'traceparent',
);
const p = parameters.in;

function acceptValues(topicSend: NewTopicSend): unknown[] {
  const { send, idempotency } = topicSend;
  return parameters.values({
    tenantId: topicSend.tenantId,
    id: topicSend.id,
    topic: topicSend.topic,
    type: send.type ?? null,
    category: send.category,
    channels: topicSend.channels,
    templateId: send.template_id ?? null,
    sharedContentId: send.content || send.payload ? newId() : null,
    content: json(send.content),
    payload: json(send.payload),
    priority: send.priority,
    orderingKey: send.ordering_key ?? null,
    metadata: json(send.metadata),
    scheduledAt: topicSend.scheduledAt,
    expiresAt: topicSend.expiresAt,
    key: idempotency?.key ?? null,
    bodyHash: idempotency?.bodyHash ?? null,
    input: json(inputOf(topicSend)),
    startsAt: topicSend.startsAt,
    spreadSeconds: send.spread_over_seconds ?? null,
    traceparent: topicSend.traceparent,
  });
}

/**
 * `total` is 1 while the job creates deliveries, so that the notification is not final. The pace of the job spreads the
 * members that the topic has now. Indexes: topics_tenant_id_key_key, idempotency_keys_pkey.
 */
const ACCEPT_TOPIC_SEND = `
with topic as materialized (
  select id, subscribers from topics where tenant_id = ${p.tenantId} and key = ${p.topic} and deleted_at is null
), inserted_key as (
  insert into idempotency_keys (tenant_id, key, body_hash, notification_id)
  select ${p.tenantId}, ${p.key}::text, decode(${p.bodyHash}, 'hex'), ${p.id}::uuid from topic
  where ${p.key} is not null
  on conflict (tenant_id, key) do nothing
  returning 1
), accepted as materialized (
  select t.id as topic_id, t.subscribers, date_trunc('milliseconds', now()) as created_at from topic t
  where ${p.key} is null or exists (select from inserted_key)
), inserted_content as (
  insert into shared_contents (tenant_id, id, content, payload)
  select ${p.tenantId}, ${p.sharedContentId}::uuid, ${p.content}::json, ${p.payload}::json from accepted
  where ${p.sharedContentId} is not null
), inserted_notification as (
  insert into notifications (tenant_id, id, topic, type, category, channels, template_id, shared_content_id, priority,
                             ordering_key, metadata, scheduled_at, expires_at, total, created_at, traceparent)
  select ${p.tenantId}, ${p.id}, ${p.topic}, ${p.type}::text, ${p.category}::text, ${p.channels}::text[],
         ${p.templateId}::text, ${p.sharedContentId}, ${p.priority}::smallint, ${p.orderingKey}::text,
         ${p.metadata}::jsonb, ${p.scheduledAt}::timestamptz, ${p.expiresAt}::timestamptz, 1, created_at,
         ${p.traceparent}::text
  from accepted
), inserted_job as (
  insert into jobs (tenant_id, id, kind, input, total, pace_per_second, notification_id, due_at)
  select ${p.tenantId}, ${p.id}, 'topic_send', ${p.input}::jsonb || jsonb_build_object('topicId', topic_id),
         subscribers, greatest(subscribers, 1)::real / ${p.spreadSeconds}::real, ${p.id},
         greatest(now(), ${p.startsAt}::timestamptz)
  from accepted
)
select (select count(*) from topic)::int as topics, (select created_at from accepted) as "createdAt"`;
