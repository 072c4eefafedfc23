import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { effectiveCategory, effectivePreferences, type PreferenceSet, type PreferenceSources } from '#domain';
import {
  changesIn,
  faultsOf,
  type PreferenceForm,
  pageChannels,
  readForm,
  withChanges,
  withoutEverything,
} from './preference-form.js';

const KEYS = ['default', 'news', 'bills'];
const byChannel = fc.dictionary(fc.constantFrom(...pageChannels), fc.boolean());
const set: fc.Arbitrary<PreferenceSet> = fc.record({
  channels: byChannel,
  categories: fc.dictionary(
    fc.constantFrom(...KEYS),
    fc.record({ enabled: fc.boolean(), channels: byChannel }, { requiredKeys: [] }),
  ),
});
const category = (key: string) =>
  fc.record({
    key: fc.constant(key),
    name: fc.constant(key),
    defaultEnabled: fc.boolean(),
    mandatory: fc.boolean(),
  });
const sources: fc.Arbitrary<PreferenceSources> = fc.record({
  categories: fc.tuple(category('bills'), category('news')),
  preferences: set,
  rules: fc.record({ defaults: set, enforced: set }),
});
/** For each category the channels that the person wants. */
const wishes = fc.tuple(...KEYS.map(() => fc.subarray([...pageChannels])));

/** The form as the page shows it, after the person has ticked what is wanted. */
function formOf(shown: PreferenceSources, wanted: string[][]): PreferenceForm {
  return new Map(
    KEYS.map((key, index) => {
      const { channels } = effectiveCategory(shown, key);
      const open = pageChannels.filter((channel) => channels[channel].changeable);
      const was = open.filter((channel) => channels[channel].enabled);
      return [key, { was: new Set(was), on: new Set(open.filter((channel) => wanted[index]!.includes(channel))) }];
    }),
  );
}
const save = (before: PreferenceSources, form: PreferenceForm): PreferenceSources => ({
  ...before,
  preferences: withChanges(before, form),
});
function check<Values>(property: fc.IProperty<Values>): void {
  fc.assert(property, { numRuns: 3_000 });
}

describe('the form of the preference page', () => {
  it('leads to what was ticked, in every category and channel that can be changed', () => {
    check(
      fc.property(sources, wishes, (before, wanted) => {
        const form = formOf(before, wanted);
        expect(faultsOf(before, changesIn(form))).toEqual([]);
        const after = save(before, form);
        for (const [key, { on }] of form)
          for (const channel of pageChannels) {
            const { changeable, enabled } = effectiveCategory(before, key).channels[channel];
            const expected = changeable ? on.has(channel) : enabled;
            expect(effectiveCategory(after, key).channels[channel].enabled, `${key} ${channel}`).toBe(expected);
          }
      }),
    );
  });

  it('saved twice is the same as once, and without a change it changes nothing', () => {
    check(
      fc.property(sources, wishes, (before, wanted) => {
        const form = formOf(before, wanted);
        const once = save(before, form);
        expect(effectivePreferences(save(once, form))).toEqual(effectivePreferences(once));
        const untouched: PreferenceForm = new Map([...form].map(([key, { was }]) => [key, { was, on: was }]));
        expect(save(before, untouched).preferences).toEqual(before.preferences);
      }),
    );
  });

  it('does not undo what another form has changed meanwhile', () => {
    const only = (form: PreferenceForm, key: string): PreferenceForm =>
      new Map([...form].map(([one, { was, on }]) => [one, { was, on: one === key ? on : was }]));
    check(
      fc.property(sources, wishes, (before, wanted) => {
        // A channel that is off is switched on for all categories, so that case is about all of them.
        fc.pre(pageChannels.every((channel) => before.preferences.channels[channel] !== false));
        const form = formOf(before, wanted);
        const [news, bills] = [only(form, 'news'), only(form, 'bills')];
        const expected = save(save(before, news), bills);
        expect(save(save(before, bills), news).preferences).toEqual(expected.preferences);
        for (const channel of pageChannels)
          if (effectiveCategory(before, 'news').channels[channel].changeable)
            expect(effectiveCategory(expected, 'news').channels[channel].enabled).toBe(
              form.get('news')!.on.has(channel),
            );
      }),
    );
  });

  it('refuses what cannot be changed, and categories that do not exist', () => {
    const mandatory: PreferenceSources = {
      categories: [{ key: 'bills', name: 'Bills', defaultEnabled: true, mandatory: true }],
      preferences: { channels: {}, categories: {} },
      rules: { defaults: { channels: {}, categories: {} }, enforced: { channels: {}, categories: {} } },
    };
    const form = readForm(new URLSearchParams('was:bills=email&was:gone=sms push&on:gone=sms&was:a:b=&on:a:b=fax'));
    expect(faultsOf(mandatory, changesIn(form))).toEqual([
      { key: 'bills', channel: 'email', enabled: false, fault: 'cannotChange' },
      { key: 'gone', channel: 'push', enabled: false, fault: 'categoryGone' },
    ]);
  });

  it('has as many fields and as long keys as the page can have, and not more', () => {
    const large = Array.from({ length: 202 }, (_, n) => [
      `was:${n}`,
      ...pageChannels.map((channel) => `on:${n}=${channel}`),
    ]);
    expect(readForm(new URLSearchParams(large.flat().join('&'))).size).toBe(202);
    const many = Array.from({ length: 1_501 }, (_, n) => `was:${n}`).join('&');
    expect(() => readForm(new URLSearchParams(many))).toThrow('1501 fields');
    expect(() => readForm(new URLSearchParams(`on:${'x'.repeat(256)}=email`))).toThrow('256 characters');
    expect(readForm(new URLSearchParams('was:__proto__=email&on:__proto__=sms&on:other=sms'))).toEqual(
      new Map([['__proto__', { was: new Set(['email']), on: new Set(['sms']) }]]),
    );
  });

  it('stores no categories that do not exist, and not more than the API accepts', () => {
    const nothing = { channels: {}, categories: {} };
    const off: PreferenceSources = {
      categories: [],
      preferences: { channels: { email: false }, categories: {} },
      rules: { defaults: nothing, enforced: nothing },
    };
    const form = readForm(new URLSearchParams('was:default&on:default=email&was:made-up&was:%00&was:__proto__'));
    expect(Object.entries(withChanges(off, form).categories)).toEqual([['default', { channels: { email: true } }]]);
    const many = Array.from({ length: 200 }, (_, n) => [`c${n}`, { enabled: false }] as const);
    const full = { ...off, preferences: { ...off.preferences, categories: Object.fromEntries(many) } };
    expect(() => withChanges(full, form)).toThrow('at most 200 categories, not 201');
  });

  it('switches everything off, also categories that do not exist yet, but not what the recipient cannot leave', () => {
    check(
      fc.property(sources, (before) => {
        const after = { ...before, preferences: withoutEverything(before.preferences) };
        for (const { channels } of [...effectivePreferences(after), effectiveCategory(after, 'later')])
          for (const channel of pageChannels)
            if (channels[channel].rule !== 'category.mandatory' && channels[channel].rule !== 'tenant.enforced')
              expect(channels[channel].enabled).toBe(false);
      }),
    );
  });
});
