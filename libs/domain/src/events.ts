// What Carillon tells the world: the types of events and what each says. The same schemas describe the topic (docs/asyncapi.yaml).

import { z } from 'zod';
import { channelIds } from './channels/registry.js';
import { suppressionReasons } from './consent.js';
import { deliveryStates, notificationStatuses } from './delivery-state.js';

export const deliveryEventTypes = [
  'delivery.sent',
  'delivery.delivered',
  'delivery.bounced',
  'delivery.complained',
  'delivery.suppressed',
  'delivery.failed',
  'delivery.expired',
  'delivery.cancelled',
  'delivery.unknown',
] as const;

/** A delivery came to a state, or a receipt said something of it. What is not known is left out. */
export const deliveryEvent = z
  .strictObject({
    notification_id: z.uuid(),
    delivery_id: z.uuid(),
    recipient_id: z.string(),
    channel: z.enum(channelIds),
    state: z.enum(deliveryStates),
    reason: z.string().optional(),
    provider: z.string().optional(),
    provider_message_id: z.string().optional(),
    code: z.string().optional().describe("The provider's own code, or the detail of a receipt."),
    attempts: z.int().min(0),
  })
  .meta({ id: 'DeliveryEvent' });

/** The last delivery of a notification came to its end. A replayed dead letter lets it end again. */
export const notificationFinished = z
  .strictObject({
    notification_id: z.uuid(),
    status: z.enum(notificationStatuses),
    counts: z.strictObject({
      total: z.int(),
      succeeded: z.int(),
      failed: z.int(),
      suppressed: z.int(),
      cancelled: z.int(),
    }),
  })
  .meta({ id: 'NotificationFinished' });

/** A person has read an item of their inbox. */
export const inboxItemRead = z
  .strictObject({
    item_id: z.uuid(),
    seq: z.int().min(1),
    recipient_id: z.string(),
    read_at: z.iso.datetime({ offset: true }),
  })
  .meta({ id: 'InboxItemRead' });

/** A push service said that a device is gone for good; it is not written to any more. */
export const deviceRemoved = z
  .strictObject({ recipient_id: z.string(), token: z.string(), platform: z.enum(['ios', 'android', 'web']) })
  .meta({ id: 'DeviceRemoved' });

/** An address came onto the suppression list. */
export const suppressionCreated = z
  .strictObject({
    suppression_id: z.uuid(),
    channel: z.enum(channelIds),
    address: z.string(),
    reason: z.enum(suppressionReasons),
    delivery_id: z.uuid().optional().describe('The delivery that taught it.'),
    expires_at: z.iso.datetime({ offset: true }).optional(),
  })
  .meta({ id: 'SuppressionCreated' });

/** An endpoint was switched off: it said that it is gone (410), or nothing but failures came back for five days. */
export const webhookDisabled = z
  .strictObject({ webhook_id: z.uuid(), url: z.string(), reason: z.enum(['gone', 'failing']) })
  .meta({ id: 'WebhookDisabled' });

/** Each type of event with the schema of its data. */
export const eventTypes = {
  ...(Object.fromEntries(deliveryEventTypes.map((type) => [type, deliveryEvent])) as Record<
    (typeof deliveryEventTypes)[number],
    typeof deliveryEvent
  >),
  'notification.finished': notificationFinished,
  'inbox.item_read': inboxItemRead,
  'device.removed': deviceRemoved,
  'suppression.created': suppressionCreated,
  'webhook.disabled': webhookDisabled,
};

export type EventType = keyof typeof eventTypes;
