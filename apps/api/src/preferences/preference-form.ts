// The form of the preference page. For each category it has the channels that were ticked when it was shown
// (`was:<key>`) and those that are ticked now (`on:<key>`). Only the differences are saved, so that a form that was
// open for a long time does not undo later changes.

import {
  type ChannelId,
  DomainError,
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

/** The page has at most six fields for each of its 202 categories, and twelve for quiet hours. */
const MAX_FIELDS = 1_500;
const MAX_KEY = 255;
/** As many as the API accepts in preferences. */
const MAX_CHOSEN = 200;

/** Throws `validation_failed` for more than the page has. Reads each field once: `URLSearchParams.get` reads all. */
export function readForm(body: URLSearchParams): PreferenceForm {
  const fields = [...body];
  if (fields.length > MAX_FIELDS)
    throw invalid('too_many_values', `The form has ${fields.length} fields, at most ${MAX_FIELDS} are allowed.`);
  const form = new Map<string, { was: Set<string>; on: Set<string> }>();
  for (const [name, value] of fields) {
    const key = keyIn(name, 'was:');
    if (key !== null && !form.has(key)) form.set(key, { was: new Set(value.split(' ')), on: new Set() });
  }
  for (const [name, value] of fields) {
    const key = keyIn(name, 'on:');
    if (key !== null) form.get(key)?.on.add(value);
  }
  return form;
}

function keyIn(name: string, prefix: string): string | null {
  if (!name.startsWith(prefix)) return null;
  const length = name.length - prefix.length;
  if (length <= MAX_KEY) return name.slice(prefix.length);
  throw invalid('too_long', `The form has a category of ${length} characters, at most ${MAX_KEY} are allowed.`);
}

function invalid(code: string, message: string): DomainError {
  return new DomainError('validation_failed', message, { errors: [{ pointer: '/', code, message }] });
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
 * other category of the form that is not ticked. The form may name categories that do not exist: those are not stored.
 * Throws `validation_failed` for more categories than a recipient's preferences may have.
 */
export function withChanges(sources: PreferenceSources, form: PreferenceForm): PreferenceSet {
  const before = sources.preferences;
  const known = new Set(effectivePreferences(sources).map(({ key }) => key));
  const changes = changesIn(form);
  const opened = pageChannels.filter(
    (channel) =>
      before.channels[channel] === false && changes.some((change) => change.channel === channel && change.enabled),
  );
  const closed = opened.flatMap((channel) =>
    [...form]
      .filter(([key, { on }]) => known.has(key) && !on.has(channel))
      .map(([key]) => ({ key, channel, enabled: false })),
  );
  const categories = new Map(Object.entries(before.categories));
  for (const { key, channel, enabled } of [...closed, ...changes]) {
    const preference = categories.get(key);
    categories.set(key, { ...preference, channels: { ...preference?.channels, [channel]: enabled } });
  }
  if (categories.size > MAX_CHOSEN && categories.size > Object.keys(before.categories).length)
    throw invalid('too_many_values', `Preferences can name at most ${MAX_CHOSEN} categories, not ${categories.size}.`);
  return {
    channels: { ...before.channels, ...Object.fromEntries(opened.map((channel) => [channel, true])) },
    categories: Object.fromEntries(categories),
  };
}

/** Also switches off what the tenant will create later. */
export function withoutEverything<Choices extends PreferenceSet>(before: Choices): Choices {
  return {
    ...before,
    channels: { ...before.channels, ...Object.fromEntries(pageChannels.map((one) => [one, false])) },
  };
}
