import type { Template } from '#client';

export type Channel = Template['channel'];
export type Kind = Template['kind'];

export interface ContentField {
  name: string;
  label: string;
  /** line: one line; text and html: an editor; json: an editor for JSON. */
  kind: 'line' | 'text' | 'html' | 'json';
  isRequired?: boolean;
  description?: string;
}

const FIELDS: Record<Channel, readonly ContentField[]> = {
  email: [
    { name: 'subject', label: 'Subject', kind: 'line', isRequired: true },
    { name: 'from', label: 'From', kind: 'line', description: 'Instead of the sender of the provider account' },
    { name: 'reply_to', label: 'Reply to', kind: 'line' },
    { name: 'html', label: 'HTML', kind: 'html' },
    { name: 'text', label: 'Text', kind: 'text', description: 'Made from the HTML if it is empty' },
  ],
  sms: [{ name: 'text', label: 'Text', kind: 'text', isRequired: true }],
  push: [
    { name: 'title', label: 'Title', kind: 'line', isRequired: true },
    { name: 'image_url', label: 'Image', kind: 'line', description: 'A link that begins with https:' },
    { name: 'body', label: 'Body', kind: 'text', isRequired: true },
    { name: 'data', label: 'Data', kind: 'json', description: 'Names with texts, for your app' },
  ],
  in_app: [
    { name: 'title', label: 'Title', kind: 'line', isRequired: true },
    { name: 'action_url', label: 'Link', kind: 'line', description: 'Opened by a click: https:, mailto: or /' },
    { name: 'body', label: 'Body', kind: 'text', isRequired: true },
    { name: 'data', label: 'Data', kind: 'json', description: 'Names with texts, for your app' },
  ],
  chat: [
    { name: 'text', label: 'Text', kind: 'text', isRequired: true },
    { name: 'blocks', label: 'Blocks', kind: 'json', description: "The provider's blocks, such as those of Slack" },
  ],
  webhook: [{ name: 'body', label: 'Body', kind: 'text', isRequired: true }],
};

/** A partial and a layout have some of the fields, each a source. */
export function fieldsOf(channel: Channel, kind: Kind): readonly ContentField[] {
  if (kind === 'template') return FIELDS[channel];
  return FIELDS[channel].map(({ name, label, kind: of }) => ({ name, label, kind: of === 'json' ? 'text' : of }));
}

export const CHANNELS = Object.keys(FIELDS) as Channel[];

const STARTERS: Record<Channel, Record<string, unknown>> = {
  email: {
    subject: 'Hello {{name}}',
    html: '<h1>Hello {{name}}</h1>\n<p>Your order <strong>{{order.id}}</strong> is on its way.</p>\n',
  },
  sms: { text: 'Hello {{name}}, your code is {{code}}.' },
  push: { title: 'Hello {{name}}', body: 'Your order is on its way.' },
  in_app: { title: 'Hello {{name}}', body: 'Your order is on its way.', action_url: '/orders' },
  chat: { text: 'Hello {{name}}' },
  webhook: { body: '{"event": "order.shipped", "name": "{{name}}"}' },
};

const SAMPLES: Record<Channel, Record<string, unknown>> = {
  email: { name: 'Ann', order: { id: 'AB-1' } },
  sms: { name: 'Ann', code: '123456' },
  push: { name: 'Ann' },
  in_app: { name: 'Ann' },
  chat: { name: 'Ann' },
  webhook: { name: 'Ann' },
};

export function starterOf(channel: Channel, kind: Kind): { content: Record<string, unknown>; sample: object } {
  if (kind === 'template') return { content: STARTERS[channel], sample: SAMPLES[channel] };
  const field = fieldsOf(channel, kind).find((one) => one.kind === 'html') ?? fieldsOf(channel, kind)[0]!;
  const isHtml = field.kind === 'html';
  if (kind === 'partial')
    return { content: { [field.name]: isHtml ? '<p>{{company}}</p>' : '{{company}}' }, sample: {} };
  const content = isHtml ? '<main>\n  {{> @content}}\n</main>\n' : '{{> @content}}';
  return { content: { [field.name]: content }, sample: {} };
}
