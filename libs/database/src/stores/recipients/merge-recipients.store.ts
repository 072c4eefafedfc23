// Merges many recipients in one transaction: an import of one request for each would take hours.

import { columnList } from '../../column-list.js';
import { json } from '../../columns.js';
import type { Database } from '../../database.js';
import { repeatConflicts } from '../../outage.js';
import type { Sql } from '../../statement.js';
import { type PreferenceRow, toPreferences } from './recipient.js';
import {
  type ChoicesRow,
  compare,
  type DeviceRow,
  deviceKey,
  type MergeResult,
  mergedProfile,
  NO_PROFILE,
  type ProfileRow,
  type RecipientMerge,
  type Stored,
  type Writes,
} from './recipient-merge.js';

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
   * compares each with what is stored.
   *
   * Requests with the same recipients wait for each other, never in a circle: each creates or locks all of its
   * recipients in order of id, as accepts do, and only then locks their preferences.
   */
  async merge(tenantId: string, merges: readonly RecipientMerge[], dryRun: boolean): Promise<MergeResult[]> {
    // An erasure locks rows of a recipient in another order.
    return await repeatConflicts(() =>
      this.database.sqlForTenant(tenantId, async (sql) => {
        const results = new Map<RecipientMerge, MergeResult>();
        for (let left = merges; left.length > 0; ) left = await mergeFirst({ sql, tenantId, dryRun }, left, results);
        return merges.map((merge) => results.get(merge)!);
      }),
    );
  }
}

interface Pass {
  sql: Sql;
  tenantId: string;
  dryRun: boolean;
}

/**
 * Applies the first merge of each recipient and returns the others, and those whose preferences another transaction has
 * created in the meantime: the next pass sees them.
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
  const created = pass.dryRun ? new Set<string>() : await createOrLock(pass, [...firsts.values()]);
  const stored = await read(pass, [...firsts.keys()], created);
  const writes: Writes = { changed: [], createdChoices: [], changedChoices: [], devices: [] };
  const rejected: string[] = [];
  for (const merge of firsts.values()) {
    const result = compare(merge, stored, writes);
    // Whoever was created in the pass before is still new.
    if (results.get(merge) !== 'created') results.set(merge, result);
    if (result === 'too_many_categories' && created.has(merge.id)) rejected.push(merge.id);
  }
  if (pass.dryRun) return others;
  if (rejected.length > 0) await pass.sql.query({ text: DELETE, values: [pass.tenantId, rejected] });
  const missed = await write(pass, writes);
  return [...missed.map((id) => firsts.get(id)!), ...others];
}

/** Returns the ids of those that were new. */
async function createOrLock({ sql, tenantId }: Pass, merges: readonly RecipientMerge[]): Promise<Set<string>> {
  const rows = merges.map(({ id, fields }) => mergedProfile({ ...NO_PROFILE, id }, fields));
  const values = [tenantId, ...profileColumns.values(rows)];
  return new Set((await sql.query<{ id: string }>({ text: CREATE_OR_LOCK, values })).map(({ id }) => id));
}

/** Index: recipients_pkey. */
const PROFILES = `
select id, email, phone, locale, timezone, attributes from recipients
where tenant_id = $1 and id = any ($2::text[])`;

/** Index: preferences_pkey. */
const CHOICES = `
select recipient_id as id, channels, categories, quiet_hours as "quietHours", caps from preferences
where tenant_id = $1 and recipient_id = any ($2::text[]) order by recipient_id`;

/** Index: devices_pkey. */
const DEVICES = `
select recipient_id as id, token from devices where tenant_id = $1 and recipient_id = any ($2::text[])`;

const LOCK = ' for no key update';

/** Leaves out the profiles of those that were just created. */
async function read({ sql, tenantId, dryRun }: Pass, ids: readonly string[], created: Set<string>): Promise<Stored> {
  const before = ids.filter((id) => !created.has(id));
  const profiles = await sql.query<ProfileRow>({ text: PROFILES, values: [tenantId, before] });
  const values = [tenantId, ids];
  const choices = await sql.query<PreferenceRow & { id: string }>({ text: dryRun ? CHOICES : CHOICES + LOCK, values });
  const devices = await sql.query<Pick<DeviceRow, 'id' | 'token'>>({ text: DEVICES, values });
  return {
    profiles: new Map(profiles.map((row) => [row.id, row])),
    choices: new Map(choices.map(({ id, ...row }) => [id, toPreferences(row)])),
    devices: new Set(devices.map(deviceKey)),
  };
}

/** Returns the recipients whose preferences it could not create, because another transaction has just done so. */
async function write({ sql, tenantId }: Pass, writes: Writes): Promise<string[]> {
  const { changed, createdChoices, changedChoices, devices } = writes;
  const run = async <Row extends object>(text: string, values: unknown[][]): Promise<Row[]> =>
    await sql.query<Row>({ text, values: [tenantId, ...values] });
  if (changed.length > 0) await run(CHANGE, profileColumns.values(changed));
  if (changedChoices.length > 0) await run(CHANGE_CHOICES, choicesColumns.values(changedChoices));
  if (devices.length > 0) await run(ADD_DEVICES, deviceColumns.values(devices));
  if (createdChoices.length === 0) return [];
  const done = await run<{ id: string }>(CREATE_CHOICES, choicesColumns.values(createdChoices));
  const ids = new Set(done.map(({ id }) => id));
  return createdChoices.map(({ id }) => id).filter((id) => !ids.has(id));
}

/** Locks those that are there and returns the others: PostgreSQL locks each row of a conflict, also without a change. */
const CREATE_OR_LOCK = `
insert into recipients as r (tenant_id, ${profileColumns.names})
select $1, * from ${profileColumns.table('p', 2)} order by p.id
on conflict (tenant_id, id) do update set updated_at = r.updated_at where false
returning id`;

/** Index: recipients_pkey. */
const DELETE = 'delete from recipients where tenant_id = $1 and id = any ($2::text[])';

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
