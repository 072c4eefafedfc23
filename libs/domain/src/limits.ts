import type { SendLimit } from './channels/define-channel.js';
import { type ChannelId, channelOf } from './channels/registry.js';

/** A tenant's own limits per recipient, by channel; a channel it does not name keeps the default. */
export type RecipientLimits = Partial<Record<ChannelId, { limit: number; window_seconds: number }>>;

/** What one recipient of this tenant may get on this channel, or null for no limit. */
export function recipientLimit(channel: ChannelId, settings: RecipientLimits | undefined): SendLimit | null {
  const own = settings?.[channel];
  return own ? { limit: own.limit, windowSeconds: own.window_seconds } : channelOf(channel).recipientLimit;
}
