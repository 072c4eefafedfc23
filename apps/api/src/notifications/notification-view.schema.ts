import { z } from 'zod';
import { channelIds, deliveryStates, jobStates, notificationStatuses } from '#domain';
import { id, recipientId, rejectedItem, time, topicKey } from '../http/schemas.js';

const channel = z.enum(channelIds);
const at = time.nullable();

export const deliveryView = z
  .object({
    id,
    channel,
    recipient_id: recipientId,
    state: z.enum(deliveryStates),
    reason: z.string().nullable(),
    due_at: at,
    provider: z.string().nullable(),
    provider_message_id: z.string().nullable(),
    template_version: z.int().nullable(),
    attempts: z.int(),
    created_at: time,
    sent_at: at,
    delivered_at: at,
    complained_at: at,
    opened_at: at,
  })
  .meta({ id: 'Delivery' });

export const foundDeliveryView = deliveryView
  .extend({
    notification_id: id,
    category: z.string(),
    type: z.string().nullable(),
    template_id: z.string().nullable().meta({ description: 'The id or the key, as the send named it' }),
    subject: z.string().nullable().meta({ description: 'Of inline content' }),
  })
  .meta({ id: 'FoundDelivery' });

export const foundDeliveriesView = z.object({
  data: z.array(foundDeliveryView),
  next_cursor: z.string().nullable(),
  searched_until: at.meta({
    description:
      'Set if the page is short because a search examines a limited number of deliveries. All later ones were ' +
      'searched; next_cursor continues with the earlier ones',
  }),
});

export const notificationView = z
  .object({
    id,
    status: z.enum(notificationStatuses),
    type: z.string().nullable(),
    category: z.string(),
    channels: z.array(channel),
    recipient_id: recipientId.nullable().meta({ description: 'null for a send to a topic' }),
    topic: topicKey.nullable(),
    template_id: z.string().nullable(),
    priority: z.int(),
    metadata: z.record(z.string(), z.string()),
    scheduled_at: at,
    expires_at: at,
    created_at: time,
    counts: z.partialRecord(z.enum(deliveryStates), z.int()),
    deliveries: z.array(deliveryView).meta({ description: 'The first 100' }),
    fan_out: z
      .object({
        total: z.int().nullable().meta({ description: 'Members of the topic; null if it is not known' }),
        expanded: z.int().meta({ description: 'Members whose deliveries have been created' }),
        state: z.enum(jobStates),
      })
      .nullable()
      .meta({ description: 'The progress of a send to a topic' }),
  })
  .meta({ id: 'Notification' });

export const timelineView = deliveryView
  .extend({
    notification_id: id,
    address: z.string().nullable().meta({ description: 'That the send named; null if it uses the profile' }),
    provider_account_id: id.nullable().meta({ description: 'Of the last attempt; null for the sandbox' }),
    trace_id: z.string().nullable().meta({ description: 'Of the request that sent it, if traces are on' }),
    timeline: z.array(
      z.object({
        at: time,
        code: z.string(),
        attempt: z.int().nullable(),
        outcome: z.string().nullable(),
        provider: z.string().nullable(),
        provider_code: z.string().nullable(),
        reason: z.string().nullable(),
        rule: z.string().nullable().meta({ description: 'The setting that decided; docs/reasons.md lists them' }),
        detail: z.string().nullable(),
        duration_ms: z.int().nullable(),
        until: at,
      }),
    ),
  })
  .meta({ id: 'DeliveryWithTimeline' });

export const bulkView = z
  .object({
    accepted: z.array(z.object({ index: z.int(), id })),
    rejected: z.array(rejectedItem),
  })
  .meta({ id: 'BulkResult' });
