import type { WebhooksCreateData } from '#client';

export type EventType = WebhooksCreateData['body']['events'][number];

/** Of every event type, also those that a later release adds: the compiler reports a missing one. */
const described: Record<Exclude<EventType, '*'>, string> = {
  'delivery.sent': 'A provider has accepted a message',
  'delivery.delivered': 'A receipt says that it arrived',
  'delivery.bounced': 'A receipt says that it did not arrive',
  'delivery.complained': 'The recipient has reported it as spam',
  'delivery.suppressed': 'It was not sent, on purpose',
  'delivery.failed': 'It failed for good',
  'delivery.expired': 'It was not sent before it expired',
  'delivery.cancelled': 'It was cancelled',
  'delivery.unknown': 'Nobody knows whether it was sent',
  'notification.finished': 'The last delivery of a notification has ended',
  'inbox.item_read': 'A recipient has read an inbox item',
  'device.removed': 'A push service does not know a device any more',
  'suppression.created': 'An address is on the suppression list now',
  'webhook.disabled': 'Another endpoint was disabled',
  'quota.warning': 'The quota is used to 80 or 100 percent',
};

export const eventTypes = Object.entries(described).map(([type, meaning]) => ({ type: type as EventType, meaning }));
