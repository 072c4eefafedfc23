import type { z } from 'zod';
import type { DeliveryRow, FirstAnswer, NewNotification, NotificationRow, TimelineEntry } from '#database';
import type { deliveryView, notificationView, timelineView } from './notification-view.schema.js';

export type NotificationView = z.infer<typeof notificationView>;
export type DeliveryView = z.infer<typeof deliveryView>;
export type TimelineView = z.infer<typeof timelineView>;

export function toNotificationView(
  notification: Omit<NotificationRow, 'content' | 'payload'>,
  deliveries: DeliveryRow[],
): NotificationView {
  const counts: NotificationView['counts'] = {};
  for (const { state } of deliveries) counts[state] = (counts[state] ?? 0) + 1;
  return {
    id: notification.id,
    status: notification.status,
    type: notification.type,
    category: notification.category,
    channels: notification.channels,
    recipient_id: notification.recipientId,
    topic: null,
    template_id: notification.templateId,
    priority: notification.priority,
    metadata: notification.metadata ?? {},
    scheduled_at: text(notification.scheduledAt),
    expires_at: text(notification.expiresAt),
    created_at: notification.createdAt.toISOString(),
    counts,
    deliveries: deliveries.map(toDeliveryView),
  };
}

/**
 * The answer to a send, from fields that never change: a replay a day later gets the same text as the first request.
 */
export function toFirstAnswer(
  notification: FirstAnswer['notification'],
  deliveries: FirstAnswer['deliveries'],
): NotificationView {
  const { createdAt, scheduledAt } = notification;
  const isScheduled = scheduledAt !== null && scheduledAt > createdAt;
  return toNotificationView(
    { ...notification, status: 'pending', total: deliveries.length },
    deliveries.map(({ id, channel }) => ({
      id,
      channel,
      notificationId: notification.id,
      recipientId: notification.recipientId,
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

export function firstAnswerTo({ notification, deliveries }: NewNotification, createdAt: Date): NotificationView {
  return toFirstAnswer({ ...notification, createdAt }, deliveries);
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

export function toTimelineView(delivery: DeliveryRow, timeline: TimelineEntry[]): TimelineView {
  return {
    ...toDeliveryView(delivery),
    notification_id: delivery.notificationId,
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
