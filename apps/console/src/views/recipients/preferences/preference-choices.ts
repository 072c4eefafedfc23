import type { Preferences } from '#client';

/** The choice of a recipient for a channel, a category, or a channel in a category. */
export type Choice = 'on' | 'off' | 'none';

/** `null` stands for all categories, or for all channels of a category. */
export interface Place {
  category: string | null;
  channel: string | null;
}

export function choiceAt({ channels = {}, categories = {} }: Preferences, { category, channel }: Place): Choice {
  if (category === null) return toChoice(channel === null ? undefined : channels[channel]);
  const of = categories[category];
  return toChoice(channel === null ? of?.enabled : of?.channels?.[channel]);
}

/** A copy with the choice. Categories without a choice are left out. */
export function withChoice(preferences: Preferences, { category, channel }: Place, choice: Choice): Preferences {
  const { channels = {}, categories = {} } = preferences;
  if (category === null) return { ...preferences, channels: withValue(channels, channel ?? '', choice) };
  const { enabled, channels: inside = {} } = categories[category] ?? {};
  const nextEnabled = channel === null ? toValue(choice) : enabled;
  const nextChannels = channel === null ? inside : withValue(inside, channel, choice);
  const { [category]: _before, ...others } = categories;
  const next = {
    ...(nextEnabled !== undefined && { enabled: nextEnabled }),
    ...(Object.keys(nextChannels).length > 0 && { channels: nextChannels }),
  };
  return { ...preferences, categories: Object.keys(next).length > 0 ? { ...others, [category]: next } : others };
}

function withValue(values: Record<string, boolean>, name: string, choice: Choice): Record<string, boolean> {
  const { [name]: _before, ...others } = values;
  const value = toValue(choice);
  return value === undefined ? others : { ...others, [name]: value };
}

function toChoice(value: boolean | undefined): Choice {
  return value === undefined ? 'none' : value ? 'on' : 'off';
}

function toValue(choice: Choice): boolean | undefined {
  return choice === 'none' ? undefined : choice === 'on';
}
