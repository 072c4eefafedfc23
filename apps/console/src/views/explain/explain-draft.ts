import type { DeliveryWithTimeline, Notification, SendNotification } from '#client';
import { parseObject } from '../../page/json-field';

type ChannelId = DeliveryWithTimeline['channel'];

/** The texts of the form. */
export interface Draft {
  recipientId: string;
  channels: ChannelId[];
  category: string;
  source: 'template' | 'content';
  templateId: string;
  /** JSON. */
  content: string;
  /** JSON. */
  payload: string;
  /** RFC 3339, or empty for now. */
  scheduledAt: string;
  address: string;
}

export const EMPTY_DRAFT: Draft = {
  recipientId: '',
  channels: ['email'],
  category: '',
  source: 'template',
  templateId: '',
  content: '{\n  "subject": "Hello",\n  "text": "Hello"\n}',
  payload: '{}',
  scheduledAt: '',
  address: '',
};

/** Content that the channel accepts, in place of the stored one, which no route shows. */
const EXAMPLES: Record<ChannelId, object> = {
  email: { subject: 'Example', text: 'Example' },
  sms: { text: 'Example' },
  push: { title: 'Example', body: 'Example' },
  in_app: { title: 'Example', body: 'Example' },
  chat: { text: 'Example' },
  webhook: { body: 'Example' },
};

export function draftOf(delivery: DeliveryWithTimeline, notification: Notification): Draft {
  return {
    ...EMPTY_DRAFT,
    recipientId: delivery.recipient_id,
    channels: [delivery.channel],
    category: notification.category,
    source: notification.template_id === null ? 'content' : 'template',
    templateId: notification.template_id ?? '',
    content: JSON.stringify(EXAMPLES[delivery.channel], null, 2),
  };
}

/** Only for a draft whose JSON texts are objects. */
export function toSend(draft: Draft): SendNotification {
  const { recipientId, channels, category, source, templateId, content, payload, scheduledAt, address } = draft;
  return {
    recipient_id: recipientId.trim(),
    channels,
    ...(category.trim() && { category: category.trim() }),
    ...(source === 'template'
      ? { template_id: templateId.trim(), payload: parsed(payload) }
      : { content: parsed(content) }),
    ...(scheduledAt && { scheduled_at: scheduledAt }),
    ...(address.trim() && { recipient_address: address.trim() }),
  };
}

function parsed(text: string): Record<string, unknown> {
  const value = parseObject(text);
  return typeof value === 'string' ? {} : value;
}

const FIELDS: Record<string, keyof Draft> = {
  recipient_id: 'recipientId',
  channel: 'channels',
  channels: 'channels',
  category: 'category',
  template_id: 'templateId',
  content: 'content',
  payload: 'payload',
  scheduled_at: 'scheduledAt',
  recipient_address: 'address',
  recipient: 'recipientId',
};

/** The faults of the API, by the fields of the form. A fault inside JSON names its place. */
export function faultsByField(faults: Record<string, string>): Partial<Record<keyof Draft, string>> {
  const found: Partial<Record<keyof Draft, string>> = {};
  for (const [pointer, message] of Object.entries(faults)) {
    const [, first = '', ...inside] = pointer.split('/');
    const field = FIELDS[first] ?? 'recipientId';
    const text = inside.length > 0 ? `${inside.join('/')}: ${message}` : message;
    found[field] = found[field] === undefined ? text : `${found[field]}; ${text}`;
  }
  return found;
}
