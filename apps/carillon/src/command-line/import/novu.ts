// Rows of Novu: subscribers as GET /v1/subscribers, /v2/subscribers and /v1/subscribers/{id} answer them, with
// `preferences` as an additional field or in rows of their own, as GET /v1 and /v2/subscribers/{id}/preferences answer
// them with a `subscriberId` added (https://docs.novu.co/api-reference).

import { type ChannelId, channelIds } from '#domain';
import {
  type Choice,
  type Choices,
  categoriesOf,
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
const NOVU_FIELDS = [
  '_id',
  'id',
  '__v',
  '_organizationId',
  '_environmentId',
  'organizationId',
  'environmentId',
  'deleted',
];
const TIMES = ['createdAt', 'updatedAt', 'isOnline', 'lastOnlineAt'];
const PROFILE = ['subscriberId', 'email', 'phone', 'locale', 'timezone', 'firstName', 'lastName', 'avatar', 'data'];
const KNOWN = new Set([...NOVU_FIELDS, ...TIMES, ...PROFILE, 'channels', 'preferences']);
const KNOWN_OF_PREFERENCES = new Set([...NOVU_FIELDS, 'subscriberId', 'global', 'workflows', 'data']);
/** `overrides` says where a choice is from. */
const KNOWN_OF_CHOICE = new Set(['enabled', 'channels', 'overrides', 'updatedAt', 'workflow']);
const KNOWN_OF_FIRST_VERSION = new Set(['template', 'preference']);

/** Carillon sends to FCM and APNs itself. The platform of a token of FCM is not known, and decides nothing. */
const PLATFORMS: Record<string, Device['platform']> = { apns: 'ios', fcm: 'android' };

export const mapNovu: Mapping = (row, { devicePlatform }) => {
  const id = idOf(row, 'subscriberId');
  const notImported: string[] = [];
  if ('global' in row || 'workflows' in row || Array.isArray(row['data'])) {
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
    const tokens = Array.isArray(credentials['deviceTokens']) ? credentials['deviceTokens'] : [];
    const usual = Object.hasOwn(PLATFORMS, provider) ? PLATFORMS[provider] : undefined;
    const known = provider === 'fcm' ? (platform ?? usual) : usual;
    if (known) for (const token of tokensOf(tokens, notImported)) devices.push({ token, platform: known });
    if (!known || tokens.length === 0) notImported.push(`credentials of ${provider}`);
  }
  return devices;
}

/**
 * `{global, workflows}` of version 2, or a list with `template` and `preference` of version 1, in `data` or not. A
 * workflow becomes a category with its identifier as the key.
 */
function choicesOf(value: unknown, notImported: string[]): Choices {
  let channels: Choices['channels'] = {};
  const workflows = new Map<string, Choice>();
  if (isObject(value)) {
    noteFields(value, KNOWN_OF_PREFERENCES, notImported);
    for (const name of ['global', 'workflows', 'data']) noteType(name, value[name], notImported);
    if (isObject(value['data'])) notImported.push('field data of preferences');
    const global = isObject(value['global']) ? value['global'] : {};
    noteFields(global, KNOWN_OF_CHOICE, notImported);
    noteType('channels', global['channels'], notImported);
    channels = channelsOf(global['channels'], notImported);
    // Novu sends nothing to this subscriber.
    if (global['enabled'] === false) channels = allOff();
    for (const one of Array.isArray(value['workflows']) ? value['workflows'].filter(isObject) : [])
      addWorkflow(workflows, one['workflow'], one, notImported);
  }
  const data = isObject(value) ? value['data'] : value;
  for (const one of Array.isArray(data) ? data.filter(isObject) : []) {
    noteFields(one, KNOWN_OF_FIRST_VERSION, notImported);
    addWorkflow(workflows, one['template'], one['preference'], notImported);
  }
  return { channels, categories: categoriesOf(workflows, notImported) };
}

function addWorkflow(
  workflows: Map<string, Choice>,
  workflow: unknown,
  preference: unknown,
  notImported: string[],
): void {
  const identifier = identifierOf(workflow);
  if (identifier === undefined || !isObject(preference)) {
    notImported.push('preference without the identifier of its workflow');
    return;
  }
  noteFields(preference, KNOWN_OF_CHOICE, notImported);
  noteType('channels', preference['channels'], notImported);
  const channels = channelsOf(preference['channels'], notImported);
  const { enabled } = preference;
  workflows.set(identifier, {
    ...(typeof enabled === 'boolean' && { enabled }),
    ...(Object.keys(channels).length > 0 && { channels }),
  });
}

function identifierOf(workflow: unknown): string | undefined {
  if (!isObject(workflow)) return undefined;
  const [trigger] = Array.isArray(workflow['triggers']) ? workflow['triggers'] : [];
  const identifier = workflow['identifier'] ?? (isObject(trigger) ? trigger['identifier'] : undefined);
  return typeof identifier === 'string' && identifier !== '' ? identifier : undefined;
}

function allOff(): Partial<Record<ChannelId, boolean>> {
  return Object.fromEntries(channelIds.map((channel) => [channel, false]));
}
