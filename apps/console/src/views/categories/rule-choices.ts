import type { PreferenceRulesGetResponse } from '#client';

/** One of the two sets of rules. */
export type RuleSet = NonNullable<PreferenceRulesGetResponse['defaults']>;
/** `none`: the set says nothing. */
export type Choice = 'on' | 'off' | 'none';

export function categoriesIn({ categories }: RuleSet): string[] {
  return Object.keys(categories ?? {});
}

/** Of a channel in all categories, of a whole category, or of a channel in a category. */
export function choiceOf(rules: RuleSet, category: string | null, channel: string | null): Choice {
  if (category === null) return named(channel === null ? undefined : rules.channels?.[channel as Channel]);
  const rule = rules.categories?.[category];
  return named(channel === null ? rule?.enabled : rule?.channels?.[channel as Channel]);
}

type Channel = keyof NonNullable<RuleSet['channels']>;

export interface Change {
  category: string | null;
  channel: string | null;
  choice: Choice;
}

export function withChoice(rules: RuleSet, { category, channel, choice }: Change): RuleSet {
  if (category === null)
    return channel === null ? rules : { ...rules, channels: changed(rules.channels, channel, choice) };
  const before = rules.categories?.[category] ?? {};
  const { enabled: _, ...rest } = before;
  const rule =
    channel === null
      ? { ...rest, ...(choice !== 'none' && { enabled: choice === 'on' }) }
      : { ...before, channels: changed(before.channels, channel, choice) };
  return { ...rules, categories: { ...rules.categories, [category]: rule } };
}

function changed(channels: Record<string, boolean> | undefined, name: string, choice: Choice): Record<string, boolean> {
  const { [name]: _, ...others } = channels ?? {};
  return choice === 'none' ? others : { ...others, [name]: choice === 'on' };
}

function named(value: boolean | undefined): Choice {
  return value === undefined ? 'none' : value ? 'on' : 'off';
}
