import { z } from 'zod';
import { channelIds, deliveryStates, localeTag, notificationStatuses, timezone } from '#domain';
import { filteredPage, flag, id, jsonObject, recipientId, time } from '../http/schemas.js';

const channel = z.enum(channelIds, { error: `must be one of ${channelIds.join(', ')}` });
const label = z.string().min(1).max(255);

export const metadata = z
  .record(z.string().min(1).max(100), z.string().max(1_000))
  .refine((entries) => Object.keys(entries).length <= 50, { error: 'may have 50 keys' })
  .meta({ description: 'Your own labels, text to text' });

export const inlineRecipient = z
  .strictObject({
    id: recipientId,
    email: z.email({ error: 'must be one e-mail address' }).max(254).nullish(),
    phone: z
      .string()
      .regex(/^\+[1-9]\d{6,14}$/, 'must be an E.164 number like +15005550000')
      .nullish(),
    locale: localeTag.nullish(),
    timezone: timezone.nullish(),
    attributes: jsonObject.optional(),
  })
  .meta({
    id: 'InlineRecipient',
    description: 'A profile that is stored before the send: what it names is replaced, the rest is kept',
  });

const who = {
  recipient_id: recipientId.optional(),
  recipient: inlineRecipient.optional(),
  recipient_address: z
    .string()
    .min(1)
    .max(4_096)
    .optional()
    .meta({ description: 'Overrides the stored address; only with a single channel' }),
};

const what = {
  channel: channel.optional(),
  channels: z.array(channel).min(1).max(channelIds.length).optional(),
  template_id: label.optional().meta({ description: "A template's id or key" }),
  content: jsonObject.optional().meta({ description: "Inline content, the shape of a template's content" }),
  payload: jsonObject.optional().meta({ description: "The template's variables" }),
  type: label.optional().meta({ description: 'A label of yours, such as order.shipped' }),
  category: label.default('default'),
  priority: z
    .int()
    .min(1)
    .max(10)
    .default(5)
    .meta({ description: '1 is most urgent; 1-3, 4-6 and 7-10 are three lanes' }),
  scheduled_at: time.optional().meta({ description: 'Not before; at most one year ahead' }),
  expires_at: time.optional().meta({ description: 'Not after' }),
  ordering_key: label.optional().meta({ description: 'Strict order among deliveries with the same key' }),
  metadata: metadata.optional(),
};

const idempotencyKey = z
  .string()
  .regex(/^[\x20-\x7e]{1,255}$/, 'must be 1 to 255 printable ASCII characters')
  .optional();

interface Asked {
  recipient_id?: string | undefined;
  recipient?: unknown;
  channel?: string | undefined;
  channels?: string[] | undefined;
  template_id?: string | undefined;
  content?: unknown;
}

function fault(context: z.RefinementCtx, path: string, code: string, message: string): void {
  context.addIssue({ code: 'custom', path: [path], message, params: { code } });
}

function checkWho(body: Asked, context: z.RefinementCtx): void {
  if (body.recipient_id === undefined && body.recipient === undefined)
    fault(context, 'recipient_id', 'required', 'one of recipient_id or recipient is required');
  if (body.recipient_id !== undefined && body.recipient !== undefined)
    fault(context, 'recipient', 'conflicting', 'give recipient_id or recipient, not both');
}

function checkWhat(body: Asked, context: z.RefinementCtx): void {
  if (body.channel === undefined && body.channels === undefined)
    fault(context, 'channel', 'required', 'one of channel or channels is required');
  if (body.channel !== undefined && body.channels !== undefined)
    fault(context, 'channels', 'conflicting', 'give channel or channels, not both');
  if (body.channels && new Set(body.channels).size < body.channels.length)
    fault(context, 'channels', 'duplicate', 'names a channel twice');
  if (body.template_id === undefined && body.content === undefined)
    fault(context, 'template_id', 'required', 'one of template_id or content is required');
  if (body.template_id !== undefined && body.content !== undefined)
    fault(context, 'content', 'conflicting', 'give template_id or content, not both');
}

export const sendBody = z
  .strictObject({ ...who, ...what, idempotency_key: idempotencyKey })
  .superRefine((body, context) => {
    checkWho(body, context);
    checkWhat(body, context);
  })
  .meta({
    id: 'SendNotification',
    examples: [{ recipient_id: 'user-123', channel: 'email', template_id: 'welcome', payload: { name: 'Alice' } }],
  });
export type SendBody = z.infer<typeof sendBody>;

/** One of a bulk, as it stands in `recipients`. */
export const bulkItem = z
  .strictObject({ ...who, payload: what.payload, idempotency_key: idempotencyKey })
  .superRefine(checkWho);
export type BulkItem = z.infer<typeof bulkItem>;

const {
  $schema: _dialect,
  $defs: _names,
  ...bulkItemJson
} = z.toJSONSchema(bulkItem, { io: 'input', reused: 'inline' }) as Record<string, unknown>;

export const bulkBody = z
  .strictObject({
    ...what,
    // Looked at one by one, so that one faulty item does not refuse the others.
    recipients: z
      .array(
        jsonObject.meta(
          JSON.parse(JSON.stringify(bulkItemJson).replaceAll('#/$defs/', '#/components/schemas/')) as Record<
            string,
            unknown
          >,
        ),
      )
      .min(1)
      .max(1_000),
  })
  .superRefine(checkWhat)
  .meta({ id: 'SendBulk' });
export type BulkBody = z.infer<typeof bulkBody>;

const message = z
  .string()
  .min(1)
  .max(64 * 1024);
const address = z.string().min(1).max(4_096);
export const emailShorthand = z
  .strictObject({ message, recipient: address, subject: z.string().min(1).max(998).optional() })
  .meta({ id: 'SendEmail' });
export const smsShorthand = z.strictObject({ message, recipient: address }).meta({ id: 'SendSms' });
export const slackShorthand = z.strictObject({ message, recipient: address.optional() }).meta({ id: 'SendSlack' });

export const listQuery = filteredPage({
  offset: z.coerce.number({ error: 'must be a number' }).int().min(0).max(10_000).optional(),
  status: z.enum(notificationStatuses).optional().meta({
    description:
      '`pending` and `active` are computed: such a page looks at 1,000 notifications, so it may be short or empty and still have a next_cursor',
  }),
  recipient_id: recipientId.optional(),
  channel: channel.optional(),
  category: label.optional(),
  type: label.optional(),
  created_after: time.optional(),
  created_before: time.optional(),
  deleted: flag.optional(),
})
  // metadata[key]=value arrives as a flat name.
  .catchall(z.string().max(1_000))
  .superRefine((query, context) => {
    const known = new Set([
      'limit',
      'cursor',
      'offset',
      'status',
      'recipient_id',
      'channel',
      'category',
      'type',
      'created_after',
      'created_before',
      'deleted',
    ]);
    for (const name of Object.keys(query)) {
      if (!known.has(name) && !/^metadata\[.{1,100}\]$/.test(name))
        context.addIssue({ code: 'unrecognized_keys', keys: [name], message: 'unknown', input: query });
    }
    if (query.offset !== undefined && query.cursor !== undefined)
      fault(context, 'offset', 'conflicting', 'give offset or cursor, not both');
  });
export type ListQuery = z.infer<typeof listQuery>;

export const deliveriesQuery = filteredPage({ state: z.enum(deliveryStates).optional() });

// ---------------------------------------------------------------- answers

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

export const notificationView = z
  .object({
    id,
    status: z.enum(notificationStatuses),
    type: z.string().nullable(),
    category: z.string(),
    channels: z.array(channel),
    recipient_id: recipientId.nullable(),
    topic: z.string().nullable(),
    template_id: z.string().nullable(),
    priority: z.int(),
    metadata: z.record(z.string(), z.string()),
    scheduled_at: at,
    expires_at: at,
    created_at: time,
    counts: z.partialRecord(z.enum(deliveryStates), z.int()),
    deliveries: z.array(deliveryView).meta({ description: 'The first hundred' }),
  })
  .meta({ id: 'Notification' });

export const timelineView = deliveryView
  .extend({
    notification_id: id,
    timeline: z.array(
      z.object({
        at: time,
        code: z.string(),
        attempt: z.int().nullable(),
        outcome: z.string().nullable(),
        provider: z.string().nullable(),
        provider_code: z.string().nullable(),
        reason: z.string().nullable(),
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
    rejected: z.array(
      z.object({
        index: z.int(),
        code: z.string(),
        errors: z.array(z.object({ pointer: z.string(), code: z.string(), message: z.string() })),
      }),
    ),
  })
  .meta({ id: 'BulkResult' });
