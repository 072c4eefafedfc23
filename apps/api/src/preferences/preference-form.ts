// The form of the preference page. For each category it has the channels that were ticked when it was shown
// (`was:<key>`) and those that are ticked now (`on:<key>`). Only the differences are saved, so that a form that was
// open for a long time does not undo later changes.

import {
  type ChannelId,
  effectiveCategory,
  effectivePreferences,
  type PreferenceSet,
  type PreferenceSources,
} from '#domain';

/** The channels that reach a person, in the order of the page. */
export const pageChannels = ['email', 'sms', 'push', 'in_app', 'chat'] as const satisfies readonly ChannelId[];
export type PageChannel = (typeof pageChannels)[number];

export interface FormCategory {
  was: ReadonlySet<string>;
  on: ReadonlySet<string>;
}
/** By key. */
export type PreferenceForm = ReadonlyMap<string, FormCategory>;

export interface FormChange {
  key: string;
  channel: PageChannel;
  enabled: boolean;
}

/** Why a change cannot be saved. */
export type ChangeFault = FormChange & { fault: 'cannotChange' | 'categoryGone' };

export function readForm(body: URLSearchParams): PreferenceForm {
  const keys = [...body.keys()].filter((name) => name.startsWith('was:')).map((name) => name.slice('was:'.length));
  return new Map(
    keys.map((key) => [
      key,
      { was: new Set((body.get(`was:${key}`) ?? '').split(' ')), on: new Set(body.getAll(`on:${key}`)) },
    ]),
  );
}

export function changesIn(form: PreferenceForm): FormChange[] {
  return [...form].flatMap(([key, { was, on }]) =>
    pageChannels
      .filter((channel) => was.has(channel) !== on.has(channel))
      .map((channel) => ({ key, channel, enabled: on.has(channel) })),
  );
}

/** The changes that the recipient may not make, because a rule or a category has changed since the form was shown. */
export function faultsOf(sources: PreferenceSources, changes: readonly FormChange[]): ChangeFault[] {
  const known = new Set(effectivePreferences(sources).map(({ key }) => key));
  return changes.flatMap((change): ChangeFault[] => {
    if (!known.has(change.key)) return [{ ...change, fault: 'categoryGone' }];
    const { changeable } = effectiveCategory(sources, change.key).channels[change.channel];
    return changeable ? [] : [{ ...change, fault: 'cannotChange' }];
  });
}

/**
 * A channel that is off is off in every category. To switch it on for one category, it is switched on, and off in each
 * other category that is not ticked.
 */
export function withChanges(before: PreferenceSet, form: PreferenceForm): PreferenceSet {
  const changes = changesIn(form);
  const opened = pageChannels.filter(
    (channel) =>
      before.channels[channel] === false && changes.some((change) => change.channel === channel && change.enabled),
  );
  const closed = opened.flatMap((channel) =>
    [...form].filter(([, { on }]) => !on.has(channel)).map(([key]) => ({ key, channel, enabled: false })),
  );
  const categories = new Map(Object.entries(before.categories));
  for (const { key, channel, enabled } of [...closed, ...changes]) {
    const preference = categories.get(key);
    categories.set(key, { ...preference, channels: { ...preference?.channels, [channel]: enabled } });
  }
  return {
    channels: { ...before.channels, ...Object.fromEntries(opened.map((channel) => [channel, true])) },
    categories: Object.fromEntries(categories),
  };
}

/** Also switches off what the tenant will create later. */
export function withoutEverything(before: PreferenceSet): PreferenceSet {
  return {
    ...before,
    channels: { ...before.channels, ...Object.fromEntries(pageChannels.map((one) => [one, false])) },
  };
}
