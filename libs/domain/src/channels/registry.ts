import { chat } from './chat.channel.js';
import type { Channel } from './define-channel.js';
import { email } from './email.channel.js';
import { inApp } from './in-app.channel.js';
import { push } from './push.channel.js';
import { sms } from './sms.channel.js';
import { webhook } from './webhook.channel.js';

/** All channels, one line each. Everything that lists channels reads them from here. */
export const channels = {
  email,
  sms,
  push,
  in_app: inApp,
  chat,
  webhook,
} as const;

export type ChannelId = keyof typeof channels;

export const channelIds = Object.keys(channels) as [ChannelId, ...ChannelId[]];

export function channelOf(id: ChannelId): Channel<ChannelId> {
  return channels[id];
}
