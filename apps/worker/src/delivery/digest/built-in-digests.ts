import type { ChannelId } from '#domain';

interface BuiltInDigest {
  /** The sources of the message, rendered with `items`, `count` and `more`. */
  content: Record<string, unknown>;
  /** How many items it lists; the others are counted. */
  listed: number;
}

const SUBJECT = '{{count}} new notifications';
const LINES = '{{#each items}}- {{this.title}}\n{{/each}}{{#if more}}and {{more}} more\n{{/if}}';
const HTML =
  '<p>{{count}} new notifications</p><ul>{{#each items}}<li><strong>{{this.title}}</strong>' +
  '{{#if this.text}}<br>{{this.text}}{{/if}}</li>{{/each}}</ul>{{#if more}}<p>and {{more}} more</p>{{/if}}';

/** The messages of digests whose category has no template for the channel. */
const builtInDigests: Partial<Record<ChannelId, BuiltInDigest>> = {
  email: { content: { subject: SUBJECT, text: `${SUBJECT}\n\n${LINES}`, html: HTML }, listed: 100 },
  in_app: { content: { title: SUBJECT, body: LINES }, listed: 20 },
  push: { content: { title: SUBJECT, body: LINES }, listed: 3 },
  sms: { content: { text: `${SUBJECT}\n${LINES}` }, listed: 3 },
  chat: { content: { text: `${SUBJECT}\n${LINES}` }, listed: 20 },
};

/** Undefined for a channel whose deliveries no quiet hours hold. */
export function builtInDigest(channel: ChannelId): BuiltInDigest | undefined {
  return builtInDigests[channel];
}
