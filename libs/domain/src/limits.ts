import type { SendLimit } from './channels/define-channel.js';
import { type ChannelId, channelOf } from './channels/registry.js';

/** A tenant's own limits per recipient, by channel; other channels have the default. */
export type RecipientLimits = Partial<Record<ChannelId, { limit: number; window_seconds: number }>>;

/** The limit of one recipient on a channel, or null for no limit. */
export function recipientLimit(channel: ChannelId, settings: RecipientLimits | undefined): SendLimit | null {
  const own = settings?.[channel];
  return own ? { limit: own.limit, windowSeconds: own.window_seconds } : channelOf(channel).recipientLimit;
}
