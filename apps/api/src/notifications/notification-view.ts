import type { z } from 'zod';
import type { DeliveryRow, DeliveryWithTimeline, FirstAnswer, FoundDelivery, NotificationRow } from '#database';
import type { NotificationCounter } from '#domain';
import type { deliveryView, foundDeliveryView, notificationView, timelineView } from './notification-view.schema.js';

export type NotificationView = z.infer<typeof notificationView>;
export type DeliveryView = z.infer<typeof deliveryView>;
export type TimelineView = z.infer<typeof timelineView>;

const NO_COUNTS: Record<NotificationCounter, number> = { succeeded: 0, failed: 0, suppressed: 0, cancelled: 0 };

export function toNotificationView(notification: NotificationRow, deliveries: DeliveryRow[]): NotificationView {
  return {
    id: notification.id,
    status: notification.status,
    type: notification.type,
    category: notification.category,
    channels: notification.channels,
    recipient_id: notification.recipientId,
    topic: notification.topic,
    template_id: notification.templateId,
    priority: notification.priority,
    metadata: notification.metadata ?? {},
    scheduled_at: text(notification.scheduledAt),
    expires_at: text(notification.expiresAt),
    created_at: notification.createdAt.toISOString(),
    counts: notification.topic === null ? countsOf(deliveries) : topicCounts(notification),
    deliveries: deliveries.map(toDeliveryView),
    fan_out: notification.fanOut,
  };
}

function countsOf(deliveries: readonly DeliveryRow[]): NotificationView['counts'] {
  const counts: NotificationView['counts'] = {};
  for (const { state } of deliveries) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

/**
 * From the counters, which hold several states each: `sent` includes delivered, `failed` bounced and unknown,
 * `suppressed` expired.
 */
function topicCounts(row: NotificationRow): NotificationView['counts'] {
  const { succeeded: sent, failed, suppressed, cancelled } = row;
  const waiting = row.total - sent - failed - suppressed - cancelled;
  const counts = { waiting, sent, failed, suppressed, cancelled };
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

/**
 * The answer to a send, from fields that never change: a replay a day later gets the same text as the first request.
 */
export function toFirstAnswer({ notification, deliveries }: FirstAnswer): NotificationView {
  const { createdAt, scheduledAt } = notification;
  const isScheduled = scheduledAt !== null && scheduledAt > createdAt;
  return toNotificationView(
    {
      ...notification,
      ...NO_COUNTS,
      status: 'pending',
      total: deliveries.length,
      fanOut: notification.topic === null ? null : { total: null, expanded: 0, state: 'running' },
    },
    deliveries.map(({ id, channel }) => ({
      id,
      channel,
      notificationId: notification.id,
      recipientId: notification.recipientId!,
      address: null,
      state: 'waiting',
      reason: isScheduled ? 'scheduled' : null,
      dueAt: scheduledAt ?? createdAt,
      provider: null,
      providerMessageId: null,
      templateVersion: null,
      attempts: 0,
      createdAt,
      sentAt: null,
      deliveredAt: null,
      complainedAt: null,
      openedAt: null,
    })),
  );
}

export function toDeliveryView(delivery: DeliveryRow): DeliveryView {
  return {
    id: delivery.id,
    channel: delivery.channel,
    recipient_id: delivery.recipientId,
    state: delivery.state,
    reason: delivery.reason,
    due_at: text(delivery.dueAt),
    provider: delivery.provider,
    provider_message_id: delivery.providerMessageId,
    template_version: delivery.templateVersion,
    attempts: delivery.attempts,
    created_at: delivery.createdAt.toISOString(),
    sent_at: text(delivery.sentAt),
    delivered_at: text(delivery.deliveredAt),
    complained_at: text(delivery.complainedAt),
    opened_at: text(delivery.openedAt),
  };
}

export function toFoundDeliveryView(delivery: FoundDelivery): z.infer<typeof foundDeliveryView> {
  return {
    ...toDeliveryView(delivery),
    notification_id: delivery.notificationId,
    category: delivery.category,
    type: delivery.type,
    template_id: delivery.templateId,
    subject: delivery.subject,
  };
}

export function toTimelineView({ delivery, timeline, origin }: DeliveryWithTimeline): TimelineView {
  return {
    ...toDeliveryView(delivery),
    notification_id: delivery.notificationId,
    address: delivery.address,
    provider_account_id: origin.providerAccountId,
    trace_id: origin.traceId,
    timeline: timeline.map((entry) => ({
      at: entry.at.toISOString(),
      code: entry.code,
      attempt: entry.attempt,
      outcome: entry.outcome,
      provider: entry.provider,
      provider_code: entry.providerCode,
      reason: entry.reason,
      rule: entry.rule,
      detail: entry.detail,
      duration_ms: entry.durationMs,
      until: text(entry.until),
    })),
  };
}

function text(time: Date | null): string | null {
  return time === null ? null : time.toISOString();
}
