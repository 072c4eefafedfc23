import type { DecidingRule } from './audience/deciding-rules.js';
import type { ChannelId } from './channels/registry.js';
import type { SuppressedReason } from './delivery-state.js';

/** The most categories for which a recipient, or a rule of a tenant, has a preference. */
export const MAX_PREFERENCE_CATEGORIES = 200;

/** The reason of an entry on the suppression list. */
export const suppressionReasons = ['bounced', 'complained', 'unsubscribed', 'bad_address', 'manual'] as const;
export type SuppressionReason = (typeof suppressionReasons)[number];

/** An address in the form in which the suppression list stores and compares it. */
export function comparableAddress(channel: ChannelId, address: string): string {
  return channel === 'email' ? address.toLowerCase() : address;
}

/** The choice for one category: in general, and for single channels, which have precedence. */
export interface CategoryPreference {
  enabled?: boolean | undefined;
  channels?: Partial<Record<string, boolean>> | undefined;
}

/** The choices of a recipient, or a tenant's defaults or enforced rules. */
export interface PreferenceSet {
  channels: Partial<Record<string, boolean>>;
  categories: Record<string, CategoryPreference>;
}

/** The part of a {@link PreferenceSet} that concerns one category. */
export interface CategoryChoices {
  channels: Partial<Record<string, boolean>>;
  category: CategoryPreference | null;
}

/** The facts that decide whether one category may be sent to a recipient. A `DeliveryContext` has these fields. */
export interface Consent {
  tenant: { status: 'active' | 'suspended' };
  /** Null if the tenant has not created the category: then it is enabled by default and not mandatory. */
  category: { defaultEnabled: boolean; mandatory: boolean } | null;
  /** The recipient's switches. */
  channelSwitches: Partial<Record<string, boolean>>;
  categoryPreference: CategoryPreference | null;
  /** Null if the tenant has no rules. */
  preferenceRules: { defaults: CategoryChoices; enforced: CategoryChoices } | null;
  /** The reason of the address's entry on the suppression list, or null without one. */
  suppression: SuppressionReason | null;
}

export type ConsentRule = Extract<
  DecidingRule,
  | 'tenant.status'
  | 'suppression_list'
  | 'tenant.enforced'
  | 'category.mandatory'
  | 'recipient.preferences'
  | 'tenant.defaults'
  | 'category.default'
>;

export type ConsentDecision =
  | { allowed: true; reason: null; rule: ConsentRule }
  | { allowed: false; reason: SuppressedReason; rule: ConsentRule };

const NOTHING: CategoryChoices = { channels: {}, category: null };

/**
 * Decides whether a category may be sent on a channel; the first rule that applies decides. docs/preferences.md has the
 * same order as a table, and a test compares the two.
 *
 * An entry on the suppression list that a mail server or a carrier caused applies to all categories. A mandatory
 * category ignores the recipient's own choices: switches, preferences, and an entry with the reason `unsubscribed`.
 */
export function decideConsent(consent: Consent, channel: ChannelId): ConsentDecision {
  const { category, suppression, preferenceRules, channelSwitches, categoryPreference } = consent;
  const mandatory = category?.mandatory ?? false;
  if (consent.tenant.status === 'suspended') return no('tenant_suspended', 'tenant.status');
  if (suppression !== null && !(mandatory && suppression === 'unsubscribed'))
    return no('suppression_list', 'suppression_list');

  const enforced = preferenceRules?.enforced ?? NOTHING;
  const enforcedCategory = choiceOf(enforced.category, channel);
  if (enforced.channels[channel] === false || enforcedCategory === false) return no('tenant_rule', 'tenant.enforced');
  if (mandatory) return yes('category.mandatory');
  if (enforcedCategory || enforced.channels[channel]) return yes('tenant.enforced');

  if (channelSwitches[channel] === false) return no('opted_out', 'recipient.preferences');
  const chosen = choiceOf(categoryPreference, channel);
  if (chosen !== undefined) return chosen ? yes('recipient.preferences') : no('unsubscribed', 'recipient.preferences');

  const defaults = preferenceRules?.defaults ?? NOTHING;
  if (defaults.channels[channel] === false && channelSwitches[channel] === undefined)
    return no('opted_out', 'tenant.defaults');
  const usual = choiceOf(defaults.category, channel);
  if (usual !== undefined) return usual ? yes('tenant.defaults') : no('unsubscribed', 'tenant.defaults');
  return (category?.defaultEnabled ?? true) ? yes('category.default') : no('unsubscribed', 'category.default');
}

/** The suppression of a delivery that may not be sent; null if it may. */
export function refusedByConsent(
  consent: Consent,
  channel: ChannelId,
): { reason: SuppressedReason; rule: ConsentRule; detail?: string } | null {
  const { allowed, reason, rule } = decideConsent(consent, channel);
  if (allowed) return null;
  if (reason !== 'suppression_list') return { reason, rule };
  return { reason, rule, detail: `the address is on the suppression list: ${consent.suppression}` };
}

/** Whether a choice of the recipient would change a decision with this rule. */
export function isRecipientsChoice(rule: ConsentRule): boolean {
  return rule === 'recipient.preferences' || rule === 'tenant.defaults' || rule === 'category.default';
}

export function choicesFor(set: PreferenceSet, category: string): CategoryChoices {
  return {
    channels: set.channels,
    category: Object.hasOwn(set.categories, category) ? (set.categories[category] ?? null) : null,
  };
}

function choiceOf(preference: CategoryPreference | null, channel: ChannelId): boolean | undefined {
  return preference?.channels?.[channel] ?? preference?.enabled;
}

function yes(rule: ConsentRule): ConsentDecision {
  return { allowed: true, reason: null, rule };
}

function no(reason: SuppressedReason, rule: ConsentRule): ConsentDecision {
  return { allowed: false, reason, rule };
}
