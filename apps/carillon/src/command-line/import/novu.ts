// Rows of Novu: subscribers as GET /v1/subscribers, /v2/subscribers and /v1/subscribers/{id} answer them, with
// `preferences` as an additional field or in rows of their own, as GET /v1 and /v2/subscribers/{id}/preferences answer
// them with a `subscriberId` added (https://docs.novu.co/api-reference).

import { type ChannelId, channelIds } from '#domain';
import {
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

/** Ids, times and counters of Novu itself, which mean nothing elsewhere. */
const OWN = ['_id', 'id', '__v', '_organizationId', '_environmentId', 'organizationId', 'environmentId', 'deleted'];
const TIMES = ['createdAt', 'updatedAt', 'isOnline', 'lastOnlineAt'];
const PROFILE = ['subscriberId', 'email', 'phone', 'locale', 'timezone', 'firstName', 'lastName', 'avatar', 'data'];
const KNOWN = new Set([...OWN, ...TIMES, ...PROFILE, 'channels', 'preferences']);
const KNOWN_OF_GLOBAL = new Set(['enabled', 'channels']);
/** `level` and `overrides` say where a value comes from. */
const KNOWN_OF_WORKFLOW = new Set(['enabled', 'channels', 'workflow', 'level', 'overrides']);
const KNOWN_OF_PREFERENCES = new Set([...OWN, 'subscriberId', 'global', 'workflows', 'data']);

/** Carillon sends to FCM and APNs itself. The platform of a token of FCM is not known, and decides nothing. */
const PLATFORMS: Record<string, Device['platform']> = { apns: 'ios', fcm: 'android' };

export const mapNovu: Mapping = (row, { devicePlatform }) => {
  const id = idOf(row, 'subscriberId');
  const notImported: string[] = [];
  if ('global' in row || 'workflows' in row || Array.isArray(row['data'])) {
    noteFields(row, KNOWN_OF_PREFERENCES, notImported);
    return { id, profile: null, choices: choicesOf(row, notImported), devices: [], notImported };
  }
  noteFields(row, KNOWN, notImported);
  const { email, phone, locale, timezone, firstName, lastName, avatar, data } = row;
  if (data !== undefined && data !== null && !isObject(data)) notImported.push('field data that is not an object');
  for (const name of ['preferences', 'channels']) noteType(name, row[name], notImported);
  return {
    id,
    profile: profileOf(
      { email, phone, locale: localeOf(locale), timezone },
      { firstName, lastName, avatar, ...(isObject(data) && data) },
    ),
    choices: row['preferences'] ? choicesOf(row['preferences'], notImported) : null,
    devices: devicesOf(row['channels'], devicePlatform, notImported),
    notImported,
  } satisfies ImportedRecipient;
};

function devicesOf(value: unknown, platform: Device['platform'] | undefined, notImported: string[]): Device[] {
  const devices: Device[] = [];
  for (const channel of Array.isArray(value) ? value.filter(isObject) : []) {
    const provider = String(channel['providerId']);
    const credentials = isObject(channel['credentials']) ? channel['credentials'] : {};
    const given = Array.isArray(credentials['deviceTokens']) ? credentials['deviceTokens'] : [];
    const own = Object.hasOwn(PLATFORMS, provider) ? PLATFORMS[provider] : undefined;
    const known = provider === 'fcm' ? (platform ?? own) : own;
    if (known) for (const token of tokensOf(given, notImported)) devices.push({ token, platform: known });
    if (!known || given.length === 0) notImported.push(`credentials of ${provider}`);
  }
  return devices;
}

/**
 * `{global, workflows}` of version 2, or a list with `template` and `preference` of version 1, in `data` or not. A
 * workflow becomes a category with its identifier as the key.
 */
function choicesOf(value: unknown, notImported: string[]): Choices {
  const choices: Choices = { channels: {}, categories: {} };
  if (isObject(value) && !Array.isArray(value['data'])) {
    const global = isObject(value['global']) ? value['global'] : {};
    noteFields(global, KNOWN_OF_GLOBAL, notImported);
    choices.channels = channelsOf(global['channels'], notImported);
    // Novu sends nothing to this subscriber.
    if (global['enabled'] === false) choices.channels = allOff();
    for (const one of Array.isArray(value['workflows']) ? value['workflows'].filter(isObject) : [])
      addWorkflow(choices, one['workflow'], one, notImported);
    return choices;
  }
  const list = Array.isArray(value) ? value : isObject(value) ? (value['data'] as unknown[]) : [];
  for (const one of list.filter(isObject)) addWorkflow(choices, one['template'], one['preference'], notImported);
  return choices;
}

function addWorkflow(choices: Choices, workflow: unknown, preference: unknown, notImported: string[]): void {
  const identifier = identifierOf(workflow);
  if (identifier === undefined || !isObject(preference)) {
    notImported.push('preference without the identifier of its workflow');
    return;
  }
  noteFields(preference, KNOWN_OF_WORKFLOW, notImported);
  const channels = channelsOf(preference['channels'], notImported);
  const { enabled } = preference;
  choices.categories[identifier] = {
    ...(typeof enabled === 'boolean' && { enabled }),
    ...(Object.keys(channels).length > 0 && { channels }),
  };
}

function identifierOf(workflow: unknown): string | undefined {
  if (!isObject(workflow)) return undefined;
  const [trigger] = Array.isArray(workflow['triggers']) ? workflow['triggers'] : [];
  const identifier = workflow['identifier'] ?? (isObject(trigger) ? trigger['identifier'] : undefined);
  return typeof identifier === 'string' && identifier !== '' ? identifier : undefined;
}

function allOff(): Partial<Record<ChannelId, boolean>> {
  return Object.fromEntries(channelIds.map((id) => [id, false]));
}
