import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type CategoryPreference,
  type Consent,
  type ConsentDecision,
  channelIds,
  choicesFor,
  decideConsent,
  isRecipientsChoice,
  type PreferenceSet,
  type SuppressionReason,
  suppressionReasons,
} from './index.js';

const CHANNEL = 'email';

const answers = [undefined, true, false] as const;
const choice = fc.option(fc.boolean(), { nil: undefined });
const channelChoices = fc.dictionary(fc.constantFrom(...channelIds), fc.boolean());
const categoryPreference: fc.Arbitrary<CategoryPreference> = fc.record(
  { enabled: fc.boolean(), channels: channelChoices },
  { requiredKeys: [] },
);
const preferenceSet: fc.Arbitrary<PreferenceSet> = fc.record({
  channels: channelChoices,
  categories: fc.dictionary(fc.constantFrom('news', 'bills'), categoryPreference),
});
const situation = fc.record({
  tenant: fc.record({ status: fc.constantFrom('active' as const, 'suspended' as const) }),
  category: fc.option(fc.record({ defaultEnabled: fc.boolean(), mandatory: fc.boolean() })),
  suppression: fc.option(fc.constantFrom(...suppressionReasons)),
  recipient: preferenceSet,
  defaults: preferenceSet,
  enforced: preferenceSet,
});
type Situation = typeof situation extends fc.Arbitrary<infer Value> ? Value : never;

function consentOf({ recipient, defaults, enforced, ...rest }: Situation): Consent {
  const own = choicesFor(recipient, 'news');
  return {
    ...rest,
    channelSwitches: own.channels,
    categoryPreference: own.category,
    preferenceRules: { defaults: choicesFor(defaults, 'news'), enforced: choicesFor(enforced, 'news') },
  };
}
const decide = (given: Situation): ConsentDecision => decideConsent(consentOf(given), CHANNEL);
function check<Values>(property: fc.IProperty<Values>): void {
  fc.assert(property, { numRuns: 2_000 });
}

const withNews = (set: PreferenceSet, news: CategoryPreference): PreferenceSet => ({
  ...set,
  categories: { ...set.categories, news },
});
const withSwitch = (set: PreferenceSet, on: boolean | undefined): PreferenceSet => {
  const { [CHANNEL]: _before, ...channels } = set.channels;
  return { ...set, channels: on === undefined ? channels : { ...channels, [CHANNEL]: on } };
};
const reachable: Partial<Situation> = { tenant: { status: 'active' }, suppression: null };
const ordinary = (given: Situation): Situation => ({
  ...given,
  ...reachable,
  category: given.category && { ...given.category, mandatory: false },
});

describe('consent', () => {
  it('an enforced no always wins, over a mandatory category too', () => {
    check(
      fc.property(situation, choice, (given, category) => {
        const byChannel = { ...given, enforced: withSwitch(given.enforced, false) };
        const byCategory = { ...given, enforced: withNews(given.enforced, { enabled: false }) };
        const byBoth = {
          ...given,
          enforced: withNews(given.enforced, { enabled: category, channels: { [CHANNEL]: false } }),
        };
        for (const forbidden of [byChannel, byCategory, byBoth]) {
          expect(decide(forbidden).allowed).toBe(false);
          expect(decide({ ...forbidden, ...reachable })).toEqual({
            allowed: false,
            reason: 'tenant_rule',
            rule: 'tenant.enforced',
          });
        }
      }),
    );
  });

  it('an enforced yes beats every choice of the recipient and every default', () => {
    check(
      fc.property(situation, (given) => {
        const silent = { channels: {}, categories: {} };
        for (const enforced of [
          { channels: { [CHANNEL]: true }, categories: {} },
          { channels: {}, categories: { news: { enabled: true } } },
          { channels: {}, categories: { news: { enabled: false, channels: { [CHANNEL]: true } } } },
        ])
          for (const recipient of [given.recipient, silent])
            expect(decide({ ...ordinary(given), recipient, enforced })).toEqual({
              allowed: true,
              reason: null,
              rule: 'tenant.enforced',
            });
      }),
    );
  });

  it('neither an enforced yes nor a mandatory category reaches an address that bounced or a suspended tenant', () => {
    check(
      fc.property(situation, fc.constantFrom(...suppressionReasons), (given, suppression) => {
        expect(decide({ ...given, tenant: { status: 'suspended' } }).reason).toBe('tenant_suspended');
        const listed = decide({ ...given, tenant: { status: 'active' }, suppression });
        if (!(suppression === 'unsubscribed' && given.category?.mandatory))
          expect(listed.reason).toBe('suppression_list');
        else expect(listed.reason).not.toBe('suppression_list');
      }),
    );
  });

  it('in one set, a choice for one channel of a category beats the one for the category', () => {
    check(
      fc.property(situation, fc.boolean(), choice, (given, wanted, enabled) => {
        const news = { enabled, channels: { [CHANNEL]: wanted } };
        const none = { channels: {}, categories: {} };
        const recipient = decide({
          ...ordinary(given),
          enforced: none,
          recipient: withSwitch(withNews(given.recipient, news), undefined),
        });
        expect(recipient).toMatchObject({ allowed: wanted, rule: 'recipient.preferences' });
        const defaults = decide({
          ...ordinary(given),
          enforced: none,
          recipient: none,
          defaults: withSwitch(withNews(given.defaults, news), undefined),
        });
        expect(defaults).toMatchObject({ allowed: wanted, rule: 'tenant.defaults' });
      }),
    );
  });

  it('a channel that is off is off in every category; a channel that is on opts in to nothing', () => {
    check(
      fc.property(situation, (given) => {
        const none = { channels: {}, categories: {} };
        const off = decide({ ...ordinary(given), enforced: none, recipient: withSwitch(given.recipient, false) });
        expect(off).toEqual({ allowed: false, reason: 'opted_out', rule: 'recipient.preferences' });
        const on = { channels: { [CHANNEL]: true }, categories: {} };
        const fallsBack = decide({ ...ordinary(given), enforced: none, recipient: on, defaults: none });
        expect(fallsBack).toMatchObject({
          allowed: given.category?.defaultEnabled ?? true,
          rule: 'category.default',
        });
      }),
    );
  });

  it('a choice of the recipient beats the defaults, also a channel switched on', () => {
    check(
      fc.property(situation, fc.boolean(), (given, wanted) => {
        const recipient = withSwitch(withNews(given.recipient, { channels: { [CHANNEL]: wanted } }), true);
        const enforced = { channels: {}, categories: {} };
        for (const defaults of [given.defaults, withSwitch(given.defaults, false)])
          expect(decide({ ...ordinary(given), enforced, recipient, defaults }).allowed).toBe(wanted);
      }),
    );
  });

  it('rules for other channels and other categories change nothing', () => {
    const others = channelIds.filter((channel) => channel !== CHANNEL);
    const unrelated = fc.record({
      set: fc.constantFrom('recipient' as const, 'defaults' as const, 'enforced' as const),
      channel: fc.constantFrom(...others),
      on: fc.boolean(),
      bills: categoryPreference,
    });
    check(
      fc.property(situation, unrelated, (given, { set, channel, on, bills }) => {
        const before = given[set];
        const news = before.categories['news'];
        const after: PreferenceSet = {
          channels: { ...before.channels, [channel]: on },
          categories: {
            ...before.categories,
            bills,
            ...(news && { news: { ...news, channels: { ...news.channels, [channel]: on } } }),
          },
        };
        expect(decide({ ...given, [set]: after })).toEqual(decide(given));
      }),
    );
  });

  it('a decision that is not the choice of the recipient stays the same whatever they choose', () => {
    check(
      fc.property(situation, preferenceSet, (given, recipient) => {
        const before = decide(given);
        if (!isRecipientsChoice(before.rule)) expect(decide({ ...given, recipient })).toEqual(before);
        else {
          const every = [true, false].map((wanted) =>
            decide({
              ...given,
              recipient: { channels: { [CHANNEL]: wanted }, categories: { news: { enabled: wanted } } },
            }),
          );
          expect(every.map(({ allowed }) => allowed)).toEqual([true, false]);
        }
      }),
    );
  });
});

describe('docs/preferences.md', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/preferences.md'), 'utf8');
  const [, table] = /<!-- decisions -->\n(.*?)\n\n/s.exec(page)!;
  const rows = table!
    .split('\n')
    .slice(2)
    .map((line) =>
      line
        .split('|')
        .slice(2, -1)
        .map((cell) => cell.trim().replaceAll('`', '')),
    );
  const word = (answer: boolean | undefined): string => (answer === undefined ? 'nothing' : answer ? 'on' : 'off');
  const resolved = ([single, whole]: Pair): boolean | undefined => single ?? whole;
  type Pair = readonly [single: boolean | undefined, whole: boolean | undefined];
  const pairs: Pair[] = answers.flatMap((single) => answers.map((whole) => [single, whole] as const));
  const preferenceOf = ([single, whole]: Pair): CategoryPreference => ({
    ...(whole !== undefined && { enabled: whole }),
    ...(single !== undefined && { channels: { [CHANNEL]: single } }),
  });
  const switchOf = (on: boolean | undefined) => (on === undefined ? {} : { [CHANNEL]: on });

  function expectRow(consent: Consent, facts: string[]): void {
    const row = rows.find((cells) => facts.every((fact, index) => ['', fact].includes(cells[index]!)));
    const { allowed, reason, rule } = decideConsent(consent, CHANNEL);
    const decision = [allowed ? 'yes' : 'no', reason ?? '', rule];
    // expect() for each of 300,000 cases would take most of the time.
    if (row?.slice(facts.length).join() !== decision.join())
      expect(row?.slice(facts.length), facts.join()).toEqual(decision);
  }

  it('has a row for every case, and the first row that matches is the decision', () => {
    expect(rows.length).toBeGreaterThan(10);
    const listed: (SuppressionReason | null)[] = [null, 'unsubscribed', 'bounced'];
    for (const status of ['active', 'suspended'] as const)
      for (const suppression of listed)
        for (const mandatory of [true, false])
          for (const defaultEnabled of [true, false])
            for (const enforcedSwitch of answers)
              for (const enforced of pairs)
                for (const ownSwitch of answers)
                  for (const own of pairs)
                    for (const usualSwitch of answers)
                      for (const usual of pairs) {
                        const consent: Consent = {
                          tenant: { status },
                          suppression,
                          category: { mandatory, defaultEnabled },
                          channelSwitches: switchOf(ownSwitch),
                          categoryPreference: preferenceOf(own),
                          preferenceRules: {
                            enforced: { channels: switchOf(enforcedSwitch), category: preferenceOf(enforced) },
                            defaults: { channels: switchOf(usualSwitch), category: preferenceOf(usual) },
                          },
                        };
                        const facts = [
                          status,
                          suppression === null ? 'nothing' : suppression === 'unsubscribed' ? suppression : 'other',
                          word(enforcedSwitch),
                          word(resolved(enforced)),
                          mandatory ? 'yes' : 'no',
                          word(ownSwitch),
                          word(resolved(own)),
                          word(usualSwitch),
                          word(resolved(usual)),
                          word(defaultEnabled),
                        ];
                        expectRow(consent, facts);
                      }
  });
});
