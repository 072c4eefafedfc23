// The fields of the preference page for quiet hours. They have one window, with days, and a zone. Hours with several
// windows, which only the API can set, are kept as a whole or replaced. Like the rest of the form, the fields are saved
// only if they were changed: `quiet_was` has what the page showed.

import { type QuietHours, quietHours, weekdays } from '#domain';

/** `default`: the hours of the tenant. `keep`: several windows as they are. */
export const quietChoices = ['default', 'none', 'own', 'keep'] as const;
export type QuietChoice = (typeof quietChoices)[number];

export interface QuietForm {
  choice: QuietChoice;
  /** The window of the choice `own`: times of day, and the days on which it begins. */
  from: string;
  to: string;
  days: readonly string[];
  /** Empty for the zone of the profile. */
  zone: string;
}

/** The fields for the stored hours. */
export function quietFormOf(hours: QuietHours | null): QuietForm {
  const [window, ...others] = hours?.windows ?? [];
  const { from, to, days } = window ?? { from: '22:00', to: '08:00', days: weekdays };
  const stored = window ? (others.length > 0 ? 'keep' : 'own') : 'none';
  return { choice: hours === null ? 'default' : stored, from, to, days, zone: hours?.timezone ?? '' };
}

/** Identifies what the fields say. */
export function quietText({ choice, from, to, days, zone }: QuietForm): string {
  return [choice, from, to, days.join(), zone].join(' ');
}

/**
 * Null if nothing was changed, or if the form does not have these fields. A window that was changed is meant to be
 * used, also without a click on its choice.
 */
export function changedQuietForm(body: URLSearchParams): QuietForm | null {
  const values = new Map<string, string>();
  const given = new Set<string>();
  for (const [name, value] of body) {
    if (name === 'quiet_day') given.add(value);
    else if (name.startsWith('quiet') && !values.has(name)) values.set(name, value);
  }
  const text = (name: string): string => values.get(name) ?? '';
  const choice = quietChoices.find((one) => one === text('quiet'));
  if (choice === undefined) return null;
  const days = weekdays.filter((day) => given.has(day));
  const form = { choice, from: text('quiet_from'), to: text('quiet_to'), days, zone: text('quiet_zone') };
  const was = text('quiet_was');
  if (quietText(form) === was) return null;
  return was.startsWith(`${choice} `) ? { ...form, choice: 'own' } : form;
}

/** The hours to store instead of those before; undefined if they are not valid. */
export function hoursIn(form: QuietForm, before: QuietHours | null): QuietHours | null | undefined {
  switch (form.choice) {
    case 'default':
      return null;
    case 'none':
      return { windows: [] };
    case 'keep':
      return before;
    case 'own': {
      const { from, to, days, zone } = form;
      return quietHours.safeParse({ ...(zone !== '' && { timezone: zone }), windows: [{ days, from, to }] }).data;
    }
  }
}
