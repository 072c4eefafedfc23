// Rows of Knock: users as GET /v1/users and its CSV have them, with `preferences` and `channel_data` as additional
// fields or in rows of their own with a `user_id`, as GET /v1/users/{id}/preferences/{set} and
// /v1/users/{id}/channel_data/{channel} answer them (https://docs.knock.app/api-reference).

import {
  type Choice,
  type Choices,
  channelsOf,
  type Device,
  type ImportedRecipient,
  idOf,
  localeOf,
  type Mapping,
  noteFields,
  noteType,
  profileOf,
  tokensOf,
} from './imported-recipient.js';
import { isObject } from './read-rows.js';

const OWN = ['__typename', 'created_at', 'updated_at', 'inserted_at'];
const SET = ['id', 'workflows', 'categories', 'channel_types'];
const KNOWN_OF_PREFERENCES = new Set([...OWN, ...SET, 'user_id']);

export const mapKnock: Mapping = (row, options) => {
  const notImported: string[] = [];
  if (isGivenPreferenceSet(row)) {
    const choices = choicesOf(defaultSetOf([{ ...row, id: row['id'] ?? 'default' }], notImported), notImported);
    return { id: idOf(row, 'user_id'), profile: null, choices, devices: [], notImported };
  }
  if ('user_id' in row && 'channel_id' in row) {
    const devices = devicesOf({ [String(row['channel_id'])]: row }, options.devicePlatform, notImported);
    return { id: idOf(row, 'user_id'), profile: null, choices: null, devices, notImported };
  }
  const { id: _id, email, phone_number: phone, locale, timezone, preferences, channel_data: channels, ...rest } = row;
  for (const name of ['preferences', 'channel_data']) noteType(name, row[name], notImported);
  // All other fields of a user are the customer's own.
  const attributes = Object.fromEntries(Object.entries(rest).filter(([name]) => !OWN.includes(name)));
  return {
    id: idOf(row, 'id'),
    profile: profileOf({ email, phone, locale: localeOf(locale), timezone }, attributes),
    choices: preferences ? choicesOf(defaultSetOf(preferences, notImported), notImported) : null,
    devices: devicesOf(channels, options.devicePlatform, notImported),
    notImported,
  } satisfies ImportedRecipient;
};

/** A user may have fields of the customer with the same names. */
function isGivenPreferenceSet(row: Record<string, unknown>): boolean {
  if (row['__typename'] !== undefined) return row['__typename'] === 'PreferenceSet';
  const isUser = ['email', 'phone_number', 'name'].some((name) => name in row);
  return 'user_id' in row && !isUser && SET.slice(1).some((name) => name in row);
}

/** The set `default` of `{default: {…}}`, of a list of sets, or the set itself. Sets of tenants have no equivalent. */
function defaultSetOf(value: unknown, notImported: string[]): unknown {
  if (!isObject(value) && !Array.isArray(value)) return null;
  const isSet = isObject(value) && SET.slice(1).some((name) => name in value);
  if (isSet) return value;
  const sets = Array.isArray(value)
    ? value.filter(isObject).map((set) => [String(set['id']), set] as const)
    : Object.entries(value);
  for (const [id] of sets) if (id !== 'default') notImported.push(`preference set ${id}`);
  return sets.find(([id]) => id === 'default')?.[1] ?? null;
}

/** A workflow and a category become a category with the same key. If both exist, the workflow decides. */
function choicesOf(set: unknown, notImported: string[]): Choices | null {
  if (!isObject(set)) return null;
  noteFields(set, KNOWN_OF_PREFERENCES, notImported);
  const categories = new Map<string, Choice>();
  for (const group of [set['categories'], set['workflows']])
    for (const [key, setting] of Object.entries(isObject(group) ? group : {}))
      categories.set(key, choiceOf(setting, notImported));
  return { channels: channelsOf(set['channel_types'], notImported), categories: Object.fromEntries(categories) };
}

/** `true`, or `{channel_types, channels, conditions}`. */
function choiceOf(setting: unknown, notImported: string[]): Choice {
  if (typeof setting === 'boolean') return { enabled: setting };
  if (!isObject(setting)) return {};
  const { channel_types: types, ...others } = setting;
  noteFields(others, new Set(), notImported);
  const channels = channelsOf(types, notImported);
  return Object.keys(channels).length > 0 ? { channels } : {};
}

/** `{<id of a channel>: {data: {tokens}}}` or without `data`. The row does not say of which platform a token is. */
function devicesOf(value: unknown, platform: Device['platform'] | undefined, notImported: string[]): Device[] {
  const devices: Device[] = [];
  for (const channel of Object.values(isObject(value) ? value : {}).filter(isObject)) {
    const data = isObject(channel['data']) ? channel['data'] : channel;
    const listed = Array.isArray(data['devices']) ? data['devices'].filter(isObject).map(({ token }) => token) : [];
    const given = [...(Array.isArray(data['tokens']) ? data['tokens'] : []), ...listed];
    const tokens = tokensOf(given, notImported);
    if (given.length === 0) notImported.push('channel data without tokens');
    else if (!platform) notImported.push('device tokens: give --device-platform');
    else for (const token of tokens) devices.push({ token, platform });
  }
  return devices;
}
