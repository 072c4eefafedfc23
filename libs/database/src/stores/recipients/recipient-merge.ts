// Applies changes to one recipient in memory.

import { isDeepStrictEqual } from 'node:util';
import { MAX_PREFERENCE_CATEGORIES } from '#domain';
import { mergePatch } from '../../merge-patch.js';
import { type Device, type Preferences, type RecipientFields, toPreferences } from './recipient.js';

export interface RecipientMerge {
  id: string;
  /** Those that are absent stay. Attributes are merged (RFC 7396). */
  fields: Partial<RecipientFields>;
  /** Channels and categories are merged, quiet hours and caps replaced. */
  preferences: Partial<Preferences> | null;
  /** Added. A token that the recipient has stays as it is. */
  devices: readonly Pick<Device, 'token' | 'platform'>[];
}

export const mergeResults = ['created', 'changed', 'unchanged'] as const;
export type MergeResult = (typeof mergeResults)[number] | 'too_many_categories';

/** Without attributes if no merge of the recipient has any: they stay as they are, and may be large. */
export type Profile = Omit<RecipientFields, 'attributes'> & { attributes: Record<string, unknown> | null };

/** A recipient before or after a merge. */
export interface RecipientState {
  /** Null if there is none. */
  profile: Profile | null;
  preferences: Preferences;
  /** By token. Not read for recipients of which no merge has devices. */
  devices: Map<string, Device['platform']>;
}

/** Changes the state, unless the result is `too_many_categories`. */
export function applyMerge(state: RecipientState, merge: RecipientMerge): MergeResult {
  const { profile: before, preferences: chosen, devices } = state;
  const preferences = keptIfSame(chosen, mergedPreferences(chosen, merge.preferences));
  if (Object.keys(preferences.categories).length > MAX_PREFERENCE_CATEGORIES) return 'too_many_categories';
  const profile = keptIfSame(before, mergedProfile(before, merge.fields));
  const added = merge.devices.filter(({ token }) => !devices.has(token));
  // The first of two with the same token.
  for (const { token, platform } of added.toReversed()) devices.set(token, platform);
  Object.assign(state, { profile, preferences });
  if (before === null) return 'created';
  return added.length === 0 && profile === before && preferences === chosen ? 'unchanged' : 'changed';
}

/** The object before if both are equal, so that later comparisons are quick. */
const keptIfSame = <Before extends Profile | Preferences | null>(before: Before, after: NonNullable<Before>) =>
  isDeepStrictEqual(before, after) ? before : after;

const NO_PROFILE: Profile = { email: null, phone: null, locale: null, timezone: null, attributes: null };
export const noPreferences = (): Preferences => toPreferences(null);

export function mergedProfile(before: Profile | null, { attributes, ...fields }: RecipientMerge['fields']): Profile {
  const profile = before ?? NO_PROFILE;
  return { ...profile, ...fields, ...(attributes && { attributes: mergePatch(profile.attributes, attributes) }) };
}

export function mergedPreferences(before: Preferences, change: RecipientMerge['preferences']): Preferences {
  if (change === null) return before;
  const { channels, categories, ...others } = change;
  return {
    ...before,
    ...others,
    channels: { ...before.channels, ...channels },
    categories: mergePatch(before.categories, categories ?? {}) as Preferences['categories'],
  };
}
