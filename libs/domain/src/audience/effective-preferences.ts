import { type ChannelId, channelIds } from '../channels/registry.js';
import { type ConsentRule, choicesFor, decideConsent, isRecipientsChoice, type PreferenceSet } from '../consent.js';

/** The category of sends that name none. */
export const DEFAULT_CATEGORY = 'default';

export interface KnownCategory {
  key: string;
  name: string;
  defaultEnabled: boolean;
  mandatory: boolean;
}

/** Whether a category is sent to a recipient on a channel. */
export interface EffectiveChoice {
  enabled: boolean;
  rule: ConsentRule;
  /** Whether the recipient can change it. */
  changeable: boolean;
}

export interface EffectiveCategory {
  key: string;
  /** Null if the tenant has not created the category. */
  name: string | null;
  channels: Record<ChannelId, EffectiveChoice>;
}

export interface PreferenceSources {
  categories: readonly KnownCategory[];
  preferences: PreferenceSet;
  rules: { defaults: PreferenceSet; enforced: PreferenceSet };
}

/**
 * The choices that apply to a recipient, by category and channel: of the tenant's categories, `default`, and those that
 * the recipient has chosen. Leaves out the suppression list, which belongs to addresses, and the status of the tenant.
 */
export function effectivePreferences(sources: PreferenceSources): EffectiveCategory[] {
  const { categories, preferences } = sources;
  const keys = new Set([...categories.map(({ key }) => key), DEFAULT_CATEGORY, ...Object.keys(preferences.categories)]);
  return [...keys].map((key) => effectiveCategory(sources, key));
}

export function effectiveCategory(sources: PreferenceSources, key: string): EffectiveCategory {
  const category = sources.categories.find((known) => known.key === key) ?? null;
  const own = choicesFor(sources.preferences, key);
  const consent = {
    tenant: { status: 'active' as const },
    suppression: null,
    category,
    channelSwitches: own.channels,
    categoryPreference: own.category,
    preferenceRules: {
      defaults: choicesFor(sources.rules.defaults, key),
      enforced: choicesFor(sources.rules.enforced, key),
    },
  };
  const choices = channelIds.map((channel) => {
    const { allowed, rule } = decideConsent(consent, channel);
    return [channel, { enabled: allowed, rule, changeable: isRecipientsChoice(rule) }] as const;
  });
  return { key, name: category?.name ?? null, channels: Object.fromEntries(choices) as EffectiveCategory['channels'] };
}
