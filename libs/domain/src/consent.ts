import type { ChannelId } from './channels/registry.js';
import type { SuppressedReason } from './delivery-state.js';

/** The reason of an entry on the suppression list. */
export const suppressionReasons = ['bounced', 'complained', 'unsubscribed', 'bad_address', 'manual'] as const;
export type SuppressionReason = (typeof suppressionReasons)[number];

/** An address in the form in which the suppression list stores and compares it. */
export function comparableAddress(channel: ChannelId, address: string): string {
  return channel === 'email' ? address.toLowerCase() : address;
}

/** A recipient's preference for one category: in general, and for single channels, which have precedence. */
export interface CategoryPreference {
  enabled?: boolean | undefined;
  channels?: Partial<Record<string, boolean>> | undefined;
}

export interface Consent {
  tenantStatus: 'active' | 'suspended';
  channel: ChannelId;
  /** Null if the tenant has not created the category: then it is enabled by default and not mandatory. */
  category: { defaultEnabled: boolean; mandatory: boolean } | null;
  /** The recipient's switches; a channel that is not in it is on. */
  channelSwitches: Partial<Record<string, boolean>>;
  categoryPreference: CategoryPreference | null;
  /** The reason of the address's entry on the suppression list, or null without one. */
  suppression: SuppressionReason | null;
}

/**
 * The reason why this delivery must not be sent, or null if it may be sent.
 *
 * An entry that a mail server or a carrier caused applies to all categories. A mandatory category ignores the
 * recipient's own choices: switches, preferences, and an entry with the reason `unsubscribed`.
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
