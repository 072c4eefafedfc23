import { isDeepStrictEqual } from 'node:util';
import type { ApiClient } from '../api/api-client.js';
import { CommandError } from '../exit-codes.js';
import type { Choices, Device, ImportedRecipient } from './imported-recipient.js';

export type Result = 'created' | 'changed' | 'unchanged';

interface StoredPreferences extends Choices {
  quiet_hours: unknown;
  caps: unknown;
}

const NO_PREFERENCES: StoredPreferences = { channels: {}, categories: {}, quiet_hours: null, caps: [] };

export interface WriteOptions {
  dryRun: boolean;
  /** An earlier row has created the recipient, or would have. */
  isCreated: boolean;
}

/**
 * Makes the recipient have what the row has, and leaves everything else of it. Compares first, so a second run changes
 * nothing. Throws CommandError.
 */
export async function writeRecipient(
  client: ApiClient,
  { id, profile, choices, devices }: ImportedRecipient,
  { dryRun, isCreated }: WriteOptions,
): Promise<Result> {
  const path = `/api/v1/recipients/${encodeURIComponent(id)}`;
  const stored = await storedProfile(client, path);
  const isNew = stored === null;
  // Without a stored profile there are no preferences and no devices.
  const changes = [
    ...profileChanges(stored, profile ?? {}),
    ...(choices ? await choiceChanges(client, path, { choices, isNew }) : []),
    ...(devices.length > 0 ? await deviceChanges(client, path, { devices, isNew }) : []),
  ];
  if (!dryRun) for (const [method, part, body] of changes) await client.request(method, path + part, { body });
  if (isNew && !isCreated) return 'created';
  return changes.length > 0 ? 'changed' : 'unchanged';
}

/** A request: method, path after that of the recipient, and body. */
type Change = readonly [string, string, unknown];

async function storedProfile(client: ApiClient, path: string): Promise<Record<string, unknown> | null> {
  try {
    return await client.request('GET', path);
  } catch (error) {
    if (error instanceof CommandError && error.details['status'] === 404) return null;
    throw error;
  }
}

function profileChanges(stored: Record<string, unknown> | null, given: Record<string, unknown>): Change[] {
  if (!stored) return [['PUT', '', given]];
  const changed = Object.entries(given).filter(([name, value]) => !isMerged(stored[name], value));
  return changed.length > 0 ? [['PATCH', '', Object.fromEntries(changed)]] : [];
}

/** Whether a merge with `given` would leave the value as it is. */
function isMerged(stored: unknown, given: unknown): boolean {
  if (
    typeof stored !== 'object' ||
    stored === null ||
    typeof given !== 'object' ||
    given === null ||
    Array.isArray(given)
  )
    return isDeepStrictEqual(stored, given);
  return Object.entries(given).every(([name, value]) => isMerged((stored as Record<string, unknown>)[name], value));
}

async function choiceChanges(
  client: ApiClient,
  path: string,
  { choices, isNew }: { choices: Choices; isNew: boolean },
): Promise<Change[]> {
  const stored: StoredPreferences = isNew ? NO_PREFERENCES : await client.request('GET', `${path}/preferences`);
  const categories = { ...stored.categories };
  for (const [key, { enabled, channels }] of Object.entries(choices.categories)) {
    const before = categories[key] ?? {};
    categories[key] = {
      ...before,
      ...(enabled !== undefined && { enabled }),
      ...(channels && { channels: { ...before.channels, ...channels } }),
    };
  }
  const body = { ...stored, channels: { ...stored.channels, ...choices.channels }, categories };
  return isDeepStrictEqual(body, stored) ? [] : [['PUT', '/preferences', body]];
}

async function deviceChanges(
  client: ApiClient,
  path: string,
  { devices, isNew }: { devices: readonly Device[]; isNew: boolean },
): Promise<Change[]> {
  const known = new Set<string>();
  if (!isNew) for await (const { token } of client.list<Device>(`${path}/devices`, {})) known.add(token);
  return devices.filter(({ token }) => !known.has(token)).map((device) => ['POST', '/devices', device]);
}
