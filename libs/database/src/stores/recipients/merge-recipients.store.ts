// Merges many recipients in one transaction: an import of one request for each would take hours.
//
// Two passes. The first reads without locks, and a recipient whose merges change nothing is done: a repeated import
// locks and writes no rows. The second creates or locks the profiles of the others in order of id, as accepts do, and
// then their preferences, so that two requests wait for each other, but never in a circle. It reads them, applies the
// merges in memory and writes the differences. A row that it created has the values of the first merge; if all merges
// of that recipient were refused, it is deleted.

import { isDeepStrictEqual } from 'node:util';
import type { Database } from '../../database.js';
import { mergePatch } from '../../merge-patch.js';
import { repeatConflicts } from '../../outage.js';
import type { Sql } from '../../statement.js';
import {
  ADD_DEVICES,
  CHANGE_PREFERENCES,
  CHANGE_PROFILES,
  CREATE_OR_LOCK_PREFERENCES,
  CREATE_OR_LOCK_PROFILES,
  DELETE_PREFERENCES,
  DELETE_PROFILES,
  DEVICES,
  type DeviceRow,
  deviceColumns,
  PREFERENCES,
  PROFILES,
  type Profile,
  preferenceColumns,
  profileColumns,
  type Row,
} from './merge-statements.js';
import { MergedAttributes } from './merged-attributes.js';
import { type PreferenceRow, type Preferences, toPreferences } from './recipient.js';
import {
  applyMerge,
  type MergeResult,
  mergedPreferences,
  NO_FIELDS,
  type RecipientMerge,
  type RecipientState,
} from './recipient-merge.js';

export class MergeRecipientsStore {
  constructor(private readonly database: Database) {}

  /** One result for each merge. Merges of the same recipient are applied in their order. A dry run writes nothing. */
  async merge(tenantId: string, merges: readonly RecipientMerge[], dryRun: boolean): Promise<MergeResult[]> {
    return await repeatConflicts(() =>
      this.database.sqlForTenant(tenantId, async (sql) => {
        const compared = await new MergeRun(sql, tenantId, merges).compare();
        if (dryRun) return compared;
        const changing = new Set(merges.filter((_, index) => compared[index] !== 'unchanged').map(({ id }) => id));
        const rest = merges.filter(({ id }) => changing.has(id));
        const written = rest.length === 0 ? [] : await new MergeRun(sql, tenantId, rest).write();
        return merges.map(({ id }, index) => (changing.has(id) ? written.shift()! : compared[index]!));
      }),
    );
  }
}

/** The rows that this transaction has created, with the values of the first merge. */
interface Created {
  profiles: ReadonlyMap<string, Profile>;
  preferences: ReadonlyMap<string, Preferences>;
}

type States = ReadonlyMap<string, RecipientState>;

const NOTHING: Created = { profiles: new Map(), preferences: new Map() };

class MergeRun {
  private readonly distinctIds: readonly string[];
  private readonly withPreferences: readonly RecipientMerge[];

  constructor(
    private readonly sql: Sql,
    private readonly tenantId: string,
    private readonly merges: readonly RecipientMerge[],
  ) {
    this.distinctIds = [...new Set(merges.map(({ id }) => id))];
    this.withPreferences = merges.filter(({ preferences }) => preferences !== null);
  }

  /** The result that each merge would have now. Locks and writes nothing. */
  async compare(): Promise<MergeResult[]> {
    const states = await this.read(NOTHING);
    return this.merges.map((merge) => applyMerge(states.get(merge.id)!, merge));
  }

  async write(): Promise<MergeResult[]> {
    const created = await this.createOrLock();
    const states = await this.read(created);
    const before = new Map([...states].map(([id, state]) => [id, { ...state, devices: new Map(state.devices) }]));
    const results = this.merges.map((merge) => applyMerge(states.get(merge.id)!, merge));
    await this.writeProfiles(created, before, states);
    await this.writePreferences(created, before, states);
    const devices: DeviceRow[] = [];
    for (const [id, state] of states)
      for (const [token, platform] of state.devices)
        if (!before.get(id)!.devices.has(token)) devices.push({ id, token, platform });
    if (devices.length > 0) await this.query(ADD_DEVICES, ...deviceColumns.values(devices));
    return results;
  }

  private async createOrLock(): Promise<Created> {
    const profiles = firstOfEach(
      this.merges,
      ({ fields }): Profile => ({
        ...NO_FIELDS,
        ...fields,
        attributes: mergePatch({}, fields.attributes ?? {}),
      }),
    );
    const preferences = firstOfEach(this.withPreferences, (merge) =>
      mergedPreferences(toPreferences(null), merge.preferences),
    );
    const created = async <Value>(text: string, rows: Map<string, Value>, values: unknown[][]) => {
      const found = rows.size === 0 ? [] : await this.query<{ id: string }>(text, ...values);
      return new Map(found.map(({ id }) => [id, rows.get(id)!]));
    };
    return {
      profiles: await created(CREATE_OR_LOCK_PROFILES, profiles, profileColumns.values(rowsOf(profiles))),
      preferences: await created(
        CREATE_OR_LOCK_PREFERENCES,
        preferences,
        preferenceColumns.values(rowsOf(preferences)),
      ),
    };
  }

  /** The recipients before the merges, without what this transaction has created. */
  private async read(created: Created): Promise<Map<string, RecipientState>> {
    const withAttributes = this.merges.filter(({ fields }) => fields.attributes).map(({ id }) => id);
    const profiles = await this.query<Profile & { id: string }>(
      PROFILES,
      this.distinctIds.filter((id) => !created.profiles.has(id)),
      withAttributes,
    );
    const preferences = await this.query<PreferenceRow & { id: string }>(
      PREFERENCES,
      this.withPreferences.map(({ id }) => id).filter((id) => !created.preferences.has(id)),
    );
    const withDevices = this.merges.filter((merge) => merge.devices.length > 0).map(({ id }) => id);
    const devices = Map.groupBy(await this.query<DeviceRow>(DEVICES, withDevices), ({ id }) => id);
    const states = new Map(
      this.distinctIds.map((id): [string, RecipientState] => [
        id,
        {
          fields: null,
          attributes: new MergedAttributes({}),
          preferences: toPreferences(null),
          devices: new Map((devices.get(id) ?? []).map(({ token, platform }) => [token, platform])),
        },
      ]),
    );
    for (const { id, attributes, ...fields } of profiles)
      Object.assign(states.get(id)!, { fields, attributes: new MergedAttributes(attributes ?? {}) });
    for (const { id, ...row } of preferences) Object.assign(states.get(id)!, { preferences: toPreferences(row) });
    return states;
  }

  private async writeProfiles(created: Created, before: States, states: States): Promise<void> {
    const changed: Row<Profile>[] = [];
    const refused: string[] = [];
    for (const [id, { fields, attributes }] of states) {
      const isNew = created.profiles.has(id);
      if (fields === null) refused.push(id);
      else if (isNew) {
        const value = { ...fields, attributes: attributes.value };
        if (!isDeepStrictEqual(value, created.profiles.get(id))) changed.push({ id, value });
      } else if (attributes.isChanged || !isDeepStrictEqual(fields, before.get(id)!.fields))
        changed.push({ id, value: { ...fields, attributes: attributes.isChanged ? attributes.value : null } });
    }
    if (refused.length > 0) await this.query(DELETE_PROFILES, refused);
    if (changed.length > 0) await this.query(CHANGE_PROFILES, ...profileColumns.values(changed));
  }

  private async writePreferences(created: Created, before: States, states: States): Promise<void> {
    const changed: Row<Preferences>[] = [];
    const refused: string[] = [];
    for (const [id, { preferences: value }] of states) {
      const isNew = created.preferences.has(id);
      if (isNew && isDeepStrictEqual(value, toPreferences(null))) refused.push(id);
      else if (!isDeepStrictEqual(value, isNew ? created.preferences.get(id) : before.get(id)!.preferences))
        changed.push({ id, value });
    }
    if (refused.length > 0) await this.query(DELETE_PREFERENCES, refused);
    if (changed.length > 0) await this.query(CHANGE_PREFERENCES, ...preferenceColumns.values(changed));
  }

  /** `$1` is the tenant. */
  private async query<Found extends object>(text: string, ...values: unknown[]): Promise<Found[]> {
    return await this.sql.query<Found>({ text, values: [this.tenantId, ...values] });
  }
}

function firstOfEach<Value>(merges: readonly RecipientMerge[], of: (merge: RecipientMerge) => Value) {
  const values = new Map<string, Value>();
  for (const merge of merges) if (!values.has(merge.id)) values.set(merge.id, of(merge));
  return values;
}

const rowsOf = <Value>(values: ReadonlyMap<string, Value>): Row<Value>[] =>
  [...values].map(([id, value]) => ({ id, value }));
