// Merges many recipients in one transaction: an import of one request for each would take hours.

import { isDeepStrictEqual } from 'node:util';
import type { Database } from '../../database.js';
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
  preferenceColumns,
  profileColumns,
  type Row,
} from './merge-statements.js';
import { type Device, type PreferenceRow, type Preferences, toPreferences } from './recipient.js';
import {
  applyMerge,
  type MergeResult,
  mergedPreferences,
  mergedProfile,
  noPreferences,
  type Profile,
  type RecipientMerge,
  type RecipientState,
} from './recipient-merge.js';

export class MergeRecipientsStore {
  constructor(private readonly database: Database) {}

  /**
   * One result for each merge. Merges of the same recipient are applied in their order. A dry run writes nothing.
   *
   * Requests with the same recipients wait for each other, never in a circle: each creates or locks all of its
   * recipients in order of id, as accepts do, and then their preferences.
   */
  async merge(tenantId: string, merges: readonly RecipientMerge[], dryRun: boolean): Promise<MergeResult[]> {
    return await repeatConflicts(() =>
      this.database.sqlForTenant(tenantId, async (sql) => {
        const compared = await new MergeRun(sql, tenantId, merges).run(true);
        if (dryRun) return compared;
        // Those that change nothing are done: a repeated import locks and writes no rows.
        const changing = new Set(merges.filter((_, index) => compared[index] !== 'unchanged').map(({ id }) => id));
        const rest = merges.filter(({ id }) => changing.has(id));
        const written = rest.length === 0 ? [] : await new MergeRun(sql, tenantId, rest).run(false);
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

const NOTHING: Created = { profiles: new Map(), preferences: new Map() };

/** The rows of one recipient. Null if there is none. */
interface Stored {
  profile: Profile | null;
  isNew: boolean;
  /** Null also if no merge has preferences. */
  preferences: Preferences | null;
  hasNewPreferences: boolean;
  devices: Map<string, Device['platform']>;
}

const stateOf = ({ profile, isNew, preferences, hasNewPreferences, devices }: Stored): RecipientState => ({
  profile: isNew ? null : profile,
  preferences: hasNewPreferences ? noPreferences() : (preferences ?? noPreferences()),
  devices: new Map(devices),
});

class MergeRun {
  /** Once each. */
  private readonly ids: readonly string[];
  private readonly withPreferences: readonly RecipientMerge[];

  constructor(
    private readonly sql: Sql,
    private readonly tenantId: string,
    private readonly merges: readonly RecipientMerge[],
  ) {
    this.ids = [...new Set(merges.map(({ id }) => id))];
    this.withPreferences = merges.filter(({ preferences }) => preferences !== null);
  }

  async run(dryRun: boolean): Promise<MergeResult[]> {
    const stored = await this.read(dryRun ? NOTHING : await this.createOrLock());
    const states = new Map([...stored].map(([id, one]) => [id, stateOf(one)]));
    const results = this.merges.map((merge) => applyMerge(states.get(merge.id)!, merge));
    if (!dryRun) await this.write(stored, states);
    return results;
  }

  private async createOrLock(): Promise<Created> {
    const profiles = firstOfEach(this.merges, ({ fields }) => mergedProfile(null, fields));
    const preferences = firstOfEach(this.withPreferences, (merge) =>
      mergedPreferences(noPreferences(), merge.preferences),
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

  private async read(created: Created): Promise<Map<string, Stored>> {
    const others = this.ids.filter((id) => !created.profiles.has(id));
    const withAttributes = this.merges.filter(({ fields }) => fields.attributes).map(({ id }) => id);
    const profiles = new Map(
      (await this.query<Profile & { id: string }>(PROFILES, others, withAttributes)).map(({ id, ...row }) => [id, row]),
    );
    const ids = this.withPreferences.map(({ id }) => id).filter((id) => !created.preferences.has(id));
    const preferences = new Map(
      (await this.query<PreferenceRow & { id: string }>(PREFERENCES, ids)).map(({ id, ...row }) => [
        id,
        toPreferences(row),
      ]),
    );
    const withDevices = this.merges.filter((merge) => merge.devices.length > 0).map(({ id }) => id);
    const devices = Map.groupBy(await this.query<DeviceRow>(DEVICES, withDevices), ({ id }) => id);
    return new Map(
      this.ids.map((id) => [
        id,
        {
          profile: created.profiles.get(id) ?? profiles.get(id) ?? null,
          isNew: created.profiles.has(id),
          preferences: created.preferences.get(id) ?? preferences.get(id) ?? null,
          hasNewPreferences: created.preferences.has(id),
          devices: new Map((devices.get(id) ?? []).map(({ token, platform }) => [token, platform])),
        },
      ]),
    );
  }

  private async write(stored: ReadonlyMap<string, Stored>, states: ReadonlyMap<string, RecipientState>): Promise<void> {
    const [profiles, preferences, devices]: [Row<Profile>[], Row<Preferences>[], DeviceRow[]] = [[], [], []];
    const [noProfile, unchosen]: [string[], string[]] = [[], []];
    for (const [id, state] of states) {
      const before = stored.get(id)!;
      // All merges of a new recipient were refused.
      if (state.profile === null) noProfile.push(id);
      else if (!isDeepStrictEqual(state.profile, before.profile)) profiles.push({ id, value: state.profile });
      if (before.hasNewPreferences && isDeepStrictEqual(state.preferences, noPreferences())) unchosen.push(id);
      else if (before.preferences && !isDeepStrictEqual(state.preferences, before.preferences))
        preferences.push({ id, value: state.preferences });
      for (const [token, platform] of state.devices)
        if (!before.devices.has(token)) devices.push({ id, token, platform });
    }
    if (noProfile.length > 0) await this.query(DELETE_PROFILES, noProfile);
    if (profiles.length > 0) await this.query(CHANGE_PROFILES, ...profileColumns.values(profiles));
    if (unchosen.length > 0) await this.query(DELETE_PREFERENCES, unchosen);
    if (preferences.length > 0) await this.query(CHANGE_PREFERENCES, ...preferenceColumns.values(preferences));
    if (devices.length > 0) await this.query(ADD_DEVICES, ...deviceColumns.values(devices));
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
