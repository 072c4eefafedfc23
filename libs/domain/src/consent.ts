import type { ChannelId } from './channels/registry.js';
import type { SuppressedReason } from './delivery-state.js';

export interface Consent {
  tenantStatus: 'active' | 'suspended';
  channel: ChannelId;
  /** The recipient's switches; a channel that is not named is on. */
  channelSwitches: Partial<Record<string, boolean>>;
}

/** Why this delivery may not be made, or null when it may. */
export function refusal(consent: Consent): SuppressedReason | null {
  if (consent.tenantStatus === 'suspended') return 'tenant_suspended';
  if (consent.channelSwitches[consent.channel] === false) return 'opted_out';
  return null;
}
