import { z } from 'zod';
import { deliveryStates, type EventType, eventTypes } from '#domain';
import { id, time } from '../http/schemas.js';

const url = z.string().min(1).max(2_048).meta({ description: 'https, to the public network, on port 443 or 8443' });
const events = z
  .array(z.enum(['*', ...(Object.keys(eventTypes) as [EventType, ...EventType[]])]))
  .min(1)
  .max(50)
  .meta({ description: 'The types it wants; * for all' });
const description = z.string().max(255).nullable();
const ordered = z
  .boolean()
  .meta({ description: 'One at a time for each recipient, in order: a failure holds up what comes after it for them' });

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
    enabled: z.boolean().optional().meta({ description: 'true takes one back that was switched off' }),
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
    .meta({ description: 'gone: it answered 410; failing: nothing but failures for five days' }),
  failing_since: time.nullable(),
  created_at: time,
  updated_at: time,
};
export const webhookView = z.object(fields).meta({ id: 'Webhook' });
export const createdWebhookView = z
  .object({ ...fields, secret: z.string().meta({ description: 'Shown this once; signs after Standard Webhooks' }) })
  .meta({ id: 'CreatedWebhook' });
export const rotatedView = z
  .object({
    secret: z.string(),
    old_secret_valid_until: time.meta({ description: 'Until then each call is signed with both' }),
  })
  .meta({ id: 'RotatedSecret' });

export const endpointDeliveryView = z
  .object({
    id,
    event_id: id.meta({ description: 'What follows msg_ in the header webhook-id' }),
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
        'failed: those that were given up; missing: those it was never sent, such as while it was switched off',
    }),
  })
  .meta({ id: 'WebhookReplayBody' });
export type ReplayBody = z.infer<typeof replayBody>;
export const replayView = z
  .object({ replayed: z.int(), more: z.boolean().meta({ description: 'There is more: ask again' }) })
  .meta({ id: 'WebhookReplay' });
export const testView = z.object({ delivery_id: id }).meta({ id: 'WebhookTestSent' });
