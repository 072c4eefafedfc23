import { z } from 'zod';
import { deliveryStates, type EventType, eventTypes } from '#domain';
import { id, time } from '../http/schemas.js';

const url = z
  .string()
  .min(1)
  .max(2_048)
  .meta({ description: 'An https URL on the public network, on port 443 or 8443' });
const events = z
  .array(z.enum(['*', ...(Object.keys(eventTypes) as [EventType, ...EventType[]])]))
  .min(1)
  .max(50)
  .meta({ description: 'The event types to send. * for all' });
const description = z.string().max(255).nullable();
const ordered = z
  .boolean()
  .meta({ description: 'Sends the events of a recipient one after the other. A failed one delays the following ones' });

export const webhookBody = z
  .strictObject({ url, events, description: description.default(null), ordered: ordered.default(false) })
  .meta({
    id: 'WebhookBody',
    examples: [{ url: 'https://example.com/carillon', events: ['delivery.bounced', 'delivery.failed'] }],
  });
export type WebhookBody = z.infer<typeof webhookBody>;

export const webhookPatch = z
  .strictObject({
    url: url.optional(),
    events: events.optional(),
    description: description.optional(),
    ordered: ordered.optional(),
    enabled: z.boolean().optional().meta({ description: 'true enables an endpoint that was disabled' }),
  })
  .meta({ id: 'WebhookPatch' });
export type WebhookPatch = z.infer<typeof webhookPatch>;

const fields = {
  id,
  url: z.string(),
  events: z.array(z.string()),
  description,
  ordered: z.boolean(),
  enabled: z.boolean(),
  disabled_reason: z
    .enum(['gone', 'failing'])
    .nullable()
    .meta({ description: 'gone: it answered 410. failing: every call failed for five days' }),
  failing_since: time.nullable(),
  created_at: time,
  updated_at: time,
};
export const webhookView = z.object(fields).meta({ id: 'Webhook' });
export const createdWebhookView = z
  .object({
    ...fields,
    secret: z.string().meta({ description: 'Shown only once. Signs calls as in Standard Webhooks' }),
  })
  .meta({ id: 'CreatedWebhook' });
export const rotatedView = z
  .object({
    secret: z.string(),
    old_secret_valid_until: time.meta({ description: 'Until then each call is signed with both secrets' }),
  })
  .meta({ id: 'RotatedSecret' });

export const endpointDeliveryView = z
  .object({
    id,
    event_id: id.meta({ description: 'The part after msg_ in the header webhook-id' }),
    type: z.string(),
    state: z.enum(deliveryStates),
    reason: z.string().nullable(),
    attempts: z.int(),
    due_at: time.nullable(),
    created_at: time,
    sent_at: time.nullable(),
  })
  .meta({ id: 'WebhookDelivery' });

export const replayBody = z
  .strictObject({
    since: time.meta({ description: 'At most seven days ago' }),
    only: z.enum(['failed', 'missing']).meta({
      description:
        'failed: deliveries that failed. missing: events that were never sent, for example while it was disabled',
    }),
  })
  .meta({ id: 'WebhookReplayBody' });
export type ReplayBody = z.infer<typeof replayBody>;
export const replayView = z
  .object({ replayed: z.int(), more: z.boolean().meta({ description: 'Whether another call would replay more' }) })
  .meta({ id: 'WebhookReplay' });
export const testView = z.object({ delivery_id: id }).meta({ id: 'WebhookTestSent' });
