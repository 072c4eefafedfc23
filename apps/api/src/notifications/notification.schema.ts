import { z } from 'zod';
import { channelIds, emailAddress, localeTag, localTime, phoneNumber, timezone } from '#domain';
import { checkedItems, jsonObject, recipientId, time, topicKey } from '../http/schemas.js';
import { recipientAttributes } from '../recipients/recipient.schema.js';

const channel = z.enum(channelIds);
const label = z.string().min(1).max(255);

export const metadata = z
  .record(z.string().min(1).max(100), z.string().max(1_000))
  .refine((entries) => Object.keys(entries).length <= 50, { error: 'may have at most 50 keys' })
  .meta({ description: 'Your own labels, text to text' });

export const inlineRecipient = z
  .strictObject({
    id: recipientId,
    email: emailAddress.nullish(),
    phone: phoneNumber.nullish(),
    locale: localeTag.nullish(),
    timezone: timezone.nullish(),
    attributes: recipientAttributes.optional(),
  })
  .meta({
    id: 'InlineRecipient',
    description:
      'A profile that is stored before the send. Its fields replace the stored ones; other stored fields stay',
  });

const recipientFields = {
  recipient_id: recipientId.optional(),
  recipient: inlineRecipient.optional(),
  recipient_address: z
    .string()
    .min(1)
    .max(4_096)
    .optional()
    .meta({ description: 'Overrides the stored address; only with a single channel' }),
};

/** Longest time over which a send to a topic is spread: a day. */
const MAX_SPREAD_SECONDS = 86_400;
const MAX_EXCLUDED = 1_000;

const topicFields = {
  topic: topicKey.optional().meta({ description: 'Sends to the subscribers of a topic instead of one recipient' }),
  exclude: z
    .array(recipientId)
    .max(MAX_EXCLUDED)
    .optional()
    .meta({ description: 'Recipients that get nothing of a send to a topic' }),
  spread_over_seconds: z
    .int()
    .min(1)
    .max(MAX_SPREAD_SECONDS)
    .optional()
    .meta({ description: 'Spreads a send to a topic evenly over this time' }),
};

const sharedFields = {
  channel: channel.optional(),
  channels: z.array(channel).min(1).max(channelIds.length).optional(),
  template_id: label.optional().meta({ description: "A template's id or key" }),
  content: jsonObject.optional().meta({ description: "Inline content, the shape of a template's content" }),
  payload: jsonObject.optional().meta({ description: "The template's variables" }),
  type: label.optional().meta({ description: 'Your own label, such as order.shipped' }),
  category: label.default('default'),
  priority: z
    .int()
    .min(1)
    .max(10)
    .default(5)
    .meta({ description: '1 is most urgent. 1-3, 4-6 and 7-10 are three lanes' }),
  scheduled_at: time.optional().meta({ description: 'Earliest time of sending, at most one year ahead' }),
  scheduled_at_local: localTime.optional().meta({
    description:
      "Earliest time of sending on the clock of the recipient's time zone, else the tenant's, else UTC. Sent at once " +
      'if that time has passed',
  }),
  expires_at: time.optional().meta({ description: 'Latest time of sending' }),
  ordering_key: label
    .optional()
    .meta({ description: 'Deliveries with the same key are sent one after the other, in order' }),
  metadata: metadata.optional(),
};

const idempotencyKey = z
  .string()
  .regex(/^[\x20-\x7e]{1,255}$/, 'must be 1 to 255 printable ASCII characters')
  .optional();

/** The fields that the two refinements look at. */
interface SendFields {
  recipient_id?: string | undefined;
  recipient?: unknown;
  channel?: string | undefined;
  channels?: string[] | undefined;
  template_id?: string | undefined;
  content?: unknown;
  topic?: string | undefined;
  recipient_address?: string | undefined;
  exclude?: unknown;
  spread_over_seconds?: unknown;
  scheduled_at?: string | undefined;
  scheduled_at_local?: string | undefined;
}

function addError(context: z.RefinementCtx, path: string, code: string, message: string): void {
  context.addIssue({ code: 'custom', path: [path], message, params: { code } });
}

function checkRecipient(body: SendFields, context: z.RefinementCtx): void {
  if (body.recipient_id === undefined && body.recipient === undefined)
    addError(context, 'recipient_id', 'required', 'one of recipient_id or recipient is required');
  if (body.recipient_id !== undefined && body.recipient !== undefined)
    addError(context, 'recipient', 'conflicting', 'give recipient_id or recipient, not both');
}

function checkWithoutTopic(body: SendFields, context: z.RefinementCtx): void {
  if (body.recipient_id === undefined && body.recipient === undefined)
    addError(context, 'recipient_id', 'required', 'one of recipient_id, recipient or topic is required');
  else checkRecipient(body, context);
  for (const name of ['exclude', 'spread_over_seconds'] as const)
    if (body[name] !== undefined) addError(context, name, 'conflicting', 'is only allowed with topic');
}

function checkTopic(body: SendFields, context: z.RefinementCtx): void {
  for (const name of ['recipient_id', 'recipient', 'recipient_address'] as const)
    if (body[name] !== undefined) addError(context, name, 'conflicting', `give topic or ${name}, not both`);
}

function checkContent(body: SendFields, context: z.RefinementCtx): void {
  if (body.channel === undefined && body.channels === undefined)
    addError(context, 'channel', 'required', 'one of channel or channels is required');
  if (body.channel !== undefined && body.channels !== undefined)
    addError(context, 'channels', 'conflicting', 'give channel or channels, not both');
  if (body.channels && new Set(body.channels).size < body.channels.length)
    addError(context, 'channels', 'duplicate', 'names a channel twice');
  if (body.template_id === undefined && body.content === undefined)
    addError(context, 'template_id', 'required', 'one of template_id or content is required');
  if (body.template_id !== undefined && body.content !== undefined)
    addError(context, 'content', 'conflicting', 'give template_id or content, not both');
  if (body.scheduled_at !== undefined && body.scheduled_at_local !== undefined)
    addError(context, 'scheduled_at_local', 'conflicting', 'give scheduled_at or scheduled_at_local, not both');
}

function checkSend(body: SendFields, context: z.RefinementCtx): void {
  if (body.topic === undefined) checkWithoutTopic(body, context);
  else checkTopic(body, context);
  checkContent(body, context);
}

export const sendBody = z
  .strictObject({ ...recipientFields, ...topicFields, ...sharedFields, idempotency_key: idempotencyKey })
  .superRefine(checkSend)
  .meta({
    id: 'SendNotification',
    // No field is required in every send, but an empty body is never valid.
    minProperties: 1,
    examples: [{ recipient_id: 'user-123', channel: 'email', template_id: 'welcome', payload: { name: 'Alice' } }],
  });
export type SendBody = z.infer<typeof sendBody>;

const {
  scheduled_at: _scheduledAt,
  scheduled_at_local: _scheduledAtLocal,
  expires_at: _expiresAt,
  ...repeatedFields
} = sharedFields;

/** The body of a send that a schedule repeats: without times, which the schedule has, and without a key. */
export const repeatedBody = z
  .strictObject({ ...recipientFields, ...topicFields, ...repeatedFields })
  .superRefine(checkSend)
  .meta({ id: 'RepeatedNotification' });
export type RepeatedBody = z.infer<typeof repeatedBody>;

/** One item of `recipients` in a bulk send. */
export const bulkItem = z
  .strictObject({ ...recipientFields, payload: sharedFields.payload, idempotency_key: idempotencyKey })
  .superRefine(checkRecipient);
export type BulkItem = z.infer<typeof bulkItem>;

export const bulkBody = z
  .strictObject({
    ...sharedFields,
    recipients: checkedItems(bulkItem, 1_000),
  })
  .superRefine(checkContent)
  .meta({ id: 'SendBulk' });
export type BulkBody = z.infer<typeof bulkBody>;

/** The first line of an upload: a bulk send without recipients. */
export const uploadHead = z.strictObject(sharedFields).superRefine(checkContent);
export type UploadHead = z.infer<typeof uploadHead>;

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
