// Merges many recipients in one transaction: an import of one request for each would take hours.

import { isDeepStrictEqual } from 'node:util';
import { MAX_PREFERENCE_CATEGORIES } from '#domain';
import { columnList } from '../column-list.js';
import { json } from '../columns.js';
import type { Database } from '../database.js';
import { mergePatch } from '../merge-patch.js';
import type { Sql } from '../statement.js';
import { type Device, type PreferenceRow, type Preferences, type RecipientFields, toPreferences } from './recipient.js';

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
type MergeResult = (typeof mergeResults)[number] | 'too_many_categories';

interface ProfileRow extends RecipientFields {
  id: string;
}
interface ChoicesRow extends Preferences {
  id: string;
}
interface DeviceRow extends NewDevice {
  id: string;
}

/** The stored rows of the recipients of one pass, by id. */
interface Stored {
  profiles: Map<string, ProfileRow>;
  choices: Map<string, Preferences>;
  /** Id and token of each device. */
  devices: Set<string>;
}

/** The rows that one pass writes. */
interface Writes {
  created: ProfileRow[];
  changed: ProfileRow[];
  createdChoices: ChoicesRow[];
  changedChoices: ChoicesRow[];
  devices: DeviceRow[];
}

const profileColumns = columnList<ProfileRow>({
  id: ['text', ({ id }) => id],
  email: ['text', ({ email }) => email],
  phone: ['text', ({ phone }) => phone],
  locale: ['text', ({ locale }) => locale],
  timezone: ['text', ({ timezone }) => timezone],
  attributes: ['jsonb', ({ attributes }) => JSON.stringify(attributes)],
});
const choicesColumns = columnList<ChoicesRow>({
  recipient_id: ['text', ({ id }) => id],
  channels: ['jsonb', ({ channels }) => JSON.stringify(channels)],
  categories: ['jsonb', ({ categories }) => JSON.stringify(categories)],
  quiet_hours: ['jsonb', ({ quietHours }) => json(quietHours)],
  caps: ['jsonb', ({ caps }) => JSON.stringify(caps)],
});
const deviceColumns = columnList<DeviceRow>({
  recipient_id: ['text', ({ id }) => id],
  token: ['text', ({ token }) => token],
  platform: ['text', ({ platform }) => platform],
});

export class MergeRecipientsStore {
  constructor(private readonly database: Database) {}

  /**
   * One result for each merge. Merges of the same recipient are applied in their order. A dry run writes nothing, and
   * compares each with what is stored. Locks rows in order of id: recipients, then preferences.
   */
  async merge(tenantId: string, merges: readonly RecipientMerge[], dryRun: boolean): Promise<MergeResult[]> {
    const results = new Map<RecipientMerge, MergeResult>();
    await this.database.sqlForTenant(tenantId, async (sql) => {
      for (let left = merges; left.length > 0; ) left = await mergeFirst({ sql, tenantId, dryRun }, left, results);
    });
    return merges.map((merge) => results.get(merge)!);
  }
}

interface Pass {
  sql: Sql;
  tenantId: string;
  dryRun: boolean;
}

/**
 * Applies the first merge of each recipient and returns the others, and those that another transaction has created in
 * the meantime: the next pass sees their rows.
 */
async function mergeFirst(
  pass: Pass,
  merges: readonly RecipientMerge[],
  results: Map<RecipientMerge, MergeResult>,
): Promise<readonly RecipientMerge[]> {
  const firsts = new Map<string, RecipientMerge>();
  const others = merges.filter((merge) => {
    const isFirst = !firsts.has(merge.id);
    if (isFirst) firsts.set(merge.id, merge);
    return !isFirst;
  });
  const stored = await read(pass, [...firsts.keys()]);
  const writes: Writes = { created: [], changed: [], createdChoices: [], changedChoices: [], devices: [] };
  for (const merge of firsts.values()) results.set(merge, compare(merge, stored, writes));
  if (pass.dryRun) return others;
  const missed = await write(pass, writes);
  return [...[...missed].map((id) => firsts.get(id)!), ...others];
}

/** Index: recipients_pkey. */
const PROFILES = `
select id, email, phone, locale, timezone, attributes from recipients
where tenant_id = $1 and id = any ($2::text[]) order by id`;

/** Index: preferences_pkey. */
const CHOICES = `
select recipient_id as id, channels, categories, quiet_hours as "quietHours", caps from preferences
where tenant_id = $1 and recipient_id = any ($2::text[]) order by recipient_id`;

/** Index: devices_pkey. */
const DEVICES = `
select recipient_id as id, token from devices where tenant_id = $1 and recipient_id = any ($2::text[])`;

const LOCK = ' for update';

async function read({ sql, tenantId, dryRun }: Pass, ids: readonly string[]): Promise<Stored> {
  const values = [tenantId, ids];
  const profiles = await sql.query<ProfileRow>({ text: dryRun ? PROFILES : PROFILES + LOCK, values });
  const choices = await sql.query<PreferenceRow & { id: string }>({ text: dryRun ? CHOICES : CHOICES + LOCK, values });
  const devices = await sql.query<Pick<DeviceRow, 'id' | 'token'>>({ text: DEVICES, values });
  return {
    profiles: new Map(profiles.map((row) => [row.id, row])),
    choices: new Map(choices.map(({ id, ...row }) => [id, toPreferences(row)])),
    devices: new Set(devices.map(deviceKey)),
  };
}

const deviceKey = ({ id, token }: Pick<DeviceRow, 'id' | 'token'>): string => JSON.stringify([id, token]);

/** Adds what the merge changes to the writes. */
function compare(merge: RecipientMerge, stored: Stored, writes: Writes): MergeResult {
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
  if (!before) writes.created.push(profile);
  if (hasOtherProfile) writes.changed.push(profile);
  if (hasOtherChoices) (chosen ? writes.changedChoices : writes.createdChoices).push({ id, ...choices });
  writes.devices.push(...devices);
  if (!before) return 'created';
  return hasOtherProfile || hasOtherChoices || devices.length > 0 ? 'changed' : 'unchanged';
}

const NO_PROFILE: RecipientFields = { email: null, phone: null, locale: null, timezone: null, attributes: {} };

function mergedProfile(before: ProfileRow, { attributes, ...fields }: Partial<RecipientFields>): ProfileRow {
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

const byId = (left: { id: string }, right: { id: string }): number => (left.id < right.id ? -1 : 1);

/** Returns the recipients that it could not create, because another transaction has just done so. */
async function write({ sql, tenantId }: Pass, writes: Writes): Promise<Set<string>> {
  const { created, changed, createdChoices, changedChoices, devices } = writes;
  const missed = new Set<string>();
  const create = async <Row extends { id: string }>(text: string, rows: Row[], values: unknown[][]): Promise<void> => {
    const found = await sql.query<{ id: string }>({ text, values: [tenantId, ...values] });
    const ids = new Set(found.map(({ id }) => id));
    for (const { id } of rows) if (!ids.has(id)) missed.add(id);
  };
  if (created.length > 0) await create(CREATE, created, profileColumns.values(created.sort(byId)));
  if (changed.length > 0)
    await sql.query({ text: CHANGE, values: [tenantId, ...profileColumns.values(changed.sort(byId))] });
  const isThere = ({ id }: { id: string }): boolean => !missed.has(id);
  const newChoices = createdChoices.filter(isThere).sort(byId);
  if (newChoices.length > 0) await create(CREATE_CHOICES, newChoices, choicesColumns.values(newChoices));
  if (changedChoices.length > 0)
    await sql.query({ text: CHANGE_CHOICES, values: [tenantId, ...choicesColumns.values(changedChoices.sort(byId))] });
  const newDevices = devices.filter(isThere);
  if (newDevices.length > 0)
    await sql.query({ text: ADD_DEVICES, values: [tenantId, ...deviceColumns.values(newDevices)] });
  return missed;
}

const CREATE = `
insert into recipients (tenant_id, ${profileColumns.names}) select $1, * from ${profileColumns.table('p', 2)}
on conflict (tenant_id, id) do nothing returning id`;

/** Index: recipients_pkey. */
const CHANGE = `
update recipients r set email = p.email, phone = p.phone, locale = p.locale, timezone = p.timezone,
  attributes = p.attributes, updated_at = now()
from ${profileColumns.table('p', 2)} where r.tenant_id = $1 and r.id = p.id`;

const CREATE_CHOICES = `
insert into preferences (tenant_id, ${choicesColumns.names}) select $1, * from ${choicesColumns.table('p', 2)}
on conflict (tenant_id, recipient_id) do nothing returning recipient_id as id`;

/** Index: preferences_pkey. */
const CHANGE_CHOICES = `
update preferences r set channels = p.channels, categories = p.categories, quiet_hours = p.quiet_hours, caps = p.caps,
  updated_at = now()
from ${choicesColumns.table('p', 2)} where r.tenant_id = $1 and r.recipient_id = p.recipient_id`;

const ADD_DEVICES = `
insert into devices (tenant_id, ${deviceColumns.names}) select $1, * from ${deviceColumns.table('p', 2)}
on conflict (tenant_id, recipient_id, token) do nothing`;
