// Rows of Knock: users as GET /v1/users and its CSV have them, with `preferences` and `channel_data` as additional
// fields or in rows of their own with a `user_id`, as GET /v1/users/{id}/preferences/{set} and
// /v1/users/{id}/channel_data/{channel} answer them (https://docs.knock.app/api-reference).

import {
  type Choice,
  type Choices,
  categoriesOf,
  channelsOf,
  type Device,
  type ImportedRecipient,
  idOf,
  isGiven,
  localeOf,
  type Mapping,
  noteFields,
  noteType,
  profileOf,
  tokensOf,
} from './imported-recipient.js';
import { isObject } from './read-rows.js';

/** Of Knock itself, which mean nothing elsewhere. */
const KNOCK_FIELDS = ['__typename', 'created_at', 'updated_at', 'inserted_at'];
const PREFERENCE_GROUPS = ['workflows', 'categories', 'channel_types'];
const USER = ['name', 'email', 'phone_number', 'avatar', 'preferences', 'channel_data'];
const KNOWN_OF_PREFERENCES = new Set([...KNOCK_FIELDS, ...PREFERENCE_GROUPS, 'id', 'user_id']);

export const mapKnock: Mapping = (row, options) => {
  const notImported: string[] = [];
  if (isGivenPreferenceSet(row)) {
    const choices = choicesOf(defaultSetOf(row, notImported), notImported);
    return { id: idOf(row, 'user_id'), profile: null, choices, devices: [], notImported };
  }
  if ('user_id' in row && 'channel_id' in row && !isUser(row)) {
    const devices = devicesOf({ [String(row['channel_id'])]: row }, options.devicePlatform, notImported);
    return { id: idOf(row, 'user_id'), profile: null, choices: null, devices, notImported };
  }
  const { id: _id, email, phone_number: phone, locale, timezone, preferences, channel_data: channels, ...rest } = row;
  for (const name of ['preferences', 'channel_data']) noteType(name, row[name], notImported);
  // All other fields of a user are the customer's own.
  const attributes = Object.fromEntries(Object.entries(rest).filter(([name]) => !KNOCK_FIELDS.includes(name)));
  return {
    id: idOf(row, 'id'),
    profile: profileOf({ email, phone, locale: localeOf(locale), timezone }, attributes),
    choices: choicesOf(defaultSetOf(preferences, notImported), notImported),
    devices: devicesOf(channels, options.devicePlatform, notImported),
    notImported,
  } satisfies ImportedRecipient;
};

function isGivenPreferenceSet(row: Record<string, unknown>): boolean {
  if (row['__typename'] === 'PreferenceSet') return true;
  // A list of categories is a field of the customer's own.
  const hasPart = PREFERENCE_GROUPS.some((name) => name in row && !Array.isArray(row[name]));
  return 'user_id' in row && hasPart && !isUser(row);
}

/** A user may have fields of the customer's own with any name, such as `user_id` and `categories`. */
function isUser(row: Record<string, unknown>): boolean {
  return row['__typename'] === 'User' || USER.some((name) => name in row);
}

/** The set `default` of `{default: {…}}`, of a list of sets, or the set itself. Sets of tenants have no equivalent. */
function defaultSetOf(value: unknown, notImported: string[]): Record<string, unknown> | null {
  const sets = setsOf(value);
  for (const [id] of sets) if (id !== 'default') notImported.push(`preference set ${id}`);
  const set = sets.find(([id]) => id === 'default')?.[1];
  noteType('preferences.default', set, notImported);
  return isObject(set) ? set : null;
}

/** Preference sets by id. A set without an id is the default one. */
function setsOf(value: unknown): (readonly [id: string, set: unknown])[] {
  const entryOf = (set: Record<string, unknown>) => [isGiven(set['id']) ? String(set['id']) : 'default', set] as const;
  if (Array.isArray(value)) return value.filter(isObject).map(entryOf);
  if (!isObject(value)) return [];
  const isSet = value['__typename'] === 'PreferenceSet' || PREFERENCE_GROUPS.some((name) => name in value);
  return isSet ? [entryOf(value)] : Object.entries(value);
}

/** A workflow and a category become a category with the same key. If both exist, the workflow decides. */
function choicesOf(set: Record<string, unknown> | null, notImported: string[]): Choices | null {
  if (!set) return null;
  noteFields(set, KNOWN_OF_PREFERENCES, notImported);
  for (const name of PREFERENCE_GROUPS) noteType(name, set[name], notImported);
  const choices = new Map<string, Choice>();
  for (const group of [set['categories'], set['workflows']])
    for (const [key, setting] of Object.entries(isObject(group) ? group : {}))
      choices.set(key, choiceOf(setting, notImported));
  return {
    channels: channelsOf(set['channel_types'], notImported),
    categories: categoriesOf(choices, notImported),
  };
}

/** `true`, or `{channel_types, channels, conditions}`. */
function choiceOf(setting: unknown, notImported: string[]): Choice {
  if (typeof setting === 'boolean') return { enabled: setting };
  if (isGiven(setting) && typeof setting !== 'object')
    notImported.push('preference that is not true, false or an object');
  if (!isObject(setting)) return {};
  const { channel_types: types, ...others } = setting;
  noteFields(others, new Set(), notImported);
  noteType('channel_types', types, notImported);
  const channels = channelsOf(types, notImported);
  return Object.keys(channels).length > 0 ? { channels } : {};
}

/** `{<id of a channel>: {data: {tokens}}}` or without `data`. The row does not say of which platform a token is. */
function devicesOf(value: unknown, platform: Device['platform'] | undefined, notImported: string[]): Device[] {
  const devices: Device[] = [];
  for (const channel of Object.values(isObject(value) ? value : {}).filter(isObject)) {
    const data = isObject(channel['data']) ? channel['data'] : channel;
    const listed = Array.isArray(data['devices']) ? data['devices'] : [];
    const given = [
      ...(Array.isArray(data['tokens']) ? data['tokens'] : []),
      ...listed.map((device) => (isObject(device) ? device['token'] : undefined)),
    ];
    const tokens = tokensOf(given, notImported);
    if (given.length === 0) notImported.push('channel data without tokens');
    else if (platform) devices.push(...tokens.map((token) => ({ token, platform })));
    else if (tokens.length > 0) notImported.push('device tokens: give --device-platform');
  }
  return devices;
}
