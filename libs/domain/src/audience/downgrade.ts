import type { ChannelId } from '../channels/registry.js';
import { derivedId, timeOfId } from '../ids.js';

/**
 * The id of the inbox delivery that replaces the suppressed deliveries of a notification to a recipient: always the
 * same, so that several of them make one item. It has the time of the notification, which bounds the ids of its
 * deliveries, or of `createdAs`: any delivery of a send to a topic. The job creates those of a recipient at one time,
 * but maybe weeks after the notification, when the partition of its week no longer exists.
 */
export function inAppDeliveryId(notificationId: string, recipientId: string, createdAs = notificationId): string {
  return derivedId(timeOfId(createdAs), `in_app ${notificationId} ${recipientId}`);
}

/** Inline content for a channel. The inbox may replace another channel, whose content the notification has. */
export function inlineContentFor(channel: ChannelId, content: Record<string, unknown>): Record<string, unknown> {
  return channel === 'in_app' ? (inAppContent(content) ?? content) : content;
}

/**
 * Content that was written for another channel as content of the inbox; null if it has no title or no text. Content of
 * the inbox is returned as it is.
 */
export function inAppContent(content: Readonly<Record<string, unknown>>): Record<string, unknown> | null {
  const title = content['title'] ?? content['subject'];
  const body = content['body'] ?? content['text'];
  if (typeof title !== 'string' || typeof body !== 'string') return null;
  const { action_url: actionUrl, data } = content;
  return {
    title,
    body,
    ...(actionUrl !== undefined && { action_url: actionUrl }),
    ...(data !== undefined && { data }),
  };
}
