// What the merge of one recipient changes.

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
  devices: readonly NewDevice[];
}

type NewDevice = Pick<Device, 'token' | 'platform'>;

export const mergeResults = ['created', 'changed', 'unchanged'] as const;
export type MergeResult = (typeof mergeResults)[number] | 'too_many_categories';

export interface ProfileRow extends RecipientFields {
  id: string;
}
export interface ChoicesRow extends Preferences {
  id: string;
}
export interface DeviceRow extends NewDevice {
  id: string;
}

/** The stored rows of the recipients of one pass, by id. */
export interface Stored {
  profiles: Map<string, ProfileRow>;
  choices: Map<string, Preferences>;
  /** Id and token of each device. */
  devices: Set<string>;
}

/** The rows that one pass writes, except the profiles of new recipients. */
export interface Writes {
  changed: ProfileRow[];
  createdChoices: ChoicesRow[];
  changedChoices: ChoicesRow[];
  devices: DeviceRow[];
}

export const deviceKey = ({ id, token }: Pick<DeviceRow, 'id' | 'token'>): string => JSON.stringify([id, token]);

/** Adds what the merge changes to the writes. */
export function compare(merge: RecipientMerge, stored: Stored, writes: Writes): MergeResult {
  const { id, preferences } = merge;
  const chosen = stored.choices.get(id);
  const choices = preferences && mergedChoices(chosen ?? toPreferences(null), preferences);
  if (choices && Object.keys(choices.categories).length > MAX_PREFERENCE_CATEGORIES) return 'too_many_categories';
  const before = stored.profiles.get(id);
  const profile = mergedProfile(before ?? { ...NO_PROFILE, id }, merge.fields);
  const devices = merge.devices
    .map((device) => ({ id, ...device }))
    .filter((device) => !stored.devices.has(deviceKey(device)));
  const hasOtherProfile = before !== undefined && !isDeepStrictEqual(profile, before);
  const hasOtherChoices = choices !== null && !isDeepStrictEqual(choices, chosen ?? toPreferences(null));
  if (hasOtherProfile) writes.changed.push(profile);
  if (hasOtherChoices) (chosen ? writes.changedChoices : writes.createdChoices).push({ id, ...choices });
  writes.devices.push(...devices);
  if (!before) return 'created';
  return hasOtherProfile || hasOtherChoices || devices.length > 0 ? 'changed' : 'unchanged';
}

export const NO_PROFILE: RecipientFields = { email: null, phone: null, locale: null, timezone: null, attributes: {} };

export function mergedProfile(before: ProfileRow, { attributes, ...fields }: Partial<RecipientFields>): ProfileRow {
  return { ...before, ...fields, ...(attributes && { attributes: mergePatch(before.attributes, attributes) }) };
}

function mergedChoices(before: Preferences, { channels, categories, ...others }: Partial<Preferences>): Preferences {
  return {
    ...before,
    ...others,
    channels: { ...before.channels, ...channels },
    categories: mergePatch(before.categories, categories ?? {}) as Preferences['categories'],
  };
}
