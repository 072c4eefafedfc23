import type { ChannelId } from './channels/registry.js';
import type { SuppressedReason } from './delivery-state.js';

/** Why an address is on the suppression list. */
export const suppressionReasons = ['bounced', 'complained', 'unsubscribed', 'bad_address', 'manual'] as const;
export type SuppressionReason = (typeof suppressionReasons)[number];

/** An address in the form in which the suppression list keeps and compares it. */
export function comparableAddress(channel: ChannelId, address: string): string {
  return channel === 'email' ? address.toLowerCase() : address;
}

/** What a recipient has said of one category: as a whole, and for single channels, which win. */
export interface CategoryPreference {
  enabled?: boolean | undefined;
  channels?: Partial<Record<string, boolean>> | undefined;
}

export interface Consent {
  tenantStatus: 'active' | 'suspended';
  channel: ChannelId;
  /** Null where the tenant has not described the category: it is on, and may be switched off. */
  category: { defaultEnabled: boolean; mandatory: boolean } | null;
  /** The recipient's switches; a channel that is not named is on. */
  channelSwitches: Partial<Record<string, boolean>>;
  categoryPreference: CategoryPreference | null;
  /** The entry of the suppression list for the address, if there is one. */
  suppression: SuppressionReason | null;
}

/**
 * Why this delivery may not be made, or null when it may.
 *
 * What a mail server or a carrier said of an address holds for everything. What a person said does not hold for what they must be
 * told: a mandatory category passes their switches and an entry that only says `unsubscribed`.
 */
export function refusal(consent: Consent): SuppressedReason | null {
  const { channel, category, categoryPreference: preference, suppression } = consent;
  const mandatory = category?.mandatory ?? false;
  if (consent.tenantStatus === 'suspended') return 'tenant_suspended';
  if (suppression !== null && !(mandatory && suppression === 'unsubscribed')) return 'suppression_list';
  if (mandatory) return null;
  if (consent.channelSwitches[channel] === false) return 'opted_out';
  const wanted = preference?.channels?.[channel] ?? preference?.enabled ?? category?.defaultEnabled ?? true;
  return wanted ? null : 'unsubscribed';
}
