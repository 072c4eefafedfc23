// The types of published events and the schemas of their data, which are also in docs/asyncapi.yaml.

import { z } from 'zod';
import { quotaPeriods, quotaWarnings } from './audience/quotas.js';
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

/** A delivery changed its state, or a receipt arrived for it. Unknown fields are absent. */
export const deliveryEvent = z
  .strictObject({
    notification_id: z.uuid(),
    delivery_id: z.uuid(),
    recipient_id: z.string(),
    channel: z.enum(channelIds),
    state: z.enum(deliveryStates),
    reason: z.string().optional(),
    rule: z.string().optional().describe('The setting that decided; docs/reasons.md lists them.'),
    provider: z.string().optional(),
    provider_message_id: z.string().optional(),
    code: z.string().optional().describe("The provider's own code, or the detail of a receipt."),
    attempts: z.int().min(0),
  })
  .meta({ id: 'DeliveryEvent' });

/** The last delivery of a notification became final. After a replay it is published again. */
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

/** A recipient has read an inbox item. */
export const inboxItemRead = z
  .strictObject({
    item_id: z.uuid(),
    seq: z.int().min(1),
    recipient_id: z.string(),
    read_at: z.iso.datetime({ offset: true }),
  })
  .meta({ id: 'InboxItemRead' });

/** A push service reported that a device token is permanently invalid; it gets no more deliveries. */
export const deviceRemoved = z
  .strictObject({ recipient_id: z.string(), token: z.string(), platform: z.enum(['ios', 'android', 'web']) })
  .meta({ id: 'DeviceRemoved' });

/** An address was added to the suppression list. */
export const suppressionCreated = z
  .strictObject({
    suppression_id: z.uuid(),
    channel: z.enum(channelIds),
    address: z.string(),
    reason: z.enum(suppressionReasons),
    delivery_id: z.uuid().optional().describe('The delivery that caused the entry.'),
    expires_at: z.iso.datetime({ offset: true }).optional(),
  })
  .meta({ id: 'SuppressionCreated' });

/** A webhook endpoint was disabled: it answered 410 Gone, or all its deliveries failed for five days. */
export const webhookDisabled = z
  .strictObject({ webhook_id: z.uuid(), url: z.string(), reason: z.enum(['gone', 'failing']) })
  .meta({ id: 'WebhookDisabled' });

/**
 * The tenant has used 80 or 100 percent of its deliveries of a day or month; once for each period and percentage. At
 * 100, further deliveries wait for the next period.
 */
export const quotaWarning = z
  .strictObject({
    period: z.enum(quotaPeriods),
    percent: z.literal(quotaWarnings),
    used: z.int().min(0),
    allowed: z.int().min(1),
    ends_at: z.iso.datetime({ offset: true }).describe('The end of the period.'),
  })
  .meta({ id: 'QuotaWarning' });

/** The schema of the data of each event type. */
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
  'quota.warning': quotaWarning,
};

export type EventType = keyof typeof eventTypes;
