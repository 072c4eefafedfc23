// Applies changes to one recipient in memory.

import { isDeepStrictEqual } from 'node:util';
import { MAX_DEVICES, MAX_PREFERENCE_CATEGORIES } from '#domain';
import { mergePatch } from '../../merge-patch.js';
import type { MergedAttributes } from './merged-attributes.js';
import type { Device, Preferences, RecipientFields } from './recipient.js';

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
/** Why a merge was refused. Together with what the recipient has, there would be too much. */
export type MergeRefusal = 'too_many_categories' | 'too_many_devices' | 'attributes_too_large';
export type MergeOutcome = (typeof mergeResults)[number];
export type MergeResult = MergeOutcome | MergeRefusal;

export type ProfileFields = Omit<RecipientFields, 'attributes'>;

/** A recipient before or after a merge. */
export interface RecipientState {
  /** Null if there is no profile. */
  fields: ProfileFields | null;
  attributes: MergedAttributes;
  preferences: Preferences;
  /** By token. Not read for recipients of which no merge has devices. */
  devices: Map<string, Device['platform']>;
}

/** Changes the state, unless it is refused. */
export function applyMerge(state: RecipientState, merge: RecipientMerge): MergeResult {
  const { fields: before, preferences: chosen, devices } = state;
  const { attributes: patch = {}, ...changed } = merge.fields;
  const preferences = mergedPreferences(chosen, merge.preferences);
  if (Object.keys(preferences.categories).length > MAX_PREFERENCE_CATEGORIES) return 'too_many_categories';
  const added = merge.devices.filter(({ token }) => !devices.has(token));
  const tokens = new Set(added.map(({ token }) => token));
  if (tokens.size > 0 && devices.size + tokens.size > MAX_DEVICES) return 'too_many_devices';
  const attributes = state.attributes.merge(patch);
  if (attributes === 'too_large') return 'attributes_too_large';
  const fields = { ...(before ?? NO_FIELDS), ...changed };
  // The first of two with the same token.
  for (const { token, platform } of added.toReversed()) devices.set(token, platform);
  const isSame =
    attributes === 'unchanged' && added.length === 0 && isDeepStrictEqual([fields, preferences], [before, chosen]);
  Object.assign(state, { fields, preferences });
  if (before === null) return 'created';
  return isSame ? 'unchanged' : 'changed';
}

export const NO_FIELDS: ProfileFields = { email: null, phone: null, locale: null, timezone: null };

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
