import { atLocalTime, type ChannelId, channelsOf, FIRST_ZONE, laneOf, newId, type SharedPart } from '#domain';
import type { NewNotification } from '../sending/new-notification.js';

/** The body of a send to a topic. */
export interface TopicSendPart extends SharedPart {
  topic: string;
  exclude?: string[] | undefined;
  spread_over_seconds?: number | undefined;
  payload?: Record<string, unknown> | undefined;
}

/** All that one send to a topic writes when the store accepts it. */
export interface NewTopicSend {
  tenantId: string;
  /** Of the notification, and of its job. */
  id: string;
  topic: string;
  channels: ChannelId[];
  send: TopicSendPart;
  /** The time of the first chunk of the job, which then reads the members. Null for now. */
  startsAt: Date | null;
  scheduledAt: Date | null;
  expiresAt: Date | null;
  idempotency: NewNotification['idempotency'];
  traceparent: string | null;
}

/** The input of the job of a send to a topic. The rest is in its notification. */
export type TopicSendInput = {
  topicId: string;
  exclude: string[];
  lane: number;
  traceparent: string | null;
  /** The time of sending on the clock of each member. */
  localTime: string | null;
};

export function toTopicSend(
  caller: { tenantId: string; traceparent: string | null },
  send: TopicSendPart,
  idempotency: NewNotification['idempotency'],
): NewTopicSend {
  return {
    tenantId: caller.tenantId,
    id: newId(),
    topic: send.topic,
    channels: channelsOf(send),
    send,
    startsAt: startOf(send),
    scheduledAt: send.scheduled_at === undefined ? null : new Date(send.scheduled_at),
    expiresAt: send.expires_at === undefined ? null : new Date(send.expires_at),
    idempotency,
    traceparent: caller.traceparent,
  };
}

/** A local time begins in the zone that reaches it first. */
function startOf({ scheduled_at: at, scheduled_at_local: local }: TopicSendPart): Date | null {
  if (local !== undefined) return atLocalTime(local, FIRST_ZONE);
  return at === undefined ? null : new Date(at);
}

/** The input of the job without the id of the topic, which the accept statement adds. */
export function inputOf({ send, traceparent }: NewTopicSend): Omit<TopicSendInput, 'topicId'> {
  return {
    exclude: [...new Set(send.exclude ?? [])],
    lane: laneOf(send.priority),
    traceparent,
    localTime: send.scheduled_at_local ?? null,
  };
}
